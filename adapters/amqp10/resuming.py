"""Detaching a link so that it may be resumed, and attaching it again (part 2, 2.6.13).

Both ends say by their attach what is unsettled to them.  Of what we have sent,

    the receiver doesn't know            it goes back to its queue, and comes as a delivery of its own
    the receiver has, or some of it      it is sent again, as the delivery that it was
    the receiver has settled in mind     what it says is done, and the delivery is concluded

and of what we have received,

    the sender doesn't know any more     it is forgotten
    the sender resumes                   it is told what became of it

An incomplete map says nothing about what isn't in it: nothing new is sent until the link is attached with the whole.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from warren.adapters.amqp10.codec.composites import encode_composite, object_of
from warren.adapters.amqp10.codec.decoding import decode
from warren.adapters.amqp10.codec.errors import INVALID_FIELD, Level, PeerMistake
from warren.adapters.amqp10.codec.termini import Received, TransactionalState
from warren.adapters.amqp10.codec.values import Described
from warren.adapters.amqp10.incoming_link import IncomingLink
from warren.adapters.amqp10.outcomes import verdict_of
from warren.adapters.amqp10.outgoing_link import OutgoingLink
from warren.adapters.amqp10.resent import Resumed, settle_resumed
from warren.adapters.amqp10.suspended import COMPONENT, UNSETTLED_MAX, Suspended, key_of, suspended_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warren.adapters.amqp10.amqp_session import AmqpSession
    from warren.adapters.amqp10.codec.performatives import Attach
    from warren.adapters.amqp10.codec.values import Value, ValueMap
    from warren.adapters.amqp10.connection import Connection
    from warren.adapters.amqp10.link import Link
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue
    from warren.core.queues.consumer import Consumer

LOOKED_AT: Final = 10_000
"""Unsettled deliveries of a session, the oldest, of which those that are to be kept are picked."""

_ENTRY_BYTES: Final = 4
"""What an entry of the map of what is unsettled has beside its tag, at most: it has no state yet."""

_MAP_BYTES: Final = 16


def suspend_links(session: AmqpSession, links: Iterable[Link], event: str) -> None:
    """Keep what is unsettled on those links that outlast this end; they are to be ended as all others are, then."""
    lasting = [link for link in links if link.expiry.timeout_ms or not link.expiry.begins_with(event)]
    if not lasting:
        return
    found = _unsettled(session, lasting)
    suspended = suspended_of(session.connection.broker)
    for link in lasting:
        kept = Suspended(session, link.expiry, link.attached)
        hold_ms = 0
        if isinstance(link, OutgoingLink):
            link.stop()
            kept.queue = link.consumer.queue
            kept.deliveries = {each.tag: (each.queue, each.message) for each in link.resumed}
            link.resumed.clear()
            kept.deliveries.update(link.unsure)
            link.unsure.clear()
            for tag, (queue, message, _) in session.deliveries.hand_over(found[link.consumer]).items():
                kept.deliveries[link.tag_on_wire(tag)] = (queue, message)
            kept.deliveries = dict(sorted(kept.deliveries.items(), key=_sequence_of))
            hold_ms = session.connection.broker.ack_timeouts.timeout_of(link.consumer)
        elif isinstance(link, IncomingLink):
            kept.taken = link.let_go()
        key = key_of(session, link.name, is_sender=link.is_sender)
        suspended.detached(key, link)
        suspended.add(key, kept, event, hold_ms)


def _sequence_of(delivery: tuple[bytes, tuple[Queue, Message]]) -> int:
    return delivery[1][1].sequence


def _unsettled(session: AmqpSession, links: list[Link]) -> dict[Consumer, list[int]]:
    found: dict[Consumer, list[int]] = {link.consumer: [] for link in links if isinstance(link, OutgoingLink)}
    for tag, (_, _, consumer) in islice(session.deliveries.unacked.items(), LOOKED_AT):
        if consumer in found and len(found[consumer]) < UNSETTLED_MAX:
            found[consumer].append(tag)
    return found


def closed(session: AmqpSession, link: Link) -> None:
    """The link is closed: nothing of it is kept."""
    if link.expiry.outlives_link:
        suspended_of(session.connection.broker).detached(key_of(session, link.name, is_sender=link.is_sender), link)


def session_ends(session: AmqpSession) -> None:
    """The timeouts of links that outlast no session begin."""
    if COMPONENT in session.connection.broker.components:
        suspended_of(session.connection.broker).session_ends(session)


def connection_ends(connection: Connection) -> None:
    """Those of links that outlast no connection."""
    if COMPONENT in connection.broker.components:
        suspended_of(connection.broker).connection_ends(connection)


def resume_link(session: AmqpSession, link: Link, body: Attach, answer: Attach) -> list[tuple[bytes, Any]]:
    """A link is attached: take up what was kept of it, and say in the answer what that is.

    Gives what is to be concluded once the answer is sent.
    """
    broker = session.connection.broker
    if COMPONENT not in broker.components and not link.expiry.outlives_link:
        return []
    theirs = _states(body.unsettled)
    kept = suspended_of(broker).attach(key_of(session, link.name, is_sender=link.is_sender), link)
    if kept is None:
        return []
    complete = not body.incomplete_unsettled
    link.attached = kept.attached + 1
    if isinstance(link, IncomingLink):
        answer.unsettled = _map({tag: taken.state for tag, taken in link.take_up(kept.taken, theirs, complete).items()})
        return []
    if not isinstance(link, OutgoingLink) or link.consumer.no_ack or kept.queue is not link.consumer.queue:
        kept.release()
        return []
    return _resume_sending(session, link, kept, theirs, answer, complete=complete)


def _resume_sending(
    session: AmqpSession,
    link: OutgoingLink,
    kept: Suspended,
    theirs: dict[bytes, Any],
    answer: Attach,
    *,
    complete: bool,
) -> list[tuple[bytes, Any]]:
    room = session.connection.agreed.frame_bytes_max - len(encode_composite(answer)) - _MAP_BYTES
    answer.unsettled = {}
    concluded: list[tuple[bytes, Any]] = []
    link.is_sure = complete
    for tag in list(kept.deliveries):
        room -= len(tag) + _ENTRY_BYTES
        if room < 0 or (complete and tag not in theirs):
            continue
        queue, message = kept.deliveries.pop(tag)
        answer.unsettled[tag] = None
        if tag not in theirs:
            link.unsure[tag] = (queue, message)
            continue
        state = theirs[tag]
        if state is None or isinstance(state, Received):
            link.resumed.append(Resumed(tag, queue, message, state))
        else:
            settled = session.deliveries.adopt(queue, message, link.consumer)
            session.deliveries.settle_these([settled], verdict_of(state))
            concluded.append((tag, state))
    # What isn't in the map that the peer gets is as good as settled to it, and goes back.
    kept.release()
    return concluded


def conclude(link: Link, concluded: list[tuple[bytes, Any]]) -> None:
    """The answer is sent: tell the receiver that what it has said is done."""
    if isinstance(link, OutgoingLink):
        for tag, state in concluded:
            settle_resumed(link, tag, state)


def _states(unsettled: ValueMap | None) -> dict[bytes, Any]:
    found: dict[bytes, Any] = {}
    for tag, value in (unsettled or {}).items():
        if not isinstance(tag, bytes):
            raise PeerMistake(INVALID_FIELD, "a delivery tag is binary", Level.LINK, clause="2.7.3")
        state = object_of(value) if isinstance(value, Described) else value
        if state is not None and not isinstance(state, Received):
            verdict_of(state.outcome if isinstance(state, TransactionalState) else state)
        found[tag] = None if isinstance(state, TransactionalState) else state
    return found


def _map(states: dict[bytes, bytes]) -> ValueMap:
    """Encoded states as values; none where it isn't known yet."""
    found: dict[Value, Value] = {}
    for tag, state in states.items():
        found[tag] = decode(state)[0] if state else None
    return found
