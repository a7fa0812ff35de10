"""What an authentication back-end is: the interface between the broker and whoever else knows users.

A plugin offers one, for a directory such as LDAP for instance:

    class Directory(DirectoryBackEnd):
        async def log_in(self, login: Login) -> Identity | Denied:
            groups = await self.bind(login.name, login.secret)
            return Identity(login.name, frozenset(groups)) if groups else Denied("no such user, or another password")

        async def may_enter(self, question: MayEnter) -> bool: ...
        async def may_use(self, question: MayUse) -> bool: ...

    class DirectoryPlugin(Plugin):
        name = "directory"
        back_ends = {"directory": Directory}

and `auth_backends = ["internal", "directory"]` has it asked.  Answers are kept, and the same question isn't asked twice
at a time (core.access.answers).  What is raised, or takes longer than `timeout_s`, is a failure: it is logged, and
refuses whoever waits for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from warren.core.access.questions import Answer, Denied, Identity, Login, MayEnter, MayUse, MayUseTopic, Question

if TYPE_CHECKING:
    from warren.adapters.interface import Options

__all__ = [
    "Answer",
    "AuthenticationBackEnd",
    "BackEndUnusableError",
    "Denied",
    "DirectoryBackEnd",
    "Identity",
    "Login",
    "MayEnter",
    "MayUse",
    "MayUseTopic",
    "Question",
]


class BackEndUnusableError(Exception):
    """It can't work as it is configured; the text says why, and the broker doesn't start."""


class AuthenticationBackEnd(ABC):
    """Made once per run of the broker.  Most derive from `DirectoryBackEnd`.

    timeout_s: what an answer may take.  concurrent_max: questions that are asked at a time; further ones wait.  now_ms:
    the broker's time, in milliseconds since 1970; there once it runs.
    """

    timeout_s: float = 15.0
    concurrent_max: int = 32
    now_ms: Callable[[], int]

    def __init__(self, options: Options) -> None:
        """options: the values of all keys of the configuration."""

    def at_once(self, question: Question) -> Answer | None:
        """The answer where nothing has to be waited for, which isn't kept; None where `answer` has to find out."""
        return None

    @abstractmethod
    async def answer(self, question: Question) -> Answer:
        """An Identity for a Login; True for any other question; Denied for both."""

    async def run(self) -> None:
        """Whatever it has to do as long as the broker runs; cancelled at its stop."""
        await trio.sleep_forever()


class DirectoryBackEnd(AuthenticationBackEnd):
    """One with a method for each kind of question."""

    async def answer(self, question: Question) -> Answer:
        """By the method that the question is for."""
        if isinstance(question, Login):
            return await self.log_in(question)
        if isinstance(question, MayEnter):
            allowed = await self.may_enter(question)
        elif isinstance(question, MayUse):
            allowed = await self.may_use(question)
        else:
            allowed = await self.may_use_topic(question)
        return True if allowed else Denied("refused")

    @abstractmethod
    async def log_in(self, login: Login) -> Identity | Denied:
        """Who this is; `login.secret` is None where the protocol vouches for the name (a certificate)."""

    @abstractmethod
    async def may_enter(self, question: MayEnter) -> bool:
        """Whether somebody may enter a virtual host."""

    @abstractmethod
    async def may_use(self, question: MayUse) -> bool:
        """Whether somebody may configure, write or read a queue or exchange."""

    async def may_use_topic(self, question: MayUseTopic) -> bool:
        """Whether somebody who may use a topic exchange may use this routing key with it; any by default."""
        return True
