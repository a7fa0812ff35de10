"""What an import is going to do, checked through and through, and the doing of it.

A plan is made of things that exist already, apart from the broker: users, policies, exchanges that nothing leads to
yet.  Carrying it out can't be refused any more, so an import happens as a whole or not at all.  The same holds on disk:
numbers of queues are taken first, since that may end the store's open transaction, and all rows go into the one that
follows.  What is too much for that is carried out in slices, and a note in the definitions has it finished behind a
crash (in_turns.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from warren.core.access.accounts import User
from warren.core.administration.parameters import Parameter
from warren.core.administration.vhost_limits import COMPONENT, NAME
from warren.core.chores import LET_GO_PER_SLICE
from warren.core.declaring.bindings import add_binding
from warren.core.declaring.exchanges import add_exchange
from warren.core.declaring.queues import create_queue
from warren.core.errors import BrokerError
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

DONE_PER_SLICE: Final = 50
"""What is made of a plan in one turn: up to 150 microseconds each."""


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
        for vhost_name, policies in self._policies_by_vhost().items():
            _set_policies(broker, vhost_name, policies)
        for parameter in self.parameters:
            broker.parameters.set(*parameter, unknown_too=True)
        for (vhost_name, name), queue in self.queues.items():
            store_id = store_ids.get((vhost_name, name), 0)
            create_queue(broker.vhosts[vhost_name], name, **queue._asdict(), store_id=store_id)
        for binding in self.bindings:
            _bind(broker, binding)

    def carry_out_in_slices(self, broker: Broker) -> Iterator[None]:
        """The same, a bit in each turn.

        What others have declared since the plan was made is left as it is.  What can't be done any more, as they have
        deleted what it needs, is left out with a warning.
        """
        for count, (what, do) in enumerate(self._each(broker), 1):
            try:
                do()
            except BrokerError as error:
                self.warnings.append(f"{what}: {error.text}; left out")
            if count % DONE_PER_SLICE == 0:
                yield

    def _each(self, broker: Broker) -> Iterator[tuple[str, Callable[[], object]]]:
        """All that is to be done, in order, and what each is."""
        users, parameters = broker.users, broker.parameters
        for user in self.users.values():
            yield f"user '{user.name}'", partial(users.put_user, user)
        for name, vhost in self.vhosts.items():
            yield f"virtual host '{name}'", partial(_put_vhost, broker, name, vhost)
        for (user_name, vhost_name), permission in self.permissions.items():
            permit = partial(users.set_permissions, user_name, vhost_name, *permission)
            yield f"permissions of '{user_name}'", partial(_in_vhost, broker, vhost_name, permit)
        for (vhost_name, name), exchange in self.exchanges.items():
            yield f"exchange '{name}' in vhost '{vhost_name}'", partial(_add_exchange, broker, vhost_name, exchange)
        for (user_name, vhost_name, exchange_name), topics in self.topic_permissions.items():
            put_topics = partial(users.set_topic_permissions, user_name, vhost_name, exchange_name, *topics)
            yield f"topic permissions of '{user_name}'", partial(_in_vhost, broker, vhost_name, put_topics)
        for name, value in self.global_parameters.items():
            yield f"global parameter '{name}'", partial(parameters.set_global, name, value)
        for vhost_name, policies in self._policies_by_vhost().items():
            yield f"policies in vhost '{vhost_name}'", partial(_set_policies, broker, vhost_name, policies)
        for parameter in self.parameters:
            put = partial(parameters.set, *parameter, unknown_too=True)
            yield f"parameter '{parameter.name}'", partial(_in_vhost, broker, parameter.vhost, put)
        for (vhost_name, name), queue in self.queues.items():
            yield f"queue '{name}' in vhost '{vhost_name}'", partial(_make_queue, broker, vhost_name, name, queue)
        for binding in self.bindings:
            what = f"binding of {binding.kind} '{binding.destination}' to '{binding.source}'"
            yield f"{what} in vhost '{binding.vhost}'", partial(_bind, broker, binding)

    def let_go(self) -> Iterator[None]:
        """It isn't needed any more; to let go of all of it at once would take a while."""
        many: tuple[dict[Any, Any] | list[Any], ...] = (
            self.users,
            self.permissions,
            self.topic_permissions,
            self.exchanges,
            self.queues,
            self.bindings,
        )
        for each in many:
            while each:
                for _ in range(min(len(each), LET_GO_PER_SLICE)):
                    if isinstance(each, dict):
                        each.popitem()
                    else:
                        each.pop()
                yield

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

    def _policies_by_vhost(self) -> dict[str, list[Policy]]:
        by_vhost: dict[str, list[Policy]] = {}
        for vhost_name, policy in self.policies:
            by_vhost.setdefault(vhost_name, []).append(policy)
        return by_vhost


def _put_vhost(broker: Broker, name: str, planned: PlannedVhost) -> None:
    if name not in broker.vhosts:
        recovery.add_vhost(broker, name)
    if planned.metadata:
        broker.update_vhost(name, planned.metadata)
    if planned.tracing is not None:
        broker.set_tracing(name, planned.tracing)
    if planned.limits:
        broker.parameters.set(name, COMPONENT, NAME, dict(planned.limits))


def _in_vhost(broker: Broker, vhost_name: str, do: Callable[[], object]) -> None:
    """What isn't to be done for a virtual host that somebody has deleted."""
    broker.vhost(vhost_name)
    do()


def _set_policies(broker: Broker, vhost_name: str, policies: list[Policy]) -> None:
    broker.policies.set_all(broker.vhost(vhost_name), policies)


def _add_exchange(broker: Broker, vhost_name: str, exchange: Exchange) -> None:
    vhost = broker.vhost(vhost_name)
    if exchange.name not in vhost.exchanges:
        add_exchange(vhost, exchange)


def _make_queue(broker: Broker, vhost_name: str, name: str, planned: PlannedQueue) -> None:
    vhost = broker.vhost(vhost_name)
    if name not in vhost.queues:
        create_queue(vhost, name, **planned._asdict())


def _bind(broker: Broker, planned: PlannedBinding) -> None:
    vhost = broker.vhost(planned.vhost)
    exchange = vhost.exchange(planned.source)
    target = vhost.queue(planned.destination) if planned.kind == "queue" else vhost.exchange(planned.destination)
    exchange.check_binding(planned.routing_key, planned.arguments)
    exchange.check_destination(target)
    raw = encode_table(planned.arguments)
    add_binding(vhost, exchange, Binding(planned.source, target, planned.routing_key, planned.arguments, raw))
