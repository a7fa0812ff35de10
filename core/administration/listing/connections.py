"""Connections of every protocol, as list_connections shows them (spec F.3, F.8).

What a transport and a client tell is the same for all of them; an adapter's subclass of ConnectionRow says the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from warren.core.administration.listing.column import Column, Row, on_request
from warren.core.administration.listing.kind import Kind, Vhosts, vhosts_among
from warren.core.clients.transport import connection_name

if TYPE_CHECKING:
    from warren.core.broker import Broker, SessionEntry
    from warren.core.clients.client import Client
    from warren.core.clients.transport import Transport
    from warren.core.counters import Counts


class ConnectionRow(Row):
    """One connection.

    client: None until it has logged in.
    """

    __slots__ = ("broker", "client", "connected_at_ms", "session", "transport")

    def __init__(
        self,
        broker: Broker,
        session: SessionEntry,
        transport: Transport,
        client: Client | None,
        connected_at_ms: int,
    ) -> None:
        self.broker = broker
        self.session = session
        self.transport = transport
        self.client = client
        self.connected_at_ms = connected_at_ms

    @property
    def exists(self) -> bool:
        """False once the connection is gone."""
        return self.session in self.broker.sessions

    @Column
    def rate_limit(self) -> str:
        """Which limit of a rate holds it back (max-message-rate...), in words; empty while none does."""
        paced = self.broker.rate_limits.paced.get(self.session)
        return "" if paced is None else paced.reason

    def state_with_rate(self, state: str) -> str:
        """`flow` for one that is running, but held back by a limit of a rate; else its state."""
        return "flow" if state == "running" and self.rate_limit else state

    @property
    def protocol_name(self) -> str:
        """The protocol and its version, such as `MQTT 5-0`."""
        return ""

    @Column
    def pid(self) -> str:
        """RabbitMQ's process; here the name again."""
        return self.name

    @Column
    def name(self) -> str:
        """`PEER:PORT -> HOST:PORT`."""
        return connection_name(self.transport)

    @Column
    def user_provided_name(self) -> str:
        """What the client calls the connection."""
        return ""

    @Column
    def host(self) -> str:
        """This end's address."""
        return self.transport.host

    @Column
    def port(self) -> int:
        """This end's port."""
        return self.transport.port

    @Column
    def peer_host(self) -> str:
        """The client's address."""
        return self.transport.peer_host

    @Column
    def peer_port(self) -> int:
        """The client's port."""
        return self.transport.peer_port

    @Column
    def ssl(self) -> bool:
        """Whether it goes through TLS."""
        return self.transport.tls is not None

    @Column
    def ssl_protocol(self) -> str | None:
        """The version of TLS."""
        return self.transport.tls.protocol if self.transport.tls else None

    @Column
    def ssl_cipher(self) -> str | None:
        """The cipher suite that TLS agreed on."""
        return self.transport.tls.cipher if self.transport.tls else None

    @Column
    def peer_cert_subject(self) -> str | None:
        """Whom the client's certificate is for."""
        return self.transport.tls.peer_subject if self.transport.tls else None

    @Column
    def peer_cert_issuer(self) -> str | None:
        """Who issued the client's certificate."""
        return self.transport.tls.peer_issuer if self.transport.tls else None

    @Column
    def peer_cert_validity(self) -> str | None:
        """From when to when the client's certificate is valid."""
        return self.transport.tls.peer_validity if self.transport.tls else None

    @Column
    def recv_oct(self) -> int:
        """Bytes that came from the client."""
        return self.transport.received_bytes

    @Column
    def send_oct(self) -> int:
        """Bytes that went to the client."""
        return self.transport.sent_bytes

    @Column
    def recv_cnt(self) -> int:
        """How often something was read from the socket; each may have many frames."""
        return self.transport.received_packets

    @Column
    def send_cnt(self) -> int:
        """How often something was written to it."""
        return self.transport.sent_packets

    @Column
    def send_pend(self) -> int:
        """Bytes that wait for the socket."""
        return self.transport.unsent_bytes

    @Column
    def state(self) -> str:
        """running, blocked (by an alarm), closing..."""
        return ""

    @Column
    def channels(self) -> int:
        """How many channels are open; a protocol without channels counts as one."""
        return 1 if self.client else 0

    @Column
    def protocol(self) -> str:
        """The protocol; in a WebSocket, `Web MQTT 5-0` and so on, as RabbitMQ has it."""
        return f"Web {self.protocol_name}" if self.transport.is_websocket else self.protocol_name

    @Column
    def auth_mechanism(self) -> str:
        """How the client logged in."""
        return ""

    @Column
    def user(self) -> str:
        """Who is logged in."""
        return self.client.user.name if self.client else ""

    @Column
    def vhost(self) -> str:
        """The virtual host that was opened."""
        return self.client.vhost.name if self.client else ""

    @Column
    def timeout(self) -> int:
        """The heartbeat or keep-alive interval in seconds, 0 for none."""
        return 0

    @Column
    def frame_max(self) -> int:
        """The largest frame or packet in bytes."""
        return 0

    @Column
    def channel_max(self) -> int:
        """The most channels."""
        return 1

    @Column
    def client_properties(self) -> Mapping[str, object]:
        """What the client says of itself."""
        return {}

    @Column
    def connected_at(self) -> int:
        """When it was accepted, in milliseconds since 1970."""
        return self.connected_at_ms

    @Column
    def message_stats(self) -> Mapping[str, int]:
        """What happened to its messages: counts by name (core/counters.py); none until it has logged in."""
        return self.client.counts.snapshot() if self.client else {}

    @on_request
    def node(self) -> str:
        """The node of a cluster that it is on; empty without a cluster."""
        return node_of(self.broker)

    @on_request
    def message_rates(self) -> Mapping[str, float]:
        """How fast these counts and the bytes grow, per second; sampled from the first time on that somebody asks."""
        return self.broker.rates.of(self.session, self._growing, self.broker.now_ms)

    def _growing(self) -> Counts:
        octets = {"recv_oct": self.transport.received_bytes, "send_oct": self.transport.sent_bytes}
        return {**self.message_stats, **octets}


def node_of(broker: Broker) -> str:
    """The name of this node of a cluster; empty without a cluster."""
    return broker.cluster.name if broker.cluster is not None else ""


def _rows(broker: Broker, vhosts: Vhosts) -> Iterator[ConnectionRow]:
    for session in list(broker.sessions):
        row = session.connection_row()
        if vhosts is None or row.vhost in vhosts:
            yield row


def connections_of(name: str, row: type[ConnectionRow], shown: tuple[str, ...], unknown: tuple[str, ...]) -> Kind:
    """A listing of the connections of one protocol, whose rows are of this class.  The rest: see Kind."""

    def rows(broker: Broker, vhosts: Vhosts) -> Iterator[ConnectionRow]:
        return (each for each in _rows(broker, vhosts) if isinstance(each, row))

    return Kind(name, row, rows, lambda broker, vhosts: sum(1 for _ in rows(broker, vhosts)), shown, unknown)


def _count(broker: Broker, vhosts: Vhosts) -> int:
    if vhosts is None:
        return len(broker.sessions)
    return sum(vhost.client_count for vhost in vhosts_among(broker, vhosts))


CONNECTIONS = Kind(
    "connections",
    ConnectionRow,
    _rows,
    _count,
    shown=("user", "peer_host", "peer_port", "state"),
    unknown=("ssl_key_exchange", "ssl_hash", "container_id"),
)
