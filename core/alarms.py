"""Alarms: while a resource runs out, publishes are held back (spec G, A.3 connection.blocked).

The alarm of damage holds nothing back: it says that something of what was stored is lost or set aside, for whoever
watches the broker.
"""

from __future__ import annotations

from collections.abc import Callable

REASONS = {"memory": "low on memory", "disk": "low on disk", "cluster": "NATS servers away"}
"""What is running out, and how connection.blocked says it."""

DAMAGE = "damage"
"""The alarm that blocks nobody."""


class Alarms:
    """The alarms raised now, and who wants to hear of a change.

    `blocked` is None while publishing is free, else the reason in connection.blocked's words.
    """

    __slots__ = ("_listeners", "_raised", "blocked")

    def __init__(self) -> None:
        self._raised: set[tuple[str, str]] = set()
        self._listeners: dict[Callable[[], None], None] = {}
        self.blocked: str | None = None

    def set(self, resource: str, raised: bool, *, source: str = "measured") -> bool:
        """Raise or clear the alarm of "memory", "disk", "cluster" or "damage"; True when that changed it.

        source: who says so; an alarm is raised as long as anybody says so.
        """
        if raised == ((resource, source) in self._raised):
            return False
        if raised:
            self._raised.add((resource, source))
        else:
            self._raised.discard((resource, source))
        was_blocked = self.blocked is not None
        self.blocked = " & ".join(REASONS[name] for name in reversed(self.raised()) if name in REASONS) or None
        if was_blocked != (self.blocked is not None):
            for listener in list(self._listeners):
                listener()
        return True

    def raised(self) -> list[str]:
        """The names of the raised alarms, sorted."""
        return sorted({name for name, _ in self._raised})

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever publishing gets blocked or free again."""
        self._listeners[listener] = None

    def unlisten(self, listener: Callable[[], None]) -> None:
        """Stop calling it."""
        self._listeners.pop(listener, None)
