"""Rules for the names of exchanges and queues (AMQP 0-9-1, 3.1.3.1 and 3.1.4.1; spec A.4)."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from warren.core.errors import AccessRefused, PreconditionFailed
from warren.core.messages.field_table import SHORT_STRING_BYTES_MAX

RESERVED_PREFIX = "amq."
"""Names that the broker alone may introduce."""

_STRIPPED = {ord("\r"): None, ord("\n"): None}


def clean_name(name: str) -> str:
    """The name without CR and LF, which clients that read it from a file tend to leave in (as RabbitMQ does)."""
    return name.translate(_STRIPPED) if "\r" in name or "\n" in name else name


def check_new_name(kind: str, name: str) -> None:
    """Refuse a name for something that doesn't exist yet.

    Raises AccessRefused (403) for the reserved prefix and PreconditionFailed (406) for bytes that are no UTF-8,
    which could be neither stored nor listed, and for more than AMQP can write, which its clients could never name.
    """
    if name.startswith(RESERVED_PREFIX):
        raise AccessRefused(
            f"{kind} name '{name}' contains reserved prefix '{RESERVED_PREFIX}*'; "
            "choose another name, or leave a queue's name empty to have one generated"
        )
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise PreconditionFailed(f"{kind} name is not valid UTF-8 (at character {error.start})") from None
    _check_length(f"{kind} name", name)


def check_routing_key(routing_key: str) -> None:
    """PreconditionFailed for a key that AMQP can't write, of whoever speaks another protocol or none."""
    _check_length("routing key", routing_key)


def _check_length(what: str, text: str) -> None:
    size = len(text.encode("utf-8", "surrogateescape"))
    if size > SHORT_STRING_BYTES_MAX:
        raise PreconditionFailed(
            f"the {what} '{text[:40]}...' has {size} bytes, at most {SHORT_STRING_BYTES_MAX} are possible"
        )


_again: list[str] = []
"""Names that were generated for a command that is being done again."""


@contextmanager
def generated_again(names: Iterable[str]) -> Iterator[None]:
    """Have what is done in the block be given these names where it has names generated.

    For a command that is done again as its rights had to be asked for: they are rights to these names.
    """
    before = _again[:]
    _again[:] = names
    try:
        yield
    finally:
        _again[:] = before


def generated_name(prefix: str = "amq.gen") -> str:
    """A new name such as `amq.gen-JzTY20BRgKO-HjmUJj0wLg`, for a queue declared without one."""
    for name in _again:
        if name.startswith(f"{prefix}-"):
            _again.remove(name)
            return name
    return f"{prefix}-{unguessable()}"


def unguessable() -> str:
    """22 random characters, of 122 bits."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
