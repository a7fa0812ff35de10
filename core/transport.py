"""What a session may ask of whatever carries its bytes."""

from __future__ import annotations

from typing import Protocol


class Transport(Protocol):
    """One connection's carrier, implemented by the gateway (and by tests).

    peer_host, peer_port, host, port: the two ends.  certificate_name: the name in the peer's verified TLS
    certificate, if it showed one.
    """

    peer_host: str
    peer_port: int
    host: str
    port: int
    certificate_name: str | None
    received_bytes: int
    sent_bytes: int

    def send(self) -> None:
        """Take the outbox's chunks and give them to the socket, without blocking."""

    def close(self) -> None:
        """Send what the outbox holds, then close in good order, letting the peer read the last bytes."""

    def abort(self) -> None:
        """Close at once; nothing more is sent."""

    def pause(self) -> None:
        """Stop reading until `resume`."""

    def resume(self) -> None:
        """Read again."""


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


def is_loopback(host: str) -> bool:
    """True for 127.0.0.0/8, ::1 and ::ffff:127.0.0.0/104, the addresses that `loopback_users` means (spec G)."""
    return host == "::1" or host.startswith(("127.", "::ffff:127."))
