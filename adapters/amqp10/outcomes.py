"""What becomes of deliveries, as receivers say it (part 3, 3.4; spec H.1).

accepted                      acknowledged
rejected                      dead-lettered, or dropped
released                      back to its queue, as no failed delivery
modified                      back to its queue; as a failed delivery if it says delivery-failed; what it writes on the
                              message (its annotations) stays there
modified, undeliverable-here  dead-lettered, or dropped
none, settled                 acknowledged: the receiver doesn't care
transactional                 what its outcome says, when the transaction is discharged
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from warren.adapters.amqp10.amending import settle_modified
from warren.adapters.amqp10.codec.errors import INVALID_FIELD, Level, PeerMistake
from warren.adapters.amqp10.codec.termini import (
    Accepted,
    Modified,
    Received,
    Rejected,
    Released,
    TransactionalState,
)
from warren.adapters.amqp10.ranges import LOOKED_AT_PER_COMMAND, TagRange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from warren.adapters.amqp10.amqp_session import AmqpSession
    from warren.adapters.amqp10.codec.performatives import Disposition
    from warren.adapters.session.deliveries import Verdict

_IDS = 0xFFFF_FFFF


def verdict_of(state: Any) -> Verdict:
    """What becomes of a message by an outcome; PeerMistake for what is none."""
    if state is None or isinstance(state, Accepted):
        return "ack"
    if isinstance(state, Rejected):
        return "discard"
    if isinstance(state, Released):
        return "return"
    if isinstance(state, Modified):
        if state.undeliverable_here:
            return "discard"
        return "requeue" if state.delivery_failed else "return"
    raise PeerMistake(INVALID_FIELD, "a state of a delivery that is no outcome", Level.SESSION, clause="3.4")


def settle_range(session: AmqpSession, body: Disposition) -> None:
    """A receiver's disposition, for deliveries of ours."""
    state = body.state
    if isinstance(state, Received) or (state is None and not body.settled):
        return
    last = body.first if body.last is None else body.last
    count = ((last - body.first) & _IDS) + 1
    if count > _IDS // 2:
        raise PeerMistake(INVALID_FIELD, "a disposition whose last delivery is before its first", Level.SESSION)
    if count == 1 and body.settled and (state is None or isinstance(state, Accepted)):
        session.deliveries.acknowledge(session.tag_of(body.first))
        return
    found = _range_of(session, body.first, count)
    session.connection.ration.left -= found.work // LOOKED_AT_PER_COMMAND
    if isinstance(state, TransactionalState):
        transaction = session.connection.transaction(state.txn_id)
        settle = partial(
            transaction.settle,
            session,
            verdict=verdict_of(state.outcome),
            outcome=state.outcome,
            by_receiver=body.settled,
        )
        if found.is_long:
            session.connection.settling.begin(_settle_in_transaction(session, found, settle))
        else:
            settle(found.tags())
        return
    verdict = verdict_of(state)
    if isinstance(state, Modified) and state.message_annotations:
        settle_modified(session, found, state, verdict)
    elif found.is_long:
        session.deliveries.settle_lists(found.lists(), verdict)
    else:
        tags = found.tags()
        if not tags:
            return
        session.deliveries.settle_these(tags, verdict)
    if not body.settled:
        # The receiver settles second: it waits for us to have done so (2.6.12).
        session.connection.settling.then(partial(_tell_settled, session, body.first, last, state))


def _range_of(session: AmqpSession, first_id: int, count: int) -> TagRange:
    first = session.tag_of(first_id)
    return TagRange(session.deliveries, first, first + count - 1)


def _tell_settled(session: AmqpSession, first_id: int, last_id: int, state: object) -> None:
    if not session.ended:
        session.settled(first_id, last_id, state)


def _settle_in_transaction(
    session: AmqpSession, found: TagRange, settle: Callable[[list[int]], None]
) -> Iterator[None]:
    """A slice after the other, until the session ends, as by a transaction that has become too large."""
    for tags in found.lists():
        if session.ended:
            return
        session.connection.attempt(session, None, partial(settle, tags))
        yield
