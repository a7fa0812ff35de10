"""Words on what x-delayed-message exchanges hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import Answer, Control, RefusedError, Request, Row, done, table
from warren.gateway.control.word import VHOST, word

if TYPE_CHECKING:
    from warren.core.administration.operations.delayed import Pending

COUNT_DEFAULT: Final = 100
"""Messages listed unless told otherwise; each is read from disk with its body."""

COUNT_MAX: Final = 10_000
"""The answer is one line of JSON: a mebibyte or two for this many."""

COLUMNS: Final = ("id", "deliver_at", "routing_key", "message_id", "body_bytes")

_YEAR_9999_MS: Final = 253_402_300_800_000
"""The end of what dates are written for; later times are shown as milliseconds."""

_COUNT_DIGITS_MAX: Final = 8
"""More digits are no count, and int() needn't see them."""


@word(
    "[EXCHANGE] [COUNT]",
    "the messages that an x-delayed-message exchange holds, or all do, those due first (100 unless told otherwise)",
    "Listing delayed messages in vhost '{vhost}' ...",
    options=(VHOST,),
    example="retries 20",
)
async def list_delayed_messages(control: Control, request: Request) -> Answer:
    """Warren's own."""
    from warren.core.administration import operations
    from warren.gateway.turns import in_turns

    if not request.arguments:
        operations.vhosts.existing(control.broker, request.vhost)
        steps = operations.delayed.pending_in(control.broker, (request.vhost,), start=0, count=COUNT_DEFAULT)
        found = (await in_turns(steps)).messages
        return table(("exchange", *COLUMNS), [{"exchange": each.exchange, **_row(each.message)} for each in found])
    exchange, *count = request.arguments
    wanted = _count(count[0]) if count else COUNT_DEFAULT
    pending = await in_turns(operations.delayed.pending(control.broker, request.vhost, exchange, wanted))
    return table(COLUMNS, [_row(each) for each in pending])


@word(
    "EXCHANGE ID [ID]...",
    "drop messages that an x-delayed-message exchange holds",
    "Cancelling delayed messages of exchange '{0}' in vhost '{vhost}' ...",
    options=(VHOST,),
    example="retries 17 18",
)
def cancel_delayed_message(control: Control, request: Request) -> Answer:
    """Warren's own."""
    from warren.core.administration import operations

    exchange, *ids = request.arguments
    cancelled = operations.delayed.cancel(control.broker, request.vhost, exchange, ids)
    text = f"{cancelled.message_count} delayed message(s) cancelled"
    if cancelled.unknown:
        raise RefusedError(
            f"{text}; not pending (any more): {', '.join(cancelled.unknown)}; "
            "warren ctl list_delayed_messages shows ids",
            codes.DATA,
        )
    return done(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _COUNT_DIGITS_MAX and 0 < int(text) <= COUNT_MAX):
        raise RefusedError(f"'{text}' is no number of messages from 1 to {COUNT_MAX}", codes.USAGE)
    return int(text)


def _row(pending: Pending) -> Row:
    return {
        "id": pending.id,
        "deliver_at": _time(pending.due_at_ms),
        "routing_key": pending.routing_key,
        "message_id": pending.message_id,
        "body_bytes": pending.body_bytes,
    }


def _time(at_ms: int) -> str:
    """As ISO 8601 in UTC."""
    from datetime import UTC, datetime

    if at_ms >= _YEAR_9999_MS:
        return str(at_ms)
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
