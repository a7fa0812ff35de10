"""The word that makes a user for a device: what MQTT takes, the device's own topics, and nothing else."""

from __future__ import annotations

from typing import Final

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import Answer, Control, RefusedError, Request, done
from warren.gateway.control.word import VHOST, Option, word

TOPICS: Final = Option("topics", "FILTER", "devices/NAME/#", repeats=True)

NOT_IN_A_NAME: Final = "/+#"
"""What would make another filter of the topics that a device has by default."""


@word(
    "NAME [PASSWORD]",
    "add a user for an MQTT device, who may use topics (devices/NAME/# unless --topics says otherwise) and no more",
    'Adding device "{0}" ...',
    options=(VHOST, TOPICS),
    secret=1,
    example="boiler --topics 'devices/boiler/#' --topics 'weather/+'",
)
def add_device(control: Control, request: Request) -> Answer:
    """Warren's own; nothing is changed when anything of it can't be."""
    from warren.adapters.mqtt.sessions.operations.topic_names import checked_filter
    from warren.adapters.mqtt.sessions.queue_names import session_queue_name
    from warren.adapters.mqtt.sessions.settings import SessionSettings
    from warren.core.administration import operations
    from warren.gateway.mosquitto.expressions import expression_of, whole

    name, password = request.arguments
    given = request.options.get(TOPICS.name)
    filters = [str(each) for each in given] if isinstance(given, list) else []
    if not filters and any(char in name for char in NOT_IN_A_NAME):
        raise RefusedError(f"say with --topics which topics are for '{name}'", codes.USAGE)
    filters = filters or [f"devices/{name}/#"]
    for each in filters:
        checked_filter(each)
    vhost = operations.vhosts.existing(control.broker, request.vhost).name
    exchange = control.config.section(SessionSettings).exchange
    topics = expression_of(filters)
    queue = whole(session_queue_name(name))
    used = f"{queue}|{whole(exchange)}"
    operations.users.add(control.broker, name, password)
    operations.permissions.set_permissions(control.broker, name, vhost, queue, used, used)
    operations.permissions.set_topic_permissions(control.broker, name, vhost, exchange, topics, topics)
    return done(
        f"Done. '{name}' may publish and subscribe to {', '.join(filters)}, and nothing else. Its client identifier "
        f"has to be {name}, too"
    )
