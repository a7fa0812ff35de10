"""Which protocol is spoken inside a WebSocket: by the subprotocol that the client offers, or else by path and bytes.

`v10.stomp`, `v11.stomp`, `v12.stomp`, `mqtt`, `mqttv3.1` and `amqp` are known; of STOMP's the highest that was offered
is selected, otherwise the first known one.  Whoever offers none gets none: STOMP on /stomp, AMQP on /ws/amqp (both as
their JavaScript clients may be set up), and elsewhere whatever the first bytes are.  /mqtt insists on a subprotocol, as
MQTT does (MQTT-6.0.0-3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.adapters.interface import Accept, Options

STOMP: Final = "stomp"
MQTT: Final = "mqtt"
AMQP: Final = "amqp"

BY_SUBPROTOCOL: Final[Mapping[str, str]] = {
    "v12.stomp": STOMP,
    "v11.stomp": STOMP,
    "v10.stomp": STOMP,
    "mqtt": MQTT,
    "mqttv3.1": MQTT,
    "amqp": AMQP,
}
"""Every subprotocol and the adapter for it; STOMP's in order of preference."""

UNDECIDED: Final = ""
"""Spoken is what the first bytes say."""

BY_PATH: Final[Mapping[str, str | None]] = {
    "/": UNDECIDED,
    "/ws": UNDECIDED,
    "/stomp": STOMP,
    "/mqtt": None,
    "/ws/amqp": AMQP,
}
"""The WebSocket endpoints: what is spoken there without a subprotocol; None when one must be offered."""

_AMQP_HEADER: Final = b"AMQP"
_MQTT_CONNECT: Final = b"\x10"


def select(offered: Sequence[str]) -> str | None:
    """The subprotocol for those that a client offers; None when none of them is known."""
    known = [name for name in offered if name in BY_SUBPROTOCOL]
    if known and BY_SUBPROTOCOL[known[0]] == STOMP:
        return next(name for name in BY_SUBPROTOCOL if name in known)
    return known[0] if known else None


def recognise(first: bytes) -> str | None:
    """What is spoken by whoever sends these bytes first; None while they are too few to say."""
    if first[:1] == _MQTT_CONNECT:
        return MQTT
    if _AMQP_HEADER.startswith(first[:4]):
        return AMQP if len(first) >= 4 else None
    return STOMP


class Adapters:
    """Warren's own adapters, imported and configured when the first session needs them."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._accepts: dict[str, Accept] = {}

    def accept(self, protocol: str) -> Accept:
        """What makes the sessions of this protocol."""
        accept = self._accepts.get(protocol)
        if accept is None:
            accept = self._accepts[protocol] = _configure(protocol, self._options)
        return accept


def _configure(protocol: str, options: Options) -> Accept:
    if protocol == STOMP:
        from warren.adapters.stomp.adapter import configure
    elif protocol == MQTT:
        from warren.adapters.mqtt.adapter import configure
    else:
        from warren.adapters.amqp091.adapter import configure
    return configure(options)
