"""
What sign-in refuses with: each number with its status, its OAuth error and its words.

https://learn.microsoft.com/entra/identity-platform/reference-error-codes
"""

from __future__ import annotations

from collections.abc import Mapping

from vedette.wire.problems import Fault

_LONGEST = 200

_CLIENT, _GRANT, _REQUEST, _SCOPE = (
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
)
_NO_MATCH = "No matching federated identity record found for presented assertion"
_CHECK = (
    "Check your federated identity credential Subject, Audience and Issuer against the"
    " presented assertion."
)

# Status and error of 7000215, 90002, 700211 and 700213 were seen in public logs, those of
# 70011 and the device flow are documented; the others follow their like.
_REFUSALS: Mapping[int, tuple[int, str, str]] = {
    7000215: (
        401,
        _CLIENT,
        (
            "Invalid client secret provided. Ensure the secret being sent in the request is the"
            " client secret value, not the client secret ID, for a secret added to app '{app}'."
        ),
    ),
    7000222: (
        401,
        _CLIENT,
        (
            "The provided client secret keys for app '{app}' are expired. Create new keys for the"
            " app, or consider certificate credentials."
        ),
    ),
    7000218: (
        401,
        _CLIENT,
        (
            "The request body must contain the following parameter: 'client_assertion' or"
            " 'client_secret'."
        ),
    ),
    700021: (
        401,
        _CLIENT,
        "Client assertion application identifier doesn't match 'client_id' parameter.",
    ),
    700023: (401, _CLIENT, "Client assertion audience claim does not match Realm issuer."),
    700024: (
        401,
        _CLIENT,
        (
            "Client assertion is not within its valid time range. Current time: {now}, assertion"
            " valid from {begins}, expiry time of assertion {ends}."
        ),
    ),
    700027: (
        401,
        _CLIENT,
        (
            "The certificate with identifier used to sign the client assertion is not registered"
            " on application. [Reason - {why}, Thumbprint of key used by client: '{thumb}']"
        ),
    ),
    700211: (401, _CLIENT, f"{_NO_MATCH} issuer '{{it}}'. {_CHECK}"),
    700212: (401, _CLIENT, f"{_NO_MATCH} audience '{{it}}'. {_CHECK}"),
    700213: (401, _CLIENT, f"{_NO_MATCH} subject '{{it}}'. {_CHECK}"),
    50013: (401, _CLIENT, "Assertion failed signature validation. [Reason - {why}]"),
    50027: (401, _CLIENT, "JWT token is invalid or malformed. [Reason - {why}]"),
    700016: (
        400,
        "unauthorized_client",
        (
            "Application with identifier '{app}' was not found in the directory '{tenant}'. This"
            " can happen if the application has not been installed by the administrator of the"
            " tenant."
        ),
    ),
    70011: (
        400,
        _SCOPE,
        (
            "The provided value for the input parameter 'scope' is not valid. The scope {scope} is"
            " not valid. Client credential flows must have a scope value with /.default suffixed"
            " to the resource identifier (application ID URI)."
        ),
    ),
    700022: (
        400,
        _SCOPE,
        (
            "The provided value for the input parameter 'scope' is not valid because it contains"
            " more than one resource. Scope {scope} is not valid."
        ),
    ),
    28003: (
        400,
        _SCOPE,
        (
            "The provided value for the input parameter 'scope' can't be empty when requesting an"
            " access token."
        ),
    ),
    65001: (
        400,
        _GRANT,
        (
            "The user or administrator has not consented to use the application with ID '{app}'"
            " for the permission {scope}."
        ),
    ),
    90002: (
        400,
        _REQUEST,
        (
            "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and"
            " are signing into the correct cloud."
        ),
    ),
    9001023: (
        400,
        _REQUEST,
        (
            "The grant type is not supported over the /{tenant} endpoint. Use a tenant-specific"
            " endpoint."
        ),
    ),
    500011: (
        400,
        "invalid_resource",
        (
            "The resource principal named {resource} was not found in the tenant named {tenant}."
            " This can happen if the application has not been installed by the administrator of"
            " the tenant."
        ),
    ),
    900144: (400, _REQUEST, "The request body must contain the following parameter: '{name}'."),
    901002: (400, _REQUEST, "The 'resource' request parameter is not supported."),
    90013: (400, _REQUEST, "Invalid input received from the user. {why}"),
    70003: (
        400,
        "unsupported_grant_type",
        "The app requested an unsupported grant type '{grant}'.",
    ),
    50126: (
        400,
        _GRANT,
        (
            "Error validating credentials due to invalid username or password. Nobody here has a"
            " password; people sign in with a device code."
        ),
    ),
    50034: (400, _REQUEST, "The user account {upn} does not exist in the {tenant} directory."),
    50049: (400, "invalid_instance", "Unknown or invalid instance."),
    50173: (
        400,
        _GRANT,
        "The provided grant has expired due to it being revoked, a fresh auth token is needed.",
    ),
    70000: (400, _GRANT, "Provided grant is invalid or malformed."),
    700082: (400, _GRANT, "The refresh token has expired due to inactivity."),
    70016: (
        400,
        "authorization_pending",
        "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
    ),
    70018: (400, "bad_verification_code", "Invalid verification code."),
    70019: (400, "expired_token", "Verification code expired. Sign in again."),
    70017: (400, "authorization_declined", "The end user denied the authorization request."),
    54005: (400, _GRANT, "The device code was already redeemed, please retry with a new one."),
}


def refused(number: int, **words: object) -> Fault:
    """Return the refusal of this number; what the caller sent is cut and kept on one line."""
    status, error, text = _REFUSALS[number]
    shown = {name: _shown(str(word)) for name, word in words.items()}
    return Fault(status, error, f"AADSTS{number}: {text.format(**shown)}")


def _shown(word: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in word[:_LONGEST])
