"""attach: what a link is for, by its role and its addresses (part 2, 2.6.3; part 3, 3.5; spec H.1).

A link that is refused is answered all the same, without the terminus that there isn't, and detached with the reason
right after that (2.6.3).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from warren.adapters.amqp10.addresses import Named, queue_address, source_named, target_named
from warren.adapters.amqp10.codec.errors import (
    FRAMING_ERROR,
    HANDLE_IN_USE,
    INVALID_FIELD,
    NOT_FOUND,
    NOT_IMPLEMENTED,
    Level,
    PeerMistake,
)
from warren.adapters.amqp10.codec.performatives import (
    MIXED,
    SECOND,
    SENDER,
    SETTLED,
    UNSETTLED,
    Attach,
    Detach,
)
from warren.adapters.amqp10.codec.termini import Coordinator, Released, Source, Target
from warren.adapters.amqp10.conditions import mistake_of, told
from warren.adapters.amqp10.expiry import expiry_of
from warren.adapters.amqp10.management import MANAGEMENT, ManagementLinks
from warren.adapters.amqp10.outgoing_link import OutgoingLink
from warren.adapters.amqp10.publishing_link import PublishingLink
from warren.adapters.amqp10.replies import is_for_replies, reply_link
from warren.adapters.amqp10.resuming import conclude, resume_link
from warren.adapters.amqp10.stream_filters import FILTER_CAPABILITIES, selector_of, stream_arguments
from warren.adapters.amqp10.transactions import CoordinatorLink
from warren.core.access.answers import Unanswered
from warren.core.clients.limits import check_consumer
from warren.core.declaring.bindings import bind
from warren.core.declaring.queues import accessible_queue, declare_queue, remove_queue
from warren.core.errors import BrokerError, NotFound
from warren.core.limit_hits import limited
from warren.core.messages.field_table import EMPTY_TABLE_RAW
from warren.core.queues.filtering import FILTER
from warren.core.queues.stream.arguments import STREAM
from warren.core.routing.publish import check_publish
from warren.core.selectors.sql import SqlSelector

if TYPE_CHECKING:
    from warren.adapters.amqp10.amqp_session import AmqpSession
    from warren.adapters.amqp10.link import Link
    from warren.core.messages.field_table import FieldValue
    from warren.core.queues.base import Queue
    from warren.core.selectors.selector import Selector

OUTCOMES: Final = ["amqp:accepted:list", "amqp:rejected:list", "amqp:released:list", "amqp:modified:list"]

ATTACH_COMMANDS: Final = 6
"""What attaching and detaching a link takes, in commands of a turn's ration: some 50 µs (adapters.session.ration)."""

PRIORITY: Final = "rabbitmq:priority"
"""The property of an attach that says a consumer's priority."""


def attach_link(session: AmqpSession, body: Attach) -> None:
    """Answer an attach; one that is refused is detached.  PeerMistake for a handle that it can't have."""
    if body.handle > session.handle_max:
        raise limited(
            PeerMistake(
                FRAMING_ERROR,
                f"the handle {body.handle}; the highest is {session.handle_max}",
                Level.CONNECTION,
                clause="2.7.2",
            ),
            "amqp10_links_max",
        )
    if body.handle in session.links:
        raise PeerMistake(
            HANDLE_IN_USE,
            f"the handle {body.handle} is that of the link '{session.links[body.handle].name[:40]}'",
            Level.SESSION,
            clause="2.8.17",
        )
    link = session.connection.links.get((body.name, body.role))
    if link is not None:
        link.session.steal(link)
    session.connection.ration.left -= ATTACH_COMMANDS
    if session.connection.settling.busy:
        # The other one is detached when what it had is back in its queue.
        attach = partial(_attach_now, session, body)
        session.connection.settling.then(partial(session.connection.attempt, session, None, attach))
    else:
        _attach(session, body)


def _attach_now(session: AmqpSession, body: Attach) -> None:
    if not session.ended:
        _attach(session, body)


def _attach(session: AmqpSession, body: Attach) -> None:
    session.detaching.discard(body.handle)
    answer = Attach()
    answer.name = body.name
    answer.handle = body.handle
    answer.role = not body.role
    answer.snd_settle_mode = body.snd_settle_mode
    answer.rcv_settle_mode = body.rcv_settle_mode
    link: Link | None = None
    made: list[Queue] = []
    try:
        _check_modes(body)
        if body.role == SENDER:
            link = _receiving(session, body, answer, made)
        else:
            link = _sending(session, body, answer, made)
        concluded = resume_link(session, link, body, answer)
    except (PeerMistake, BrokerError) as error:
        mistake = mistake_of(error, Level.LINK) if isinstance(error, BrokerError) else error
        if link is not None:
            link.end()
        _undo(made)
        _refuse(session, body, mistake)
        return
    except Unanswered as unanswered:
        # The attach is done again, with the same names.
        unanswered.names += [queue.name for queue in made]
        _undo(made)
        raise
    terminus = answer.source if link.is_sender else answer.target
    link.address = terminus.address if isinstance(terminus, Source | Target) else None
    session.add(link)
    session.connection.broker.unkept.hold(session.connection.outbox)
    session.connection.send(session.channel, answer)
    link.answered()
    conclude(link, concluded)


def _undo(made: list[Queue]) -> None:
    """A link hasn't come about: neither has the queue that was made for it."""
    for queue in made:
        remove_queue(queue.vhost, queue)


def _check_modes(body: Attach) -> None:
    if (body.snd_settle_mode or 0) > MIXED:
        raise PeerMistake(
            INVALID_FIELD, f"there is no snd-settle-mode {body.snd_settle_mode}", Level.LINK, clause="2.8.2"
        )
    if (body.rcv_settle_mode or 0) > SECOND:
        raise PeerMistake(
            INVALID_FIELD, f"there is no rcv-settle-mode {body.rcv_settle_mode}", Level.LINK, clause="2.8.3"
        )


def _refuse(session: AmqpSession, body: Attach, mistake: PeerMistake) -> None:
    session.connection.broker.limit_hits.count_error(mistake)
    answer = Attach()
    answer.name = body.name
    answer.handle = body.handle
    answer.role = not body.role
    if answer.role == SENDER:
        answer.initial_delivery_count = 0
        answer.target = body.target
    else:
        answer.source = body.source
    session.connection.send(session.channel, answer)
    session.connection.send(session.channel, Detach(body.handle, closed=True, error=told(mistake)))
    session.detaching.add(body.handle)


# The peer sends


def _receiving(session: AmqpSession, body: Attach, answer: Attach, made_queues: list[Queue]) -> Link:
    if body.initial_delivery_count is None:
        raise PeerMistake(INVALID_FIELD, "a sender says its initial-delivery-count", Level.LINK, clause="2.7.3")
    answer.source = body.source if isinstance(body.source, Source) else Source()
    answer.max_message_size = session.connection.settings.message_bytes_max
    if isinstance(body.target, Coordinator):
        answer.target = body.target
        return CoordinatorLink(session, body)
    target = body.target
    if not isinstance(target, Target):
        raise PeerMistake(INVALID_FIELD, "a sender's attach has a target, or a coordinator", Level.LINK, clause="3.5.4")
    made = Target()
    answer.target = made
    made.capabilities = target.capabilities
    if target.dynamic:
        check_publish(session.client, "", "")
        queue = _temporary_queue(session, made_queues)
        made.dynamic = True
        made.address = queue_address(queue.name)
        return _lasting(PublishingLink(session, body, Named(queue=queue.name)), target, made)
    address = target.address
    if address == MANAGEMENT:
        made.address = address
        answer.properties = body.properties
        return _management(session).receiving(session, body)
    made.address = address
    if address is None:
        return _lasting(PublishingLink(session, body, None), target, made)
    named = target_named(_text(address), v1=session.connection.settings.addresses_v1)
    if named.queue is not None:
        check_publish(session.client, "", named.queue)
        if named.declares:
            _declared(session, named.queue, made_queues)
        elif not _is_there(session, named.queue):
            raise NotFound(f"no queue '{named.queue}' in vhost '{session.client.vhost.name}'")
    elif named.exchange:
        check_publish(session.client, named.exchange, named.key)
    return _lasting(PublishingLink(session, body, named), target, made)


def _is_there(session: AmqpSession, name: str) -> bool:
    """Whether there is a queue of this name, or a requester with this address."""
    vhost = session.client.vhost
    return name in vhost.queues or name in vhost.reply_queues


def _lasting(link: PublishingLink, target: Target, made: Target) -> PublishingLink:
    link.expiry = expiry_of(target, made)
    return link


# The peer receives


def _sending(session: AmqpSession, body: Attach, answer: Attach, made_queues: list[Queue]) -> Link:
    source = body.source
    if not isinstance(source, Source):
        raise PeerMistake(INVALID_FIELD, "a receiver's attach has a source", Level.LINK, clause="3.5.3")
    answer.initial_delivery_count = 0
    answer.target = body.target if isinstance(body.target, Target) else Target()
    settled = body.snd_settle_mode == SETTLED
    answer.snd_settle_mode = SETTLED if settled else UNSETTLED
    made = Source()
    answer.source = made
    made.capabilities = source.capabilities
    made.distribution_mode = "move"
    if source.address == MANAGEMENT:
        made.address = source.address
        answer.properties = body.properties
        return _management(session).sending(session, body)
    made.outcomes = OUTCOMES
    made.default_outcome = Released()
    check_consumer(session.connection.broker, sum(1 for link in session.links.values() if link.is_sender))
    if is_for_replies(source):
        return reply_link(session, body, source, made)
    queue = _source_queue(session, source, made, made_queues)
    arguments = _arguments(body)
    selector: Selector | None = None
    if queue.type_name == STREAM:
        made.distribution_mode = "copy"
        arguments |= stream_arguments(source, made)
    elif source.distribution_mode == "copy":
        raise PeerMistake(NOT_IMPLEMENTED, "queues are consumed from; there is no distribution mode copy", Level.LINK)
    if any(each.name == FILTER for each in queue.consumer_arguments):
        answer.offered_capabilities = FILTER_CAPABILITIES
        selector = selector_of(source, made)
        if isinstance(selector, SqlSelector):
            # As listings show it of other protocols' consumers.
            arguments[FILTER] = selector.text
    expiry = expiry_of(source, made, lasts=not settled)
    link = OutgoingLink(session, body, queue, settled=settled, arguments=arguments)
    link.consumer.selector = selector
    link.expiry = expiry
    queue.add_consumer(link.consumer)
    if not settled:
        session.connection.broker.ack_timeouts.added(link.consumer)
    return link


def _source_queue(session: AmqpSession, source: Source, made: Source, made_queues: list[Queue]) -> Queue:
    client = session.client
    if source.dynamic:
        queue = _temporary_queue(session, made_queues)
        made.dynamic = True
        made.address = queue_address(queue.name)
        return accessible_queue(client, queue.name, "read")
    if source.address is None:
        raise PeerMistake(NOT_FOUND, "a source without an address", Level.LINK)
    named = source_named(_text(source.address), v1=session.connection.settings.addresses_v1)
    made.address = source.address
    if named.binds:
        client.check("exchange", named.exchange, "read")
        queue = _temporary_queue(session, made_queues)
        bind(client, "queue", queue.name, named.exchange, named.key or "", {}, EMPTY_TABLE_RAW)
        return accessible_queue(client, queue.name, "read")
    name = named.queue or ""
    if named.declares and name not in client.vhost.queues:
        _declared(session, name, made_queues)
    return accessible_queue(client, name, "read")


def _temporary_queue(session: AmqpSession, made_queues: list[Queue]) -> Queue:
    """A queue of the connection's own, which goes with it (3.5.3, dynamic).  made_queues: gets it."""
    queue = declare_queue(session.client, "", exclusive=True, auto_delete=True)
    made_queues.append(queue)
    return queue


def _declared(session: AmqpSession, name: str, made_queues: list[Queue]) -> None:
    """The queue of an older address, which is made if it isn't there.  made_queues: gets a new one."""
    if name not in session.client.vhost.queues:
        made_queues.append(declare_queue(session.client, name, durable=True))


def _arguments(body: Attach) -> dict[str, FieldValue]:
    priority = (body.properties or {}).get(PRIORITY)
    return {"x-priority": int(priority)} if isinstance(priority, int) and not isinstance(priority, bool) else {}


def _text(address: Any) -> str:
    if not isinstance(address, str):
        raise PeerMistake(INVALID_FIELD, "an address is a string", Level.LINK, clause="3.5.3")
    return address


def _management(session: AmqpSession) -> ManagementLinks:
    connection = session.connection
    if connection.management is None:
        connection.management = ManagementLinks(connection)
    return connection.management
