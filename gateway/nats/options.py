"""What a client of NATS is told."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Final

from warren.gateway.nats.addresses import ServerAddress
from warren.gateway.nats.login import Login

CONNECT_TIMEOUT_S: Final = 5.0
"""For one server, from the first packet to the answer to the login."""

ANSWER_TIMEOUT_S: Final = 3.0
"""For one try of a call: what is sent to a stream whose servers are electing a leader may never be answered."""

RETRY_FIRST_S: Final = 0.05
RETRY_MOST_S: Final = 2.0
"""Between two rounds over all servers, none of which could be reached: doubled each time."""


@dataclass(frozen=True, slots=True)
class Options:
    """servers: tried one after the other, beginning behind the one that was lost.  tls: the context to use where TLS is
    wanted; None for the system's certificates.  name: of the client, for who looks at the server's connections."""

    servers: tuple[ServerAddress, ...]
    login: Login = field(default_factory=Login)
    tls: ssl.SSLContext | None = None
    name: str = "warren"
    connect_timeout_s: float = CONNECT_TIMEOUT_S
    answer_timeout_s: float = ANSWER_TIMEOUT_S

    def tls_context(self) -> ssl.SSLContext:
        """What to use where the server or its address wants TLS."""
        return self.tls if self.tls is not None else ssl.create_default_context()
