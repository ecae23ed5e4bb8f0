from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.errors import Asked
from vedette.run.references import Reference, reference

GUID = "73e01a99-5cd7-4139-a149-9f2736ff2ab5"
WORKSPACE = (
    "/subscriptions/bd794837-4d29-4647-9105-6339bfdb4e6a/resourceGroups/soc"
    "/providers/Microsoft.OperationalInsights/workspaces/soc-eu"
)
ARM = f"{WORKSPACE}/providers/Microsoft.SecurityInsights/incidents/{GUID}"
XDR = Reference(place="xdr", number=123, id="123", plane="defender")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("4711", Reference(number=4711)),
        ("#4711", Reference(number=4711)),
        (" soc-eu#4711\n", Reference(place="soc-eu", number=4711)),
        ("soc-eu/4711", Reference(place="soc-eu", number=4711)),
        ("soc-eu:4711", Reference(place="soc-eu", number=4711)),
        (GUID, Reference(id=GUID)),
        (f"soc-eu/{GUID}", Reference(place="soc-eu", id=GUID)),
        ("incident-1", Reference(id="incident-1")),
        (ARM, Reference(place=WORKSPACE, id=GUID, plane="sentinel")),
        (ARM.replace("incidents", "cases"), Reference(place=WORKSPACE, id=GUID, plane="cases")),
        (
            ARM.replace("incidents", "Incidents") + "/",
            Reference(place=WORKSPACE, id=GUID, plane="sentinel"),
        ),
        ("xdr#123", XDR),
        ("XDR:123", Reference(place="XDR", number=123, id="123", plane="defender")),
        ("acme/xdr#123", Reference(place="acme/xdr", number=123, id="123", plane="defender")),
        ("acme/xdr/123", Reference(place="acme/xdr", number=123, id="123", plane="defender")),
        (
            f"https://portal.azure.com/#asset/Microsoft_Azure_Security_Insights/Incident{ARM}",
            Reference(place=WORKSPACE, id=GUID, plane="sentinel"),
        ),
        (
            f"https://portal.azure.us/#view/Insights/IncidentPage/incidentArmId/{quote(ARM, safe='')}",
            Reference(place=WORKSPACE, id=GUID, plane="sentinel"),
        ),
        (
            "https://security.microsoft.com/incident2/123/overview?tid=11111111-1111-4111",
            Reference(place="11111111-1111-4111", number=123, id="123", plane="defender"),
        ),
        ("https://security.microsoft.com/incidents/123", XDR),
        ("https://security.microsoft.us/incidents/123?x=1", XDR),
    ],
)
def test_every_form_that_people_paste_is_understood(text, meant):
    assert reference(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "#",
        "soc-eu#",
        "#soc-eu",
        "soc eu#1",
        "a/b#1",
        "a/b/c",
        "acme/xdr",
        "xdr#abc",
        "../../etc/passwd",
        "soc-eu#4711#2",
        WORKSPACE,
        f"{ARM}/comments/1",
        "https://portal.azure.com/",
        "https://security.microsoft.com/alerts/123",
        "https://[/incident2/1",
        "https://elsewhere.example/incident2/123",
        "-1",
        "9" * 30 + "#",
    ],
)
def test_what_names_no_incident_is_refused_with_the_forms_there_are(text):
    with pytest.raises(Asked) as error:
        reference(text)
    assert "soc-eu#4711" in (error.value.hint or "")
    assert len(error.value.message) < 120


aliases = st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,30}", fullmatch=True).filter(
    lambda alias: alias.lower() != "xdr"
)


@given(alias=aliases, number=st.integers(0, 2**53), sign=st.sampled_from("#/:"))
def test_a_printed_key_is_read_back(alias, number, sign):
    assert reference(f"{alias}{sign}{number}") == Reference(place=alias, number=number)


@given(alias=aliases, number=st.integers(0, 2**53), sign=st.sampled_from("#/:"))
def test_a_printed_key_of_defender_is_read_back(alias, number, sign):
    read = reference(f"{alias}/xdr{sign}{number}")
    assert (read.place, read.id, read.plane) == (f"{alias}/xdr", str(number), "defender")


@given(st.text(max_size=200))
def test_no_text_breaks_it(text):
    try:
        read = reference(text)
    except Asked:
        return
    assert read.number is not None or read.id
