"""Where the broker listens, in RabbitMQ's names of protocols, and whether it listens for something."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

PROTOCOLS: Final = {
    "amqp": "amqp",
    "amqp10": "amqp10",
    "stomp": "stomp",
    "mqtt": "mqtt",
    "stream": "stream",
    "ws": "http/web",
    "http": "http",
    "metrics": "http/prometheus",
    "auto": "auto",
}
"""RabbitMQ's names of what listeners speak; with `/ssl` behind them over TLS."""

PURPOSES: Final = {
    "amqp": "AMQP 0-9-1 and AMQP 1.0",
    "amqp10": "AMQP 1.0",
    "stomp": "STOMP",
    "mqtt": "MQTT",
    "stream": "RabbitMQ's stream protocol",
    "http/web": "WebSocket: MQTT and STOMP",
    "http": "HTTP API",
    "http/prometheus": "metrics for Prometheus",
    "auto": "every protocol",
}
"""What those are for."""

OTHER_NAMES: Final = {
    "amqp091": "amqp",
    "amqp0-9-1": "amqp",
    "amqp10": "amqp",
    "amqp1.0": "amqp",
    "amqps": "amqp/ssl",
    "amqp091/ssl": "amqp/ssl",
    "mqtts": "mqtt/ssl",
    "stomps": "stomp/ssl",
    "streams": "stream/ssl",
    "https": "http/ssl",
}
"""What else people call them."""


class Listening(NamedTuple):
    """One address."""

    protocol: str
    host: str
    port: int
    tls: bool

    @property
    def purpose(self) -> str:
        """What it is for, in a few words."""
        found = PURPOSES.get(self.protocol.removesuffix("/ssl"), self.protocol)
        return f"{found} over TLS" if self.tls else found


def listeners(listening: Mapping[str, Sequence[tuple[str, int]]]) -> Iterator[Listening]:
    """Each address.  listening: addresses by the listener's name."""
    for listener, addresses in listening.items():
        tls = listener not in PROTOCOLS and listener.endswith("s")
        protocol = listener.removesuffix("s") if tls else listener
        shown = PROTOCOLS.get(protocol, protocol) + ("/ssl" if tls else "")
        for host, port in addresses:
            yield Listening(shown, host, port, tls)


def missing_protocols(there: Iterable[Listening], asked: Iterable[str]) -> list[str]:
    """Those of these protocols that nothing listens for."""
    names = {each.protocol for each in there}
    return [each for each in asked if OTHER_NAMES.get(each.lower(), each.lower()) not in names]
