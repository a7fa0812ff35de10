"""Changes of what all nodes of a cluster share: asked for here, agreed on elsewhere, and then done by every node alike.

Theory of operation
-------------------
Who changes something shared checks it as ever: rights, arguments, limits, what is there.  Then, in place of doing it,

    if shared is not None and shared.begin(intent): return ...   # it has been agreed on, and is done
    ...checks...
    if shared is not None: shared.ask(Change(...))               # raises Unanswered

`ask` has the change proposed to the cluster and raises `Unanswered`, as a right does that another back-end has to be
asked for (core.access.answers): the session keeps the command and does it again from its beginning when the answer is
there.  By then the change has come back and was done here, as on every node (core.cluster.definitions), with `applying`
set, so that the same operations ask nobody.  The second time a declaration finds what it declares; what finds itself
done isn't told from what was there (adding a user, setting a policy), so `begin` is told what is intended, and knows.

What is intended counts, not what came of it: a password's hash has another salt each time.  Two who intend the very
same at the same moment are given one answer.

Where somebody else was quicker, nothing is answered: the command is done again and sees what is there now.  So of two
declarations at once on two nodes one wins, and the other one gets the usual errors, or agrees.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn, TypeAlias

from warren.core.access.answers import Awaited, Unanswered
from warren.core.cluster import sharing
from warren.core.errors import BrokerError, ClusterAway
from warren.core.queues.classic.rules import rules_from_arguments

if TYPE_CHECKING:
    from warren.core.exchanges.base import Exchange
    from warren.core.exchanges.binding import Destination
    from warren.core.messages.field_table import FieldValue
    from warren.core.policies.table import PolicyTable
    from warren.core.queues.answer import Answer
    from warren.core.queues.base import Queue
    from warren.core.storage.definitions.store import JSON

_log = logging.getLogger("warren.cluster")

PATIENCE_MS: Final = 10_000
"""How long a change waits for the cluster before it is refused: NATS elects a leader in 4 to 9 s."""

Intent: TypeAlias = tuple[Hashable, ...]


class Change(NamedTuple):
    """One row of what is shared, as it is to be; value None: it is to go."""

    kind: str
    vhost: str
    name: str
    value: Mapping[str, JSON] | None


AnyChange: TypeAlias = "Change | tuple[str, str, str, Mapping[str, JSON] | None]"
"""So that those who are asked for less than a cluster needn't know of it."""


Answered: TypeAlias = "Callable[[bool, BrokerError | None], None]"
"""Takes whether something was agreed on, and what has kept it from being so; neither where somebody was quicker."""


class State(Enum):
    """Of an agreement."""

    WAITING = "waiting"
    AGREED = "agreed"
    OVERTAKEN = "overtaken"
    """Somebody else was quicker: who waits is to look again."""
    FAILED = "failed"


class Agreement(Awaited):
    """One intent on its way.

    changes: in the order in which they are to be made.  began_at_ms: when it was asked for.  revisions: by key, those
    of its changes that were made.  made: what of it wasn't there before: kind, virtual host and name.
    note: what whoever asked wants to know when it is done again.
    """

    __slots__ = ("_owner", "began_at_ms", "changes", "error", "intent", "left", "made", "note", "revisions", "state")

    def __init__(self, owner: Agreements, intent: Intent, changes: Sequence[Change], now_ms: int) -> None:
        super().__init__()
        self._owner = owner
        self.intent = intent
        self.changes = tuple(changes)
        self.began_at_ms = now_ms
        self.state = State.WAITING
        self.error: BrokerError | None = None
        self.revisions: dict[str, int] = {}
        self.left: list[Change] = []
        self.note: object = None
        self.made: set[tuple[str, str, str]] = set()

    def come_back(self) -> None:
        self._owner.keep(self)

    def unpinned(self) -> None:
        self._owner.let_go(self)

    def end(self, state: State, error: BrokerError | None = None) -> None:
        """It is decided; whoever waits is called.  Nothing happens if it was decided before."""
        if self.state is not State.WAITING:
            return
        self.state = state
        self.error = error
        self._owner.decided(self)
        self.tell()


class Agreements:
    """Of one broker; see the head of this file.

    propose: takes an agreement that was asked for. holds: whether a key is at this revision still. now_ms: the broker's
    time. check_room: raises LowOnDisk unless rows of so many bytes can be kept here. node: this node's name. applying:
    what is done now was agreed on, or is no business of the cluster's. leaving: who waits for how many messages went
    with a queue, by virtual host and name. elsewhere: the other node that is to have a durable queue of this virtual
    host and name which is declared here; empty for this one.
    """

    __slots__ = (
        "_asked",
        "_intent",
        "applying",
        "check_room",
        "elsewhere",
        "holds",
        "leaving",
        "node",
        "now_ms",
        "propose",
    )

    def __init__(self, node: str) -> None:
        self.node = node
        self.applying = False
        self.propose: Callable[[Agreement], None] = _nobody
        self.holds: Callable[[str, int], bool] = _always
        self.now_ms: Callable[[], int] = _no_time
        self.check_room: Callable[[int], None] = _any_room
        self.elsewhere: Callable[[str, str], str] = _nowhere_else
        self.leaving: dict[tuple[str, str], list[Answer[int]]] = {}
        self._asked: dict[Intent, Agreement] = {}
        self._intent: Intent | None = None

    @contextmanager
    def apart(self) -> Iterator[None]:
        """What is done in the block is done here, and nobody is asked."""
        before, self.applying = self.applying, True
        try:
            yield
        finally:
            self.applying = before

    def begin(self, intent: Intent) -> bool:
        """Whether just this was agreed on for who does it again, and is done; never while `applying`.

        Raises ClusterAway where nobody could agree on it, and Unanswered while it is on its way.
        """
        if self.applying:
            return False
        self._intent = intent
        found = self._asked.get(intent)
        if found is None or found.state is State.OVERTAKEN:
            return False
        if found.state is State.WAITING:
            raise Unanswered(found)
        if found.error is not None:
            raise found.error
        # Somebody may have changed it again since then: what is intended now is another change.
        return all(self.holds(key, revision) for key, revision in found.revisions.items())

    def removed(self, kind: str, vhost: str) -> Iterator[str]:
        """The names of what was just agreed to be removed, for who finds it gone when they do that again."""
        for agreement in self._asked.values():
            for change in agreement.changes:
                if agreement.state is State.AGREED and change.value is None and change[:2] == (kind, vhost):
                    yield change.name

    def has_made(self, kind: str, vhost: str, name: str) -> bool:
        """Whether it was just agreed that this is to be, and it wasn't before: for who does it again, and finds it."""
        made = kind, vhost, name
        return any(made in each.made and each.state is State.AGREED for each in self._asked.values())

    def is_agreed(self, intent: Intent) -> bool:
        """Whether just this was agreed on, for who does it again; nothing is raised, and nothing begun."""
        found = self._asked.get(intent)
        return found is not None and found.state is State.AGREED

    def note_of(self, intent: Intent) -> object:
        """What was noted with it when it was asked for."""
        found = self._asked.get(intent)
        return None if found is None else found.note

    def ask(self, *changes: AnyChange, intent: Intent | None = None, note: object = None) -> None:
        """Have these changes proposed, and raise Unanswered; nothing happens while `applying`.

        intent: what is intended, else it is what `begin` was told last.  note: for `note_of`.
        """
        if not self.applying:
            self._ask(intent or self._intent or (), [Change(*change) for change in changes], note)

    def ask_for(self, kind: str, vhost: str, name: str, row: Mapping[str, JSON]) -> None:
        """The same for what is declared, so that who does it again finds it: intended is that it be there."""
        self.ask(Change(kind, vhost, name, row), intent=(kind, vhost, name))

    def ask_for_queue(
        self,
        policies: PolicyTable,
        vhost: str,
        name: str,
        type_name: str,
        arguments: Mapping[str, FieldValue],
        row: Mapping[str, JSON],
    ) -> None:
        """The same for a durable queue, if it is to be shared; where it is to be is decided now, for good.

        Raises PreconditionFailed (406) for values of arguments that can't be: no node could make it.
        """
        if sharing.is_shared_declaration(name, type_name, durable=True, auto_delete=False):
            rules_from_arguments(f"queue '{name}' in vhost '{vhost}'", arguments)
            self.ask_for("queue", vhost, name, {**row, "node": self.home_of(policies, vhost, name, type_name)})

    def home_of(self, policies: PolicyTable, vhost: str, name: str, type_name: str) -> str:
        """The node that is to have a shared queue which is declared here; empty for one that is to be replicated."""
        if sharing.is_replicated(type_name, policies.for_queue(vhost, name, type_name)):
            return ""
        return self.elsewhere(vhost, name) or self.node

    def ask_then(self, change: AnyChange, answered: Answered) -> None:
        """The same for who needn't do it again, and is called with what has come of it, now or later."""
        agreement = Agreement(self, ("then", object()), [Change(*change)], self.now_ms())
        agreement.waiting.append(lambda: answered(agreement.state is State.AGREED, agreement.error))
        self.propose(agreement)

    def ask_quietly(self, change: AnyChange) -> None:
        """The same for nobody who waits, such as for a queue that has expired; what fails is logged."""

        def answered(agreed: bool, error: BrokerError | None) -> None:
            if not agreed:
                what = f"{change[0]} '{change[2]}' in vhost '{change[1]}'"
                _log.warning("%s couldn't be changed in the cluster: %s", what, error or "somebody was quicker")

        self.ask_then(change, answered)

    def _ask(self, intent: Intent, changes: Sequence[Change], note: object) -> NoReturn:
        self._intent = None
        found = self._asked.get(intent)
        if found is not None and found.error is not None:
            raise found.error
        if found is not None and self._is_stuck(found):
            raise ClusterAway(
                f"{_described(changes)} is in the cluster's definitions, but couldn't be made on node '{self.node}' "
                f"(warren ctl cluster_status says why)"
            )
        if found is None or found.state is not State.WAITING:
            self.check_room(sum(len(str(change.value)) for change in changes if change.value is not None))
            found = self._asked[intent] = Agreement(self, intent, changes, self.now_ms())
            found.note = note
            self.propose(found)
        raise Unanswered(found)

    def _is_stuck(self, found: Agreement) -> bool:
        """Whether it was agreed on, holds still, and yet who does it again asks for it again: it isn't done here."""
        return (
            found.state is State.AGREED
            and bool(found.revisions)
            and all(self.holds(key, revision) for key, revision in found.revisions.items())
        )

    # What is shared

    def shares_exchange(self, exchange: Exchange) -> bool:
        """Whether it belongs to the cluster, and is to be agreed on."""
        return not self.applying and sharing.is_shared_exchange(exchange)

    def shares_queue(self, queue: Queue) -> bool:
        """The same of a queue."""
        return not self.applying and sharing.is_shared_queue(queue)

    def shares_binding(self, source: Exchange, target: Destination) -> bool:
        """The same of a binding between these."""
        return not self.applying and sharing.is_shared_binding(source, target)

    # Agreements

    def keep(self, agreement: Agreement) -> None:
        """It is wanted once more, unless the same was asked for again since."""
        self._asked.setdefault(agreement.intent, agreement)

    def let_go(self, agreement: Agreement) -> None:
        """Nobody waits for it any more, nor does it again."""
        if agreement.state is not State.WAITING:
            self._forget(agreement)

    def decided(self, agreement: Agreement) -> None:
        """Who waits for it hears of it next; where somebody was quicker, the same intent is another matter now."""
        if agreement.state is State.OVERTAKEN:
            self._forget(agreement)

    def _forget(self, agreement: Agreement) -> None:
        if self._asked.get(agreement.intent) is agreement:
            del self._asked[agreement.intent]


def _described(changes: Sequence[Change]) -> str:
    first = changes[0]
    return f"{first.kind} '{first.name}'" + (f" in vhost '{first.vhost}'" if first.vhost else "")


def _nobody(agreement: Agreement) -> None:
    raise ClusterAway("this node hasn't joined its cluster yet")


def _always(key: str, revision: int) -> bool:
    return True


def _any_room(value_bytes: int) -> None:
    """All of it."""


def _no_time() -> int:
    return 0


def _nowhere_else(vhost: str, name: str) -> str:
    return ""
