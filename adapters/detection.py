"""One port for everything: a stage that looks at the first bytes, makes the session that they call for, and leaves.

TLS may come first; then the same decision is made once more inside it.  What is on such a port is whatever is given to
`detect`; a connection that begins with anything else, or with nothing in time, is closed with a line in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from warren.adapters import first_bytes
from warren.adapters.stage import Stage
from warren.core.frozen import frozen

if TYPE_CHECKING:
    from warren.adapters.interface import AcceptCarrier, Adapter
    from warren.core.broker import Broker
    from warren.core.clients.outbox import Outbox
    from warren.core.clients.transport import Carrier, Session

_log = logging.getLogger("warren.detection")


@frozen
class Choices:
    """What may be spoken on a port.

    adapters: the protocols that can be told apart.  by_protocol: what makes the session, by the protocol's name.
    tls: what makes a stage of TLS, None where there is no TLS, or it is there already.  timeout_ms: how long the first
    bytes may take, in milliseconds.
    """

    adapters: Mapping[str, Adapter]
    by_protocol: Mapping[str, AcceptCarrier]
    tls: AcceptCarrier | None
    timeout_ms: int


def detect(choices: Choices) -> AcceptCarrier:
    """What makes the stage for an accepted connection."""

    def accept(broker: Broker, below: Carrier) -> tuple[Session, Outbox]:
        stage = Detection(broker, below, choices)
        return stage, stage.outbox

    return accept


class Detection(Stage):
    """Looks at the first bytes of one connection, and steps aside."""

    def __init__(self, broker: Broker, below: Carrier, choices: Choices) -> None:
        super().__init__(broker, below)
        self._choices = choices
        self._seen = b""
        self._deadline = broker.deadlines.schedule(broker.now_ms + choices.timeout_ms, self._expired)

    def receive(self, data: bytes) -> None:
        """Decide, as soon as there is enough to decide by."""
        if self.closing:
            return
        self._seen += data
        spoken = first_bytes.recognise(self._seen, self._choices.adapters)
        if spoken == first_bytes.MORE:
            return
        self._deadline.cancel()
        choices = self._choices
        accept = choices.tls if spoken == first_bytes.TLS else choices.by_protocol.get(spoken or "")
        if accept is not None:
            self.step_aside(accept, self._seen)
        else:
            self._refuse(spoken)

    def connection_lost(self, reason: str) -> None:
        """The connection is gone before anything was decided."""
        self._deadline.cancel()
        if not self.closing:
            _log.debug("connection %s: %s before saying what it speaks", self.name, reason)
        super().connection_lost(reason)

    def close_early(self) -> None:
        """Close, and forget the time-out."""
        self._deadline.cancel()
        super().close_early()

    def _refuse(self, spoken: str | None) -> None:
        if spoken == first_bytes.TLS and self.tls is None:
            why = "TLS, but the broker has no certificate; set tls_certificate_file (warren tls dev makes one)"
            self.outbox.write(first_bytes.TLS_REFUSED)
        elif spoken is not None:
            why = f"{spoken.upper()}, which isn't served on this port"
        else:
            why = f"{self._seen[:8]!r}, which is none of {', '.join(self._choices.by_protocol)}"
        _log.warning("connection %s: it begins with %s; closing it", self.name, why)
        self.close_early()

    def _expired(self, now_ms: int) -> None:
        self.broker.limit_hits.count("handshake_timeout_s")
        _log.warning(
            "connection %s: sent %s within %g s; closing it",
            self.name,
            f"only {self._seen[:8]!r}" if self._seen else "nothing",
            self._choices.timeout_ms / 1000,
        )
        self.close_early()
