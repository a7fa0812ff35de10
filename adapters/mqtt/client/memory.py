"""What a client remembers of its session between connections (MQTT 5 4.1).

received: identifiers of messages of QoS 2 that were taken over, and whose PUBREL hasn't come.  Until then the peer may
send such a message again, and it is the same one (4.3.3); a session that the peer doesn't have any more has none.
"""

from __future__ import annotations


class ClientMemory:
    """See the head of this file."""

    __slots__ = ("received",)

    def __init__(self) -> None:
        self.received: set[int] = set()
