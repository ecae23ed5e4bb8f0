"""One identity in one tenant: which token goes where, and which tenant it is for."""

from __future__ import annotations

import pytest

from acceptance import run
from vedette.errors import SignIn, Strayed
from vedette.run.choice import local
from vedette.run.entry import Signed, entered

HERE, THERE = ("00000000-0000-0000-0000-00000000000" + digit for digit in "ab")


class Source:
    """Tokens that say what they are for."""

    def __init__(self):
        self.asked = []

    def current(self, scope):
        return scope if self.asked else None

    async def token(self, scope, *, fresh=False, claims=None):
        self.asked.append((scope, fresh, claims))
        return scope

    async def close(self):
        self.asked.append("closed")


def test_arm_and_graph_get_tokens_of_their_own_and_nobody_else_any():
    profile, source = local(), Source()
    signed = Signed(profile, source)
    graph, arm = f"{profile.graph}/v1.0/users", f"{profile.arm}/subscriptions"
    assert signed.current(arm) is None
    told = [run(signed.authorization(url, fresh=False, claims=None)) for url in (graph, arm)]
    assert told == [f"Bearer {profile.graph_scope}", f"Bearer {profile.arm_scope}"]
    assert signed.current(arm) == f"Bearer {profile.arm_scope}"
    for url in ("https://elsewhere.example/v1.0/", f"{profile.arm}.example/", "http://localhost/"):
        with pytest.raises(Strayed):
            signed.current(url)
    run(signed.close())
    assert source.asked[-1] == "closed"


def test_a_token_is_for_the_tenant_that_was_wanted():
    assert entered({"tid": HERE.upper()}, "x", HERE) == HERE
    assert entered({"tid": HERE}, "x", "contoso.example") == HERE
    assert entered({"tid": HERE}, "x", None) == HERE
    assert entered({}, "x", HERE) == HERE
    with pytest.raises(SignIn, match="instead of"):
        entered({"tid": THERE}, "x", HERE)
    with pytest.raises(SignIn, match="does not say"):
        entered({"tid": [HERE]}, "x", None)
