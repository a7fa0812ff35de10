"""Transactions (part 4): what is published and settled in one is done at its discharge, all of it as one atomic group.

The link to a coordinator controls them: a declare is answered with an id, which transfers and dispositions carry from
then on, and a discharge does the work or gives it up.  The answer to a discharge comes when the work is on disk.  A
transaction is published at the moment of its commit, as in AMQP 0-9-1 here; after a crash, all of it is there or
nothing.

A transaction whose controlling link, or a session with part of its work, has ended is given up.
"""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from warren.adapters.amqp10.amending import AMENDED_PER_SLICE, amended_message, annotations_of
from warren.adapters.amqp10.codec.composites import decode_composite, encode_composite
from warren.adapters.amqp10.codec.errors import (
    ILLEGAL_STATE,
    INVALID_FIELD,
    RESOURCE_LIMIT_EXCEEDED,
    TRANSACTION_ROLLBACK,
    UNKNOWN_TRANSACTION,
    Level,
    PeerMistake,
    Undecodable,
)
from warren.adapters.amqp10.codec.performatives import Error
from warren.adapters.amqp10.codec.sections import VALUE, sections_of
from warren.adapters.amqp10.codec.termini import (
    Accepted,
    Declare,
    Declared,
    Discharge,
    Rejected,
    Released,
    TransactionalState,
)
from warren.adapters.amqp10.committing import commit
from warren.adapters.amqp10.conditions import described
from warren.adapters.amqp10.incoming_link import IncomingLink
from warren.adapters.session.deliveries import work_of
from warren.core.errors import AccessRefused
from warren.core.limit_hits import limited
from warren.core.routing.publish import check_topic_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.adapters.amqp10.amqp_session import AmqpSession
    from warren.adapters.amqp10.codec.performatives import Attach
    from warren.adapters.amqp10.codec.values import Symbol
    from warren.adapters.amqp10.publishing_link import PublishingLink
    from warren.adapters.session.deliveries import Verdict
    from warren.core.messages.message import Message
    from warren.core.queues.unacked import Delivery
    from warren.core.routing.route import Route


TRANSACTIONS_MAX: Final = 64
"""Open ones of a connection; clients have one for a session, mostly."""

ACTIONS_MAX: Final = 1024
"""Publishes and settlements of one, as in STOMP."""

PUBLISH_WORK: Final = 5
"""A publish is so much work, if an acknowledgement is 1."""

AMEND_WORK: Final = 50
"""Writing something on a message likewise."""

COORDINATOR_CREDIT: Final = 16
"""Declares and discharges that may be on their way; clients wait for each."""


class Taken:
    """Deliveries that are to be settled.  by_receiver: it has settled them already.  outcome: how."""

    __slots__ = ("by_receiver", "deliveries", "outcome", "verdict")

    def __init__(self, deliveries: dict[int, Delivery], verdict: Verdict, outcome: Any, *, by_receiver: bool) -> None:
        self.deliveries = deliveries
        self.verdict = verdict
        self.outcome = outcome
        self.by_receiver = by_receiver

    @property
    def amended(self) -> int:
        """On how many messages the outcome writes something."""
        return len(self.deliveries) if annotations_of(self.outcome) else 0

    def written(self) -> Iterator[dict[int, Delivery]]:
        """The deliveries, with what the outcome writes on their messages, so many at a time as a turn has time for."""
        annotations = annotations_of(self.outcome)
        items = iter(self.deliveries.items())
        while some := list(islice(items, AMENDED_PER_SLICE)):
            yield {
                tag: (queue, amended_message(queue, message, annotations), consumer)
                for tag, (queue, message, consumer) in some
            }


class Transaction:
    """One that is open.  doomed: why it can only be given up; empty while it can be committed.

    settlements: by session.
    """

    def __init__(self, id: bytes, controller: CoordinatorLink) -> None:
        self.id = id
        self.controller = controller
        self.doomed = ""
        self.publishes: list[tuple[PublishingLink, Message, Route, int | None]] = []
        self.settlements: dict[AmqpSession, list[Taken]] = {}
        self._publishers: set[AmqpSession] = set()
        self._actions = 0

    @property
    def work(self) -> int:
        """How much a commit has to do, if an acknowledgement is 1 (core.chores)."""
        publishing = sum(PUBLISH_WORK + len(route.queues) for _, _, route, _ in self.publishes)
        return publishing + sum(
            work_of(each.deliveries, each.verdict) + each.amended * AMEND_WORK
            for taken in self.settlements.values()
            for each in taken
        )

    def publish(
        self, link: PublishingLink, message: Message, route: Route, delivery_id: int, at_ms: int | None
    ) -> None:
        """A message belongs to it; its sender is told so at once, and what became of it by the discharge.

        at_ms: when it is to be delivered; None for at once.
        """
        outcome: object = Accepted()
        if not route.routed and at_ms is None:
            outcome = Released()
        elif self._count(1):
            self.publishes.append((link, message, route, at_ms))
            self._publishers.add(link.session)
        else:
            outcome = Rejected(Error(self._condition, self.doomed))
        link.session.safe.accept(link, delivery_id, encode_composite(TransactionalState(self.id, outcome)))

    def settle(
        self, session: AmqpSession, tags: list[int], verdict: Verdict, outcome: Any, *, by_receiver: bool
    ) -> None:
        """Deliveries are to be settled with it, by this outcome."""
        if not self._count(len(tags)):
            mistake = PeerMistake(self._condition, self.doomed, Level.SESSION)
            raise limited(mistake, "actions of amqp10 transactions") if self._is_full else mistake
        taken: dict[int, Delivery] = {}
        for tag in tags:
            taken.update(session.deliveries.take(tag, multiple=False))
        self.settlements.setdefault(session, []).append(Taken(taken, verdict, outcome, by_receiver=by_receiver))

    @property
    def _is_full(self) -> bool:
        return self._actions > ACTIONS_MAX

    @property
    def _condition(self) -> Symbol:
        """Why nothing can be done with it any more."""
        return RESOURCE_LIMIT_EXCEEDED if self._is_full else TRANSACTION_ROLLBACK

    def _count(self, actions: int) -> bool:
        self._actions += actions
        if self._is_full and not self.doomed:
            self.doomed = f"a transaction of more than {ACTIONS_MAX} publishes and settlements"
        return not self.doomed

    def check_rights(self) -> None:
        """Each publish was checked when it came; once more, since rights may have been withdrawn."""
        for link, _, route, _ in self.publishes:
            client = link.session.client
            client.check("exchange", route.address.exchange, "write")
            check_topic_keys(client, route.address.exchange, [route.address.routing_key, *route.extra_keys])

    def give_up(self) -> None:
        """Without its work being done: what was to be settled is unsettled again, or back in its queue."""
        self.publishes = []
        settlements, self.settlements = self.settlements, {}
        for session, taken in settlements.items():
            deliveries = session.deliveries
            kept = [each.deliveries for each in taken if not each.by_receiver]
            gone = [each.deliveries for each in taken if each.by_receiver]
            if kept:
                deliveries.put_all_back(kept, _nothing)
            if gone:
                deliveries.settle_taken(gone, "return")

    def session_ends(self, session: AmqpSession) -> list[dict[int, Delivery]]:
        """Part of its work goes with a session: the deliveries that it was to settle.  The rest is void."""
        gone = self.settlements.pop(session, [])
        if gone or session in self._publishers:
            self.doomed = "a session with part of its work has ended"
            self.publishes = []
            self._publishers.clear()
        return [each.deliveries for each in gone]


def _nothing() -> None:
    return


class Transactions:
    """The open ones of a connection."""

    __slots__ = ("_last", "_open")

    def __init__(self) -> None:
        self._open: dict[bytes, Transaction] = {}
        self._last = 0

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    def __bool__(self) -> bool:
        return len(self) > 0

    def declare(self, controller: CoordinatorLink) -> Transaction:
        """A new one."""
        if len(self._open) >= TRANSACTIONS_MAX:
            raise limited(
                PeerMistake(RESOURCE_LIMIT_EXCEEDED, f"{TRANSACTIONS_MAX} transactions are open", Level.LINK),
                "transactions of amqp10",
            )
        self._last += 1
        made = Transaction(b"txn-%d" % self._last, controller)
        self._open[made.id] = made
        return made

    def find(self, id: bytes) -> Transaction:
        """The open transaction of this id; PeerMistake (amqp:transaction:unknown-id) for none."""
        found = self._open.get(id)
        if found is None:
            raise PeerMistake(UNKNOWN_TRANSACTION, f"there is no transaction {id[:40]!r}", Level.LINK, clause="4.5.8")
        return found

    def discharged(self, transaction: Transaction) -> None:
        """It is over."""
        self._open.pop(transaction.id, None)

    def of(self, controller: CoordinatorLink) -> list[Transaction]:
        """Those that a link controls."""
        return [each for each in self._open.values() if each.controller is controller]

    def session_ends(self, session: AmqpSession) -> list[dict[int, Delivery]]:
        """What they were to settle of a session's deliveries."""
        return [taken for each in self._open.values() for taken in each.session_ends(session)]


class CoordinatorLink(IncomingLink):
    """A link whose messages are declares and discharges (4.2)."""

    def __init__(self, session: AmqpSession, attach: Attach) -> None:
        super().__init__(session, attach, COORDINATOR_CREDIT)

    @property
    def waits(self) -> bool:
        """Never: a discharge may free what is short."""
        return False

    def message(self, data: bytes, delivery_id: int, state: Any) -> None:
        self.unconfirmed += 1
        self.session.connection.attempt(self.session, self, partial(self._control, data, delivery_id))

    def _control(self, data: bytes, delivery_id: int) -> None:
        if delivery_id < 0:
            raise PeerMistake(ILLEGAL_STATE, "a declare or discharge that is settled already", Level.LINK, clause="4.2")
        body = _body_of(data)
        transactions = self.session.connection.transactions
        if isinstance(body, Declare):
            made = transactions.declare(self)
            self._answer(delivery_id, Declared(made.id))
            return
        try:
            transaction = transactions.find(body.txn_id)
        except PeerMistake as mistake:
            self._answer(delivery_id, Rejected(Error(mistake.condition, mistake.text)))
            return
        if body.fail:
            transactions.discharged(transaction)
            transaction.give_up()
            self._answer(delivery_id, Accepted())
        else:
            self._commit(transaction, delivery_id)

    def _commit(self, transaction: Transaction, delivery_id: int) -> None:
        transactions = self.session.connection.transactions
        if not transaction.doomed:
            try:
                transaction.check_rights()
            except AccessRefused as error:
                transaction.doomed = error.text
        transactions.discharged(transaction)
        if transaction.doomed:
            transaction.give_up()
            self._answer(delivery_id, Rejected(Error(TRANSACTION_ROLLBACK, described(transaction.doomed))))
        else:
            commit(transaction, partial(self._committed, delivery_id))

    def _committed(self, delivery_id: int, refused: int, is_stored: bool) -> None:
        session = self.session
        if session.ended:
            return
        if refused:
            text = f"partial completion; full queues refused {refused} of the publishes; the rest is done"
            self._answer(delivery_id, Rejected(Error(RESOURCE_LIMIT_EXCEEDED, text)))
        elif is_stored:
            session.safe.accept_after_flush(self, delivery_id)
        else:
            session.safe.accept(self, delivery_id)

    def _answer(self, delivery_id: int, state: object) -> None:
        self.session.safe.accept(self, delivery_id, encode_composite(state))

    def end(self) -> None:
        """What it controls and hasn't discharged is given up."""
        super().end()
        transactions = self.session.connection.transactions
        for transaction in transactions.of(self):
            transactions.discharged(transaction)
            transaction.give_up()


def _body_of(data: bytes) -> Declare | Discharge:
    for section in sections_of(data):
        if section.code == VALUE:
            try:
                body, _ = decode_composite(data, section.value_at, section.end)
            except Undecodable as error:
                error.level = Level.LINK
                raise
            if isinstance(body, Declare | Discharge):
                return body
    raise PeerMistake(INVALID_FIELD, "what is sent to a coordinator is a declare or a discharge", Level.LINK)
