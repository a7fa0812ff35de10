"""The commands of the control socket on what x-delayed-message exchanges hold."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Final

from warren.core.exchanges.delaying.exchange import DelayedMessageExchange
from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import (
    Answer,
    Control,
    Handler,
    RefusedError,
    Request,
    Row,
    done,
    existing_vhost,
    table,
)

if TYPE_CHECKING:
    from warren.core.exchanges.delaying.messages import DelayedMessage
    from warren.core.messages.message import Message

COUNT_DEFAULT: Final = 100
"""Messages listed unless told otherwise; each is read from disk with its body."""

COUNT_MAX: Final = 10_000
"""The broker does nothing else while it lists: a second or so for this many."""

COLUMNS: Final = ("id", "deliver_at", "routing_key", "message_id", "body_bytes")

_YEAR_9999_MS: Final = 253_402_300_800_000
"""The end of what dates are written for; later times are shown as milliseconds."""


def _list_delayed_messages(control: Control, request: Request) -> Answer:
    count = _count(request.arguments[1]) if len(request.arguments) > 1 else COUNT_DEFAULT
    delayed = _exchange(control, request).delayed
    first = list(islice(delayed.pending(), count))
    return table(COLUMNS, [_row(pending, message) for pending, message in delayed.with_content(first)])


def _cancel_delayed_message(control: Control, request: Request) -> Answer:
    delayed = _exchange(control, request).delayed
    ids = list(dict.fromkeys(request.arguments[1:]))
    unknown = [each for each in ids if not delayed.cancel(each)]
    cancelled = f"{len(ids) - len(unknown)} delayed message(s) cancelled"
    if unknown:
        raise RefusedError(
            f"{cancelled}; not pending (any more): {', '.join(unknown)}; warren ctl list_delayed_messages shows ids",
            codes.DATA,
        )
    return done(cancelled)


def _exchange(control: Control, request: Request) -> DelayedMessageExchange:
    vhost = existing_vhost(control, request.vhost)
    name = request.arguments[0]
    exchange = vhost.exchanges.get(name)
    if exchange is None:
        raise RefusedError(f"no exchange '{name}' in vhost '{vhost.name}'", codes.DATA)
    if not isinstance(exchange, DelayedMessageExchange):
        raise RefusedError(
            f"exchange '{name}' in vhost '{vhost.name}' is of type {exchange.type_name}, which delays nothing",
            codes.DATA,
        )
    return exchange


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 9 and 0 < int(text) <= COUNT_MAX):
        raise RefusedError(f"'{text}' is no number of messages from 1 to {COUNT_MAX}", codes.USAGE)
    return int(text)


def _row(pending: DelayedMessage, message: Message | None) -> Row:
    return {
        "id": pending.id,
        "deliver_at": _time(pending.due_at_ms),
        "routing_key": message.address.routing_key if message else None,
        "message_id": message.properties.message_id if message else None,
        "body_bytes": pending.body_size,
    }


def _time(at_ms: int) -> str:
    """As ISO 8601 in UTC."""
    if at_ms >= _YEAR_9999_MS:
        return str(at_ms)
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


HANDLERS: dict[str, Handler] = {
    "list_delayed_messages": _list_delayed_messages,
    "cancel_delayed_message": _cancel_delayed_message,
}
"""By word."""
