"""What others than Warren's own users have answered, kept for a while; and waiting for what they haven't yet.

Theory of operation
-------------------
The broker's code doesn't wait.  So a question whose answer isn't here is asked for, and raises `Unanswered` through
whatever the client wanted.  The session keeps the command, doesn't read its peer any more, and when the answer has come
does the command again from its beginning, which then finds the answer (adapters.session.unanswered).  So rights are
asked for before anything is changed, as they are anyway.

Whoever waits for an answer pins it: it is here until they are done, however short answers are kept, or a command that
needs several would never come to its end.  Answers to the same question are asked for once, however many wait.

An answer is kept for `ttl_ms`; a refusal only if `cache_refusals`; that a back-end couldn't answer, never.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Final

from warren.core.access.questions import Answer, BackEnd, Denied, Identity, Login, Question

_log = logging.getLogger("warren.authentication")

TTL_DEFAULT_MS: Final = 15_000
"""As RabbitMQ's `auth_cache.cache_ttl`."""

SIZE_MAX_DEFAULT: Final = 10_000
"""Kept answers, half a kilobyte each: names in questions come from clients, so how many there are isn't ours to say."""

TRIED_MAX: Final = 16
"""How many of the oldest are looked at for one that may go; those that somebody waits for may not."""


class Awaited:
    """What a command may have to wait for: an answer of a back-end, or what a cluster agrees on.

    is_there: from then on `Unanswered.pin` doesn't wait for it.
    """

    __slots__ = ("is_there", "pins", "waiting")

    def __init__(self) -> None:
        self.is_there = False
        self.pins = 0
        self.waiting: list[Callable[[], None]] = []

    def come_back(self) -> None:
        """It was there, and maybe forgotten, before somebody pinned it who waits for just this."""

    def release(self) -> None:
        """Somebody who has pinned it is done."""
        self.pins -= 1
        if not self.pins:
            self.unpinned()

    def unpinned(self) -> None:
        """Nobody has pinned it any more."""

    def tell(self) -> None:
        """It is there: call whoever waits for it."""
        self.is_there = True
        waiting, self.waiting = self.waiting, []
        self.pins += 1
        for call in waiting:
            try:
                call()
            except Exception:
                _log.exception("internal error in what waited for an answer")
        self.release()


class Asked(Awaited):
    """One question, with its answer as soon as there is one."""

    __slots__ = ("_answers", "answer", "expires_at_ms", "key")

    def __init__(self, answers: Answers, key: tuple[str, Question]) -> None:
        super().__init__()
        self._answers = answers
        self.key = key
        self.answer: Answer | None = None
        self.expires_at_ms = 0

    def come_back(self) -> None:
        self._answers.keep(self)

    def unpinned(self) -> None:
        self._answers.look_at(self)


class Unanswered(Exception):
    """What was wanted depends on an answer that isn't there yet: do it again when it is.

    names: those that were generated for it, which it is to have then (core.declaring.names).
    """

    def __init__(self, asked: Awaited) -> None:
        super().__init__("what this depends on is being asked for")
        self.asked = asked
        self.names: list[str] = []

    def pin(self, call: Callable[[], None]) -> Awaited:
        """Have `call` called when the answer is there, and keep the answer until `Awaited.release`.

        Others may have had a turn meanwhile, and the answer may be there already: then `call` is called at once.
        """
        asked = self.asked
        asked.pins += 1
        if not asked.is_there:
            asked.waiting.append(call)
        else:
            asked.come_back()
            call()
        return asked

    def then(self, call: Callable[[], object]) -> None:
        """Have `call` called when the answer is there, which it finds; it isn't kept any longer than that."""
        asked = self.asked

        def calling() -> None:
            try:
                call()
            finally:
                asked.release()

        self.pin(calling)


class Answers:
    """Of one broker's users.

    now_ms: the broker's time.
    """

    __slots__ = ("_kept", "cache_refusals", "now_ms", "size_max", "ttl_ms")

    def __init__(
        self, ttl_ms: int = TTL_DEFAULT_MS, size_max: int = SIZE_MAX_DEFAULT, *, cache_refusals: bool = False
    ) -> None:
        self.ttl_ms = ttl_ms
        self.size_max = size_max
        self.cache_refusals = cache_refusals
        self.now_ms: Callable[[], int] = _no_time
        self._kept: dict[tuple[str, Question], Asked] = {}

    def __len__(self) -> int:
        """How many questions are here, with their answers or waiting for them."""
        return len(self._kept)

    def get(self, back_end: BackEnd, question: Question) -> Answer:
        """What the back-end says; raises Unanswered, having asked, where that isn't known."""
        answer = back_end.at_once(question)
        if answer is not None:
            return answer
        found = self._kept.get((back_end.name, question))
        if found is None or self._is_over(found):
            found = self._ask(back_end, question)
        if found.answer is None:
            raise Unanswered(found)
        return found.answer

    def _is_over(self, asked: Asked) -> bool:
        return asked.answer is not None and not asked.pins and asked.expires_at_ms <= self.now_ms()

    def _ask(self, back_end: BackEnd, question: Question) -> Asked:
        self._make_room()
        kept = question
        if isinstance(question, Login) and question.secret is not None:
            kept = question._replace(secret=question.secret.without_text())
        key = (back_end.name, kept)
        asked = Asked(self, key)
        self._kept.pop(key, None)
        self._kept[key] = asked
        back_end.ask(question, partial(self._answered, asked))
        return asked

    def _answered(self, asked: Asked, answer: Answer) -> None:
        if asked.answer is not None:
            return
        asked.answer = answer
        is_kept = not isinstance(answer, Denied) or (self.cache_refusals and not answer.failed)
        asked.expires_at_ms = self.now_ms() + self.ttl_ms if is_kept else 0
        if isinstance(answer, Identity) and answer.expires_at_ms is not None:
            asked.expires_at_ms = min(asked.expires_at_ms, answer.expires_at_ms)
        asked.tell()

    def keep(self, asked: Asked) -> None:
        """It is wanted once more, unless the same was asked again since."""
        self._kept.setdefault(asked.key, asked)

    def look_at(self, asked: Asked) -> None:
        """Nobody has pinned it any more: it goes if its time is over."""
        if self._is_over(asked) and self._kept.get(asked.key) is asked:
            del self._kept[asked.key]

    def _make_room(self) -> None:
        if len(self._kept) < self.size_max:
            return
        for key in list(_first(self._kept, TRIED_MAX)):
            asked = self._kept.pop(key)
            if asked.answer is not None and not asked.pins:
                return
            self._kept[key] = asked

    def forget(self, name: str) -> None:
        """Something about this user has changed."""
        for key in [key for key in self._kept if _name_in(key[1]) == name]:
            del self._kept[key]

    def clear(self) -> None:
        """Ask for everything anew."""
        self._kept.clear()


class Underway(Awaited):
    """Work in turns that asks back-ends much, and is waited for as if it were one question; nobody keeps it."""

    __slots__ = ()

    def done(self) -> None:
        """Whoever waits may go on."""
        self.tell()


def _first(kept: dict[tuple[str, Question], Asked], count: int) -> list[tuple[str, Question]]:
    return [key for key, _ in zip(kept, range(count), strict=False)]


def _name_in(question: Question) -> str:
    return question.name if isinstance(question, Login) else question.who.name


def _no_time() -> int:
    return 0
