"""Managing the broker over AMQP 1.0: requests and answers by a pair of links to /management (spec H.1).

Both links have one name and the property `paired`.  A request is like one of HTTP: the method is the subject, the path
is `to`, the body a map; its answer has the status as its subject, the request's id as its correlation-id, and goes out
by the other link of the pair.  What requests there are is in management_requests.py.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from warren.adapters.amqp10.codec.composites import decode_composite, encode_composite
from warren.adapters.amqp10.codec.decoding import decode
from warren.adapters.amqp10.codec.encoding import described, encode, list_of
from warren.adapters.amqp10.codec.errors import INVALID_FIELD, Level, PeerMistake, Undecodable
from warren.adapters.amqp10.codec.performatives import Flow
from warren.adapters.amqp10.codec.sections import (
    APPLICATION_PROPERTIES,
    PROPERTIES,
    VALUE,
    MessageProperties,
    sections_of,
)
from warren.adapters.amqp10.incoming_link import BYTES_PER_COMMAND, IncomingLink
from warren.adapters.amqp10.link import Link
from warren.adapters.amqp10.unsent import parts_of_message

if TYPE_CHECKING:
    from warren.adapters.amqp10.amqp_session import AmqpSession
    from warren.adapters.amqp10.codec.performatives import Attach
    from warren.adapters.amqp10.codec.values import Value
    from warren.adapters.amqp10.connection import Connection

MANAGEMENT: Final = "/management"

CREDIT: Final = 8
"""Requests that may be on their way on a link, as in RabbitMQ (spec H.1)."""

ANSWERS_MAX: Final = 1000
"""Answers that wait for credit: who asks and doesn't listen isn't asked to wait for ever."""

REQUEST_COMMANDS: Final = 5
"""What a request and its answer take, in commands of a turn's ration: some 100 µs (adapters.session.ration)."""

_IDS: Final = 0xFFFF_FFFF


class Request:
    """id: what the answer refers to, any message id.  body: None where there is none."""

    __slots__ = ("body", "id", "method", "path")

    def __init__(self, id: object, method: str, path: str, body: Value) -> None:
        self.id = id
        self.method = method
        self.path = path
        self.body = body


class Encoded:
    """A list as the body of an answer, whose values are encoded already."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: list[bytes] = []


class ManagementLinks:
    """The pairs of a connection, by session and name."""

    __slots__ = ("_connection", "_senders")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._senders: dict[tuple[int, str], ManagementSender] = {}

    def receiving(self, session: AmqpSession, attach: Attach) -> Link:
        """The link that requests come by."""
        _check_paired(attach)
        return ManagementReceiver(session, attach, self)

    def sending(self, session: AmqpSession, attach: Attach) -> Link:
        """The link that answers go by."""
        _check_paired(attach)
        made = ManagementSender(session, attach, self)
        self._senders[session.channel, attach.name] = made
        return made

    def sender(self, session: AmqpSession, name: str) -> ManagementSender | None:
        """The other link of a pair."""
        return self._senders.get((session.channel, name))

    def gone(self, sender: ManagementSender) -> None:
        """A link has ended."""
        if self._senders.get((sender.session.channel, sender.name)) is sender:
            del self._senders[sender.session.channel, sender.name]


class ManagementReceiver(IncomingLink):
    """Takes requests."""

    def __init__(self, session: AmqpSession, attach: Attach, links: ManagementLinks) -> None:
        super().__init__(session, attach, CREDIT)
        self._links = links

    @property
    def waits(self) -> bool:
        """Never: a purge may free what is short."""
        return False

    def message(self, data: bytes, delivery_id: int, state: Any) -> None:
        self.unconfirmed += 1
        self.session.connection.attempt(self.session, self, partial(self._request, data, delivery_id))

    def _request(self, data: bytes, delivery_id: int) -> None:
        from warren.adapters.amqp10.management_requests import answer_request

        sender = self._links.sender(self.session, self.name)
        if sender is None:
            raise PeerMistake(INVALID_FIELD, "a request on a link without the other one of its pair", Level.LINK)
        if sender.is_full:
            raise PeerMistake(INVALID_FIELD, f"{ANSWERS_MAX} answers wait for credit", Level.LINK)
        connection = self.session.connection
        connection.ration.left -= REQUEST_COMMANDS + len(data) // BYTES_PER_COMMAND
        request = _request_of(data)
        answer_request(self.session, request, partial(sender.answer, request))
        self.session.safe.accept(self, delivery_id)


class ManagementSender(Link):
    """Sends answers, as far as there is credit."""

    is_sender = True

    def __init__(self, session: AmqpSession, attach: Attach, links: ManagementLinks) -> None:
        super().__init__(session, attach)
        self._links = links
        self._credit = 0
        self._delivery_count = 0
        self._answers: deque[bytes] = deque()

    @property
    def is_full(self) -> bool:
        """True when so many answers wait that nothing more may be asked."""
        return len(self._answers) >= ANSWERS_MAX

    def answer(self, request: Request, status: int, body: Value | Encoded) -> None:
        """Answer a request."""
        if self.session.links.get(self.handle) is not self:
            return
        properties = MessageProperties()
        properties.to = "$me"
        properties.subject = str(status)
        properties.correlation_id = request.id
        self._answers.append(
            encode_composite(properties)
            + described(APPLICATION_PROPERTIES, encode({"http:response": "1.1"}))
            + described(VALUE, list_of(body.values) if isinstance(body, Encoded) else encode(body))
        )
        connection = self.session.connection
        connection.broker.unkept.hold(connection.outbox)
        self._send()

    def flow(self, flow: Flow) -> None:
        if flow.link_credit is not None:
            self._credit = ((flow.delivery_count or 0) + flow.link_credit - self._delivery_count) & _IDS
        self._send()
        if flow.drain:
            self._delivery_count = (self._delivery_count + self._credit) & _IDS
            self._credit = 0
        if flow.drain or flow.echo:
            made = Flow()
            made.handle, made.delivery_count, made.link_credit = self.handle, self._delivery_count, self._credit
            made.drain = flow.drain
            self.session.send_flow(made)

    def _send(self) -> None:
        session = self.session
        while self._answers and self._credit > 0:
            if not session.has_room:
                session.parked[self] = None
                return
            self._credit -= 1
            self._delivery_count = (self._delivery_count + 1) & _IDS
            deliveries = session.deliveries
            deliveries.delivery_tag += 1
            delivery_id = session.delivery_id(deliveries.delivery_tag)
            session.unsent.add(
                parts_of_message(session, self.handle, delivery_id, self._answers.popleft(), settled=True)
            )

    def resume(self) -> None:
        """The session has room again (core.clients.outbox.Resumable)."""
        self._send()

    def end(self) -> None:
        self._answers.clear()
        self.session.parked.pop(self, None)
        self._links.gone(self)


def _check_paired(attach: Attach) -> None:
    if (attach.properties or {}).get("paired") is not True:
        raise PeerMistake(INVALID_FIELD, "a link to /management has the property paired=true", Level.LINK)


def _request_of(data: bytes) -> Request:
    properties = MessageProperties()
    body: Value = None
    try:
        for section in sections_of(data, in_order=False):
            if section.code == PROPERTIES:
                properties, _ = decode_composite(data, section.at, section.end)
            elif section.code == VALUE:
                body, _ = decode(data, section.value_at, section.end)
    except Undecodable as error:
        error.level = Level.LINK
        raise
    if properties.message_id is None or properties.subject is None or not isinstance(properties.to, str):
        raise PeerMistake(INVALID_FIELD, "a request has a message-id, a subject and `to`", Level.LINK)
    return Request(properties.message_id, properties.subject, properties.to, body)
