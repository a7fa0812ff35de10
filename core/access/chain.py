"""Who is asked when somebody logs in: back-ends one after the other, until one says yes (as in RabbitMQ).

Each step has one back-end that says who it is, and others (or the same) whose word counts for what the user may do.  A
back-end that refuses, or can't answer, makes the next step the one that is asked; what each has said is in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from warren.core.access.accounts import LoginRefused, LoopbackOnly, User
from warren.core.access.answers import Answers
from warren.core.access.internal import Internal
from warren.core.access.questions import BackEnd, Denied, Identity, Login, Secret
from warren.core.access.rights import Rights

if TYPE_CHECKING:
    from warren.core.access.users import Users

_log = logging.getLogger("warren.authentication")


class Step(NamedTuple):
    """authenticates: who says who it is.  authorizes: all of these have to allow what the user does."""

    authenticates: BackEnd
    authorizes: tuple[BackEnd, ...]

    @property
    def is_internal_alone(self) -> bool:
        """Whether nobody but Warren's own users is asked."""
        return all(isinstance(each, Internal) for each in (self.authenticates, *self.authorizes))


class Chain:
    """All steps, of one broker's users."""

    def __init__(self, users: Users, answers: Answers, steps: Sequence[Step]) -> None:
        self._users = users
        self._answers = answers
        self.steps = tuple(steps)

    @property
    def is_internal(self) -> bool:
        """Whether Warren's own users are among those who say who somebody is."""
        return any(isinstance(step.authenticates, Internal) for step in self.steps)

    def log_in(
        self,
        name: str,
        password: str | None,
        *,
        is_loopback: bool,
        mechanism: str,
        peer_host: str,
        properties: tuple[tuple[str, str], ...] = (),
        proved_here: bool = False,
    ) -> User:
        """The user who logs in; password None: the protocol vouches for the name.

        proved_here: by what is kept of one of Warren's own users' password, so that it is one of these.

        Raises LoginRefused, LoopbackOnly among it, and Unanswered.
        """
        login = Login(name, None if password is None else Secret(password), properties)
        reasons: list[str] = []
        for step in self.steps:
            if proved_here and not isinstance(step.authenticates, Internal):
                continue
            found = self._try(step, login, peer_host, reasons)
            if found is not None:
                if not is_loopback and found.name in self._users.loopback_users:
                    raise LoopbackOnly(mechanism, f"user '{found.name}' can only connect via localhost")
                return found
        refused = LoginRefused(mechanism, f"user '{name}' - {'; '.join(reasons)}")
        _log.warning("login by %s is refused: %s", mechanism, refused.reason)
        raise refused

    def _try(self, step: Step, login: Login, peer_host: str, reasons: list[str]) -> User | None:
        who = self._identity(step.authenticates, login, reasons)
        if who is None:
            return None
        answered_by: list[tuple[BackEnd, Identity]] = []
        for back_end in step.authorizes:
            if back_end is step.authenticates:
                known: Identity | None = who
            else:
                secret = None if isinstance(back_end, Internal) else login.secret
                known = self._identity(back_end, login._replace(name=who.name, secret=secret), reasons)
            if known is None:
                return None
            answered_by.append((back_end, known))
        if step.is_internal_alone:
            return self._users[who.name]
        rights = Rights(self._users, self._answers, (step.authenticates, who), answered_by, login, peer_host)
        own = self._users.get(who.name) if rights.is_internal_user else None
        return User(
            who.name,
            "" if own is None else own.password_hash,
            "" if own is None else own.hashing_algorithm,
            rights.tags,
            {} if own is None else own.limits,
            "" if own is None else own.id,
            rights,
        )

    def _identity(self, back_end: BackEnd, login: Login, reasons: list[str]) -> Identity | None:
        answer = self._answers.get(back_end, login)
        if isinstance(answer, Identity):
            return answer
        reason = answer.reason if isinstance(answer, Denied) else "no identity"
        reasons.append(reason if isinstance(back_end, Internal) else f"{back_end.name}: {reason}")
        return None
