"""MQTT 5's properties (2.2.2.2): their names, their identifiers, where each is allowed and within which bounds.

A packet's properties are a dict of those that are present; its keys are the specification's names.  Two may come more
than once and are lists: user properties, in order and with duplicates, and subscription identifiers.  Flags are bools.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, TypedDict

from warren.adapters.mqtt.codec import reason_codes, versions


class Properties(TypedDict, total=False):
    """The properties of one packet, those that are present.  Intervals and keep alive are in seconds."""

    payload_format_indicator: int
    message_expiry_interval: int
    content_type: str
    response_topic: str
    correlation_data: bytes
    subscription_identifiers: list[int]
    session_expiry_interval: int
    assigned_client_identifier: str
    server_keep_alive: int
    authentication_method: str
    authentication_data: bytes
    request_problem_information: bool
    will_delay_interval: int
    request_response_information: bool
    response_information: str
    server_reference: str
    reason_string: str
    receive_maximum: int
    topic_alias_maximum: int
    topic_alias: int
    maximum_qos: int
    retain_available: bool
    user_properties: list[tuple[str, str]]
    maximum_packet_size: int
    wildcard_subscription_available: bool
    subscription_identifier_available: bool
    shared_subscription_available: bool


WILL: Final = 0
"""Stands for the will of a CONNECT among the packet types; 0 is no packet's number."""

SESSION_EXPIRY_NEVER: Final = 0xFFFF_FFFF
"""The session expiry interval of a session that doesn't expire (3.1.2.11.2)."""

RECEIVE_MAXIMUM_DEFAULT: Final = 65_535
"""What counts where it isn't said (3.1.2.11.3, 3.2.2.3.3)."""

SUBSCRIPTION_IDENTIFIER_MAX: Final = 268_435_455
"""3.8.2.1.2; also the largest number that four bytes of seven bits hold."""


class Kind(Enum):
    """How a value is written (2.2.2.2)."""

    BYTE = "byte"
    FLAG = "byte, 0 or 1"
    TWO_BYTES = "two byte integer"
    FOUR_BYTES = "four byte integer"
    VARIABLE = "variable byte integer"
    STRING = "UTF-8 encoded string"
    BINARY = "binary data"
    PAIR = "UTF-8 string pair"


@dataclass(frozen=True, slots=True)
class PropertyRule:
    """What holds for one property.

    packets: the types whose packets may carry it, WILL included.  section: where it is described.  minimum, maximum:
    bounds of a number beyond those of its kind; reason_code: what breaking them means; clause: the statement that has
    them, if it has a number.  is_repeatable: one packet may carry several, and the value is a list.
    """

    identifier: int
    name: str
    kind: Kind
    packets: frozenset[int]
    section: str
    minimum: int = 0
    maximum: int = 0xFFFF_FFFF
    reason_code: int = reason_codes.PROTOCOL_ERROR
    clause: str = ""
    is_repeatable: bool = False

    @property
    def bounds_clause(self) -> str:
        """The clause that a value out of bounds breaks."""
        return self.clause or self.section


_connect = frozenset({versions.CONNECT})
_connack = frozenset({versions.CONNACK})
_publish = frozenset({versions.PUBLISH})
_message = frozenset({versions.PUBLISH, WILL})
_login = frozenset({versions.CONNECT, versions.CONNACK})
_authentication = frozenset({versions.CONNECT, versions.CONNACK, versions.AUTH})
_answers = frozenset(
    {
        versions.CONNACK, versions.PUBACK, versions.PUBREC, versions.PUBREL, versions.PUBCOMP, versions.SUBACK,
        versions.UNSUBACK, versions.DISCONNECT, versions.AUTH,
    }
)  # fmt: skip
_all_with_properties = _answers | {
    WILL, versions.CONNECT, versions.PUBLISH, versions.SUBSCRIBE, versions.UNSUBSCRIBE,
}  # fmt: skip

RULES: Final = (
    PropertyRule(1, "payload_format_indicator", Kind.BYTE, _message, "3.3.2.3.2", maximum=1),
    PropertyRule(2, "message_expiry_interval", Kind.FOUR_BYTES, _message, "3.3.2.3.3"),
    PropertyRule(3, "content_type", Kind.STRING, _message, "3.3.2.3.9"),
    PropertyRule(8, "response_topic", Kind.STRING, _message, "3.3.2.3.5", clause="MQTT-3.3.2-14"),
    PropertyRule(9, "correlation_data", Kind.BINARY, _message, "3.3.2.3.6"),
    PropertyRule(
        11,
        "subscription_identifiers",
        Kind.VARIABLE,
        frozenset({versions.PUBLISH, versions.SUBSCRIBE}),
        "3.8.2.1.2",
        minimum=1,
        maximum=SUBSCRIPTION_IDENTIFIER_MAX,
        is_repeatable=True,
    ),
    PropertyRule(
        17,
        "session_expiry_interval",
        Kind.FOUR_BYTES,
        frozenset({versions.CONNECT, versions.CONNACK, versions.DISCONNECT}),
        "3.1.2.11.2",
    ),
    PropertyRule(18, "assigned_client_identifier", Kind.STRING, _connack, "3.2.2.3.7"),
    PropertyRule(19, "server_keep_alive", Kind.TWO_BYTES, _connack, "3.2.2.3.14"),
    PropertyRule(21, "authentication_method", Kind.STRING, _authentication, "3.1.2.11.9"),
    PropertyRule(22, "authentication_data", Kind.BINARY, _authentication, "3.1.2.11.10"),
    PropertyRule(23, "request_problem_information", Kind.FLAG, _connect, "3.1.2.11.7", maximum=1),
    PropertyRule(24, "will_delay_interval", Kind.FOUR_BYTES, frozenset({WILL}), "3.1.3.2.2"),
    PropertyRule(25, "request_response_information", Kind.FLAG, _connect, "3.1.2.11.6", maximum=1),
    PropertyRule(26, "response_information", Kind.STRING, _connack, "3.2.2.3.15"),
    PropertyRule(28, "server_reference", Kind.STRING, frozenset({versions.CONNACK, versions.DISCONNECT}), "3.2.2.3.16"),
    PropertyRule(31, "reason_string", Kind.STRING, _answers, "3.2.2.3.9"),
    PropertyRule(33, "receive_maximum", Kind.TWO_BYTES, _login, "3.1.2.11.3", minimum=1),
    PropertyRule(34, "topic_alias_maximum", Kind.TWO_BYTES, _login, "3.1.2.11.5"),
    PropertyRule(
        35,
        "topic_alias",
        Kind.TWO_BYTES,
        _publish,
        "3.3.2.3.4",
        minimum=1,
        reason_code=reason_codes.TOPIC_ALIAS_INVALID,
        clause="MQTT-3.3.2-8",
    ),
    PropertyRule(36, "maximum_qos", Kind.BYTE, _connack, "3.2.2.3.4", maximum=1),
    PropertyRule(37, "retain_available", Kind.FLAG, _connack, "3.2.2.3.5", maximum=1),
    PropertyRule(38, "user_properties", Kind.PAIR, _all_with_properties, "3.1.2.11.8", is_repeatable=True),
    PropertyRule(39, "maximum_packet_size", Kind.FOUR_BYTES, _login, "3.1.2.11.4", minimum=1),
    PropertyRule(40, "wildcard_subscription_available", Kind.FLAG, _connack, "3.2.2.3.11", maximum=1),
    PropertyRule(41, "subscription_identifier_available", Kind.FLAG, _connack, "3.2.2.3.12", maximum=1),
    PropertyRule(42, "shared_subscription_available", Kind.FLAG, _connack, "3.2.2.3.13", maximum=1),
)
"""Table 2-4, with the bounds from where each property is described."""

RULE_BY_IDENTIFIER: Final = {rule.identifier: rule for rule in RULES}
RULE_BY_NAME: Final = {rule.name: rule for rule in RULES}
