"""BEGIN, COMMIT and ABORT (spec B.8).

SEND, ACK and NACK with the header `transaction` are checked at once and done at COMMIT, in order, as one atomic group
of the store: after a crash either everything of a transaction is there or nothing.  COMMIT looks at everything before
it does anything, so one that is refused (a permission was taken away, a delivery settled twice) leaves all as it was.
The receipt of COMMIT, and before it those of the frames, are sent when the group is on disk; those of the frames at
once where `stomp_transaction_receipts` says so.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from warren.adapters.stomp.codec.errors import StompError
from warren.adapters.stomp.sending import Publish, message_of, prepare, refused, way_of
from warren.adapters.stomp.settling import Settlement, not_found, settlement_of
from warren.core.access.answers import Unanswered
from warren.core.routing.publish import check_publish, slow_down
from warren.core.routing.receipt import Receipt, joined
from warren.core.routing.staging import Staged, stage
from warren.core.routing.vhost import Outcome

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from warren.adapters.session.deliveries import Settlement as Taken
    from warren.adapters.stomp.codec.frames import Frame
    from warren.adapters.stomp.open_transactions import Transaction
    from warren.adapters.stomp.session import StompSession
    from warren.core.messages.message import Message
    from warren.core.queues.dead_letter import Letter
    from warren.core.routing.route import Route

PUBLISH_WORK: Final = 5
"""A SEND is so much work, if an acknowledgement is 1; or as much as it goes to queues."""

WORK_COUNTED_MAX: Final = 10_000
"""Work is counted no further: it is too much for one turn in any case."""


def begin(session: StompSession, frame: Frame) -> None:
    """BEGIN; one that is open already starts over (spec B.8)."""
    session.transactions.begin(_name(frame))


def add(session: StompSession, frame: Frame) -> None:
    """A SEND, ACK or NACK that belongs to a transaction."""
    name = _name(frame)
    session.transactions.check_room(name)
    if frame.command == "SEND":
        session.transactions.add(name, prepare(session, frame))
    else:
        session.transactions.add(name, settlement_of(session, frame, positive=frame.command == "ACK"))
    if not session.settings.receipts_at_commit:
        session.receipts.send(frame.receipt)
    elif frame.receipt is not None:
        session.transactions.add_receipt(name, frame.receipt)


def abort(session: StompSession, frame: Frame) -> None:
    """ABORT: nothing of it happens, no receipt of it comes; deliveries it would have settled stay unacknowledged."""
    session.transactions.take(_name(frame))


def commit(session: StompSession, frame: Frame) -> None:
    """COMMIT: all of it, or, when something is wrong with it, nothing."""
    name = _name(frame)
    receipts = session.transactions.receipts(name)
    transaction = session.transactions.take(name)
    if frame.receipt is not None:
        receipts.append(frame.receipt)
    try:
        _commit(session, frame, transaction, receipts)
    except Unanswered as unanswered:
        session.ask_rights(unanswered, partial(_commit, session, frame, transaction, receipts), frame)


def _commit(session: StompSession, frame: Frame, transaction: Transaction, receipts: list[str]) -> None:
    client = session.logged_in
    trial = _Trial(session.deliveries.unacked)
    for action in transaction:
        if isinstance(action, Publish):
            check_publish(client, action.exchange, action.routing_key)
        else:
            trial.settle(action)
    done = _Done(session)
    if session.settling.may(_work_of(session, transaction)):
        _commit_now(session, transaction, receipts, done)
    else:
        session.settling.begin(_commit_in_turns(session, transaction, receipts, done, frame))


def _commit_now(session: StompSession, transaction: Transaction, receipts: list[str], done: _Done) -> None:
    store = session.broker.store
    store.begin_group()
    try:
        for action in transaction:
            if isinstance(action, Publish):
                done.publish(action)
            else:
                taken = session.deliveries.take(action.tag, multiple=action.multiple)
                session.deliveries.settle(taken, action.verdict)
                done.stored = True
    finally:
        store.end_group()
    done.answer(receipts)


def _commit_in_turns(
    session: StompSession, transaction: Transaction, receipts: list[str], done: _Done, frame: Frame
) -> Iterator[None]:
    """A COMMIT that is too much for one turn: its messages are published in one moment, and prepared in slices before
    (core.routing.staging); what it settles is settled in slices, as in a tx.commit of AMQP.

    Which delivery each of its frames means is found first, in order.  It goes to its end even if the session doesn't.
    """
    vhost, store = done.client.vhost, session.broker.store
    group = store.long_group()
    taken: list[Taken] = []
    letters: list[Letter] = []
    for action in transaction:
        if isinstance(action, Settlement):
            done.stored = True
            for deliveries in session.deliveries.take_in_turns(action.tag, multiple=action.multiple):
                taken.append((deliveries, action.verdict))
                if len(deliveries) > 1:
                    yield
    late = yield from session.deliveries.settle_for(group, vhost, taken, letters)
    publishes = [action for action in transaction if isinstance(action, Publish)]
    messages: list[Message] = []

    def publish(number: int) -> tuple[Message, Route]:
        if number == len(messages):
            messages.append(message_of(done.client, publishes[number])[0])
        return messages[number], way_of(done.client, publishes[number])

    staged = yield from stage(vhost, len(publishes), publish, letters, done.client)
    if staged is not None:
        staged.publish(done.client.counts.own)
        done.published(publishes, staged)
    else:
        staged = Staged(vhost)
        with store.collecting(staged.group):
            for each in publishes:
                done.publish(each)
            for letter in letters:
                letter.publish()
    store.add_group(staged.group, group)
    for letter in staged.refused_letters:
        letter.not_taken()
    yield from staged.trace(done.client, 0)
    yield from session.deliveries.settle_late(late)
    if session.client is done.client:
        try:
            done.answer(receipts)
        except StompError as error:
            session.refuse(error, frame)


def _work_of(session: StompSession, transaction: Transaction) -> int:
    """How much a COMMIT has to do, if an acknowledgement is 1 (core.chores), as far as a turn has that much."""
    client, deliveries = session.logged_in, session.deliveries
    publishing = 0
    for action in transaction:
        if isinstance(action, Publish):
            publishing += max(PUBLISH_WORK, len(way_of(client, action).queues))
            if publishing > WORK_COUNTED_MAX:
                return publishing
    settlements = [action for action in transaction if isinstance(action, Settlement)]
    last = max((each.tag for each in settlements if each.multiple), default=0)
    settling = deliveries.count_up_to(last, WORK_COUNTED_MAX)
    for each in settlements:
        queue, message, _ = deliveries.unacked[each.tag]
        work = queue.discard_work(message) if each.verdict == "discard" else 1
        settling += work * (
            deliveries.count_up_to(each.tag, WORK_COUNTED_MAX // work) if each.multiple and work > 1 else 1
        )
        if settling > WORK_COUNTED_MAX:
            break
    return publishing + settling


class _Done:
    """What has come of a transaction.  client: whose it is."""

    __slots__ = ("_error", "_late", "_rejected", "_session", "client", "stored")

    def __init__(self, session: StompSession) -> None:
        self._session = session
        self.client = session.logged_in
        self.stored = False
        self._rejected: StompError | None = None
        self._error = StompError("Message refused", "a queue has not taken a message of the transaction")
        self._late: list[Receipt] = []

    def publish(self, action: Publish) -> None:
        """Publish one of its messages."""
        client = self.client
        message, route = message_of(client, action)
        answer = route.receipt
        client.counts.own.published(route, message.body_size)
        outcome = client.vhost.publish(route, message, client, 0, answer)
        slow_down(client, route)
        self.stored = self.stored or outcome is not Outcome.TAKEN
        if outcome is Outcome.REFUSED:
            self._rejected = refused(action, route)
        elif answer is not None and answer.pending:
            self._late.append(answer)
            self._error = refused(action, route)

    def published(self, publishes: list[Publish], staged: Staged) -> None:
        """All of them were published together."""
        self.stored = self.stored or bool(publishes)
        if staged.refused:
            action = publishes[staged.refused[-1]]
            self._rejected = refused(action, way_of(self.client, action))

    def answer(self, receipts: list[str]) -> None:
        """Send the receipts when all is safe; StompError when a queue has refused something."""
        session = self._session
        if self._rejected is not None:
            raise _partial(self._rejected)
        if self._late:
            session.receipts.after_answer(joined(self._late), receipts, _partial(self._error))
        elif self.stored and session.broker.store.durable:
            session.receipts.after_flush(*receipts)
        else:
            session.receipts.send(*receipts)


def _partial(error: StompError) -> StompError:
    return StompError(error.message, f"{error.detail}. Everything else of the transaction is done")


class _Trial:
    """Tries settlements on the tags alone, at the same cost for each, however many deliveries are unacknowledged."""

    __slots__ = ("_taken", "_taken_until", "_unacked")

    def __init__(self, unacked: Container[int]) -> None:
        self._unacked = unacked
        self._taken: set[int] = set()
        self._taken_until = 0

    def settle(self, settlement: Settlement) -> None:
        """One more; StompError for a delivery that isn't there, or not any more after those before."""
        tag = settlement.tag
        if tag <= self._taken_until or tag in self._taken or tag not in self._unacked:
            raise not_found(str(tag))
        if settlement.multiple:
            self._taken_until = tag
        else:
            self._taken.add(tag)


def _name(frame: Frame) -> str:
    name = frame.headers.get("transaction")
    if name is None:
        raise StompError("Missing transaction", f"\"{frame.command}\" must include a 'transaction' header")
    return name
