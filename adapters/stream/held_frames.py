"""Which frames wait while a resource alarm is raised (spec G; adapters.session.held keeps them).

From the first Publish under an alarm on, publishes do, and what must not overtake one: what ends a publisher or asks
how far it has come, what deletes a stream, the end of the connection.  Reading goes on.
"""

from __future__ import annotations

from typing import Final

from warren.adapters.stream.codec.keys import Key

_BEHIND: Final = frozenset(
    {
        Key.PUBLISH,
        Key.DECLARE_PUBLISHER,
        Key.DELETE_PUBLISHER,
        Key.QUERY_PUBLISHER_SEQUENCE,
        Key.DELETE,
        Key.DELETE_SUPER_STREAM,
        Key.CLOSE,
    }
)


def has_to_wait(key: int, *, is_blocked: bool, others_wait: bool) -> bool:
    """True for a Publish under an alarm, or what must not overtake one.

    is_blocked: whether an alarm is raised.  others_wait: whether frames of the connection wait already.
    """
    return key in _BEHIND if others_wait else key == Key.PUBLISH and is_blocked
