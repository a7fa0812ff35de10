"""What the broker looks at in the properties of a publish, whatever protocol it came by (spec A.5, A.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from warren.core.errors import PreconditionFailed
from warren.core.limit_hits import limited

if TYPE_CHECKING:
    from warren.core.access.accounts import User
    from warren.core.messages.properties import Properties

EXPIRATION_MS_MAX: Final = 315_360_000_000
"""Ten years; what is meant to live longer should not expire at all."""

HIDDEN_COPIES: Final = "x-hidden-copies"
"""The header that keeps a published message's BCC within the broker (core.messages.shown), as an array of keys: a
dead letter goes by them, too."""

HIDDEN_DEATHS: Final = "x-hidden-deaths"
"""The header that says how many of the deaths in x-death the broker made since the message was published, which is
what it goes by itself (core.queues.deaths); of those that came with the message it only goes on counting."""

HIDDEN_QUEUE: Final = "x-hidden-queue"
"""The header that names the queue which a message goes back to when the time is over that its consumer has put it off
for (core.exchanges.delaying.deferring)."""

HIDDEN_CONTEXT: Final = "x-hidden-context"
"""What an observer of messages keeps with one (core.message_observer), such as the span of its publish."""

HIDDEN_PREFIX: Final = "x-hidden-"
"""How the internal headers of core begin."""

DELIVERY_COUNTS: Final = ("x-delivery-count", "x-acquired-count")
"""Headers that say how often a message was delivered before: the broker's word alone (core.messages.shown)."""

IMPERSONATOR: Final = "impersonator"
"""The user tag that allows any user_id."""

_COPIES: Final = ("CC", "BCC")


class Identified(Protocol):
    """Who publishes: a core.clients.client.Client."""

    @property
    def user(self) -> User:
        """Who has logged in."""

    @property
    def tags(self) -> frozenset[str]:
        """The user's tags as they are now."""


def check_user_id(client: Identified, properties: Properties) -> None:
    """The user_id property, if set, has to name the user who is logged in (validated user-id)."""
    user_id = properties.user_id
    if user_id is not None and user_id != client.user.name and IMPERSONATOR not in client.tags:
        raise PreconditionFailed(f"user_id property set to '{user_id}' but authenticated user was '{client.user.name}'")


def check_expiration(properties: Properties) -> None:
    """The expiration property, if set, is a decimal number of milliseconds up to ten years."""
    text = properties.expiration
    if text is None:
        return
    digits = text.removeprefix("-").removeprefix("+")
    if not (digits.isascii() and digits[:1].isdigit()):
        reason = "no_integer"
    elif not digits.isdigit():
        reason = f'{{leftover_string,"{digits.lstrip("0123456789")}"}}'
    elif text.startswith("-"):
        reason = f"{{value_negative,{int(text)}}}"
    elif len(digits) > 18 or int(digits) > EXPIRATION_MS_MAX:
        reason = f"{{value_too_large,{int(digits)}}}"
    else:
        return
    error = PreconditionFailed(
        f"invalid expiration '{text}': {reason}; give milliseconds as a decimal string, at most ten years"
    )
    raise limited(error, "values of arguments") if reason.startswith("{value_too_large") else error


def check_copies(properties: Properties) -> None:
    """The headers CC and BCC of a publish, if set, are arrays; what is in them is another matter."""
    headers = properties.headers
    for name in _COPIES if headers else ():
        if headers and name in headers and not isinstance(headers[name], list):
            raise PreconditionFailed(f"invalid message: header '{name}' has to be an array of strings")


def extra_routing_keys(properties: Properties) -> list[str]:
    """The further routing keys in the headers CC and BCC: the strings in them; anything else means nothing there."""
    headers = properties.headers
    if not headers:
        return []
    keys: list[str] = []
    for name in _COPIES:
        value = headers.get(name)
        if isinstance(value, list):
            keys += [key for key in value if isinstance(key, str)]
    return keys


def hidden_keys(properties: Properties) -> list[str]:
    """The keys that were in the header BCC of a published message, for its dead letters."""
    found = properties.headers.get(HIDDEN_COPIES) if properties.headers else None
    return [key for key in found if isinstance(key, str)] if isinstance(found, list) else []


def without_bcc(properties: Properties) -> Properties:
    """The properties without the header BCC, whose keys are kept where consumers don't see them."""
    headers = properties.headers
    if headers and "BCC" in headers:
        keys = headers["BCC"]
        return properties.with_header_entries({HIDDEN_COPIES: keys} if keys else {}, remove=["BCC"])
    return properties
