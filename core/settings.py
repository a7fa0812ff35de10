"""What an operator decides about the broker as a whole, whatever protocol is spoken."""

from __future__ import annotations

from typing import Final

from warren.core.clients.guessing import FAILURES_MAX_DEFAULT
from warren.core.clients.refused_logins import DELAY_DEFAULT_MS, WAITING_MAX_DEFAULT
from warren.core.clients.strangers import PER_ADDRESS_MAX_DEFAULT
from warren.core.configuration.key import Key, configured, milliseconds
from warren.core.configuration.values import boolean, names, number, one_of, size, text, whole_number
from warren.core.frozen import frozen

TIMEOUT_DEFAULT_MS: Final = 30 * 60 * 1000
"""RabbitMQ's acknowledgement timeout, in milliseconds."""

BACKLOG_BYTES_MAX: Final = 64 * 1024 * 1024
"""Memory budget of queued stored messages: a quarter of what a small edge device can spare."""

RETURNS: Final = "returns"
FAILURES: Final = "failures"
DELIVERY_LIMIT_COUNTS: Final = (RETURNS, FAILURES)

_DURATION_MS_MOST: Final = 315_360_000_000
"""Ten years, as for every duration of a queue."""

_BYTES_MOST: Final = 2**63 - 1
"""What a file offset can hold."""


@frozen
class BrokerSettings:
    """What core.broker.Broker and its users are made with; core.clients.limits has the limits of their number."""

    loopback_users: frozenset[str] = configured(
        Key(
            "loopback_users",
            names,
            frozenset({"guest"}),
            "Users that may connect only from this machine. An empty list lets everybody connect from "
            "anywhere: then `guest` should have another password.",
        )
    )
    refused_login_delay_ms: int = configured(
        Key(
            "refused_login_delay_s",
            number(0, 60, "seconds"),
            DELAY_DEFAULT_MS / 1000,
            "How long a client whose login is refused waits for its answer, in seconds, so that "
            "nobody can try passwords quickly, whatever protocol it speaks; 0 is not at all. Also "
            "written `mqtt_refused_login_delay_s`, its name when it was MQTT's alone.",
            also=("mqtt.refused_login_delay_s", "mqtt_refused_login_delay_s"),
        ),
        milliseconds,
    )
    refused_logins_max: int = configured(
        Key(
            "refused_logins_max",
            whole_number(0, 100_000),
            WAITING_MAX_DEFAULT,
            "Clients that may wait so at a time; beyond that, the one that has waited longest is answered early.",
        )
    )
    failed_logins_max: int = configured(
        Key(
            "failed_logins_per_minute_max",
            whole_number(0, 100_000),
            FAILURES_MAX_DEFAULT,
            "Logins of one user from one address that may fail in a minute. Beyond that, and beyond ten times as "
            "many of one address, or of one user from elsewhere than where that user has logged in before, further "
            "ones are refused without a look at the password, whatever protocol they come by; 0 for any number. See "
            "[access.md](access.md#who-guesses).",
        )
    )
    unauthenticated_connections_max: int = configured(
        Key(
            "unauthenticated_connections_max",
            whole_number(0, 1_000_000),
            PER_ADDRESS_MAX_DEFAULT,
            "Connections from one address that may be there without having logged in, of protocols in which clients "
            "log in; beyond that, the one that has waited longest is cut off. Addresses of this machine are free, and "
            "so are listeners that take PROXY headers; 0 for any number.",
        )
    )
    track_auth_attempt_source: bool = configured(
        Key(
            "track_auth_attempt_source",
            boolean,
            False,
            "Count logins also by the name that was given and the address that it came from, of the latest 10,000 "
            "of these, for the management API and `/metrics/detailed`.",
            rabbitmq=("track_auth_attempt_source",),
        )
    )
    default_queue_type: str | None = configured(
        Key(
            "default_queue_type",
            text,
            None,
            "Type of queues that are declared without `x-queue-type`, in virtual hosts that have no "
            "default of their own.",
            rabbitmq=("default_queue_type",),
        )
    )
    consumer_timeout_ms: int = configured(
        Key(
            "consumer_timeout_ms",
            whole_number(0, _DURATION_MS_MOST, "milliseconds"),
            TIMEOUT_DEFAULT_MS,
            "How long a consumer may leave a delivery unacknowledged, in milliseconds, before it is "
            "cancelled and its messages return to the queue; 0 for any time. Consumers, queues and "
            "policies may say otherwise.",
            rabbitmq=("consumer_timeout",),
        )
    )
    continue_client_deaths: bool = configured(
        Key(
            "continue_client_deaths",
            boolean,
            True,
            "Whether the header x-death of a published message counts as its history, as applications "
            "expect that retry by publishing a dead letter again. If not, such headers are removed, "
            "and every publish starts afresh.",
        )
    )
    delivery_limit_counts: str = configured(
        Key(
            "delivery_limit_counts",
            one_of(DELIVERY_LIMIT_COUNTS),
            RETURNS,
            "Which returns of a message count towards its queue's delivery limit. `returns`: all of them, as in "
            "RabbitMQ 3.13 to 4.2: nack and reject with requeue, recover, a lost channel or connection. "
            "`failures`: not nack with requeue, as in RabbitMQ 4.3, so that a consumer can give a message back for "
            "another time. An acknowledgement timeout never counts. Programs in the broker's process say themselves "
            "which it is.",
        )
    )
    backlog_bytes_max: int = configured(
        Key(
            "backlog_bytes_max",
            size(0, _BYTES_MOST),
            BACKLOG_BYTES_MAX,
            "Bodies of queued durable messages that are kept in memory, in bytes. The others are read "
            "from disk when their turn comes.",
        )
    )
