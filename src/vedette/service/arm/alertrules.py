"""
The analytics rules behind a sample world's alerts, to be read only: so that the ids in
`relatedAnalyticRuleIds` lead to a name.
"""

from __future__ import annotations

from typing import Any

from vedette.service.answer import Answer
from vedette.service.arm.below import There, enter, paged, since
from vedette.service.arm.incidents import missing
from vedette.service.ask import Ask
from vedette.service.route import INSIGHTS, get
from vedette.service.state.cast import id_of
from vedette.service.state.moments import TICKS, etag, moment
from vedette.service.state.words import PRODUCTS, TEMPLATES, Template

_KIND = "alertRules"
_MADE = 1_767_603_600 * TICKS
"""When all of them were last changed, so they say."""
_ANY = {
    "user": "an account",
    "host": "a host",
    "ip": "an address",
    "app": "an application",
    "country": "an unusual country",
    "file": "a file",
    "domain": "a domain",
}
_RULES: dict[str, tuple[int, Template]] = {
    id_of("rule", template.title): (position, template)
    for position, template in enumerate(TEMPLATES, 1)
    if template.product == PRODUCTS["S"]
}


def every(ask: Ask, *at: str) -> Answer:
    """Return a page of the rules."""
    there = enter(ask, _KIND, f"{_KIND}/read", at, _KIND)
    after = since(ask)
    return paged(
        ask,
        ((("", place), name) for name, (place, _) in _RULES.items() if place > after),
        lambda page: [_spelled(there, name) for name in page],
        bucket="reads",
    )


def one(ask: Ask, *at: str) -> Answer:
    """Return one rule."""
    name = at[-1]
    there = enter(ask, _KIND, f"{_KIND}/read", at, _KIND, name)
    return Answer(status=200, document=_spelled(there, _known(name)), bucket="reads")


def actions(ask: Ask, *at: str) -> Answer:
    """Return what a rule does besides making alerts: nothing."""
    name = at[-1]
    enter(ask, _KIND, f"{_KIND}/actions/read", at, _KIND, name, "actions")
    _known(name)
    return Answer(status=200, document={"value": []}, bucket="reads")


def _known(name: str) -> str:
    if name.lower() not in _RULES:
        raise missing(name)
    return name.lower()


def _spelled(there: There, name: str) -> dict[str, Any]:
    position, template = _RULES[name]
    return {
        "id": there.id(_KIND, name),
        "name": name,
        "etag": etag(position, _MADE),
        "type": f"Microsoft.SecurityInsights/{_KIND}",
        "kind": "Scheduled",
        "properties": {
            "queryFrequency": "PT1H",
            "queryPeriod": "PT1H",
            "triggerOperator": "GreaterThan",
            "triggerThreshold": 0,
            "severity": template.severity,
            "query": "SigninLogs\n| take 10",
            "suppressionDuration": "PT5H",
            "suppressionEnabled": False,
            "tactics": list(template.tactics),
            "techniques": list(template.techniques),
            "displayName": template.title.format_map(_ANY),
            "enabled": True,
            "description": template.description.format_map(_ANY),
            "alertRuleTemplateName": None,
            "lastModifiedUtc": moment(_MADE),
        },
    }


ROUTES = {
    f"{INSIGHTS}/alertrules": get(every),
    f"{INSIGHTS}/alertrules/{{}}": get(one),
    f"{INSIGHTS}/alertrules/{{}}/actions": get(actions),
}
