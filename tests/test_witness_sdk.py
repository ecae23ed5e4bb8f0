"""The vendor's own SDK, unmodified, over TLS on loopback: a witness that is not us."""

from __future__ import annotations

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.identity import ClientSecretCredential
from azure.mgmt.securityinsight import SecurityInsights
from azure.mgmt.securityinsight.models import Incident, IncidentComment, IncidentOwnerInfo

from served import EU, INSIGHTS, VERSION, edge
from vedette.service.state import cast
from vedette.service.world import Trouble

WHERE = (cast.RESOURCE_GROUP, "soc-eu")


@pytest.fixture
def it(tmp_path, monkeypatch):
    made = edge("socket", tmp_path, 160)
    # What service.env says, for those who speak through `requests`.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "bundle.pem"))
    yield made
    made.close()


def signed_in(it, app=cast.OPERATOR, tenant=cast.TENANT, secret=None):
    (known,) = it.connection.execute("SELECT secret FROM app WHERE id = ?", (app,)).fetchone()
    return ClientSecretCredential(
        tenant,
        app,
        secret or known,
        authority=it.url,
        disable_instance_discovery=tenant != "adfs",
    )


@pytest.fixture
def sdk(it):
    with SecurityInsights(signed_in(it), cast.SUBSCRIPTION, base_url=it.url) as client:
        yield client


def test_it_lists_every_page(it, sdk):
    found = list(sdk.incidents.list(*WHERE, top=40))
    (there,) = it.connection.execute("SELECT count(*) FROM incident WHERE workspace = 1").fetchone()
    assert len({one.name for one in found}) == len(found) == there > 80
    assert all(one.etag and one.created_time_utc and one.incident_number for one in found)
    assert {one.owner.object_id for one in found} > {None, cast.id_of("user", "linda")}


def test_it_lists_what_a_filter_leaves_in_the_order_asked_for(sdk):
    found = list(
        sdk.incidents.list(
            *WHERE,
            filter="properties/severity eq 'Medium' and properties/status ne 'Closed'",
            orderby="properties/incidentNumber asc",
            top=5,
        )
    )
    numbers = [one.incident_number for one in found]
    assert len(numbers) > 10
    assert numbers == sorted(set(numbers))
    assert {one.severity for one in found} == {"Medium"}


def test_it_creates_updates_comments_and_deletes(sdk):
    made = sdk.incidents.create_or_update(
        *WHERE, "witness", Incident(title="Made by the SDK", severity="High", status="New")
    )
    assert made.type == "Microsoft.SecurityInsights/Incidents"
    made.status = "Active"
    made.owner = IncidentOwnerInfo(
        object_id=cast.id_of("user", "linda"), user_principal_name="linda@contoso.example"
    )
    saved = sdk.incidents.create_or_update(*WHERE, "witness", made)
    assert (saved.status, saved.owner.user_principal_name) == ("Active", "linda@contoso.example")
    with pytest.raises(ResourceExistsError) as caught:
        sdk.incidents.create_or_update(*WHERE, "witness", made)
    assert caught.value.status_code == 409
    assert caught.value.error.code == "Conflict"
    assert sdk.incidents.get(*WHERE, "witness").etag == saved.etag
    comment = sdk.incident_comments.create_or_update(
        *WHERE, "witness", "c1", IncidentComment(message="looked at")
    )
    assert comment.author.object_id == cast.object_id(cast.OPERATOR)
    (listed,) = sdk.incident_comments.list(*WHERE, "witness")
    assert listed.message == "looked at"
    sdk.incident_comments.delete(*WHERE, "witness", "c1")
    assert list(sdk.incident_comments.list(*WHERE, "witness")) == []
    sdk.incidents.delete(*WHERE, "witness")
    sdk.incidents.delete(*WHERE, "witness")
    with pytest.raises(ResourceNotFoundError):
        sdk.incidents.get(*WHERE, "witness")


def test_it_is_told_no_in_a_way_it_understands(it, sdk):
    with pytest.raises(HttpResponseError, match="'Title' must have a non-empty value"):
        sdk.incidents.create_or_update(
            *WHERE, "bad", Incident(title="", severity="High", status="New")
        )
    reader = signed_in(it, cast.READER_APP)
    with SecurityInsights(reader, cast.SUBSCRIPTION, base_url=it.url) as client:
        assert next(iter(client.incidents.list(*WHERE)))
        with pytest.raises(HttpResponseError) as caught:
            client.incidents.delete(*WHERE, "bad")
    assert (caught.value.status_code, caught.value.error.code) == (403, "AuthorizationFailed")


def test_a_wrong_secret_is_explained(it):
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        signed_in(it, secret="wrong").get_token("https://management.azure.com/.default")


def test_the_tenant_adfs_needs_no_instance_discovery(it):
    """What service.env names: with it nothing has to be switched off."""
    told = signed_in(it, tenant="adfs").get_token("https://management.azure.com/.default")
    assert told.token.count(".") == 2


def test_it_waits_out_a_refusal(it, sdk):
    """It obeys Retry-After and tries again by itself."""
    path = f"{EU}{INSIGHTS}/incidents"
    it.cause(Trouble(method="GET", path=path, status=429, headers={"retry-after": "0"}))
    assert next(iter(sdk.incidents.list(*WHERE, top=1))).name
    struck = it.connection.execute("SELECT struck FROM fault").fetchone()
    assert struck == (1,)
    assert it.arm("GET", "/incidents", version=VERSION).status == 200
