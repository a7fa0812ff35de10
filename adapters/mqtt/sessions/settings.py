"""What a broker's operator decides about the sessions of MQTT clients, connected or not."""

from __future__ import annotations

from typing import Final

from warren.core.configuration.key import Key, configured
from warren.core.configuration.values import boolean, one_of, size, text, whole_number
from warren.core.frozen import frozen

ROUND_ROBIN: Final = "round-robin"
STICKY: Final = "sticky"
HASH: Final = "hash"
STRATEGIES: Final = (ROUND_ROBIN, STICKY, HASH)
"""Which member of a shared subscription gets a message: see sharing.py."""

QUEUED_MAX: Final = 1_000_000
"""Messages that may wait for one client: ten each second for more than a day, as long as sessions mostly last.  Those
of persistent sessions wait on disk, where a million of them take some 120 MB of memory."""

QUEUED_QOS_0_MAX: Final = 20_000
"""Messages that may wait for a slow client before those of QoS 0 are dropped: some seconds of a fast publisher."""

QUEUED_QOS_0_BYTES_MAX: Final = 32 * 1024 * 1024
"""The same in bytes of their bodies."""

DEEP_LEVELS_MAX: Final = 5_000
"""Levels beyond the usual, of one client's topic filters together: they take some 3 MB, and some 15 ms to make."""

RETAINED_MAX: Final = 100_000
"""Topics with a retained message: they are in memory, 1 to 2 KB each beside their bodies (spec C.3)."""

RETAINED_BYTES_MAX: Final = 1_000_000_000
"""Their bodies together."""


@frozen
class SessionSettings:
    """What topics are called in AMQP (names.py), and who of a group gets a message (sharing.py)."""

    exchange: str = configured(
        Key(
            "mqtt_exchange",
            text,
            "amq.topic",
            "The exchange that MQTT publishes to and subscribes from. It must be there in each "
            "virtual host that MQTT clients use, durable and of type topic; else they are refused.",
            rabbitmq=("mqtt.exchange",),
        )
    )
    sparkplug: bool = configured(
        Key(
            "mqtt_sparkplug",
            boolean,
            False,
            "Whether the first word of Sparkplug's topics, `spBv1.0`, is `spBv1___0` in routing keys, as in RabbitMQ.",
            rabbitmq=("mqtt.sparkplug",),
        )
    )
    shared_strategy: str = configured(
        Key(
            "mqtt_shared_subscription_strategy",
            one_of(STRATEGIES),
            ROUND_ROBIN,
            "Which member of a shared subscription gets a message: `round-robin`, each in turn; "
            "`sticky`, always the same one until it goes or can't take any more; `hash`, by the "
            "topic, so that messages of a topic keep their order. The policy key "
            "`mqtt-shared-subscription-strategy` sets it for single groups.",
        )
    )


@frozen
class QueueLimits:
    """How much may wait for a client.  messages: of any QoS; 0 for any number.  qos_0_*: before those of QoS 0 go.

    retained_*: how much may be retained in a virtual host; 0 for any number.
    """

    messages: int = configured(
        Key(
            "mqtt_max_queued_messages",
            whole_number(0, 10**9),
            QUEUED_MAX,
            "Messages that may wait for one MQTT client; past that, those of QoS 0 are dropped and "
            "the others refused (MQTT 5 publishers are told 0x97). 0 is any number.",
        )
    )
    qos_0_messages: int = configured(
        Key(
            "mqtt_max_queued_qos_0_messages",
            whole_number(1, 10**9),
            QUEUED_QOS_0_MAX,
            "Messages that may wait for a slow MQTT client before further ones of QoS 0 are dropped.",
            also=("mqtt.mailbox_soft_limit",),
            rabbitmq=("mqtt.mailbox_soft_limit",),
        )
    )
    qos_0_bytes: int = configured(
        Key("mqtt_max_queued_qos_0_bytes", size(1024, 2**40), QUEUED_QOS_0_BYTES_MAX, "The same in bytes.")
    )
    deep_levels: int = configured(
        Key(
            "mqtt_max_deep_filter_levels",
            whole_number(0, 10**9),
            DEEP_LEVELS_MAX,
            "Levels that the topic filters of one MQTT client may have together, those beyond the first 100 of each "
            "filter; a filter past that is refused (MQTT 5 clients are told 0x97). 0 is any number.",
        )
    )
    retained_messages: int = configured(
        Key(
            "mqtt_max_retained_messages",
            whole_number(0, 10**9),
            RETAINED_MAX,
            "Topics with a retained message that each virtual host may have; past that, a message of a further topic "
            "is delivered, but not retained (MQTT 5 publishers are told 0x97, the log tells the others' operator). "
            "0 is any number.",
        )
    )
    retained_bytes: int = configured(
        Key(
            "mqtt_max_retained_bytes",
            size(0, 2**50),
            RETAINED_BYTES_MAX,
            "The same in bytes of all their bodies together. 0 is any number.",
        )
    )
