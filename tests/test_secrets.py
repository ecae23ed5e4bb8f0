"""However somebody signs in: no token, no secret, in anything that is written or shown."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from acceptance import EVERYTHING, Desk, hurried, outcomes, run, steps
from authority import application
from test_acceptance_tls import served
from vedette.errors import SignIn, VedetteError
from vedette.run.connect import connect
from vedette.run.edits import Wanted
from vedette.run.logfile import Log
from vedette.run.observe import Observer
from vedette.run.profile import Az, Certificate, Environment, Federated, Secret
from vedette.service.entra.assertions import federated
from vedette.service.state import cast
from vedette.service.state.apps import federate, register

SECRET, SUBJECT = "an operator's", "system:serviceaccount:soc:automation"
WANTED = Wanted(add_tag=("night",), comment=("Seen.",))


def a_secret(there, folder):
    del there
    (folder / "secret").write_text(f"{SECRET}\n", encoding="utf-8")
    return {
        "environment": (Environment(), {}),
        "variable": (Secret(**app(), secret_env="HIDDEN"), {"HIDDEN": SECRET}),
        "file": (Secret(**app(), secret_file=str(folder / "secret")), {}),
    }, [SECRET]


def a_certificate(there, folder):
    path = folder / "app.pem"
    application(path, b"opens it")
    whole = path.read_bytes()
    register(there.world.connection, cast.OPERATOR, whole[whole.index(b"-----BEGIN CERT") :])
    made = Certificate(**app(), certificate=str(path), password_env="OPENS")
    lines = [one for one in whole.decode().splitlines() if len(one) > 20 and "-" not in one]
    return {"certificate": (made, {"OPENS": "opens it"})}, ["opens it", *lines]


def a_workload(there, folder):
    connection = there.world.connection
    federate(connection, cast.OPERATOR, subject=SUBJECT)
    told = federated(connection, datetime.now(UTC), subject=SUBJECT)
    (folder / "federated").write_text(told, encoding="utf-8")
    return {"federated": (Federated(**app(), token_file=str(folder / "federated")), {})}, [told]


def app():
    return {"client_id": cast.OPERATOR, "tenant_id": cast.TENANT}


async def at_work(there, folder, identity, environ):
    """Sign in, write, be refused once; give all that was written or shown, and the token."""
    folder.mkdir()
    shown = []
    observer = Observer(
        log=Log(folder / "log.ndjson", note=shown.append), key="*", say=shown.append
    )
    variables = there.variables | environ
    profile = replace(there.profile(), identity=identity)
    link = hurried(await connect(profile, environ=variables, observer=observer))
    desk = Desk(link, folder)
    proposal = await desk.propose(wanted=WANTED)
    there.trouble(status=400, method="PUT", path="/subscriptions")
    finished = await desk.apply(proposal, allowed=EVERYTHING, run_file=folder / "x.run.json")
    first = steps(proposal)[0]
    url = link.dialects[first.place].read(first.id).url
    header = link.driver.sender.sender._authorizer.current(url)
    observer.close()
    await link.close()
    desk.journal.close()
    shown += [repr(finished), str(finished.failures)]
    return finished, header.removeprefix("Bearer "), proposal.data + everything(folder, shown)


def everything(folder, shown):
    kept = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    return kept + "\n".join(shown).encode()


@pytest.mark.parametrize("kind", [a_secret, a_certificate, a_workload])
def test_nothing_that_signs_in_is_in_what_a_run_leaves(tmp_path, kind):
    async def job():
        async with served(tmp_path / "world", sample=60) as there:
            ways, secrets = kind(there, tmp_path)
            for name, (identity, environ) in ways.items():
                folder = tmp_path / f"by {name}"
                finished, token, left = await at_work(there, folder, identity, environ)
                assert "failed" in outcomes(finished)
                assert len(token) > 100
                for secret in (token, token.rpartition(".")[2], *secrets):
                    assert secret.encode() not in left, name
                log = (folder / "log.ndjson").read_text(encoding="utf-8").splitlines()
                asked = [one for one in map(json.loads, log) if one["event"] == "token"]
                assert [one["scope"] for one in asked] == [there.profile().arm_scope]

    (tmp_path / "world").mkdir()
    run(job())


@pytest.mark.parametrize("which", ["secret", "az"])
def test_nothing_of_a_sign_in_that_is_refused_is_told(tmp_path, which, monkeypatch):
    """Neither the vendor's words nor ours repeat what was sent."""
    wrong = "a-wrong-secret~nobody/may+see="
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    az = tmp_path / "az"
    az.write_text(f"#!/bin/sh\necho 'ERROR: {wrong} is no secret' >&2\nexit 1\n")
    az.chmod(0o755)
    identity = {"secret": Secret(**app(), secret_env="HIDDEN"), "az": Az(tenant_id=cast.TENANT)}
    said = []

    async def job():
        async with served(tmp_path / "world", sample=5) as there:
            observer = Observer(log=Log(tmp_path / "log.ndjson", note=said.append))
            profile = replace(there.profile(), identity=identity[which])
            environ = there.variables | {"HIDDEN": wrong}
            with pytest.raises(SignIn) as error:
                await connect(profile, environ=environ, observer=observer)
            observer.failure(error.value)
            observer.close()
            return error.value

    (tmp_path / "world").mkdir()
    error: VedetteError = run(job())
    log = (tmp_path / "log.ndjson").read_text(encoding="utf-8")
    assert wrong not in f"{log} {error.told} {error.hint} {error!r} {said}"
    told = [json.loads(line) for line in log.splitlines()]
    assert [one["event"] for one in told] == ["token", "error"]
    assert told[0]["error"].endswith("Error")
    assert told[1]["code"] == "SignIn"
