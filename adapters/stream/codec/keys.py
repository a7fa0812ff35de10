"""What commands and codes of the stream protocol are called (spec H.2)."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

RESPONSE: Final = 0x8000
"""This bit of a frame's key says that it answers a command."""


class Key(IntEnum):
    """The commands."""

    DECLARE_PUBLISHER = 1
    PUBLISH = 2
    PUBLISH_CONFIRM = 3
    PUBLISH_ERROR = 4
    QUERY_PUBLISHER_SEQUENCE = 5
    DELETE_PUBLISHER = 6
    SUBSCRIBE = 7
    DELIVER = 8
    CREDIT = 9
    STORE_OFFSET = 10
    QUERY_OFFSET = 11
    UNSUBSCRIBE = 12
    CREATE = 13
    DELETE = 14
    METADATA = 15
    METADATA_UPDATE = 16
    PEER_PROPERTIES = 17
    SASL_HANDSHAKE = 18
    SASL_AUTHENTICATE = 19
    TUNE = 20
    OPEN = 21
    CLOSE = 22
    HEARTBEAT = 23
    ROUTE = 24
    PARTITIONS = 25
    CONSUMER_UPDATE = 26
    EXCHANGE_COMMAND_VERSIONS = 27
    STREAM_STATS = 28
    CREATE_SUPER_STREAM = 29
    DELETE_SUPER_STREAM = 30
    RESOLVE_OFFSET_SPEC = 31


VERSION_1: Final = 1
VERSION_2: Final = 2

LATEST: Final = {Key.PUBLISH: VERSION_2, Key.DELIVER: VERSION_2}
"""Commands that have more than version 1."""


class Code(IntEnum):
    """What an answer says."""

    OK = 0x01
    NO_STREAM = 0x02
    SUBSCRIPTION_EXISTS = 0x03
    NO_SUBSCRIPTION = 0x04
    STREAM_EXISTS = 0x05
    NOT_AVAILABLE = 0x06
    NO_MECHANISM = 0x07
    AUTHENTICATION_FAILED = 0x08
    SASL_ERROR = 0x09
    SASL_CHALLENGE = 0x0A
    LOOPBACK_ONLY = 0x0B
    VHOST_REFUSED = 0x0C
    UNKNOWN_FRAME = 0x0D
    FRAME_TOO_LARGE = 0x0E
    INTERNAL_ERROR = 0x0F
    ACCESS_REFUSED = 0x10
    PRECONDITION_FAILED = 0x11
    NO_PUBLISHER = 0x12
    NO_OFFSET = 0x13


class OffsetType(IntEnum):
    """The ways of saying where to begin; NONE is in answers to ConsumerUpdate alone."""

    NONE = 0
    FIRST = 1
    LAST = 2
    NEXT = 3
    OFFSET = 4
    TIMESTAMP = 5
