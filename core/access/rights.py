"""What somebody may do whom others than Warren's own users vouch for: one object per login.

All back-ends that the user's rights come from have to allow something (as in RabbitMQ); one that can't answer refuses,
and the log says why.  Raises Unanswered (answers.py) where one has to be asked first.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from warren.core.access.answers import Answers
from warren.core.access.internal import Internal
from warren.core.access.permissions import ResourceKind, Verb, known_name
from warren.core.access.questions import (
    BackEnd,
    Denied,
    Identity,
    Login,
    MayEnter,
    MayUse,
    MayUseTopic,
    Question,
    Secret,
    properties_of,
)
from warren.core.access.topic_permissions import TopicVerb
from warren.core.errors import AccessRefused

if TYPE_CHECKING:
    from warren.core.access.users import Users

_log = logging.getLogger("warren.authentication")


class BackEndFailed(AccessRefused):
    """Denied since a back-end can't be asked: what is asked for doesn't happen; what goes on isn't ended by it."""


class Rights:
    """Of one user, as logged in on one connection.

    by: who said who it is.  answered_by: those whose word counts from then on, each with what it knows the user by.
    peer_host: where the connection comes from.
    """

    __slots__ = ("_answered_by", "_answers", "_by", "_properties", "_users", "name", "peer_host")

    def __init__(
        self,
        users: Users,
        answers: Answers,
        by: tuple[BackEnd, Identity],
        answered_by: Sequence[tuple[BackEnd, Identity]],
        login: Login,
        peer_host: str,
    ) -> None:
        self._users = users
        self._answers = answers
        self._by = by
        self._answered_by = list(answered_by)
        self._properties = login.properties
        self.name = by[1].name
        self.peer_host = peer_host

    @property
    def tags(self) -> frozenset[str]:
        """All tags that the back-ends give; of Warren's own users, those of now."""
        found: set[str] = set()
        for back_end, who in (self._by, *self._answered_by):
            user = self._users.get(who.name) if isinstance(back_end, Internal) else None
            found |= who.tags if user is None else user.tags
        return frozenset(found)

    @property
    def is_internal_user(self) -> bool:
        """Whether it takes one of Warren's own users, too."""
        return any(isinstance(back_end, Internal) for back_end, _ in (self._by, *self._answered_by))

    @property
    def expires_at_ms(self) -> int | None:
        """When the first of what was shown to log in stops being valid; None for never."""
        times = [who.expires_at_ms for _, who in (self._by, *self._answered_by) if who.expires_at_ms is not None]
        return min(times, default=None)

    def may_enter(self, vhost: str) -> bool:
        """Whether the user may enter the virtual host; BackEndFailed where nobody can say."""
        for back_end, who in self._answered_by:
            refused = self._refused(back_end, MayEnter(who, vhost, self.peer_host))
            if refused is not None:
                if refused.failed:
                    text = f"access to vhost '{vhost}' refused for user '{self.name}'"
                    raise self._failed(text, back_end, refused)
                return False
        return True

    def check(self, vhost: str, kind: ResourceKind, name: str, verb: Verb) -> None:
        """Raise AccessRefused (403, A.5) unless the user may do `verb` to the queue or exchange."""
        known = known_name(kind, name)
        for back_end, who in self._answered_by:
            refused = self._refused(back_end, MayUse(who, vhost, kind, known, verb))
            if refused is not None:
                text = f"{verb} access to {kind} '{known}' in vhost '{vhost}' refused for user '{self.name}'"
                raise self._failed(text, back_end, refused) if refused.failed else AccessRefused(text)

    def check_topic(
        self, vhost: str, exchange: str, routing_key: str, verb: TopicVerb, variables: Mapping[str, str]
    ) -> None:
        """Raise AccessRefused (403, A.5) unless the user may use this key with a topic exchange."""
        known = properties_of({**variables, "username": self.name, "vhost": vhost})
        for back_end, who in self._answered_by:
            refused = self._refused(back_end, MayUseTopic(who, vhost, exchange, routing_key, verb, known))
            if refused is not None:
                text = (
                    f"{verb} access to topic '{routing_key}' in exchange '{exchange}' in vhost '{vhost}' "
                    f"refused for user '{self.name}'"
                )
                raise self._failed(text, back_end, refused) if refused.failed else AccessRefused(text)

    def renew(self, secret: str) -> None:
        """Take another secret, such as a newer token, in place of the one that was logged in with.

        AccessRefused when a back-end doesn't take it, or it is somebody else's; nothing has changed then.  Warren's own
        users have no use for it, and it is no error (as in RabbitMQ).
        """
        login = Login(self.name, Secret(secret), self._properties)
        renewed = [self._renewed(back_end, who, login) for back_end, who in (self._by, *self._answered_by)]
        self._by, self._answered_by = renewed[0], renewed[1:]

    def _renewed(self, back_end: BackEnd, who: Identity, login: Login) -> tuple[BackEnd, Identity]:
        if isinstance(back_end, Internal):
            return back_end, who
        answer = self._answers.get(back_end, login)
        if isinstance(answer, Denied) or answer is True:
            reason = answer.reason if isinstance(answer, Denied) else "no identity"
            raise AccessRefused(f"the new secret of user '{self.name}' is refused by '{back_end.name}': {reason}")
        if answer.name != self.name:
            raise AccessRefused(f"the new secret is that of '{answer.name}', while '{self.name}' is logged in")
        return back_end, answer

    def _refused(self, back_end: BackEnd, question: Question) -> Denied | None:
        answer = self._answers.get(back_end, question)
        return answer if isinstance(answer, Denied) else None

    def _failed(self, text: str, back_end: BackEnd, refused: Denied) -> BackEndFailed:
        text = f"{text}, backend {back_end.name} returned an error"
        _log.error("%s: %s", text, refused.reason)
        return BackEndFailed(text)
