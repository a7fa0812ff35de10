"""The handshake from the client's side: start, tune, open (AMQP 0-9-1 2.2.4; spec A.3)."""

from __future__ import annotations

import platform
from dataclasses import field
from typing import TYPE_CHECKING, Final, Literal

from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.constants import (
    FRAME_MAX_DEFAULT_BYTES,
    FRAME_MAX_INITIAL_BYTES,
    FRAME_MAX_LEAST_BYTES,
)
from warren.adapters.peers.errors import PeerError
from warren.adapters.peers.node_proof import NotProved
from warren.core.frozen import frozen
from warren.core.messages.field_table import FieldTable, encode_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warren.adapters.peers.node_proof import AskingNode
    from warren.core.messages.field_table import Encodable

CAPABILITIES: Final = (
    "authentication_failure_close",
    "basic.nack",
    "connection.blocked",
    "consumer_cancel_notify",
    "exchange_exchange_bindings",
    "publisher_confirms",
)
"""What this client can be told or asked, in RabbitMQ's names."""

NO_LIMIT_BYTES: Final = 0x7FFF_FFFF
"""What a frame_max of 0, no limit, is reckoned with: content sizes are compared to it."""

CHANNEL_MAX_MOST: Final = 0xFFFF
"""A channel's number is a u16; a channel_max of 0 means all of them."""

Mechanism = Literal["PLAIN", "AMQPLAIN", "EXTERNAL"]


@frozen
class Login:
    """How this client introduces itself.

    name: what the peer's listings call the connection.  heartbeat_s: what is asked for, 0 for none; the peer's wish
    counts if it is shorter.  channel_max: 0 for the peer's.  node: proves that this is a node of the peer's cluster, in
    place of user and password.
    """

    product: str
    version: str
    name: str
    vhost: str = "/"
    mechanism: str = "PLAIN"
    user: str = "guest"
    password: str = field(default="guest", repr=False)
    heartbeat_s: int = 10
    channel_max: int = 0
    frame_max: int = FRAME_MAX_DEFAULT_BYTES
    node: AskingNode | None = field(default=None, repr=False)


class Handshake:
    """Answers the peer's methods until the connection is open.

    After `method` has returned True it is over: frame_max (bytes), channel_max, heartbeat_s (0 for none) are agreed on,
    `server_properties` say who the peer is, and `capabilities` what it can do.
    """

    def __init__(self, login: Login) -> None:
        self._login = login
        self._expected: type[methods.Method] = methods.ConnectionStart
        self.server_properties: FieldTable = {}
        self.capabilities: frozenset[str] = frozenset()
        self.frame_max = FRAME_MAX_INITIAL_BYTES
        self.channel_max = CHANNEL_MAX_MOST
        self.heartbeat_s = 0

    @property
    def awaited(self) -> str:
        """The method that has to come next."""
        return self._expected.NAME

    def answer(self, method: methods.Method) -> list[methods.Method] | None:
        """What is to be sent for this method of the peer's; None when the handshake is over.

        Raises PeerError for a method out of turn, a login that the peer doesn't offer, a frame_max below the least.
        """
        if isinstance(method, methods.ConnectionSecure):
            if self._login.node is not None:
                return [methods.ConnectionSecureOk(_proof(self._login.node, method.challenge))]
            raise PeerError(f"the peer asks for more than the mechanism {self._login.mechanism} has to say")
        if not isinstance(method, self._expected):
            raise PeerError(f"the peer sent {method.NAME} during the handshake instead of {self._expected.NAME}")
        if isinstance(method, methods.ConnectionStart):
            self._expected = methods.ConnectionTune
            return [self._start_ok(method)]
        if isinstance(method, methods.ConnectionTune):
            self._expected = methods.ConnectionOpenOk
            return [self._tune_ok(method), methods.ConnectionOpen(self._login.vhost)]
        return None

    def _start_ok(self, start: methods.ConnectionStart) -> methods.ConnectionStartOk:
        login = self._login
        offered = start.mechanisms.decode("utf-8", "replace").split()
        if login.mechanism not in offered:
            raise PeerError(
                f"the peer doesn't let anybody log in by {login.mechanism}, only by {', '.join(offered) or 'nothing'}"
            )
        self.server_properties = start.server_properties
        capabilities = start.server_properties.get("capabilities")
        if isinstance(capabilities, dict):
            self.capabilities = frozenset(name for name, value in capabilities.items() if value is True)
        properties: Mapping[str, Encodable] = {
            "product": login.product,
            "version": login.version,
            "platform": f"{platform.python_implementation()} {platform.python_version()}",
            "capabilities": dict.fromkeys(CAPABILITIES, True),
            "connection_name": login.name,
        }
        return methods.ConnectionStartOk({}, login.mechanism, _response(login), "en_US", encode_table(properties))

    def _tune_ok(self, tune: methods.ConnectionTune) -> methods.ConnectionTuneOk:
        login = self._login
        if tune.frame_max and tune.frame_max < FRAME_MAX_LEAST_BYTES:
            raise PeerError(f"the peer's frame_max of {tune.frame_max} is below {FRAME_MAX_LEAST_BYTES}, the least")
        frame_max = _smaller(tune.frame_max, login.frame_max)
        channel_max = _smaller(tune.channel_max, login.channel_max)
        self.frame_max = frame_max or NO_LIMIT_BYTES
        self.channel_max = channel_max or CHANNEL_MAX_MOST
        self.heartbeat_s = _smaller(tune.heartbeat, login.heartbeat_s) if login.heartbeat_s else 0
        return methods.ConnectionTuneOk(channel_max, frame_max, self.heartbeat_s)


def _smaller(one: int, other: int) -> int:
    """The stricter of two limits, where 0 is none."""
    return min(one, other) if one and other else one or other


def _proof(node: AskingNode, challenge: bytes) -> bytes:
    try:
        return node.answer(challenge)
    except NotProved as error:
        raise PeerError(str(error)) from None


def _response(login: Login) -> bytes:
    if login.node is not None:
        return login.node.start()
    if login.mechanism == "EXTERNAL":
        return b""
    if login.mechanism == "AMQPLAIN":
        return encode_table({"LOGIN": login.user, "PASSWORD": login.password})[4:]
    return b"\0%b\0%b" % (login.user.encode(), login.password.encode())
