"""An authentication back-end for tests: a table of users and of what they may do, answering at once or later."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from warren.core.access.chain import Chain, Step
from warren.core.access.internal import Internal
from warren.core.access.questions import (
    Answer,
    BackEnd,
    Denied,
    Identity,
    Login,
    MayEnter,
    MayUse,
    MayUseTopic,
    Question,
)
from warren.core.broker import Broker

Atom = tuple[str, ...]
"""A right: `("vhost", VHOST)`, `(VERB, KIND, NAME)`, `(VERB, "topic", EXCHANGE, KEY)`."""

REFUSED = Denied("the table says no")
BROKEN = Denied("it is broken", failed=True)


@dataclass
class TableUser:
    """everything: what isn't among the rights is allowed, too."""

    password: str = "secret"
    tags: frozenset[str] = frozenset()
    rights: set[Atom] = field(default_factory=set)
    everything: bool = False
    expires_at_ms: int | None = None


class TableBackEnd(BackEnd):
    """See the head of this file.

    asked: all questions so far.  broken: every answer is a failure.  By default it answers when asked; `answers_later`
    has it answer in a later turn of the broker, `answers_never` only when the test says so (`answer`).
    """

    def __init__(self, name: str = "table") -> None:
        self.name = name
        self.users: dict[str, TableUser] = {}
        self.asked: list[Question] = []
        self.broken = False
        self._put: Callable[[Callable[[], None]], None] = _now
        self._waiting: list[tuple[Question, Callable[[Answer], None]]] = []

    def answers_later(self, broker: Broker, request_turn: Callable[[], None] | None = None) -> None:
        """In a turn of its own.  request_turn: has there be one, where nothing else does."""

        def put(do: Callable[[], None]) -> None:
            def slice_of_it() -> bool:
                do()
                return False

            broker.chores.add(slice_of_it)
            if request_turn is not None:
                request_turn()

        self._put = put

    def answers_when_told(self) -> None:
        """See `answer`."""
        self._put = _never

    def ask(self, question: Question, answered: Callable[[Answer], None]) -> None:
        """As a back-end."""
        self.asked.append(question)
        self._waiting.append((question, answered))
        self._put(self.answer)

    @property
    def waiting(self) -> int:
        """Questions without an answer."""
        return len(self._waiting)

    def answer(self) -> None:
        """Answer the question that has waited longest."""
        if self._waiting:
            question, answered = self._waiting.pop(0)
            answered(self._answer(question))

    def _answer(self, question: Question) -> Answer:
        if self.broken:
            return BROKEN
        if isinstance(question, Login):
            user = self.users.get(question.name)
            secret = question.secret.text if question.secret is not None else None
            if user is None or secret not in (user.password, None):
                return REFUSED
            return Identity(question.name, user.tags, user.expires_at_ms)
        return True if self.allows(self.users[question.who.name], atom_of(question)) else REFUSED

    def allows(self, user: TableUser, atom: Atom) -> bool:
        """Whether the table says so."""
        return user.everything or atom in user.rights


def atom_of(question: MayEnter | MayUse | MayUseTopic) -> Atom:
    """The right that a question is about."""
    if isinstance(question, MayEnter):
        return ("vhost", question.vhost)
    if isinstance(question, MayUse):
        return (question.verb, question.kind, question.name)
    return (question.verb, "topic", question.exchange, question.routing_key)


def use_chain(broker: Broker, *steps: BackEnd | tuple[BackEnd | None, Iterable[BackEnd | None]] | None) -> None:
    """Have these asked at logins; None is the broker's own users, a pair who says who it is, and who what it may do."""
    users = broker.users
    internal = Internal(users)

    def of(back_end: BackEnd | None) -> BackEnd:
        return internal if back_end is None else back_end

    made = []
    for step in steps:
        authenticates, authorizes = step if isinstance(step, tuple) else (step, [step])
        made.append(Step(of(authenticates), tuple(of(each) for each in authorizes)))
    users.chain = Chain(users, users.answers, made)


def _now(do: Callable[[], None]) -> None:
    do()


def _never(do: Callable[[], None]) -> None:
    return
