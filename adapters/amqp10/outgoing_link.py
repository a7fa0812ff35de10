"""A link that we send by: a consumer whose credit the peer gives (part 2, 2.6.7).

A delivery is a frame of a few chunks: the transfer's head, what stands in front of the body (made once for messages
that are alike), and the body as it came.  What is larger than the peer's frames goes in several; what its window has no
room for waits with the session.

Longer than 400 lines because a consumer's loops and what they keep of the last message belong together.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from warren.adapters.amqp10.codec import quick
from warren.adapters.amqp10.codec.encoding import uint
from warren.adapters.amqp10.codec.errors import RESOURCE_DELETED, UNAUTHORIZED_ACCESS, Level, PeerMistake
from warren.adapters.amqp10.codec.performatives import Flow
from warren.adapters.amqp10.codec.values import Symbol
from warren.adapters.amqp10.framed import FRAMED_FOR_LINK, framing_of
from warren.adapters.amqp10.link import Link
from warren.adapters.amqp10.reading import AMQP_TYPE
from warren.adapters.amqp10.resent import Resumed, give_up_resumed, send_resumed
from warren.adapters.amqp10.unsent import HEAD_BYTES, parts_of_message
from warren.adapters.amqp10.writing import body_head, parts_of
from warren.core.declaring.queues import end_consumer
from warren.core.messages.message import Message
from warren.core.queues.consumer import Consumer
from warren.core.queues.framing import Framing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warren.adapters.amqp10.amqp_session import AmqpSession
    from warren.adapters.amqp10.codec.performatives import Attach
    from warren.core.errors import AccessRefused
    from warren.core.messages.address import Address
    from warren.core.messages.field_table import FieldValue
    from warren.core.messages.properties import Properties
    from warren.core.queues.base import Queue

_IDS: Final = 0xFFFF_FFFF

ACTIVE: Final = Symbol("rabbitmq:active")
"""The property of a flow that says whether a consumer is the single active one of its queue."""


class OutgoingLink(Link):
    """The link; what it takes from the queue comes by its consumer.

    resumed: deliveries of an earlier attachment that are to be sent again first.  tags: delivery tags on the wire, by
    our numbers, of those that were.  is_sure: False while the peer hasn't said of everything whether it has it; then
    `unsure` is what it didn't speak of, and nothing new is sent.  is_answered: its attach is.
    """

    is_sender = True

    def __init__(
        self,
        session: AmqpSession,
        attach: Attach,
        queue: Queue,
        *,
        settled: bool,
        arguments: Mapping[str, FieldValue],
    ) -> None:
        super().__init__(session, attach)
        self.resumed: deque[Resumed] = deque()
        self.tags: dict[int, bytes] = {}
        self.is_sure = True
        self.is_answered = False
        self.unsure: dict[bytes, tuple[Queue, Message]] = {}
        self.consumer = LinkConsumer(self, queue, settled=settled, arguments=arguments)

    def flow(self, flow: Flow) -> None:
        """The peer gives credit, takes it away, or wants to have what there is (drain)."""
        consumer = self.consumer
        if flow.link_credit is not None:
            count = flow.delivery_count or 0
            given = (count + flow.link_credit - consumer.delivery_count) & _IDS
            consumer.credit = given if given <= _IDS // 2 else 0
        consumer.echo = consumer.echo or flow.echo
        consumer.draining = flow.drain
        if self.resumed:
            send_resumed(self)
        consumer.resume()
        if consumer.active:
            consumer.queue.catch_up()
        if flow.drain:
            consumer.finish_drain()
        if not consumer.credit:
            consumer.withdraw()
        if consumer.echo:
            self.tell(drain=False)

    def tell(self, *, drain: bool) -> None:
        """Our state of the link."""
        consumer = self.consumer
        consumer.echo = False
        made = Flow()
        made.handle = self.handle
        made.delivery_count = consumer.delivery_count
        made.link_credit = consumer.credit
        made.available = min(consumer.queue.ready_count, _IDS)
        made.drain = drain
        if consumer.queue.has_single_active:
            made.properties = {ACTIVE: consumer.queue.is_active(consumer)}
        self.session.send_flow(made)

    def answered(self) -> None:
        """The attach is answered: where one consumer at a time is active, it is told whether it is that."""
        self.is_answered = True
        if self.consumer.queue.has_single_active:
            self.tell(drain=False)

    @property
    def tag_prefix(self) -> bytes:
        """What delivery tags have before the number, so that those of earlier attachments are no others'."""
        return b"" if self.attached == 1 else b"%d/" % self.attached

    def tag_on_wire(self, tag: int) -> bytes:
        """The delivery tag that the peer knows a delivery by."""
        return self.tags.get(tag) or self.tag_prefix + self.session.delivery_id(tag).to_bytes(4, "big")

    def stop(self) -> None:
        """It is given nothing any more; its queue stays, also one that goes with its last consumer."""
        consumer = self.consumer
        if consumer.active:
            consumer.queue.remove_consumer(consumer)
        self.session.parked.pop(consumer, None)

    def end(self) -> None:
        """The consumer ends, and what it has and nobody settled returns to the queue (spec I)."""
        consumer = self.consumer
        if self.session.ended:
            # It was ended with all the session's.
            give_up_resumed(self)
            return
        end_consumer(consumer)
        self.session.parked.pop(consumer, None)
        self.session.draining.pop(consumer, None)
        give_up_resumed(self)
        self.session.deliveries.return_of(consumer, "requeue")


class LinkConsumer(Consumer):
    """credit: how many more the peer takes.  delivery_count: as the link counts them.  draining: what is left of the
    credit is to be used up.

    What is kept of the last message serves those that are like it: `_prefix`, the frame up to the delivery's id, and
    `_front`, from behind its tag up to the body's content; `_around` bytes have both, with the id and the tag between
    them.  `_begin_bytes`: what `_front` has before the message itself.  `_framed_bytes`: of messages that come with
    their sections (framed.py), for which `_prefix` and `_front` are made then.
    """

    grants_credit = True

    __slots__ = (
        "_address",
        "_around",
        "_begin_bytes",
        "_body_size",
        "_deliveries",
        "_framed_bytes",
        "_front",
        "_handle",
        "_outbox",
        "_prefix",
        "_properties",
        "_tail",
        "credit",
        "delivery_count",
        "draining",
        "echo",
        "link",
    )

    def __init__(self, link: OutgoingLink, queue: Queue, *, settled: bool, arguments: Mapping[str, FieldValue]) -> None:
        session = link.session
        super().__init__(
            queue,
            session.client,
            link.name,
            no_ack=settled,
            exclusive=False,
            prefetch=0,
            arguments=arguments,
            counts=session.counts,
        )
        self.link = link
        self.credit = 0
        self.delivery_count = 0
        self.draining = False
        self.echo = False
        self._deliveries = session.deliveries
        self._outbox = session.connection.outbox
        self._handle = uint(link.handle)
        self._address: Address | None = None
        self._properties: Properties | None = None
        self._body_size = -1
        self._prefix = self._front = self._tail = b""
        self._around = 0
        self._begin_bytes = 0
        self._framed_bytes = -1

    def can_take(self) -> bool:
        """True when there is credit, and room in the session's window and the connection's outbox."""
        return self.has_room() and not self.link.resumed and self.link.is_sure

    def has_room(self) -> bool:
        """Likewise, for what is to be sent again before anything new."""
        session = self.link.session
        return self.credit > 0 and session.has_room and self._outbox.room > 0

    @property
    def spare_credit(self) -> int:
        return self.credit if self.can_take() else 0

    def deliver(self, message: Message, redelivered: bool) -> bool:
        """Send one message; True when another could follow."""
        session = self.link.session
        deliveries = self._deliveries
        deliveries.delivery_tag = tag = deliveries.delivery_tag + 1
        delivery_id = (tag - 1) & _IDS
        content = message.content
        if message.framed_for == FRAMED_FOR_LINK and not redelivered:
            if len(content) != self._framed_bytes:
                self._use_framed(len(content))
        elif (
            redelivered
            or self._framed_bytes >= 0
            or message.properties is not self._properties
            or message.address is not self._address
            or message.body_size != self._body_size
        ):
            self._use(message, redelivered=redelivered)
        if self._framed_bytes < 0 and len(content) != message.body_size:
            content = message.body
        outbox = self._outbox
        if self._prefix and session.window > 0 and not session.unsent:
            chunks = outbox.chunks
            chunks += (
                self._prefix,
                quick.pack_id_and_tag(delivery_id, quick.TAG_OF_4, delivery_id),
                self._front,
                content,
            )
            if self._tail:
                chunks.append(self._tail)
            if not outbox.touched:
                outbox.touch()
            outbox.room -= self._around + len(content)
            session.sent(1)
        else:
            # Another of the session may have used up its window meanwhile: what can't go now waits in its place.
            payload = self._front[self._begin_bytes :] + content + self._tail
            link = self.link
            session.unsent.add(
                parts_of_message(
                    session, link.handle, delivery_id, payload, settled=self.no_ack, tag_prefix=link.tag_prefix
                )
            )
        if not self.no_ack:
            deliveries.unacked[tag] = (self.queue, message, self)
        self.credit -= 1
        self.delivery_count = (self.delivery_count + 1) & _IDS
        if outbox.room <= 0:
            outbox.parked[self] = None
            return False
        if not session.has_room:
            session.parked[self] = None
            return False
        return self.credit > 0

    def deliver_alike(self, ready: deque[Message | int]) -> int:
        session = self.link.session
        if self._framed_bytes >= 0:
            return self._deliver_framed(ready)
        deliveries, outbox, queue = self._deliveries, self._outbox, self.queue
        address, properties, body_size = self._address, self._properties, self._body_size
        prefix, front, around = self._prefix, self._front, self._around + self._body_size
        if not prefix or self._tail or properties is None:
            return 0
        pack, tag_form = quick.pack_id_and_tag, quick.TAG_OF_4
        chunks = outbox.chunks
        tag = deliveries.delivery_tag
        unacked = None if self.no_ack else deliveries.unacked
        most = min(self.credit - 1, session.window - 1, (outbox.room - 1) // around)
        count = 0
        while ready and count < most:
            message = ready[0]
            if (
                isinstance(message, int)
                or message.properties is not properties
                or message.address is not address
                or message.body_size != body_size
            ):
                break
            ready.popleft()
            content = message.content
            if len(content) != body_size:
                content = message.body
            delivery_id = tag & _IDS
            tag += 1
            chunks += (prefix, pack(delivery_id, tag_form, delivery_id), front, content)
            if unacked is not None:
                unacked[tag] = (queue, message, self)
            count += 1
        deliveries.delivery_tag = tag
        outbox.room -= count * around
        session.sent(count)
        self.credit -= count
        self.delivery_count = (self.delivery_count + count) & _IDS
        return count * body_size

    def _deliver_framed(self, ready: deque[Message | int]) -> int:
        """The same of messages that come with their sections, and are of one size."""
        session = self.link.session
        deliveries, outbox, queue = self._deliveries, self._outbox, self.queue
        prefix, front, size = self._prefix, self._front, self._framed_bytes
        around = self._around + size
        pack, tag_form = quick.pack_id_and_tag, quick.TAG_OF_4
        chunks = outbox.chunks
        tag = deliveries.delivery_tag
        unacked = None if self.no_ack else deliveries.unacked
        most = min(self.credit - 1, session.window - 1, (outbox.room - 1) // around)
        count = sent_bytes = 0
        while ready and count < most:
            message = ready[0]
            if isinstance(message, int) or message.framed_for != FRAMED_FOR_LINK or len(message.content) != size:
                break
            ready.popleft()
            delivery_id = tag & _IDS
            tag += 1
            chunks += (prefix, pack(delivery_id, tag_form, delivery_id), front, message.content)
            if unacked is not None:
                unacked[tag] = (queue, message, self)
            sent_bytes += message.body_size
            count += 1
        deliveries.delivery_tag = tag
        outbox.room -= count * around
        session.sent(count)
        self.credit -= count
        self.delivery_count = (self.delivery_count + count) & _IDS
        return sent_bytes

    def framing(self, address: Address, properties: Properties, number_name: str, body_size: int) -> Framing | None:
        return framing_of(self, address, properties, number_name, body_size)

    def _use_framed(self, size: int) -> None:
        """Keep what goes around messages that come with their sections and have so many bytes."""
        session = self.link.session
        self._prefix, self._front = quick.transfer_around(
            session.channel, self._handle, settled=self.no_ack, payload_bytes=size
        )
        self._begin_bytes = len(self._front)
        self._around = len(self._prefix) + quick.ID_AND_TAG_BYTES + len(self._front)
        self._tail = b""
        self._properties = None
        self._framed_bytes = size

    def _use(self, message: Message, *, redelivered: bool) -> None:
        """Keep what goes around the content of this message and those that are like it."""
        self._framed_bytes = -1
        front, self._tail = parts_of(self.queue, message, redelivered=redelivered)
        front += body_head(message)
        size = len(front) + message.body_size + len(self._tail)
        session = self.link.session
        if size + HEAD_BYTES <= session.connection.agreed.frame_bytes_max and self.link.attached == 1:
            self._prefix, begin = quick.transfer_around(
                session.channel, self._handle, settled=self.no_ack, payload_bytes=size
            )
            self._front = begin + front
            self._around = len(self._prefix) + quick.ID_AND_TAG_BYTES + len(self._front) + len(self._tail)
        else:
            self._prefix = b""
            self._front = front
            begin = b""
        self._begin_bytes = len(begin)
        # One that came back says how often, and whether a body is what its type says has to be looked at each time.
        alike = not redelivered and message.properties.type != AMQP_TYPE
        self._properties = message.properties if alike else None
        self._address = message.address
        self._body_size = message.body_size

    def resume(self) -> None:
        """Available again if there is credit; else it waits where room is missing."""
        if not self.active:
            return
        session = self.link.session
        if self.link.resumed and not send_resumed(self.link):
            return
        if self.parked and self.credit > 0 and self.link.is_sure:
            if self._outbox.room <= 0:
                self._outbox.parked[self] = None
            elif not session.has_room:
                session.parked[self] = None
            else:
                self.queue.resume(self)
        if self.draining:
            session.drain_later(self)

    def drained_later(self) -> None:
        """What there was has gone out with that turn; now one sees what is left of the credit."""
        if self.active and self.draining:
            self.queue.catch_up()
            self.finish_drain()

    def finish_drain(self) -> None:
        """Give back what is left of the credit, unless there is something to send that only lacks room."""
        if self.credit > 0 and (self.queue.ready_count or self.link.resumed) and not self.can_take():
            return
        self.delivery_count = (self.delivery_count + self.credit) & _IDS
        self.credit = 0
        self.draining = False
        self.withdraw()
        self.link.tell(drain=True)

    def withdraw(self) -> None:
        """The peer has taken its credit away: the queue looks at it again when there is some."""
        if self.active:
            self.queue.park(self)

    def activity_changed(self) -> None:
        """See Consumer.activity_changed."""
        if self.link.is_answered and self.active:
            self.link.tell(drain=False)

    def cancelled(self) -> None:
        """The queue is gone: the link is detached."""
        self._detach(PeerMistake(RESOURCE_DELETED, f"queue '{self.queue.name}' was deleted", Level.LINK))

    def withdrawn(self, error: AccessRefused) -> None:
        self._detach(PeerMistake(UNAUTHORIZED_ACCESS, error.text, Level.LINK))

    def _detach(self, mistake: PeerMistake) -> None:
        session = self.link.session
        if not session.ended:
            session.connection.fail(mistake, session, self.link)

    def session_name(self) -> str:
        return self.link.session.name

    @property
    def channel_number(self) -> int:
        return self.link.session.channel
