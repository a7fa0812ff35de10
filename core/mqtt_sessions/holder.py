"""What a session asks of the connection that it is attached to."""

from __future__ import annotations

from typing import Protocol


class Holder(Protocol):
    """A connection that a session is attached to."""

    def taken_over(self) -> None:
        """Another connection takes the session: say so, detach, and close."""
