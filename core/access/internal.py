"""Warren's own users as one back-end of several (chain.py); it answers at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from warren.core.access.accounts import LoginRefused
from warren.core.access.questions import Answer, BackEnd, Denied, Identity, Login, MayEnter, MayUse, Question
from warren.core.errors import AccessRefused

if TYPE_CHECKING:
    from warren.core.access.users import Users

NAME: Final = "internal"


class Internal(BackEnd):
    """See the head of this file."""

    name = NAME

    def __init__(self, users: Users) -> None:
        self._users = users

    def at_once(self, question: Question) -> Answer:
        """Ask the users' rows."""
        if isinstance(question, Login):
            return self._log_in(question)
        if isinstance(question, MayEnter):
            allowed = self._users.may_access_vhost(question.who.name, question.vhost)
            return True if allowed else Denied("no permissions")
        try:
            if isinstance(question, MayUse):
                who, vhost, kind, name, verb = question
                self._users.check(who.name, vhost, kind, name, verb)
            else:
                variables = dict(question.variables)
                self._users.check_topic(
                    question.who.name, question.vhost, question.exchange, question.routing_key, question.verb, variables
                )
        except AccessRefused as error:
            return Denied(error.text)
        return True

    def _log_in(self, login: Login) -> Answer:
        """Where somebody else says who it is, the user only has to be there, whose password nobody asks for."""
        try:
            if login.secret is None:
                user = self._users.admit(login.name, True, NAME)
            else:
                user = self._users.authenticate(login.name, login.secret.text, True, NAME)
        except LoginRefused as error:
            return Denied(error.reason)
        return Identity(user.name, user.tags)

    def ask(self, question: Question, answered: Callable[[Answer], None]) -> None:
        """As `at_once`."""
        answered(self.at_once(question))
