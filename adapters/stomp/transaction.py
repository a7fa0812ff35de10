"""BEGIN, COMMIT and ABORT (spec B.8).

SEND, ACK and NACK with the header `transaction` are checked at once and done at COMMIT, in order, as one atomic group
of the store: after a crash either everything of a transaction is there or nothing.  COMMIT looks at everything before
it does anything, so one that is refused (a permission was taken away, a delivery settled twice) leaves all as it was.
The receipt of COMMIT is sent when the group is on disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.stomp.codec.errors import StompError, quoted
from warren.adapters.stomp.sending import Publish, message_of, prepare, refused
from warren.adapters.stomp.settings import ACTIONS_MAX, TRANSACTIONS_MAX
from warren.adapters.stomp.settling import Settlement, not_found, settle_now, settlement_of
from warren.core.routing.publish import check_publish
from warren.core.routing.vhost import Outcome

if TYPE_CHECKING:
    from warren.adapters.stomp.codec.frames import Frame
    from warren.adapters.stomp.session import StompSession

Transaction = list["Publish | Settlement"]
"""What is to be done at COMMIT, in order."""


def begin(session: StompSession, frame: Frame) -> None:
    """BEGIN; one that is open already starts over (spec B.8)."""
    name = _name(frame)
    if name not in session.transactions and len(session.transactions) >= TRANSACTIONS_MAX:
        raise StompError(
            "Too many transactions", f"{TRANSACTIONS_MAX} transactions are open, the limit; COMMIT or ABORT one first"
        )
    session.transactions[name] = []


def add(session: StompSession, frame: Frame) -> None:
    """A SEND, ACK or NACK that belongs to a transaction."""
    transaction = _open(session, frame)
    if len(transaction) >= ACTIONS_MAX:
        raise StompError(
            "Transaction too large", f"a transaction holds {ACTIONS_MAX} frames at most; COMMIT it and begin another"
        )
    if frame.command == "SEND":
        transaction.append(prepare(session, frame))
        session.receipts.send(frame.receipt)
    else:
        transaction.append(settlement_of(session, frame, positive=frame.command == "ACK"))


def abort(session: StompSession, frame: Frame) -> None:
    """ABORT: nothing of it happens; deliveries it would have settled stay unacknowledged."""
    _open(session, frame)
    del session.transactions[_name(frame)]


def commit(session: StompSession, frame: Frame) -> None:
    """COMMIT: all of it, or, when something is wrong with it, nothing."""
    transaction = _open(session, frame)
    del session.transactions[_name(frame)]
    client = session.logged_in
    unacked = dict.fromkeys(session.deliveries.unacked)
    for action in transaction:
        if isinstance(action, Publish):
            check_publish(client, action.exchange, action.routing_key)
        else:
            _take(unacked, action)
    store = session.broker.store
    stored = False
    rejected: Publish | None = None
    store.begin_group()
    try:
        for action in transaction:
            if isinstance(action, Publish):
                message, route = message_of(session, action)
                outcome = client.vhost.publish(route, message, client)
                stored = stored or outcome is not Outcome.TAKEN
                if outcome is Outcome.REFUSED:
                    rejected = action
            else:
                settle_now(session, action)
                stored = True
    finally:
        store.end_group()
    if rejected is not None:
        error = refused(rejected)
        raise StompError(error.message, f"{error.detail}. Everything else of the transaction is done")
    if stored and store.durable:
        session.receipts.after_flush(frame.receipt)
    else:
        session.receipts.send(frame.receipt)


def _take(unacked: dict[int, None], settlement: Settlement) -> None:
    """Try a settlement on the tags alone."""
    if settlement.tag not in unacked:
        raise not_found(str(settlement.tag))
    if not settlement.multiple:
        del unacked[settlement.tag]
        return
    for tag in [each for each in unacked if each <= settlement.tag]:
        del unacked[tag]


def _name(frame: Frame) -> str:
    name = frame.headers.get("transaction")
    if name is None:
        raise StompError("Missing transaction", f"'{frame.command}' must include a 'transaction' header")
    return name


def _open(session: StompSession, frame: Frame) -> Transaction:
    name = _name(frame)
    transaction = session.transactions.get(name)
    if transaction is None:
        raise StompError("Bad transaction", f"no transaction '{quoted(name)}' is open in this session; BEGIN it first")
    return transaction
