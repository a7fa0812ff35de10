"""The end of a link between nodes where the queue is: what a channel of it does otherwise than a client's.

A channel is for one queue, named by channel.open (codec/methods_between_nodes.py).  What another node publishes has
been checked and routed there, and is counted there; here it only goes to the queue, with the headers that are the
broker's own.  Consumers stand for consumers of that node: they are given what was granted to them, and see those
headers, too, since the other node takes them off.  What a consumer asks for and doesn't get ends that consumer alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.framing import content_frames
from warren.adapters.amqp091.codec.methods_between_nodes import (
    NodeBrowse,
    NodeBrowseFound,
    NodeBrowseOk,
    NodeEnded,
    NodeGrant,
    NodeLook,
    NodeLookOk,
    NodeRelease,
)
from warren.adapters.amqp091.codec.texts import short_text
from warren.adapters.amqp091.consumer import AmqpConsumer
from warren.adapters.amqp091.handlers.table import handle_also
from warren.adapters.amqp091.known_publishes import KnownPublish
from warren.adapters.amqp091.late_rows import LateRows
from warren.adapters.amqp091.sasl import Challenge, Vouched
from warren.adapters.peers.node_proof import MECHANISM, AskedNode, NotProved
from warren.core.access.accounts import BROKER, LoginRefused
from warren.core.administration.listing.queues import QueueRow
from warren.core.cluster.far_queue import SHOWN
from warren.core.declaring.queues import delete_queue
from warren.core.errors import AccessRefused, BrokerError, NotFound
from warren.core.messages.address import Address
from warren.core.messages.field_table import encode_table
from warren.core.messages.message import Message
from warren.core.messages.shown import carried_properties
from warren.core.queues.browse import browse
from warren.core.routing.known_routes import may_be_remembered_late
from warren.core.routing.route import Route
from warren.core.routing.vhost import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.adapters.amqp091.channel import Channel
    from warren.adapters.amqp091.codec.content import IncomingContent
    from warren.adapters.amqp091.sasl import Mechanism, Peer
    from warren.adapters.amqp091.sasl import Outcome as LoginOutcome
    from warren.core.messages.field_table import Encodable
    from warren.core.queues.answer import Answer
    from warren.core.queues.base import Queue
    from warren.core.routing.receipt import Receipt

BROWSED_AT_ONCE: Final = 200
"""Messages that are shown for one question; more are asked for by further ones."""

BROWSED_BYTES_AT_ONCE: Final = 4 * 1024 * 1024
"""Of bodies, about; a single larger one is shown, too."""


class NodeMechanism:
    """SASL's side of adapters.peers.node_proof: the one way to log in on a cluster's listener, and nowhere else."""

    __slots__ = ("_name", "_secret")

    def __init__(self, secret: bytes, name: str) -> None:
        self._secret = secret
        self._name = name

    @property
    def name(self) -> str:
        return MECHANISM

    def offered_to(self, peer: Peer) -> bool:
        """To everybody: who doesn't know the secret doesn't get in."""
        return True

    def start(self, response: bytes, peer: Peer) -> LoginOutcome:
        """See sasl.Mechanism; the outcome is the broker's own user."""
        node = AskedNode(self._secret, self._name)
        try:
            question = node.challenge(response)
        except NotProved as error:
            raise LoginRefused(MECHANISM, str(error)) from None

        def answer(proof: bytes) -> LoginOutcome:
            try:
                node.check(proof)
            except NotProved as error:
                raise LoginRefused(MECHANISM, str(error)) from None
            return Vouched(BROKER)

        return Challenge(question, answer)


class NodeAccess:
    """What makes a listener's connections those of nodes (Amqp091Settings.nodes)."""

    __slots__ = ("_name", "_secret")

    def __init__(self, secret: bytes, name: str) -> None:
        self._secret = secret
        self._name = name

    def mechanisms(self) -> Sequence[Mechanism]:
        """How they log in."""
        return [NodeMechanism(self._secret, self._name)]

    def begin(self, channel: Channel, queue_name: str) -> None:
        """A channel was opened for a queue; NotFound (404) where this node doesn't have it."""
        if queue_name:
            channel.node = NodeEnd(channel, queue_name)
        else:
            from warren.adapters.amqp091.nodes.audience_end import AudienceEnd

            channel.node = AudienceEnd(channel)


class KnownPassing(KnownPublish):
    """A publish that another node has counted already."""

    __slots__ = ()

    def published(self, count: int) -> int:
        return count


class NodeConsumer(AmqpConsumer):
    """A consumer of another node: its credit is what was granted."""

    is_of_node: ClassVar[bool] = True

    __slots__ = ()

    def __init__(self, channel: Channel, queue: Queue, method: methods.BasicConsume) -> None:
        super().__init__(
            channel,
            queue,
            method.consumer_tag,
            no_ack=False,
            exclusive=method.exclusive,
            prefetch=0,
            arguments=method.arguments,
        )
        self.credit = 0

    def acknowledged(self) -> None:
        """Credit is granted, and doesn't come back by itself."""

    def all_acknowledged(self, count: int) -> None:
        """See `acknowledged`."""

    def grant(self, credit: int) -> None:
        """So many more may be sent; 0: none any more."""
        if credit:
            self.credit += credit
            self.resume()
        else:
            self.credit = 0
            if not self.parked:
                self.queue.park(self)

    def cancelled(self) -> None:
        """The queue is gone; or it isn't this node's any more, and the other node has to look for it again."""
        channel = self.channel
        channel.consumers.pop(self.tag, None)
        if channel.closing:
            return
        if channel.client.vhost.queues.get(self.queue.name) is None:
            channel.send(NodeEnded(self.tag))
        else:
            channel.connection.channel_failed(
                channel, NotFound(f"{self.queue.description} isn't on this node any more")
            )


class NodeEnd:
    """Of one channel.  queue: the one that it is for."""

    __slots__ = ("_channel", "queue")

    def __init__(self, channel: Channel, name: str) -> None:
        self._channel = channel
        self.queue = _own_queue(channel, name)
        channel.queue_declared(name)

    def check(self) -> None:
        """NotFound (404) when the queue is gone, or another one of its name is there."""
        if self._channel.client.vhost.queues.get(self.queue.name) is not self.queue:
            raise NotFound(f"no {self.queue.description} on this node any more")

    def publish(self, content: IncomingContent[methods.BasicPublish]) -> None:
        """Give a message to the queue, and remember the way."""
        self.check()
        channel, method = self._channel, content.method
        vhost = channel.client.vhost
        broker = vhost.broker
        body = content.body()
        address = Address(method.exchange, method.routing_key)
        message = Message(broker.next_sequence(), address, content.properties, body, 0, len(body), 0, broker.now_ms)
        route = Route(address, (self.queue,), routed=True, cacheable=True)
        receipt = route.receipt
        outcome = vhost.deliver_to(self.queue, message, receipt)
        self._confirm(outcome, receipt)
        if may_be_remembered_late(vhost, route):
            late = LateRows(channel, route) if route.answers_late else None
            known = KnownPassing(route, channel.counts, channel.confirms, late)
            channel.connection.known.remember(content.frame, known)

    def _confirm(self, outcome: Outcome, receipt: Receipt | None) -> None:
        channel, confirms = self._channel, self._channel.confirms
        if confirms is None:
            return
        if outcome is Outcome.REFUSED:
            channel.send(methods.BasicNack(confirms.refuse(), multiple=False, requeue=False))
        elif receipt is not None and receipt.pending:
            number = confirms.add_late(stored=receipt.stored)
            receipt.then(lambda taken: channel.publish_answered(number, taken=taken))
        else:
            confirms.add(stored=outcome is Outcome.STORED)

    def consume(self, method: methods.BasicConsume) -> None:
        """A consumer of the other node; who is refused is told why (`node.ended`)."""
        channel = self._channel
        consumer = NodeConsumer(channel, self.queue, method)
        try:
            self.check()
            self.queue.add_consumer(consumer)
        except BrokerError as error:
            channel.send(NodeEnded(method.consumer_tag, error.code, short_text(error.text)))
            return
        channel.consumers[method.consumer_tag] = consumer

    def delete(self, answer: Answer[int]) -> None:
        """The other node has taken the queue away, as all nodes do once that is agreed on.  It goes here when this node
        hears of it, and not before: another one of its name may be declared meanwhile.
        """
        self.check()
        queue, agreements = self.queue, self.queue.vhost.broker.agreements
        if agreements is not None and agreements.shares_queue(queue):
            agreements.leaving.setdefault((queue.vhost.name, queue.name), []).append(answer)
        else:
            delete_queue(self._channel.client, queue.name, answer)

    def look(self) -> None:
        """What listings show of it."""
        row = QueueRow(self.queue)
        self.queue.catch_up()
        columns: dict[str, Encodable] = {}
        for name in SHOWN:
            value = row.value(name)
            columns[name] = value if isinstance(value, int) else 0
        self._channel.send(NodeLookOk(columns_raw=encode_table(columns)))

    def browse(self, start: int, count: int) -> None:
        """Messages from this position on, each with its content; fewer than asked for where their bodies are large."""
        channel = self._channel
        connection = channel.connection
        mean_bytes = self.queue.ready_bytes // max(self.queue.ready_count, 1)
        fitting = max(1, BROWSED_BYTES_AT_ONCE // max(mean_bytes, 1))
        at_once = min(count, BROWSED_AT_ONCE, fitting)
        found, _ = browse(self.queue, start, at_once, scanned_max=at_once)
        size_bytes = 0
        for each in found:
            if size_bytes >= BROWSED_BYTES_AT_ONCE:
                break
            message = each.message
            size_bytes += message.body_size
            address = message.address
            channel.send(NodeBrowseFound(each.position, each.redelivered, address.exchange, address.routing_key))
            properties = carried_properties(self.queue, message, redelivered=each.redelivered)
            connection.outbox.write(
                content_frames(channel.number, properties.raw, message.body, connection.body_frame_max)
            )
        channel.send(NodeBrowseOk())


def _own_queue(channel: Channel, name: str) -> Queue:
    """The queue of this name, if it is this node's."""
    vhost = channel.client.vhost
    queue = vhost.queue(name)
    queue.check_usable()
    if queue.is_remote:
        raise NotFound(f"{queue.description} isn't on this node")
    return queue


def grant(channel: Channel, method: NodeGrant) -> None:
    """node.grant; nothing where the consumer has ended meanwhile."""
    consumer = channel.consumers.get(method.consumer_tag)
    if isinstance(consumer, NodeConsumer):
        consumer.grant(method.credit)


def release(channel: Channel, method: NodeRelease) -> None:
    """node.release."""
    channel.settle(method.delivery_tag, multiple=False, verdict="untouched")


def look(channel: Channel, method: NodeLook) -> None:
    """node.look."""
    _end_of(channel).look()


def browse_there(channel: Channel, method: NodeBrowse) -> None:
    """node.browse."""
    _end_of(channel).browse(method.start, method.count)


def _end_of(channel: Channel) -> NodeEnd:
    if channel.node is None:
        raise AccessRefused("that is for nodes of a cluster, on their own listener")
    return channel.node


handle_also(NodeGrant, grant)
handle_also(NodeRelease, release)
handle_also(NodeLook, look)
handle_also(NodeBrowse, browse_there)
