"""From a token's claims to a user: name, scopes, times (RFC 7519 4.1; RFC 8693 4.2 for `scope`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, TypeGuard

from warren.gateway.authentication.oauth2.scopes import Scopes, read_scopes

if TYPE_CHECKING:
    from warren.gateway.authentication.settings.oauth2 import OAuth2Settings

SCOPES_MAX: Final = 2048
"""As RabbitMQ: each is looked at for every right."""

DEPTH_MAX: Final = 8
"""Words in a path into claims, and so lists within lists."""

TIME_MAX_S: Final = 2**40
"""Some 34,000 years: more is no time."""

UNKNOWN: Final = "unknown"
"""The user of a token that names none, as in RabbitMQ."""

USERNAME_CLAIMS: Final = ("sub", "client_id")

REQUESTING_PARTY_SCOPES: Final = "authorization.permissions.scopes"
"""Where Keycloak has them in tokens of its authorization services."""


class WrongToken(Exception):
    """It is refused; the text says why, without the token."""


def name_of(claims: Mapping[str, object], preferred: tuple[str, ...]) -> str:
    """The user's name: of the first of the claims that is a text."""
    for claim in (*preferred, *USERNAME_CLAIMS):
        value = claims.get(claim)
        if isinstance(value, str) and value:
            return value
    return UNKNOWN


def scopes_of(claims: Mapping[str, object], settings: OAuth2Settings) -> Scopes:
    """What the token allows; WrongToken when it has too many scopes to look at."""
    found = list(_texts(claims.get("scope"), settings.resource_server_id))
    for path in (*settings.additional_scopes_key.split(), REQUESTING_PARTY_SCOPES):
        found += _at(claims, path.split(".")[:DEPTH_MAX], settings.resource_server_id)
    aliases = dict(settings.scope_aliases)
    for name in list(found):
        found += aliases.get(name, "").split()
    if len(found) > SCOPES_MAX:
        raise WrongToken(f"it has more than {SCOPES_MAX} scopes")
    prefix = settings.scope_prefix
    return read_scopes(found, f"{settings.resource_server_id}." if prefix is None else prefix, claims)


def _texts(value: object, resource_server_id: str) -> Iterator[str]:
    """Scopes as they are written: a list, a text with spaces between them, or a map by who they are for."""
    if isinstance(value, str):
        yield from value.split()
    elif isinstance(value, list):
        yield from (each for each in value if isinstance(each, str))
    elif isinstance(value, dict):
        for each in _texts(value.get(resource_server_id, []), ""):
            yield f"{resource_server_id}.{each}"


def _at(value: object, path: list[str], resource_server_id: str) -> Iterator[str]:
    if not path:
        yield from _texts(value, resource_server_id)
    elif isinstance(value, list):
        for each in value:
            if isinstance(each, dict):
                yield from _at(each, path, resource_server_id)
    elif isinstance(value, dict) and path[0] in value:
        yield from _at(value[path[0]], path[1:], resource_server_id)


def check_claims(claims: Mapping[str, object], settings: OAuth2Settings, now_s: float) -> int | None:
    """When the token expires, in milliseconds since 1970, None for never; WrongToken when it doesn't count here."""
    expires_at_s = claims.get("exp")
    if expires_at_s is None and not settings.require_exp:
        expires_at_ms = None
    elif not _is_time(expires_at_s):
        raise WrongToken("it doesn't say when it expires (exp)")
    elif int(expires_at_s) <= now_s:
        raise WrongToken("it has expired")
    else:
        expires_at_ms = int(expires_at_s) * 1000
    not_before_s = claims.get("nbf")
    if not_before_s is not None and (not _is_time(not_before_s) or not_before_s > now_s):
        raise WrongToken("it isn't valid yet (nbf)")
    if settings.verify_aud and settings.resource_server_id not in _audience(claims.get("aud")):
        raise WrongToken(f"it isn't for '{settings.resource_server_id}' (aud)")
    if settings.issuer and claims.get("iss") != settings.issuer:
        raise WrongToken(f"it wasn't issued by '{settings.issuer}' (iss)")
    return expires_at_ms


def _audience(value: object) -> list[object]:
    if isinstance(value, str):
        # A list of names with spaces between them isn't the standard's, but RabbitMQ takes it.
        return [value, *value.split()]
    return value if isinstance(value, list) else []


def _is_time(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < TIME_MAX_S
