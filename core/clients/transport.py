"""What a session may ask of whatever carries its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from warren.core.clients.outbox import Outbox


@dataclass(frozen=True, slots=True)
class TlsState:
    """What TLS has agreed on for a connection.

    protocol, cipher: such as TLSv1.3 and TLS_AES_256_GCM_SHA384.  peer_subject, peer_issuer, peer_validity: of the
    verified certificate that the peer has shown, as RFC 4514 and RabbitMQ write them; empty without one.
    """

    protocol: str
    cipher: str
    peer_subject: str = ""
    peer_issuer: str = ""
    peer_validity: str = ""


Credentials = tuple[str, str]
"""A user's name and password."""


class Transport(Protocol):
    """One connection's carrier, implemented by the gateway (and by tests).

    peer_host, peer_port, host, port: the two ends.  tls: what TLS agreed on, None without TLS.  certificate_name: the
    name to log in with, from the peer's verified TLS certificate, if it showed one.  credentials: who the peer said it
    is before the session began (HTTP Basic), which counts instead of what it says to the session.  is_websocket: the
    session's bytes come and go in a WebSocket's messages, which only listings tell.
    """

    peer_host: str
    peer_port: int
    host: str
    port: int
    certificate_name: str | None
    credentials: Credentials | None
    is_websocket: bool
    tls: TlsState | None

    @property
    def received_bytes(self) -> int:
        """From the peer, so far."""

    @property
    def sent_bytes(self) -> int:
        """To the peer, so far."""

    @property
    def received_packets(self) -> int:
        """How often something was read from the socket."""

    @property
    def sent_packets(self) -> int:
        """How often it took something."""

    @property
    def unsent_bytes(self) -> int:
        """What waits for the socket."""

    def send(self) -> None:
        """Take the outbox's chunks and give them to the socket, without blocking."""

    def close(self) -> None:
        """Send what the outbox holds, then close in good order, letting the peer read the last bytes."""

    def abort(self) -> None:
        """Close at once, by a reset; nothing more is sent."""

    def reset(self) -> None:
        """Send what the outbox holds as far as the socket takes it, unless it waits to be kept, then `abort`.

        For a peer that is taken for gone: should it be there after all, what it sends next fails, while a connection
        that was closed in good order would take it from its application and lose it.
        """

    def pause(self) -> None:
        """Stop reading until `resume`."""

    def resume(self) -> None:
        """Read again."""


class Carrier(Transport, Protocol):
    """A transport whose session may be exchanged: a link, or a stage (adapters.stage) that carries another one."""

    def start(self, session: Session, outbox: Outbox) -> None:
        """From now on `session` gets what comes in, and what `outbox` holds is sent.

        Called once for an accepted connection, and again by a stage that steps aside for the session it was followed
        by.
        """


class Session(Protocol):
    """The protocol side of a connection, driven by the gateway."""

    def receive(self, data: bytes) -> None:
        """Bytes from the peer, cut anywhere."""

    def drained(self) -> None:
        """The socket took everything there was to send."""

    def connection_lost(self, reason: str) -> None:
        """The connection is gone; called once, also after `close` and `abort`."""

    def shut_down(self, reason: str) -> None:
        """The broker stops: tell the peer (320 in AMQP) and close."""


def connection_name(transport: Transport) -> str:
    """`PEER:PORT -> HOST:PORT`, which listings and the log call a connection by (spec F.8)."""
    return f"{transport.peer_host}:{transport.peer_port} -> {transport.host}:{transport.port}"


def peer_of(name: str) -> dict[str, str | int]:
    """The peer in such a name, as `peer_host` and `peer_port`; empty for connections with other names."""
    peer, arrow, _ = name.partition(" -> ")
    host, _, port = peer.rpartition(":")
    return {"peer_host": host.strip("[]"), "peer_port": int(port)} if arrow and port.isdigit() else {}


def is_loopback(host: str) -> bool:
    """True for 127.0.0.0/8, ::1 and ::ffff:127.0.0.0/104, the addresses that `loopback_users` means (spec G)."""
    return host == "::1" or host.startswith(("127.", "::ffff:127."))
