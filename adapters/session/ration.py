"""How much one connection may have done in one turn: so much work, not only so many bytes.

A read brings up to 256 KiB, and the smallest commands have two bytes.  So a session counts what it handles, and stops
when the ration of the turn is used up: the rest of what was read waits, nothing more is read from the connection
meanwhile, and it goes on in a later turn, one connection after the other (core.chores).  What is handled by heart, by
the loops that were made for it, costs a fraction of a command, and may come in such numbers as a read of them holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from warren.adapters.session.read_gate import RATION

if TYPE_CHECKING:
    from warren.adapters.session.read_gate import ReadGate
    from warren.core.broker import Broker

COMMANDS_PER_TURN: Final = 500
"""Commands that are parsed and looked up each time: from 2 µs for a ping to 30 µs for a declaration, so some
milliseconds together."""

TOPOLOGY_WORK: Final = 15
"""What is declared, bound or deleted counts as so many commands more: it may be kept, 100 to 200 µs, and what it leaves
behind is seen by the next collection of garbage."""

BYTES_PER_COMMAND: Final = 256
"""What is parsed value by value counts as one more command for so many bytes: ten values, or fewer that are long."""

QUICK_PER_COMMAND: Final = 16
"""Messages and acknowledgements of the usual kind that count as one command."""


class Rationed(Protocol):
    """A session that has a ration."""

    def go_on(self) -> None:
        """Handle what waits, as far as the ration goes; `Ration.wait` again if that isn't all."""


class Ration:
    """Of one session.  left: commands that it may still have done in this turn.  waits: the rest is for a later one."""

    __slots__ = ("_broker", "_gate", "_session", "_turn", "left", "waits")

    def __init__(self, broker: Broker, gate: ReadGate, session: Rationed) -> None:
        self._broker = broker
        self._gate = gate
        self._session = session
        self._turn = broker.turn
        self.left = COMMANDS_PER_TURN
        self.waits = False

    def begin(self) -> int:
        """The session is about to handle something: what is left in this turn."""
        turn = self._broker.turn
        if turn != self._turn:
            self._turn = turn
            self.left = COMMANDS_PER_TURN
        return self.left

    def use_up(self) -> None:
        """What has just been done was all for this turn (core.clients.client.WorkRation)."""
        self.left = 0

    def spend(self, commands: int) -> None:
        """What has just been done was as much as so many commands (the same)."""
        self.left -= commands

    def wait(self) -> None:
        """There is more than the ration of this turn: go on in a later one."""
        if not self.waits:
            self.waits = True
            self._gate.close(RATION)
            self._broker.chores.add(self._next_turn)

    def _next_turn(self) -> bool:
        self.waits = False
        try:
            self._session.go_on()
        finally:
            if not self.waits:
                self._gate.open(RATION)
        return False
