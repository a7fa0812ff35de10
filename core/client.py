"""Who is connected: the identity behind a session, as the broker's core sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.access.accounts import User
    from core.field_table import FieldValue
    from core.queues.base import Queue
    from core.vhost import VirtualHost


class Client:
    """One authenticated connection: its user, its vhost, and what must go when it goes.

    name: `peer host:port -> own host:port`, as RabbitMQ's tools show a connection.
    properties: what the client says of itself.
    """

    __slots__ = ("exclusive_queues", "name", "properties", "protocol", "user", "vhost")

    def __init__(
        self,
        name: str,
        user: User,
        vhost: VirtualHost,
        protocol: str,
        properties: Mapping[str, FieldValue],
    ) -> None:
        self.name = name
        self.user = user
        self.vhost = vhost
        self.protocol = protocol
        self.properties = properties
        self.exclusive_queues: dict[str, Queue] = {}
