"""BEGIN, COMMIT and ABORT (spec B.8).

SEND, ACK and NACK with the header `transaction` are checked at once and done at COMMIT, in order, as one atomic group
of the store: after a crash either everything of a transaction is there or nothing.  COMMIT looks at everything before
it does anything, so one that is refused (a permission was taken away, a delivery settled twice) leaves all as it was.
The receipt of COMMIT, and before it those of the frames, are sent when the group is on disk; those of the frames at
once where `stomp_transaction_receipts` says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.stomp.codec.errors import StompError
from warren.adapters.stomp.sending import Publish, message_of, prepare, refused
from warren.adapters.stomp.settling import Settlement, not_found, settle_now, settlement_of
from warren.core.routing.publish import check_publish
from warren.core.routing.receipt import Receipt, joined
from warren.core.routing.vhost import Outcome

if TYPE_CHECKING:
    from collections.abc import Container

    from warren.adapters.stomp.codec.frames import Frame
    from warren.adapters.stomp.session import StompSession


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
    client = session.logged_in
    trial = _Trial(session.deliveries.unacked)
    for action in transaction:
        if isinstance(action, Publish):
            check_publish(client, action.exchange, action.routing_key)
        else:
            trial.settle(action)
    store = session.broker.store
    stored = False
    rejected: StompError | None = None
    error = StompError("Message refused", "a queue has not taken a message of the transaction")
    late: list[Receipt] = []
    store.begin_group()
    try:
        for action in transaction:
            if isinstance(action, Publish):
                message, route = message_of(session, action)
                answer = route.receipt
                client.counts.own.published(route)
                outcome = client.vhost.publish(route, message, client, 0, answer)
                stored = stored or outcome is not Outcome.TAKEN
                if outcome is Outcome.REFUSED:
                    rejected = refused(action, route)
                elif answer is not None and answer.pending:
                    late.append(answer)
                    error = refused(action, route)
            else:
                settle_now(session, action)
                stored = True
    finally:
        store.end_group()
    if rejected is not None:
        raise _partial(rejected)
    if late:
        session.receipts.after_answer(joined(late), receipts, _partial(error))
    elif stored and store.durable:
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
