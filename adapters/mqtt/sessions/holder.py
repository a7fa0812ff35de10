"""What a session asks of the connection that it is attached to."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Counted(NamedTuple):
    """What a connection has counted by itself so far.  publish_sent: PUBLISH packets."""

    publish_sent: int
    bytes_received: int
    bytes_sent: int


class Holder(Protocol):
    """A connection that a session is attached to."""

    @property
    def name(self) -> str:
        """As listings call the connection."""

    def force_close(self, reason: str) -> None:
        """An administrator's wish: say so, detach, and close."""

    def taken_over(self) -> None:
        """Another connection takes the session: say so, detach, and close."""

    def rights_withdrawn(self, what: str) -> None:
        """The client may not have any more what it has: say what that is, detach, and close."""

    def traffic(self) -> Counted:
        """What it has counted so far."""
