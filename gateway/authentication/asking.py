"""Asking a back-end from the broker's code, which doesn't wait: questions are asked by tasks, so many at a time.

Nothing of a back-end reaches the broker but answers: what it raises, or takes too long for, is a failure.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import trio

from warren.core.access.questions import Answer, BackEnd, Denied, Question

if TYPE_CHECKING:
    from warren.gateway.authentication.back_end import AuthenticationBackEnd
    from warren.gateway.network.hub import Hub

_log = logging.getLogger("warren.authentication")

QUESTIONS_WAITING_MAX: Final = 10_000
"""Of one back-end: each is of a connection that isn't read meanwhile; further ones are refused."""

LIMIT: Final = "questions to an authentication back-end"

NOT_RUNNING: Final = Denied("the broker isn't running yet, or stops", failed=True)


class AskedBackEnd(BackEnd):
    """One back-end, as the broker knows it."""

    def __init__(self, name: str, back_end: AuthenticationBackEnd) -> None:
        self.name = name
        self._back_end = back_end
        self._waiting: deque[tuple[Question, Callable[[Answer], None]]] = deque()
        self._running = 0
        self._nursery: trio.Nursery | None = None
        self._hub: Hub | None = None

    def at_once(self, question: Question) -> Answer | None:
        """As the back-end says; a failure is one."""
        try:
            return self._back_end.at_once(question)
        except Exception:
            _log.exception("the authentication back-end '%s' failed", self.name)
            return Denied("an error, which the log has", failed=True)

    def ask(self, question: Question, answered: Callable[[Answer], None]) -> None:
        """Have it asked by a task."""
        if self._nursery is None or self._hub is None:
            answered(NOT_RUNNING)
        elif len(self._waiting) >= QUESTIONS_WAITING_MAX:
            self._hub.broker.limit_hits.count(LIMIT)
            answered(Denied(f"{QUESTIONS_WAITING_MAX} questions wait for it already", failed=True))
        else:
            self._waiting.append((question, answered))
            if self._running < self._back_end.concurrent_max:
                self._running += 1
                self._nursery.start_soon(self._answer_some)

    async def run(self, hub: Hub, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Answer what is asked, until cancelled."""
        self._hub = hub
        self._back_end.now_ms = hub.clock
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._run_own)
                task_status.started()
        finally:
            self._nursery = None

    async def _run_own(self) -> None:
        try:
            await self._back_end.run()
        except Exception:
            _log.exception("the authentication back-end '%s' failed", self.name)

    async def _answer_some(self) -> None:
        try:
            while self._waiting:
                question, answered = self._waiting.popleft()
                answer = await self._answer(question)
                if self._hub is not None:
                    self._hub.note_time()
                    answered(answer)
                    self._hub.request_turn()
        finally:
            self._running -= 1

    async def _answer(self, question: Question) -> Answer:
        timeout_s = self._back_end.timeout_s
        answer: Answer = Denied(f"no answer within {timeout_s:g} s", failed=True)
        try:
            with trio.move_on_after(timeout_s):
                answer = await self._back_end.answer(question)
        except Exception:
            _log.exception("the authentication back-end '%s' failed", self.name)
            return Denied("an error, which the log has", failed=True)
        if isinstance(answer, Denied) and answer.failed:
            _log.error("the authentication back-end '%s' can't answer: %s", self.name, answer.reason)
        return answer
