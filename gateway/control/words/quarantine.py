"""Words on messages that are set aside because the definition of their queue is lost."""

from __future__ import annotations

from typing import Final

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import Answer, Control, RefusedError, Request, done, table
from warren.gateway.control.word import VHOST, word

COLUMNS: Final = ("number", "kind", "vhost", "name", "messages", "message_bytes", "exchange", "routing_key")

_NUMBER_DIGITS_MAX: Final = 18
"""More digits are no number in the store, and int() needn't see them."""


@word(
    "", "messages that are set aside because the definition of their queue is lost", "Listing quarantined messages ..."
)
def list_quarantined(control: Control, request: Request) -> Answer:
    """Warren's own."""
    from warren.core.administration import operations

    return table(COLUMNS, [each._asdict() for each in operations.quarantine.quarantined(control.broker)])


@word(
    "NUMBER QUEUE",
    "give quarantined messages to a queue",
    "Restoring quarantined messages {0} to queue '{1}' in vhost '{vhost}' ...",
    options=(VHOST,),
    example="1 tasks",
)
async def restore_quarantined(control: Control, request: Request) -> Answer:
    """Warren's own.  Declaring the queue again gives it its messages back without this word."""
    from warren.core.administration import operations
    from warren.gateway.turns import in_turns

    number, queue = request.arguments
    restored = operations.quarantine.restore(control.broker, _number(number), request.vhost, queue)
    count: int = await in_turns(restored)
    return done(f"{count} message(s) restored")


@word("NUMBER", "drop quarantined messages", "Deleting quarantined messages {0} ...", example="1")
async def delete_quarantined(control: Control, request: Request) -> Answer:
    """Warren's own."""
    from warren.core.administration import operations
    from warren.gateway.turns import in_turns

    deleted = operations.quarantine.delete(control.broker, _number(request.arguments[0]))
    count: int = await in_turns(deleted)
    return done(f"{count} message(s) dropped")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _NUMBER_DIGITS_MAX):
        raise RefusedError(f"'{text}' is no number; warren ctl list_quarantined shows them", codes.USAGE)
    return int(text)
