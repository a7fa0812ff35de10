"""What a broker's operator decides about its MQTT connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from warren.adapters.first_bytes import no_answer, no_hint
from warren.adapters.session.keys import UNREAD_TIMEOUT_S
from warren.core.configuration.key import Key, configured, milliseconds
from warren.core.configuration.values import boolean, number, seconds_of, size, text, whole_number
from warren.core.frozen import frozen

PACKET_BYTES_MAX_BEFORE_LOGIN: Final = 64 * 1024
"""Who has not logged in is not given memory (spec C.2)."""

KEEP_ALIVE_MAX_S: Final = 65_535
"""What the field can hold: no cap."""

KNOWN_TOPIC_BYTES_MAX: Final = 256
"""Longer topics than a routing key can hold are rare, and take memory."""

_PACKET_BYTES_LEAST: Final = 4096
"""A login has to fit, with room to spare."""

_PACKET_BYTES_MOST: Final = 268_435_460
"""The longest packet that MQTT can write (MQTT 5 1.5.5)."""

_NEVER: Final = 0xFFFF_FFFF
"""The session expiry interval that has no end, and the most that the field can hold (MQTT 5 3.1.2.11.2)."""


def _session_expiry(seconds: str) -> str:
    return str(_NEVER) if seconds == "infinity" else seconds


REFUSALS_PER_MINUTE_MAX: Final = 100
"""Each costs a look at permissions; who is told no more than once a second and goes on has not understood it."""


@frozen
class MqttSettings:
    """Limits, names and habits.

    unread_timeout_ms: how long a peer may leave its replies unread, once its commands wait for that.
    known_topic_bytes_max: topics that are longer aren't remembered from one message to the next; below 0, none are.
    hint: what a peer's first bytes look like, for the log.  answer_to_typing: what a person is told.
    """

    allow_anonymous: bool = configured(
        Key(
            "mqtt_allow_anonymous",
            boolean,
            True,
            "Whether an MQTT CONNECT without credentials is the default user's. Also written "
            "`mqtt.allow_anonymous`, and so on for all keys of MQTT.",
            rabbitmq=("mqtt.allow_anonymous",),
        )
    )
    certificate_login: bool = configured(
        Key(
            "mqtt_certificate_login",
            boolean,
            False,
            "Whether an MQTT CONNECT without credentials is the user that the client's TLS "
            "certificate names. RabbitMQ's name for it is `mqtt.ssl_cert_login`.",
            also=("mqtt.ssl_cert_login",),
            rabbitmq=("mqtt.ssl_cert_login",),
        )
    )
    default_user: str = configured(
        Key(
            "mqtt_default_user",
            text,
            "guest",
            "User of an MQTT CONNECT without credentials.",
            rabbitmq=("mqtt.default_user",),
        )
    )
    default_password: str = configured(
        Key(
            "mqtt_default_pass",
            text,
            "guest",
            "Password of that user.",
            rabbitmq=("anonymous_login_pass", "mqtt.default_pass"),
            secret=True,
        )
    )
    default_vhost: str = configured(
        Key(
            "mqtt_default_vhost",
            text,
            "/",
            "Virtual host of a user name that names none (`VHOST:USER` does).",
            also=("mqtt.vhost",),
            rabbitmq=("mqtt.vhost",),
        )
    )
    login_timeout_ms: int = configured(
        Key(
            "mqtt_login_timeout_s",
            number(0.1, 3600, "seconds"),
            10.0,
            "Time a client has from connecting to CONNECT, in seconds.",
            rabbitmq=("mqtt.login_timeout",),
            from_rabbitmq=seconds_of,
        ),
        milliseconds,
    )
    ignore_colons_in_username: bool = configured(
        Key(
            "mqtt_ignore_colons_in_username",
            boolean,
            False,
            "Whether a user name with a colon names no virtual host.",
            rabbitmq=("mqtt.ignore_colons_in_username",),
        )
    )
    packet_bytes_max: int = configured(
        Key(
            "mqtt_max_packet_bytes",
            size(_PACKET_BYTES_LEAST, _PACKET_BYTES_MOST),
            16 * 2**20,
            "Largest MQTT packet, in bytes; told to MQTT 5 clients.",
            also=("mqtt.max_packet_size", "mqtt.max_packet_size_authenticated"),
            rabbitmq=("mqtt.max_packet_size_authenticated",),
        )
    )
    session_expiry_max_s: int = configured(
        Key(
            "mqtt_max_session_expiry_s",
            whole_number(0, _NEVER, "seconds"),
            86_400,
            "The longest time that a session outlives its connection, in seconds, and what persistent "
            "sessions of MQTT 3 get; 4294967295 is for ever, 0 allows no persistent sessions.",
            also=("mqtt.max_session_expiry_interval_seconds",),
            rabbitmq=("mqtt.max_session_expiry_interval_seconds",),
            from_rabbitmq=_session_expiry,
        )
    )
    keep_alive_max_s: int = configured(
        Key(
            "mqtt_max_keep_alive_s",
            whole_number(1, KEEP_ALIVE_MAX_S, "seconds"),
            KEEP_ALIVE_MAX_S,
            "Longest keep-alive interval; MQTT 5 clients that ask for more, or for none, are given "
            "this one. 65535 is no cap.",
        )
    )
    receive_maximum: int = configured(
        Key(
            "mqtt_receive_maximum",
            whole_number(1, 65535),
            1024,
            "Messages of QoS 1 and 2 that an MQTT 5 client may have sent without being answered.",
        )
    )
    in_flight_max: int = configured(
        Key(
            "mqtt_prefetch",
            whole_number(1, 65535),
            256,
            "Messages of QoS 1 and 2 that a client is sent without having answered, if it doesn't ask for less.",
            rabbitmq=("mqtt.prefetch",),
        )
    )
    topic_alias_max: int = configured(
        Key(
            "mqtt_topic_alias_maximum",
            whole_number(0, 65535),
            16,
            "Topic aliases per connection, in either direction.",
            rabbitmq=("mqtt.topic_alias_maximum",),
        )
    )
    disconnect_on_unauthorized: bool = configured(
        Key(
            "mqtt_disconnect_on_unauthorized",
            boolean,
            True,
            "Whether a client that publishes without permission, and can't be told so in an answer, is disconnected.",
            rabbitmq=("mqtt.disconnect_on_unauthorized",),
        )
    )
    hide_refusals: bool = configured(
        Key(
            "mqtt_hide_refusals",
            boolean,
            False,
            "Whether SUBACK keeps to itself why a subscription is refused: 0x80, unspecified error, instead of 0x87.",
        )
    )
    refusals_per_minute_max: int = configured(
        Key(
            "mqtt_refusals_per_minute_max",
            whole_number(0, 10**9),
            REFUSALS_PER_MINUTE_MAX,
            "So often in a minute a client may publish or subscribe without permission and be told so; then it is "
            "disconnected (0x87). 0 is any number.",
        )
    )
    unread_timeout_ms: int = configured(UNREAD_TIMEOUT_S, milliseconds)
    known_topic_bytes_max: int = KNOWN_TOPIC_BYTES_MAX
    hint: Callable[[bytes], str] = no_hint
    answer_to_typing: Callable[[bytes], bytes] = no_answer
