"""Refused logins are answered late, so that passwords can't be tried quickly, whatever protocol they are tried in.

Nobody waits for that: a deadline answers.  Connections that are kept so cost memory and a socket each, so their number
is bounded; past that, the one that has waited longest is answered early.  A session that waits here has done everything
else that belongs to its end; it throws away what still comes, but goes on reading, so that a peer that leaves is
noticed, and frees its place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.core.deadlines import Deadline, Deadlines

DELAY_DEFAULT_MS: Final = 3000
"""As long as RabbitMQ takes (spec A.3.9, C.2): a person doesn't mind, and who guesses gets twenty tries a minute."""

WAITING_MAX_DEFAULT: Final = 1000
"""Some megabytes of memory at most, beside the sockets; no honest fleet fails to log in so often at a time."""


class RefusedLogins:
    """Those of one broker.

    delay_ms: between a refusal and its answer, in milliseconds; 0 answers at once.  waiting_max: how many wait at a
    time; 0 is none.  on_full: called with that number whenever one is answered early.
    """

    __slots__ = ("_deadlines", "_on_full", "_waiting", "delay_ms", "waiting_max")

    def __init__(
        self,
        deadlines: Deadlines,
        delay_ms: int = DELAY_DEFAULT_MS,
        waiting_max: int = WAITING_MAX_DEFAULT,
        *,
        on_full: Callable[[int], None],
    ) -> None:
        self.delay_ms = delay_ms
        self.waiting_max = waiting_max
        self._deadlines = deadlines
        self._on_full = on_full
        self._waiting: dict[object, tuple[Deadline, Callable[[], None]]] = {}

    def __len__(self) -> int:
        """How many wait for their answer."""
        return len(self._waiting)

    def __bool__(self) -> bool:
        return len(self) > 0

    def add(self, session: object, answer: Callable[[], None], now_ms: int) -> None:
        """Call `answer`, which tells the peer of `session` and closes, when the delay is over."""
        if not self.delay_ms:
            answer()
            return
        deadline = self._deadlines.schedule(now_ms + self.delay_ms, lambda now_ms: self._answer(session))
        self._waiting[session] = (deadline, answer)
        if len(self._waiting) > self.waiting_max:
            self._on_full(self.waiting_max)
            self._answer(next(iter(self._waiting)))

    def answer_now(self, session: object) -> bool:
        """Answer a session that waits without waiting any longer; False if it doesn't wait."""
        if session not in self._waiting:
            return False
        self._answer(session)
        return True

    def forget(self, session: object) -> None:
        """The session's connection is gone; nothing happens if it doesn't wait."""
        found = self._waiting.pop(session, None)
        if found is not None:
            found[0].cancel()

    def _answer(self, session: object) -> None:
        deadline, answer = self._waiting.pop(session)
        deadline.cancel()
        answer()
