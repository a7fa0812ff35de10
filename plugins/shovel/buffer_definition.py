"""What a shovel's definition asks of its source queue: the keys of store and forward."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from warren.core.errors import PreconditionFailed
from warren.core.frozen import frozen
from warren.core.queues.classic.rules import OVERFLOWS
from warren.plugins.bridging import values

CONFIRM_UPSTREAM: Final = "confirm-upstream"
MAX_LENGTH: Final = "buffer-max-length"
MAX_LENGTH_BYTES: Final = "buffer-max-length-bytes"
OVERFLOW: Final = "buffer-overflow"

BUFFER_KEYS: Final[Mapping[str, Callable[[object], Any]]] = {
    CONFIRM_UPSTREAM: values.truth,
    MAX_LENGTH: values.count(1, 2**53),
    MAX_LENGTH_BYTES: values.count(1, 2**53),
    OVERFLOW: values.one_of(*OVERFLOWS),
}


@frozen
class BufferDefinition:
    """What a shovel asks of its source, a queue of this broker.

    length_max, bytes_max: what may wait there, None for any amount.  overflow: what becomes of more; None for what the
    queue does with it anyway.  confirm_upstream: publishes to it are answered when the destination has them.
    """

    vhost: str
    queue: str
    length_max: int | None = None
    bytes_max: int | None = None
    overflow: str | None = None
    confirm_upstream: bool = False


def read_buffer(given: Mapping[str, Any], vhosts: Sequence[str]) -> BufferDefinition | None:
    """What is asked of the source queue, None for nothing.

    given: the definition's keys, read.  vhosts: of this broker, where the source may be; empty where it is elsewhere.
    Raises PreconditionFailed (406) where nothing can be asked.
    """
    confirms = given.get(CONFIRM_UPSTREAM, False)
    asking = [key for key in BUFFER_KEYS if key in given and (key != CONFIRM_UPSTREAM or confirms)]
    if not asking:
        return None
    queue = given.get("src-queue")
    if not vhosts or queue is None:
        raise PreconditionFailed(
            f"'{asking[0]}' is for a source that is a queue of this broker: 'src-queue', and a 'src-uri' without a host"
        )
    if len(set(vhosts)) > 1:
        raise PreconditionFailed(f"'{asking[0]}' is for one queue, but 'src-uri' names several virtual hosts")
    if OVERFLOW in given and not (MAX_LENGTH in given or MAX_LENGTH_BYTES in given):
        raise PreconditionFailed(f"'{OVERFLOW}' needs '{MAX_LENGTH}' or '{MAX_LENGTH_BYTES}'")
    if confirms:
        _check_confirms(given)
    return BufferDefinition(
        vhosts[0], queue, given.get(MAX_LENGTH), given.get(MAX_LENGTH_BYTES), given.get(OVERFLOW), confirms
    )


def _check_confirms(given: Mapping[str, Any]) -> None:
    """Whether the destination says what it has."""
    if given.get("ack-mode", "on-confirm") != "on-confirm":
        raise PreconditionFailed(
            f"'{CONFIRM_UPSTREAM}' needs the 'ack-mode' 'on-confirm': else the destination says nothing"
        )
    if given.get("dest-qos") == 0:
        raise PreconditionFailed(f"'{CONFIRM_UPSTREAM}' needs a 'dest-qos' above 0: else the destination says nothing")
