"""The stage before everything else on a listener behind a proxy: it reads the PROXY header, and leaves.

A connection without a header is refused: such a listener is reached through the proxy only, and whoever comes past it
could else claim any address.  From the header on, the carrier below has the addresses of the real peer, so listings,
logs and what depends on where somebody comes from (`loopback_users`) are about them.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from warren.adapters.proxy_protocol.header import ProxyHeader, ProxyHeaderError, missing_bytes, parse_proxy_header
from warren.adapters.session.pieces import Pieces
from warren.adapters.stage import Stage

if TYPE_CHECKING:
    from warren.adapters.interface import AcceptCarrier
    from warren.core.broker import Broker
    from warren.core.clients.outbox import Outbox
    from warren.core.clients.transport import Carrier, Session

_log = logging.getLogger("warren.proxy_protocol")


def expect_proxy_header(accept: AcceptCarrier, timeout_ms: int) -> AcceptCarrier:
    """What makes the stage for an accepted connection.

    accept: makes what follows the header.  timeout_ms: how long the header may take.
    """

    def accept_with_header(broker: Broker, below: Carrier) -> tuple[Session, Outbox]:
        stage = ProxyHeaderStage(broker, below, accept, timeout_ms)
        return stage, stage.outbox

    return accept_with_header


class ProxyHeaderStage(Stage):
    """Reads the PROXY header of one connection, and steps aside."""

    def __init__(self, broker: Broker, below: Carrier, accept: AcceptCarrier, timeout_ms: int) -> None:
        super().__init__(broker, below)
        self._accept = accept
        self._timeout_ms = timeout_ms
        self._seen = Pieces()
        self._deadline = broker.deadlines.schedule(broker.now_ms + timeout_ms, self._expired)

    def receive(self, data: bytes) -> None:
        """Collect the header; when it is whole, go on with what comes after it."""
        if self.closing:
            return
        seen = self._seen.join(data)
        if seen is None:
            return
        try:
            header = parse_proxy_header(seen)
        except ProxyHeaderError as error:
            self.broker.limit_hits.count_error(error)
            self._refuse(f"{error}; only a proxy that sends one may connect to this listener")
            return
        if header is None:
            self._seen.keep(seen, missing_bytes(seen))
            return
        self._deadline.cancel()
        self._take_addresses(header)
        self.step_aside(self._accept, seen[header.size :])

    def connection_lost(self, reason: str) -> None:
        """The connection is gone before its header."""
        self._deadline.cancel()
        if not self.closing:
            _log.debug("connection %s: %s before its PROXY header", self.name, reason)
        super().connection_lost(reason)

    def close_early(self) -> None:
        """Close, and forget the time-out."""
        self._deadline.cancel()
        super().close_early()

    def _take_addresses(self, header: ProxyHeader) -> None:
        if header.source is not None:
            self.below.peer_host, self.below.peer_port = header.source
        if header.destination is not None:
            self.below.host, self.below.port = header.destination

    def _refuse(self, why: str) -> None:
        _log.warning("connection %s: %s; closing it", self.name, why)
        self.close_early()

    def _expired(self, now_ms: int) -> None:
        self.broker.limit_hits.count("handshake_timeout_s")
        self._refuse(f"no PROXY header within {self._timeout_ms / 1000:g} s")
