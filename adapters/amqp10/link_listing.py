"""What list_amqp10_links shows: links that are attached, and those that are suspended (suspended.py).

The columns are those that RabbitMQ's management API has of the links of a connection's sessions, by the same names, and
what an expiry policy says.  Imported at every start, so what links are is imported when there are some.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.amqp10.link_columns import LinkRow
from warren.adapters.amqp10.listing import Amqp10SessionRow
from warren.adapters.amqp10.suspended import COMPONENT, suspended_of
from warren.core.administration.listing.column import Column
from warren.core.administration.listing.kind import Kind, Vhosts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.adapters.amqp10.amqp_session import AmqpSession
    from warren.adapters.amqp10.incoming_link import IncomingLink
    from warren.adapters.amqp10.link import Link
    from warren.adapters.amqp10.outgoing_link import LinkConsumer
    from warren.adapters.amqp10.suspended import LinkKey, Suspended
    from warren.core.broker import Broker


INCOMING_COLUMNS: Final = (
    "handle",
    "link_name",
    "snd_settle_mode",
    "target_address",
    "max_message_size",
    "delivery_count",
    "credit",
    "unconfirmed_messages",
)
"""What the management API shows of a link that the client sends by."""

OUTGOING_COLUMNS: Final = (
    "handle",
    "link_name",
    "source_address",
    "queue_name",
    "send_settled",
    "max_message_size",
    "delivery_count",
    "credit",
)
"""Of one that it receives by."""


class AttachedRow(LinkRow):
    """One that is attached."""

    __slots__ = ("link",)

    def __init__(self, link: Link) -> None:
        self.link = link

    @property
    def exists(self) -> bool:
        """False once it is detached."""
        return self.link.session.links.get(self.link.handle) is self.link

    @Column
    def link_name(self) -> str:
        """Its name."""
        return self.link.name

    @Column
    def connection(self) -> str:
        """The name of its connection."""
        return self.link.session.connection.name

    @Column
    def session(self) -> int:
        """The channel number of its session."""
        return self.link.session.channel

    @Column
    def handle(self) -> int:
        """Its handle."""
        return self.link.handle

    @Column
    def role(self) -> str:
        """sender or receiver."""
        return _role(is_sender=self.link.is_sender)

    @Column
    def state(self) -> str:
        """attached."""
        return "attached"

    @Column
    def vhost(self) -> str:
        """The virtual host."""
        return self.link.session.client.vhost.name

    @Column
    def user(self) -> str:
        """Who attached it."""
        return self.link.session.client.user.name

    @Column
    def container_id(self) -> str:
        """What its client calls itself."""
        return self.link.session.connection.agreed.container_id

    @Column
    def source_address(self) -> str | None:
        """As the client was told."""
        return self.link.address if self.link.is_sender else None

    @Column
    def target_address(self) -> str | None:
        """As the client was told."""
        return None if self.link.is_sender else self.link.address

    @Column
    def queue_name(self) -> str | None:
        """The queue that is consumed from."""
        consumer = _consumer_of(self.link)
        return consumer.queue.name if consumer is not None else None

    @Column
    def snd_settle_mode(self) -> str:
        """settled, or unsettled."""
        incoming = _incoming(self.link)
        settled = self.send_settled if incoming is None else incoming.presettled
        return "settled" if settled else "unsettled"

    @Column
    def send_settled(self) -> bool | None:
        """Whether messages are settled when they are sent."""
        if not self.link.is_sender:
            return None
        consumer = _consumer_of(self.link)
        return consumer is None or consumer.no_ack

    @Column
    def max_message_size(self) -> int | None:
        """The largest message that the client may send, in bytes."""
        return None if self.link.is_sender else self.link.session.connection.settings.message_bytes_max

    @Column
    def delivery_count(self) -> int | None:
        """Messages so far, as the link counts them."""
        consumer, incoming = _consumer_of(self.link), _incoming(self.link)
        if consumer is not None:
            return consumer.delivery_count
        return incoming.delivery_count if incoming is not None else None

    @Column
    def credit(self) -> int | None:
        """How many more may be sent."""
        consumer, incoming = _consumer_of(self.link), _incoming(self.link)
        if consumer is not None:
            return consumer.credit
        return incoming.credit if incoming is not None else None

    @Column
    def unconfirmed_messages(self) -> int | None:
        """Messages that came and aren't safe yet."""
        incoming = _incoming(self.link)
        return incoming.unconfirmed if incoming is not None else None

    @Column
    def expiry_policy(self) -> str:
        """From when on its timeout counts."""
        return self.link.expiry.policy

    @Column
    def expiry_timeout(self) -> int:
        """In seconds."""
        return self.link.expiry.timeout_ms // 1000


class SuspendedRow(LinkRow):
    """One that is kept."""

    __slots__ = ("_broker", "_key", "_link")

    def __init__(self, broker: Broker, key: LinkKey, link: Suspended) -> None:
        self._broker = broker
        self._key = key
        self._link = link

    @property
    def exists(self) -> bool:
        """False once it is resumed, or has gone."""
        return suspended_of(self._broker).get(self._key) is self._link

    @Column
    def link_name(self) -> str:
        """Its name."""
        return self._key[3]

    @Column
    def role(self) -> str:
        """sender or receiver."""
        return _role(is_sender=self._key[4])

    @Column
    def vhost(self) -> str:
        """The virtual host."""
        return self._key[0]

    @Column
    def user(self) -> str:
        """Who attached it."""
        return self._key[1]

    @Column
    def container_id(self) -> str:
        """What its client calls itself."""
        return self._key[2]

    @Column
    def queue_name(self) -> str | None:
        """The queue that its messages come from."""
        return self._link.queue.name if self._link.queue is not None else None

    @Column
    def unsettled(self) -> int:
        """Deliveries that are kept."""
        return len(self._link.deliveries) + len(self._link.taken)

    @Column
    def expiry_policy(self) -> str:
        """From when on its timeout counts."""
        return self._link.expiry.policy

    @Column
    def expiry_timeout(self) -> int:
        """In seconds."""
        return self._link.expiry.timeout_ms // 1000

    @Column
    def expires_at(self) -> int | None:
        """In milliseconds since 1970."""
        return self._link.deadline.at_ms if self._link.deadline is not None else None


def links_of(session: AmqpSession, *, outgoing: bool) -> list[dict[str, object]]:
    """The links of a session as the management API shows them.  outgoing: those that we send by, or the others."""
    columns = OUTGOING_COLUMNS if outgoing else INCOMING_COLUMNS
    rows = [AttachedRow(link) for link in session.links.values() if link.is_sender is outgoing]
    return [{name: row.value(name) for name in columns} for row in rows]


def _role(*, is_sender: bool) -> str:
    """The client's; is_sender: whether we are."""
    return "receiver" if is_sender else "sender"


def _consumer_of(link: Link) -> LinkConsumer | None:
    from warren.adapters.amqp10.outgoing_link import OutgoingLink

    return link.consumer if isinstance(link, OutgoingLink) else None


def _incoming(link: Link) -> IncomingLink | None:
    from warren.adapters.amqp10.incoming_link import IncomingLink

    return link if isinstance(link, IncomingLink) else None


def _rows(broker: Broker, vhosts: Vhosts) -> Iterator[LinkRow]:
    for session in list(broker.sessions):
        # Rows of sessions are of this class for connections of AMQP 1.0 alone.
        for row in session.channel_rows():
            if isinstance(row, Amqp10SessionRow) and (vhosts is None or row.vhost in vhosts):
                yield from map(AttachedRow, list(row.session.links.values()))
    if COMPONENT in broker.components:
        for key, link in suspended_of(broker).items():
            if vhosts is None or key[0] in vhosts:
                yield SuspendedRow(broker, key, link)


AMQP10_LINKS: Final = Kind(
    "amqp10_links",
    LinkRow,
    _rows,
    lambda broker, vhosts: sum(1 for _ in _rows(broker, vhosts)),
    shown=("connection", "session", "link_name", "role", "state", "source_address", "target_address", "queue_name"),
)
"""What list_amqp10_links shows."""
