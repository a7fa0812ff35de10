"""The stage in whose place a session comes as soon as what it consists of is imported."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from warren.adapters.stage import Stage

if TYPE_CHECKING:
    from warren.adapters.interface import AcceptCarrier
    from warren.core.broker import Broker
    from warren.core.clients.transport import Carrier

_log = logging.getLogger("warren.connection")


class Waiting(Stage):
    """One connection that waits, and what it has sent."""

    def __init__(self, broker: Broker, below: Carrier, accept: AcceptCarrier) -> None:
        super().__init__(broker, below)
        self._accept = accept
        self._seen: list[bytes] = []
        below.pause()

    def receive(self, data: bytes) -> None:
        """What was read before it waited."""
        self._seen.append(data)

    def go_on(self) -> None:
        """The modules are there."""
        if self.closing:
            return
        try:
            self.below.resume()
            self.step_aside(self._accept, b"".join(self._seen))
        except Exception:
            # It is in nobody's `receive`, whose errors end one connection; this must not end the broker.
            _log.exception("%s:%s: internal error; closing the connection", self.peer_host, self.peer_port)
            self.below.abort()

    def give_up(self) -> None:
        """They can't be had; the log says why."""
        if not self.closing:
            self.close_early()
