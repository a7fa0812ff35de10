"""What an import is going to do, checked through and through, and the doing of it.

A plan is made of things that exist already, apart from the broker: users, policies, exchanges that nothing leads to
yet.  Carrying it out can't be refused any more, so an import happens as a whole or not at all.  The same holds on disk:
numbers of queues are taken first, since that may end the store's open transaction, and all rows go into the one that
follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.access.accounts import User
from warren.core.administration.parameters import Parameter
from warren.core.administration.vhost_limits import COMPONENT, NAME
from warren.core.declaring.bindings import add_binding
from warren.core.declaring.exchanges import add_exchange
from warren.core.declaring.queues import create_queue
from warren.core.exchanges.base import Exchange
from warren.core.exchanges.binding import Binding, DestinationKind
from warren.core.messages.field_table import encode_table
from warren.core.policies.policy import Policy
from warren.core.storage import recovery

if TYPE_CHECKING:
    from warren.core.access.permissions import Permission
    from warren.core.access.topic_permissions import TopicPermission
    from warren.core.broker import Broker
    from warren.core.messages.field_table import FieldTable
    from warren.core.routing.vhost import VirtualHost
    from warren.core.storage.definitions.store import JSON


class PlannedVhost(NamedTuple):
    """A virtual host to add, or to describe anew; None: leave as it is."""

    metadata: Mapping[str, JSON]
    tracing: bool | None
    limits: Mapping[str, int]


class PlannedQueue(NamedTuple):
    """A queue to declare."""

    durable: bool
    auto_delete: bool
    arguments: FieldTable
    arguments_raw: bytes


class PlannedBinding(NamedTuple):
    """A binding to add; its ends exist by then."""

    vhost: str
    source: str
    kind: DestinationKind
    destination: str
    routing_key: str
    arguments: FieldTable


ROW_BYTES: Final = 512
"""What one entry of a plan takes in the definitions, about."""


@dataclass(slots=True)
class Plan:
    """What to add or change, by section; existing queues, exchanges and bindings are in none of them."""

    users: dict[str, User] = field(default_factory=dict)
    vhosts: dict[str, PlannedVhost] = field(default_factory=dict)
    permissions: dict[tuple[str, str], Permission] = field(default_factory=dict)
    topic_permissions: dict[tuple[str, str, str], TopicPermission] = field(default_factory=dict)
    exchanges: dict[tuple[str, str], Exchange] = field(default_factory=dict)
    global_parameters: dict[str, JSON] = field(default_factory=dict)
    policies: list[tuple[str, Policy]] = field(default_factory=list)
    parameters: list[Parameter] = field(default_factory=list)
    queues: dict[tuple[str, str], PlannedQueue] = field(default_factory=dict)
    bindings: list[PlannedBinding] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def carry_out(self, broker: Broker) -> None:
        """Do all of it; the broker must be as it was when the plan was made."""
        broker.definitions.check_room(ROW_BYTES * sum(self.counts().values()))
        store_ids = self._take_store_ids(broker)
        for user in self.users.values():
            broker.users.put_user(user)
        for name, vhost in self.vhosts.items():
            _put_vhost(broker, name, vhost)
        for (user_name, vhost_name), permission in self.permissions.items():
            broker.users.set_permissions(user_name, vhost_name, *permission)
        for (vhost_name, _), exchange in self.exchanges.items():
            add_exchange(broker.vhosts[vhost_name], exchange)
        for (user_name, vhost_name, exchange_name), topic_permission in self.topic_permissions.items():
            broker.users.set_topic_permissions(user_name, vhost_name, exchange_name, *topic_permission)
        for name, value in self.global_parameters.items():
            broker.parameters.set_global(name, value)
        self._set_policies(broker)
        for parameter in self.parameters:
            broker.parameters.set(*parameter, unknown_too=True)
        for (vhost_name, name), queue in self.queues.items():
            store_id = store_ids.get((vhost_name, name), 0)
            create_queue(broker.vhosts[vhost_name], name, **queue._asdict(), store_id=store_id)
        for binding in self.bindings:
            _add_binding(broker.vhosts[binding.vhost], binding)

    def counts(self) -> dict[str, int]:
        """How many of each section are added or changed."""
        sections = (
            "users",
            "vhosts",
            "permissions",
            "topic_permissions",
            "exchanges",
            "global_parameters",
            "policies",
            "parameters",
            "queues",
            "bindings",
        )
        return {section: len(getattr(self, section)) for section in sections if getattr(self, section)}

    def _take_store_ids(self, broker: Broker) -> dict[tuple[str, str], int]:
        for (vhost, name), exchange in self.exchanges.items():
            if exchange.durable and exchange.keeps_messages:
                exchange.store_id = broker.numbers.take("exchange", vhost, name)
        return {key: broker.numbers.take("queue", *key) for key, queue in self.queues.items() if queue.durable}

    def _set_policies(self, broker: Broker) -> None:
        by_vhost: dict[str, list[Policy]] = {}
        for vhost_name, policy in self.policies:
            by_vhost.setdefault(vhost_name, []).append(policy)
        for vhost_name, policies in by_vhost.items():
            broker.policies.set_all(broker.vhosts[vhost_name], policies)


def _put_vhost(broker: Broker, name: str, planned: PlannedVhost) -> None:
    if name not in broker.vhosts:
        recovery.add_vhost(broker, name)
    if planned.metadata:
        broker.update_vhost(name, planned.metadata)
    if planned.tracing is not None:
        broker.set_tracing(name, planned.tracing)
    if planned.limits:
        broker.parameters.set(name, COMPONENT, NAME, dict(planned.limits))


def _add_binding(vhost: VirtualHost, planned: PlannedBinding) -> None:
    exchange = vhost.exchanges[planned.source]
    target = vhost.queues[planned.destination] if planned.kind == "queue" else vhost.exchanges[planned.destination]
    raw = encode_table(planned.arguments)
    add_binding(vhost, exchange, Binding(planned.source, target, planned.routing_key, planned.arguments, raw))
