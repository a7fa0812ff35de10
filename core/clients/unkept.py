"""Answers that wait until what they say is kept: a declare-ok, a SUBACK, a receipt.

What a client was told is declared has to be there after a power failure.  So whoever answers a client about something
in the definitions says so (`hold`), and what that connection has to send waits for the commit that syncs them: the
answer, and whatever comes behind it, in its order.  All that was declared in the meantime, by whomever, goes by the
same sync.
A client that only asks whether something is there waits as well, if that isn't synced yet.

What is declared goes on to count at once: others can publish to a queue whose declare-ok is still to be sent, and what
is confirmed to them is on disk behind it.

A connection that is closed in good order waits with its last bytes, too; one that is reset doesn't wait, and says no
more (`take`).

Messages are another matter: where the disk has no room for those, definitions are synced all the same, and nobody who
waits for them alone waits for room.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.core.clients.outbox import Outbox
    from warren.core.storage.definitions.store import DefinitionStore


class Unkept:
    """The outboxes of one broker that wait so; true while there are any."""

    __slots__ = ("_calls", "_definitions", "_held", "_mark")

    def __init__(self, definitions: DefinitionStore) -> None:
        self._definitions = definitions
        self._held: dict[Outbox, int] = {}
        self._calls: deque[tuple[int, Callable[[], None]]] = deque()
        self._mark = 0

    def __len__(self) -> int:
        """How many wait."""
        return len(self._held) + len(self._calls)

    def __bool__(self) -> bool:
        return len(self) > 0

    @property
    def is_anything(self) -> bool:
        """True while something is declared that a power failure would take away."""
        definitions = self._definitions
        return definitions.durable and (definitions.dirty or definitions.unsynced)

    def hold(self, outbox: Outbox) -> None:
        """What is in this outbox, and comes into it, waits until all that is declared in this turn is kept."""
        if self._definitions.durable:
            self._mark += 1
            self._held[outbox] = self._mark

    def when_kept(self, call: Callable[[], None]) -> None:
        """Have `call` made, which raises nothing, once all that is declared until now is kept."""
        self._mark += 1
        self._calls.append((self._mark, call))

    def sendable(self, touched: list[Outbox]) -> list[Outbox]:
        """Those of the touched outboxes that needn't wait, at the end of a turn; others are sent once released."""
        held = self._held
        if self.is_anything:
            return [outbox for outbox in touched if outbox not in held]
        # Whoever answered had nothing to be kept, or it is kept by now.
        self._held = {}
        known = set(touched)
        return touched + [outbox for outbox in held if outbox.touched and outbox not in known]

    def take(self, outbox: Outbox) -> list[bytes]:
        """What may still be sent on a connection that ends now, without a commit that could be waited for.

        What an outbox holds that waits is gone with the connection: what isn't kept is never said.
        """
        chunks = outbox.take()
        return [] if outbox in self._held and self.is_anything else chunks

    def pass_on(self, outbox: Outbox, below: Outbox) -> list[bytes]:
        """What an outbox holds, to go into the one below it, which waits now if the first did."""
        mark = self._held.pop(outbox, None)
        if mark is not None:
            self._held[below] = mark
        return outbox.take()

    def begin_commit(self) -> int:
        """What a commit that begins now covers, for `finish_commit`."""
        return self._mark

    def finish_commit(self, mark: int) -> None:
        """The definitions of that commit are on disk: what waits for nothing later is sent at the end of this turn."""
        for outbox in [outbox for outbox, held in self._held.items() if held <= mark]:
            del self._held[outbox]
            outbox.touched = False
            outbox.touch()
        while self._calls and self._calls[0][0] <= mark:
            self._calls.popleft()[1]()
