"""What an HTTP service's answer means that isn't the one that was wanted, in words, and how long it asks to be left."""

from __future__ import annotations

from base64 import b64encode
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.adapters.http.client.exchange import Head
    from warren.adapters.http.client.uri import HttpUri
    from warren.plugins.shovel.http_definition import HttpEndDefinition

SAID_CHARACTERS_MAX: Final = 200
"""What is repeated of an answer's body."""

RETRY_AFTER_S_MAX: Final = 3600.0
"""A service that asks for a longer pause is asked once in an hour."""

DIGITS_MAX: Final = 10

HIDDEN: Final = "***"


def said(who: str, head: Head, body: bytes, definition: HttpEndDefinition, uri: HttpUri) -> str:
    """An answer as a status shows it, with the beginning of its body, which may say why; never with what logs in."""
    text = f"{who} answered {head.status} {head.reason}".rstrip()
    location = head.header("location")
    if 300 <= head.status < 400 and location:
        text += f", to {location.partition('?')[0]}: the URI is to be that"
    else:
        words = " ".join(body.decode("utf-8", "replace").split())
        if words:
            text += f": {words}"
    for secret in _secrets(definition, uri):
        text = text.replace(secret, HIDDEN)
    return "".join(each if each.isprintable() else "?" for each in text)[: SAID_CHARACTERS_MAX + len(who)]


def retry_after_s(head: Head) -> float | None:
    """How long a service asks to be left alone (RFC 9110 10.2.3); None where it doesn't, or nobody can read it.

    A date is told by the service's own clock.
    """
    value = (head.header("retry-after") or "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:DIGITS_MAX]), RETRY_AFTER_S_MAX)
    try:
        pause = parsedate_to_datetime(value) - parsedate_to_datetime(head.header("date") or "")
    except (ValueError, TypeError):
        return None
    return min(max(0.0, pause.total_seconds()), RETRY_AFTER_S_MAX)


def _secrets(definition: HttpEndDefinition, uri: HttpUri) -> list[str]:
    """Longest first, as one may hold another."""
    found = [value for _, value in definition.headers]
    if definition.token is not None:
        found.append(definition.token)
    if uri.password:
        found += [uri.password, b64encode(f"{uri.user}:{uri.password}".encode()).decode()]
    return sorted(filter(None, found), key=len, reverse=True)
