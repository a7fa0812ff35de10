"""MQTT 5's reason codes (2.4), which packet may carry which, and what MQTT 3 has in their place.

From 0x80 on a code means failure.
"""

from __future__ import annotations

from typing import Final

from warren.adapters.mqtt.codec import versions

SUCCESS: Final = 0x00
NORMAL_DISCONNECTION: Final = 0x00
GRANTED_QOS_0: Final = 0x00
GRANTED_QOS_1: Final = 0x01
GRANTED_QOS_2: Final = 0x02
DISCONNECT_WITH_WILL: Final = 0x04
NO_MATCHING_SUBSCRIBERS: Final = 0x10
NO_SUBSCRIPTION_EXISTED: Final = 0x11
CONTINUE_AUTHENTICATION: Final = 0x18
REAUTHENTICATE: Final = 0x19
UNSPECIFIED_ERROR: Final = 0x80
MALFORMED_PACKET: Final = 0x81
PROTOCOL_ERROR: Final = 0x82
IMPLEMENTATION_SPECIFIC_ERROR: Final = 0x83
UNSUPPORTED_PROTOCOL_VERSION: Final = 0x84
CLIENT_IDENTIFIER_NOT_VALID: Final = 0x85
BAD_USER_NAME_OR_PASSWORD: Final = 0x86
NOT_AUTHORIZED: Final = 0x87
SERVER_UNAVAILABLE: Final = 0x88
SERVER_BUSY: Final = 0x89
BANNED: Final = 0x8A
SERVER_SHUTTING_DOWN: Final = 0x8B
BAD_AUTHENTICATION_METHOD: Final = 0x8C
KEEP_ALIVE_TIMEOUT: Final = 0x8D
SESSION_TAKEN_OVER: Final = 0x8E
TOPIC_FILTER_INVALID: Final = 0x8F
TOPIC_NAME_INVALID: Final = 0x90
PACKET_IDENTIFIER_IN_USE: Final = 0x91
PACKET_IDENTIFIER_NOT_FOUND: Final = 0x92
RECEIVE_MAXIMUM_EXCEEDED: Final = 0x93
TOPIC_ALIAS_INVALID: Final = 0x94
PACKET_TOO_LARGE: Final = 0x95
MESSAGE_RATE_TOO_HIGH: Final = 0x96
QUOTA_EXCEEDED: Final = 0x97
ADMINISTRATIVE_ACTION: Final = 0x98
PAYLOAD_FORMAT_INVALID: Final = 0x99
RETAIN_NOT_SUPPORTED: Final = 0x9A
QOS_NOT_SUPPORTED: Final = 0x9B
USE_ANOTHER_SERVER: Final = 0x9C
SERVER_MOVED: Final = 0x9D
SHARED_SUBSCRIPTIONS_NOT_SUPPORTED: Final = 0x9E
CONNECTION_RATE_EXCEEDED: Final = 0x9F
MAXIMUM_CONNECT_TIME: Final = 0xA0
SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED: Final = 0xA1
WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED: Final = 0xA2

FAILURE: Final = 0x80
"""The first code that means failure."""

NAMES: Final = {
    0x00: "Success",
    0x01: "Granted QoS 1",
    0x02: "Granted QoS 2",
    0x04: "Disconnect with Will Message",
    0x10: "No matching subscribers",
    0x11: "No subscription existed",
    0x18: "Continue authentication",
    0x19: "Re-authenticate",
    0x80: "Unspecified error",
    0x81: "Malformed Packet",
    0x82: "Protocol Error",
    0x83: "Implementation specific error",
    0x84: "Unsupported Protocol Version",
    0x85: "Client Identifier not valid",
    0x86: "Bad User Name or Password",
    0x87: "Not authorized",
    0x88: "Server unavailable",
    0x89: "Server busy",
    0x8A: "Banned",
    0x8B: "Server shutting down",
    0x8C: "Bad authentication method",
    0x8D: "Keep Alive timeout",
    0x8E: "Session taken over",
    0x8F: "Topic Filter invalid",
    0x90: "Topic Name invalid",
    0x91: "Packet Identifier in use",
    0x92: "Packet Identifier not found",
    0x93: "Receive Maximum exceeded",
    0x94: "Topic Alias invalid",
    0x95: "Packet too large",
    0x96: "Message rate too high",
    0x97: "Quota exceeded",
    0x98: "Administrative action",
    0x99: "Payload format invalid",
    0x9A: "Retain not supported",
    0x9B: "QoS not supported",
    0x9C: "Use another server",
    0x9D: "Server moved",
    0x9E: "Shared Subscriptions not supported",
    0x9F: "Connection rate exceeded",
    0xA0: "Maximum connect time",
    0xA1: "Subscription Identifiers not supported",
    0xA2: "Wildcard Subscriptions not supported",
}
"""The names of table 2-6, by code."""

_ACCEPTED_PUBLISH = frozenset({0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99})
_RELEASE = frozenset({0x00, 0x92})

ALLOWED: Final = {
    versions.CONNACK: frozenset({0x00, *range(0x80, 0x8B), 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F}),
    versions.PUBACK: _ACCEPTED_PUBLISH,
    versions.PUBREC: _ACCEPTED_PUBLISH,
    versions.PUBREL: _RELEASE,
    versions.PUBCOMP: _RELEASE,
    versions.SUBACK: frozenset({0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2}),
    versions.UNSUBACK: frozenset({0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91}),
    versions.DISCONNECT: frozenset(
        {0x00, 0x04, *range(0x80, 0x84), 0x87, 0x89, *range(0x8B, 0x91), *range(0x93, 0xA3)}
    ),
    versions.AUTH: frozenset({0x00, 0x18, 0x19}),
}
"""The codes that a packet of each type may carry (table 2-6)."""

_INSTEAD: Final = {
    versions.CONNACK: {
        SERVER_SHUTTING_DOWN: SERVER_UNAVAILABLE,
        ADMINISTRATIVE_ACTION: SERVER_UNAVAILABLE,
        MAXIMUM_CONNECT_TIME: SERVER_UNAVAILABLE,
        MESSAGE_RATE_TOO_HIGH: CONNECTION_RATE_EXCEEDED,
        TOPIC_FILTER_INVALID: PROTOCOL_ERROR,
        PACKET_IDENTIFIER_IN_USE: PROTOCOL_ERROR,
        PACKET_IDENTIFIER_NOT_FOUND: PROTOCOL_ERROR,
        RECEIVE_MAXIMUM_EXCEEDED: PROTOCOL_ERROR,
        TOPIC_ALIAS_INVALID: PROTOCOL_ERROR,
        SHARED_SUBSCRIPTIONS_NOT_SUPPORTED: PROTOCOL_ERROR,
        SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED: PROTOCOL_ERROR,
        WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED: PROTOCOL_ERROR,
    },
    versions.DISCONNECT: {
        UNSUPPORTED_PROTOCOL_VERSION: PROTOCOL_ERROR,
        CLIENT_IDENTIFIER_NOT_VALID: PROTOCOL_ERROR,
        BAD_USER_NAME_OR_PASSWORD: NOT_AUTHORIZED,
        SERVER_UNAVAILABLE: SERVER_BUSY,
        BANNED: NOT_AUTHORIZED,
        PACKET_IDENTIFIER_IN_USE: PROTOCOL_ERROR,
        PACKET_IDENTIFIER_NOT_FOUND: PROTOCOL_ERROR,
    },
    versions.PUBREL: dict.fromkeys(NAMES, PACKET_IDENTIFIER_NOT_FOUND),
    versions.PUBCOMP: dict.fromkeys(NAMES, PACKET_IDENTIFIER_NOT_FOUND),
}
"""What a packet says in place of a failure that it can't carry: the nearest that it can; UNSPECIFIED_ERROR for others.

A packet that only CONNACK or DISCONNECT could answer and that has no business there is a protocol error: SUBSCRIBE
before the login is through, a second CONNECT."""


def fitting(packet: int, code: int) -> int:
    """`code`, or what a packet of this type carries in its place.

    Whoever answers with a code that it was given by somebody else asks this, as packets with others can't be made
    (`check`).
    """
    if code in ALLOWED[packet]:
        return code
    return _INSTEAD.get(packet, {}).get(code, UNSPECIFIED_ERROR)


def check(packet: int, code: int) -> None:
    """ValueError for a code that a packet of this type can't carry; all packets ask this when they are made."""
    if code not in ALLOWED[packet] and not (packet == versions.CONNACK and 0 < code <= RETURN_CODE_MAX):
        raise ValueError(f"{versions.TYPE_NAMES[packet]} can't carry the reason code 0x{code:02X}")


ACCEPTED: Final = 0
UNACCEPTABLE_PROTOCOL_LEVEL: Final = 1
IDENTIFIER_REJECTED: Final = 2
SERVER_UNAVAILABLE_V3: Final = 3
BAD_USER_NAME_OR_PASSWORD_V3: Final = 4
NOT_AUTHORIZED_V3: Final = 5

RETURN_CODE_MAX: Final = 5
"""The last of CONNACK's return codes in MQTT 3 (3.1.1 table 3.1)."""

SUBSCRIBE_FAILURE_V3: Final = 0x80
"""The one way to refuse a subscription in 3.1.1 (3.9.3)."""

_return_codes = {
    SUCCESS: ACCEPTED,
    UNSUPPORTED_PROTOCOL_VERSION: UNACCEPTABLE_PROTOCOL_LEVEL,
    CLIENT_IDENTIFIER_NOT_VALID: IDENTIFIER_REJECTED,
    BAD_USER_NAME_OR_PASSWORD: BAD_USER_NAME_OR_PASSWORD_V3,
    NOT_AUTHORIZED: NOT_AUTHORIZED_V3,
    BANNED: NOT_AUTHORIZED_V3,
    BAD_AUTHENTICATION_METHOD: NOT_AUTHORIZED_V3,
    QUOTA_EXCEEDED: NOT_AUTHORIZED_V3,
}


def connack_return_code(reason_code: int) -> int:
    """What an MQTT 3 client is told in CONNACK for `reason_code`: server unavailable where nothing fits better."""
    if reason_code <= RETURN_CODE_MAX:
        return reason_code
    return _return_codes.get(reason_code, SERVER_UNAVAILABLE_V3)


def name_of(reason_code: int) -> str:
    """The code's name for people and logs."""
    return NAMES.get(reason_code, f"0x{reason_code:02X}")
