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

if TYPE_CHECKING:
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
    tags = _tags(session, session.tag_of(body.first), count)
    if isinstance(state, TransactionalState):
        transaction = session.connection.transaction(state.txn_id)
        transaction.settle(session, tags, verdict_of(state.outcome), state.outcome, by_receiver=body.settled)
        return
    verdict = verdict_of(state)
    if tags:
        if isinstance(state, Modified) and state.message_annotations:
            settle_modified(session, tags, state, verdict)
        elif len(tags) == 1 and verdict == "ack":
            session.deliveries.acknowledge(tags[0])
        else:
            session.deliveries.settle_these(tags, verdict)
    if not body.settled and tags:
        # The receiver settles second: it waits for us to have done so (2.6.12).
        session.settled(body.first, last, state)


def _tags(session: AmqpSession, first: int, count: int) -> list[int]:
    """Of the unsettled deliveries, those from `first` on."""
    unacked = session.deliveries.unacked
    if count <= len(unacked):
        return [tag for tag in range(first, first + count) if tag in unacked]
    return [tag for tag in unacked if first <= tag < first + count]
