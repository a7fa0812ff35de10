"""A link that messages are published by (spec H.1): to one queue or exchange, or by each message's own `to`.

What becomes of a message is told by its outcome: accepted when all its queues have it, and it is on disk where it is to
be; rejected when one refuses it; released when it leads nowhere.  A message that is wrong in itself ends the link.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from warren.adapters.amqp10 import kept
from warren.adapters.amqp10.addresses import Named, target_named
from warren.adapters.amqp10.codec.composites import encode_composite
from warren.adapters.amqp10.codec.errors import (
    INVALID_FIELD,
    RESOURCE_LIMIT_EXCEEDED,
    UNAUTHORIZED_ACCESS,
    Level,
    PeerMistake,
)
from warren.adapters.amqp10.codec.performatives import Error
from warren.adapters.amqp10.codec.termini import Accepted, Rejected, Released, TransactionalState
from warren.adapters.amqp10.codec.values import Symbol
from warren.adapters.amqp10.conditions import described, mistake_of
from warren.adapters.amqp10.incoming_link import BYTES_PER_COMMAND, IncomingLink
from warren.adapters.amqp10.reading import Incoming, data_head, read_message
from warren.core.declaring.deferring import defer
from warren.core.declaring.names import check_routing_key
from warren.core.errors import AccessRefused, BrokerError, NotFound, PreconditionFailed
from warren.core.routing.known_routes import KnownRoute, may_be_remembered
from warren.core.routing.publish import check_publish, make_message, read_special, slow_down
from warren.core.routing.vhost import REPLY_PREFIX, Outcome

if TYPE_CHECKING:
    from warren.adapters.amqp10.amqp_session import AmqpSession
    from warren.adapters.amqp10.codec.performatives import Attach
    from warren.adapters.amqp10.codec.values import ValueMap
    from warren.core.counters import SessionCounts
    from warren.core.messages.message import Message
    from warren.core.messages.properties import Properties
    from warren.core.routing.receipt import Receipt
    from warren.core.routing.route import Route

CHECKED_MAX: Final = 1024
"""Remembered addresses that may be published to; a link with ever new ones starts over."""

KNOWN_HEAD_BYTES_MAX: Final = 512
"""Of what stands in front of a body; longer ones differ from message to message, mostly."""

RELEASED: Final = encode_composite(Released())


class KnownMessage(KnownRoute):
    """What came of a message, by all that stood in front of its body; as long as `version` is the virtual host's.

    address: where it went.
    """

    __slots__ = ("address", "head", "properties", "version")

    def __init__(self, head: bytes, properties: Properties, route: Route, counts: SessionCounts, version: int) -> None:
        super().__init__(route, counts)
        self.head = head
        self.properties = properties
        self.address = route.address
        self.version = version


class PublishingLink(IncomingLink):
    """named: None where each message says by its `to` where it goes.

    known: what the next message may be like, which is then published by frame_loop.py; None where each has to be looked
    at.  forms: what values of a transfer say of whether it comes settled, for that.
    """

    def __init__(self, session: AmqpSession, attach: Attach, named: Named | None) -> None:
        super().__init__(session, attach, session.connection.settings.link_credit)
        self._named = named
        self._checked: set[tuple[str, str]] = set()
        self._checked_at = -1
        self.known: KnownMessage | None = None
        self.forms: dict[bytes, bool] = {}

    def message(self, data: bytes, delivery_id: int, state: Any) -> None:
        self.unconfirmed += 1
        connection = self.session.connection
        connection.attempt(self.session, self, partial(self._publish, data, delivery_id, state))

    def _publish(self, data: bytes, delivery_id: int, state: Any) -> None:
        session = self.session
        incoming = read_message(data)
        session.connection.ration.left -= 1 + (len(data) - len(incoming.body)) // BYTES_PER_COMMAND
        client = session.client
        try:
            exchange, key = self._routing(incoming)
            self._check(exchange, key)
        except (PeerMistake, NotFound, AccessRefused) as error:
            if self._named is not None:
                raise
            # Where a message goes is its own mistake, not the link's (spec H.1).
            mistake = mistake_of(error, Level.LINK) if isinstance(error, BrokerError) else error
            self._reject(delivery_id, mistake.condition, mistake.text)
            return
        properties = incoming.properties
        extra_keys: list[str] = []
        if properties.special:
            try:
                properties, extra_keys = read_special(client, exchange, properties)
            except AccessRefused as denied:
                if self._named is not None:
                    raise
                self._reject(delivery_id, UNAUTHORIZED_ACCESS, denied.text)
                return
            except PreconditionFailed as unmet:
                if properties.user_id not in (None, client.user.name):
                    raise PeerMistake(UNAUTHORIZED_ACCESS, unmet.text, Level.LINK) from None
                raise
        if incoming.kept:
            properties = properties.with_header_entries(incoming.kept)
        message, route = make_message(client, exchange, key, properties, incoming.body, extra_keys)
        at_ms = incoming.due_at_ms(client.vhost.broker.now_ms)
        if isinstance(state, TransactionalState):
            transaction = session.connection.transaction(state.txn_id)
            transaction.publish(self, message, route, delivery_id, at_ms)
            return
        if at_ms is not None:
            self._accepted(self.defer(message, route, at_ms) is Outcome.STORED, delivery_id)
            return
        self._remember(data, incoming, properties, route)
        receipt = route.receipt
        self.answer(self.give(message, route, receipt), route, receipt, delivery_id, b"")

    def _remember(self, data: bytes, incoming: Incoming, properties: Properties, route: Route) -> None:
        """What the next message may be like, if its body is one data section in the usual form."""
        self.known = None
        client = self.session.client
        if self.remembers or incoming.delivery_time is not None or incoming.delivery_delay is not None:
            return
        if kept.BODY in incoming.kept or kept.FOOTER in incoming.kept:
            return
        if not (route.routed and may_be_remembered(client.vhost, route)):
            return
        head = data[: len(data) - len(incoming.body) - len(data_head(len(incoming.body)))]
        if len(head) <= KNOWN_HEAD_BYTES_MAX:
            self.known = KnownMessage(head, properties, route, self.session.counts, client.vhost.version)

    def give(self, message: Message, route: Route, receipt: Receipt | None) -> Outcome:
        """Give a message to its queues now."""
        session = self.session
        session.counts.published(route, message.body_size)
        outcome = session.client.vhost.publish(route, message, session.client, session.channel, receipt)
        slow_down(session.client, route)
        return outcome

    def defer(self, message: Message, route: Route, at_ms: int) -> Outcome:
        """Have a message published at `at_ms`, by the bindings that are in force then."""
        session = self.session
        session.counts.published(route, message.body_size)
        stored = defer(session.client.vhost, message, at_ms, route.extra_keys)
        return Outcome.STORED if stored else Outcome.TAKEN

    def answer(
        self, outcome: Outcome, route: Route, receipt: Receipt | None, delivery_id: int, transaction: bytes
    ) -> None:
        """Tell the sender what became of a message, now or when it is known.

        transaction: that it belongs to; what is told says so.
        """
        if outcome is Outcome.REFUSED:
            self._refused(route, delivery_id)
        elif receipt is not None and receipt.pending:
            receipt.then(partial(self._answered, receipt, route, delivery_id))
        elif not route.routed or (not route.queues and route.address.routing_key.startswith(REPLY_PREFIX)):
            # A requester that is gone is nobody, too.
            self.session.safe.accept(self, delivery_id, _in(transaction, Released(), RELEASED))
        else:
            self._accepted(outcome is Outcome.STORED, delivery_id, transaction)

    def _accepted(self, stored: bool, delivery_id: int, transaction: bytes = b"") -> None:
        safe = self.session.safe
        accept = safe.accept_after_flush if stored else safe.accept
        if transaction:
            accept(self, delivery_id, _in(transaction, Accepted(), b""))
        else:
            accept(self, delivery_id)

    def _answered(self, receipt: Receipt, route: Route, delivery_id: int, taken: bool) -> None:
        if self.session.ended and not self.remembers:
            return
        if taken:
            self._accepted(receipt.stored, delivery_id)
        else:
            self._refused(route, delivery_id)
        self.session.connection.flush_batch()

    def _refused(self, route: Route, delivery_id: int) -> None:
        queue = next((queue.name for queue in route.queues if queue.guarded), "")
        self._reject(delivery_id, RESOURCE_LIMIT_EXCEEDED, route.refusal, queue)

    def _reject(self, delivery_id: int, condition: str, text: str, queue: str = "") -> None:
        info: ValueMap = {Symbol("queue"): queue, Symbol("reason"): Symbol("maxlen")}
        error = Error(condition, described(text), info if queue else None)
        self.session.safe.accept(self, delivery_id, encode_composite(Rejected(error)))

    def _routing(self, incoming: Incoming) -> tuple[str, str]:
        named = self._named
        if named is None:
            if incoming.to is None:
                raise PeerMistake(
                    INVALID_FIELD, "a message without `to` on a link without a target address", Level.LINK
                )
            named = target_named(incoming.to, v1=self.session.connection.settings.addresses_v1)
        exchange, key = named.routing
        return exchange, (incoming.subject or "") if key is None else key

    def _check(self, exchange: str, key: str) -> None:
        """Permissions and existence, once per address, for as long as core.routing.known_routes says."""
        client = self.session.client
        now = client.vhost.version
        if now != self._checked_at or len(self._checked) >= CHECKED_MAX:
            self._checked.clear()
            self._checked_at = now
        if (exchange, key) not in self._checked:
            check_routing_key(key)
            check_publish(client, exchange, key)
            is_reply = key.startswith(REPLY_PREFIX)
            if not exchange and self._named is None and key not in client.vhost.queues and not is_reply:
                raise NotFound(f"no queue '{key}' in vhost '{client.vhost.name}'")
            self._checked.add((exchange, key))


def _in(transaction: bytes, outcome: object, plain: bytes) -> bytes:
    """An outcome, as one of a transaction if it belongs to one."""
    return encode_composite(TransactionalState(transaction, outcome)) if transaction else plain
