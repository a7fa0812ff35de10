"""The control packets (MQTT 5 chapter 3), one class each.

The fields are MQTT 5's; what an older version has no room for stays at its default when decoded and is left out when
encoded.  Properties are a dict of those that are present (see properties.py).  Packets aren't changed once made.

A packet with a reason code that it can't carry can't be made: ValueError.  What it carries in place of a code that came
from elsewhere, `reason_codes.fitting` says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.properties import Properties


def _none() -> Properties:
    return {}


@dataclass(frozen=True, slots=True)
class Will:
    """The message that is published when the client is gone (3.1.2.5)."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: Properties = field(default_factory=_none)


@dataclass(frozen=True, slots=True)
class Connect:
    """A client introduces itself (3.1).

    clean_start: MQTT 3's clean session.  keep_alive_s: 0 is off.  level: the protocol level, one of versions.V3_1,
    V3_1_1 and V5.  is_bridge: the client is a broker that wants its own messages kept from it and the retain flag as
    it was published, in the way that Mosquitto's bridges ask for it (the level's highest bit).
    """

    client_id: str
    level: int = versions.V5
    clean_start: bool = True
    keep_alive_s: int = 0
    will: Will | None = None
    username: str | None = None
    password: bytes | None = None
    is_bridge: bool = False
    properties: Properties = field(default_factory=_none)


@dataclass(frozen=True, slots=True)
class ConnAck:
    """The server's answer to CONNECT (3.2).

    reason_code: in MQTT 3 the return code, 0 to 5; MQTT 5's are translated when encoded for MQTT 3.
    """

    reason_code: int = 0
    session_present: bool = False
    properties: Properties = field(default_factory=_none)

    def __post_init__(self) -> None:
        reason_codes.check(versions.CONNACK, self.reason_code)


@dataclass(frozen=True, slots=True)
class Publish:
    """An application message (3.3).  packet_id: 0 with QoS 0.  topic: may be empty with a topic alias."""

    topic: str
    payload: bytes
    qos: int = 0
    packet_id: int = 0
    retain: bool = False
    duplicate: bool = False
    properties: Properties = field(default_factory=_none)


@dataclass(frozen=True, slots=True)
class PubAck:
    """QoS 1: the message is taken over, or refused (3.4)."""

    packet_id: int
    reason_code: int = 0
    properties: Properties = field(default_factory=_none)

    def __post_init__(self) -> None:
        reason_codes.check(versions.PUBACK, self.reason_code)


@dataclass(frozen=True, slots=True)
class PubRec:
    """QoS 2, first answer: the message is taken over, or refused (3.5)."""

    packet_id: int
    reason_code: int = 0
    properties: Properties = field(default_factory=_none)

    def __post_init__(self) -> None:
        reason_codes.check(versions.PUBREC, self.reason_code)


@dataclass(frozen=True, slots=True)
class PubRel:
    """QoS 2, the sender forgets the message and frees its identifier (3.6)."""

    packet_id: int
    reason_code: int = 0
    properties: Properties = field(default_factory=_none)

    def __post_init__(self) -> None:
        reason_codes.check(versions.PUBREL, self.reason_code)


@dataclass(frozen=True, slots=True)
class PubComp:
    """QoS 2, last answer (3.7)."""

    packet_id: int
    reason_code: int = 0
    properties: Properties = field(default_factory=_none)

    def __post_init__(self) -> None:
        reason_codes.check(versions.PUBCOMP, self.reason_code)


class Subscription(NamedTuple):
    """One filter of a SUBSCRIBE with its options (3.8.3.1).  MQTT 3 has only the QoS.

    retain_handling: 0 retained messages are sent, 1 only if the subscription is new, 2 never.  A tuple, since a packet
    may have thousands of them.
    """

    filter: str
    qos: int = 0
    no_local: bool = False
    retain_as_published: bool = False
    retain_handling: int = 0


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Filters to receive messages by (3.8)."""

    packet_id: int
    subscriptions: tuple[Subscription, ...]
    properties: Properties = field(default_factory=_none)


@dataclass(frozen=True, slots=True)
class SubAck:
    """The answer to SUBSCRIBE, a code per filter in their order (3.9)."""

    packet_id: int
    reason_codes: tuple[int, ...]
    properties: Properties = field(default_factory=_none)

    def __post_init__(self) -> None:
        for code in set(self.reason_codes):
            reason_codes.check(versions.SUBACK, code)


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Filters not to receive messages by any more (3.10)."""

    packet_id: int
    filters: tuple[str, ...]
    properties: Properties = field(default_factory=_none)


@dataclass(frozen=True, slots=True)
class UnsubAck:
    """The answer to UNSUBSCRIBE; a code per filter in their order, none in MQTT 3 (3.11)."""

    packet_id: int
    reason_codes: tuple[int, ...] = ()
    properties: Properties = field(default_factory=_none)

    def __post_init__(self) -> None:
        for code in set(self.reason_codes):
            reason_codes.check(versions.UNSUBACK, code)


@dataclass(frozen=True, slots=True)
class PingReq:
    """A client is alive (3.12)."""


@dataclass(frozen=True, slots=True)
class PingResp:
    """So is the server (3.13)."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """The last packet (3.14).  In MQTT 3 only clients send it, and it says nothing."""

    reason_code: int = 0
    properties: Properties = field(default_factory=_none)

    def __post_init__(self) -> None:
        reason_codes.check(versions.DISCONNECT, self.reason_code)


@dataclass(frozen=True, slots=True)
class Auth:
    """A step of an authentication in several steps (3.15); MQTT 5 only."""

    reason_code: int = 0
    properties: Properties = field(default_factory=_none)

    def __post_init__(self) -> None:
        reason_codes.check(versions.AUTH, self.reason_code)


Packet: TypeAlias = (
    Connect
    | ConnAck
    | Publish
    | PubAck
    | PubRec
    | PubRel
    | PubComp
    | Subscribe
    | SubAck
    | Unsubscribe
    | UnsubAck
    | PingReq
    | PingResp
    | Disconnect
    | Auth
)
