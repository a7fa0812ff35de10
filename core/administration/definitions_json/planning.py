"""From the items of a definitions file to a plan: every check that an import can fail, before anything is changed.

What is checked is checked by the parts that will get it: an exchange or a queue is made for real, in a virtual host of
a broker of its own that is thrown away, a binding is shown to its source, a policy is made, a parameter is shown to
its component.  So an import refuses exactly what a client or an administrator would be refused.

What exists already stays: exchanges and queues of the same name are kept as they are, silently (as in RabbitMQ).
Users, permissions, parameters and policies are replaced.  Bindings with an end that is neither there nor in the file
are left out with a warning: RabbitMQ exports those of internal exchanges, but not the exchanges.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn

from warren.core.access.patterns import check_pattern
from warren.core.access.permissions import Permission
from warren.core.access.topic_permissions import TopicPermission
from warren.core.access.users import Users
from warren.core.administration.definitions_json.exporting import INTERNAL_PREFIX
from warren.core.administration.definitions_json.field_values import table_from_json
from warren.core.administration.definitions_json.plan import Plan, PlannedBinding, PlannedQueue, PlannedVhost
from warren.core.administration.definitions_json.reading import (
    Item,
    as_object,
    items,
    refuse_deleting,
    unknown_sections,
)
from warren.core.administration.definitions_json.users import user_of_item
from warren.core.administration.parameters import Parameter
from warren.core.administration.steps import Steps
from warren.core.administration.vhost_limits import COMPONENT as VHOST_LIMITS_COMPONENT
from warren.core.clients.limits import MAX_QUEUES, VHOST_LIMITS, check_limits
from warren.core.declaring.names import RESERVED_PREFIX
from warren.core.errors import BrokerError, PreconditionFailed
from warren.core.exchanges.base import Exchange
from warren.core.exchanges.binding import binding_key
from warren.core.exchanges.registry import create, type_names
from warren.core.limit_hits import limited
from warren.core.messages.field_table import encode_table
from warren.core.policies.policy import OPERATOR_POLICY, POLICY, Policy, make_policy, policy_from_value
from warren.core.policies.settings import mirroring_warning
from warren.core.queues.registry import queue_class
from warren.core.routing.vhost import DEFAULT_EXCHANGE, VirtualHost
from warren.core.routing.vhost_metadata import (
    CLASSIC,
    DEFAULT_QUEUE_TYPE,
    DESCRIPTION,
    QUEUE_TYPE_ARGUMENT,
    TAGS,
    check_metadata,
    with_default_type,
)
from warren.core.storage.definitions.memory import MemoryDefinitionStore
from warren.core.storage.memory import MemoryEngine

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.broker import Broker
    from warren.core.exchanges.binding import Destination, DestinationKind
    from warren.core.storage.definitions.store import JSON

_ABSENT_EXCHANGES: Final = frozenset({"x-jms-topic", "x-federation-upstream"})
"""Types of exchanges that RabbitMQ's own plugins make, and nothing here."""

ITEMS_PER_SLICE: Final = 100
"""Items of a file that are checked in one turn: fifty microseconds each, as queues are made for that."""

_BROKER_SECTIONS: Final = ("users", "vhosts", "permissions", "topic_permissions", "global_parameters")
"""Left out when a file is imported into one virtual host."""


class Planner:
    """Makes the plan of one import.

    scratch: a broker of the same kind that may be thrown away.  into: the virtual host that everything goes to, None
    for those that the file names.
    """

    def __init__(self, broker: Broker, scratch: Broker, document: Mapping[str, JSON], into: str | None) -> None:
        self._broker = broker
        self._scratch = scratch
        self._document = document
        self._into = into
        self._plan = Plan()
        self._vhosts: dict[str, VirtualHost] = {}

    def plan(self) -> Plan:
        """The plan; PreconditionFailed says which item can't be imported, and why."""
        return Steps(self.plan_in_slices()).finish()

    def plan_in_slices(self) -> Generator[None, None, Plan]:
        """The same, some items at a time: by what there is when each has its turn."""
        for section in unknown_sections(self._document):
            self._warn(f"'{section}' is no part of definitions that is known here; ignored")
        sections: dict[str, Callable[[Item], None]] = {
            "users": self._user,
            "vhosts": self._vhost,
            "permissions": self._permission,
            "exchanges": self._exchange,
            "topic_permissions": self._topic_permission,
            "global_parameters": self._global_parameter,
            "policies": self._policy,
            "parameters": self._parameter,
            "queues": self._queue,
            "bindings": self._binding,
        }
        for section, take in sections.items():
            if self._into is not None and section in _BROKER_SECTIONS:
                if self._document.get(section):
                    self._warn(f"{section} are not imported into a single virtual host; ignored")
                continue
            for count, item in enumerate(items(self._document, section), 1):
                with _located(item):
                    take(item)
                if count % ITEMS_PER_SLICE == 0:
                    yield
        self._check_queue_limits()
        return self._plan

    def _warn(self, text: str) -> None:
        self._plan.warnings.append(text)

    # Users and virtual hosts

    def _user(self, item: Item) -> None:
        user = user_of_item(item, self._broker.users.get(item.name("name")))
        self._plan.users[user.name] = user
        if user.name not in self._broker.users:
            for vhost, granted in item.table("permissions").items():
                if not isinstance(granted, Mapping):
                    item.refuse("'permissions' must be an object of objects")
                self._permit(Item("permissions", {"user": user.name, "vhost": vhost, **granted}), known=False)

    def _vhost(self, item: Item) -> None:
        name = item.name("name")
        if not name:
            item.refuse("a virtual host needs a name")
        refuse_deleting(item, self._broker.vhosts.get(name))
        metadata = dict(item.table("metadata"))
        for key in (DESCRIPTION, TAGS, DEFAULT_QUEUE_TYPE):
            if key in item:
                metadata[key] = item.get(key)
        known = {key: value for key, value in metadata.items() if key in (DESCRIPTION, TAGS, DEFAULT_QUEUE_TYPE)}
        checked = check_metadata(known)
        tracing = item.flag("tracing", False) if "tracing" in item else None
        limits = check_limits(item.table("limits"), VHOST_LIMITS, "limits")
        self._plan.vhosts[name] = PlannedVhost(known, tracing, limits)
        self._scratch_vhost(name).metadata.update(checked)

    def _permission(self, item: Item) -> None:
        self._permit(item, known=True)

    def _permit(self, item: Item, *, known: bool) -> None:
        user = self._user_of(item)
        vhost = self._vhost_of(item) if known else item.text("vhost")
        permission = Permission(item.text("configure"), item.text("write"), item.text("read"))
        for pattern in permission:
            check_pattern(pattern)
        self._plan.permissions[user, vhost] = permission

    def _topic_permission(self, item: Item) -> None:
        user, vhost, exchange = self._user_of(item), self._vhost_of(item), item.name("exchange")
        permission = TopicPermission(item.text("write"), item.text("read"))
        for pattern in permission:
            check_pattern(pattern)
        self._plan.topic_permissions[user, vhost, exchange] = permission

    # Parameters and policies

    def _global_parameter(self, item: Item) -> None:
        name = item.text("name")
        if not name:
            item.refuse("a global parameter needs a name")
        if not name.startswith(INTERNAL_PREFIX):
            value = item.get("value")
            self._plan.global_parameters[name] = as_object(value) if value else value

    def _policy(self, item: Item) -> None:
        vhost, name = self._vhost_of(item), item.name("name")
        priority = item.get("priority") if "priority" in item else 0
        apply_to = item.text("apply-to", "all")
        policy = make_policy(POLICY, name, item.get("pattern"), item.table("definition"), priority, apply_to)
        self._add_policy(item, vhost, policy)

    def _add_policy(self, item: Item, vhost: str, policy: Policy) -> None:
        warning = mirroring_warning(policy.definition, in_cluster=self._broker.cluster is not None)
        if warning is not None:
            self._warn(f"{item.where}: {warning}")
        self._plan.policies.append((vhost, policy))

    def _parameter(self, item: Item) -> None:
        vhost, component, name = self._vhost_of(item), item.text("component"), item.text("name")
        value = item.get("value")
        if value is None:
            item.refuse("'value' is missing")
        if component == OPERATOR_POLICY:
            value = item.table("value")
            value = {**value, "definition": as_object(value.get("definition"))}
            self._add_policy(item, vhost, policy_from_value(OPERATOR_POLICY, name, value))
            return
        if component == POLICY:
            item.refuse("policies may not be set as parameters; they have a section of their own")
        if component == VHOST_LIMITS_COMPONENT:
            value = item.table("value")
        if not self._broker.parameters.knows(component):
            self._warn(f"{item.where}: nothing uses parameters of component '{component}' yet; kept as it is")
        self._broker.parameters.check(vhost, component, name, value, unknown_too=True)
        self._plan.parameters.append(Parameter(vhost, component, name, value))

    # Exchanges, queues and bindings

    def _exchange(self, item: Item) -> None:
        vhost, name = self._vhost_of(item), item.name("name")
        if name == DEFAULT_EXCHANGE or name.startswith(RESERVED_PREFIX):
            self._warn(f"{item.where}: exchanges that every virtual host starts with are not imported")
            return
        arguments = table_from_json(item.get("arguments"))
        type_name = item.text("type")
        if type_name in _ABSENT_EXCHANGES and type_name not in type_names():
            self._warn(f"{item.where}: there are no exchanges of type '{type_name}' here; left out with its bindings")
            return
        exchange = create(
            type_name,
            name,
            durable=item.flag("durable", True),
            auto_delete=item.flag("auto_delete", False),
            internal=item.flag("internal", False),
            arguments=arguments,
            arguments_raw=encode_table(arguments),
        )
        if self._existing_exchange(vhost, name) is None:
            self._plan.exchanges[vhost, name] = exchange

    def _queue(self, item: Item) -> None:
        vhost, name = self._vhost_of(item), item.name("name")
        if not name or name.startswith(RESERVED_PREFIX):
            self._warn(f"{item.where}: queues whose name begins with '{RESERVED_PREFIX}' are not imported")
            return
        durable, auto_delete = item.flag("durable", True), item.flag("auto_delete", False)
        arguments = table_from_json(item.get("arguments"))
        declared_type = item.text("type", "")
        if declared_type not in ("", CLASSIC) and QUEUE_TYPE_ARGUMENT not in arguments:
            arguments[QUEUE_TYPE_ARGUMENT] = declared_type
        raw = encode_table(arguments)
        if not declared_type:
            found, raw = with_default_type(
                self._scratch_vhost(vhost), arguments, raw, durable=durable, exclusive=False, auto_delete=auto_delete
            )
            arguments = dict(found)
        self._try_queue(vhost, name, PlannedQueue(durable, auto_delete, arguments, raw))
        if not self._has_queue(vhost, name):
            self._plan.queues[vhost, name] = PlannedQueue(durable, auto_delete, arguments, raw)

    def _try_queue(self, vhost: str, name: str, queue: PlannedQueue) -> None:
        """Make it where it does no harm; refused is what a declaration would be."""
        description = f"queue '{name}' in vhost '{vhost}'"
        made = queue_class(description, queue.arguments, internal=False)
        made.check_declaration(
            description, durable=queue.durable, exclusive=False, auto_delete=queue.auto_delete, server_named=False
        )
        made(self._scratch_vhost(vhost), name, **queue._asdict())

    def _binding(self, item: Item) -> None:
        vhost, source = self._vhost_of(item), item.name("source")
        if source == DEFAULT_EXCHANGE:
            return
        kind = _destination_kind(item)
        destination = item.name("destination")
        exchange = self._existing_exchange(vhost, source) or self._plan.exchanges.get((vhost, source))
        if exchange is None or not self._has_destination(vhost, kind, destination):
            missing = f"exchange '{source}'" if exchange is None else f"{kind} '{destination}'"
            self._warn(f"{item.where}: there is no {missing}, neither here nor in the definitions; left out")
            return
        arguments = table_from_json(item.get("arguments"))
        routing_key = item.name("routing_key", "")
        exchange.check_binding(routing_key, arguments)
        if type(exchange).check_destination is not Exchange.check_destination:
            exchange.check_destination(self._destination(vhost, kind, destination))
        if exchange.get(binding_key(kind, destination, routing_key, arguments)) is None:
            self._plan.bindings.append(PlannedBinding(vhost, source, kind, destination, routing_key, arguments))

    def _destination(self, vhost: str, kind: DestinationKind, name: str) -> Destination:
        """What a binding is going to lead to, as it is or, where that doesn't exist yet, as it would be."""
        existing = self._broker.vhosts.get(vhost)
        if kind == "exchange":
            return self._existing_exchange(vhost, name) or self._plan.exchanges[vhost, name]
        if existing is not None and name in existing.queues:
            return existing.queues[name]
        planned = self._plan.queues[vhost, name]
        made = queue_class(f"queue '{name}' in vhost '{vhost}'", planned.arguments, internal=False)
        return made(self._scratch_vhost(vhost), name, **planned._asdict())

    def _check_queue_limits(self) -> None:
        added: dict[str, int] = {}
        for vhost, _ in self._plan.queues:
            added[vhost] = added.get(vhost, 0) + 1
        for vhost, count in added.items():
            existing = self._broker.vhosts.get(vhost)
            limit = existing.limits.get(MAX_QUEUES, -1) if existing is not None else -1
            present = len(existing.queues) if existing is not None else 0
            if 0 <= limit < present + count:
                raise PreconditionFailed(
                    f'Adding {count} queue(s) to virtual host "{vhost}" would exceed the limit of {limit} queue(s); '
                    f"it has {present} now"
                )

    # What there is, or will be

    def _user_of(self, item: Item) -> str:
        user = item.text("user")
        if user not in self._broker.users and user not in self._plan.users:
            item.refuse(f"there is no user '{user}', neither here nor in the definitions")
        return user

    def _vhost_of(self, item: Item) -> str:
        if self._into is not None:
            return self._into
        if "vhost" not in item:
            item.refuse(
                "it names no virtual host: these are the definitions of a single one; "
                "name the one to import them into (warren ctl import_definitions -p VHOST)"
            )
        name = item.text("vhost")
        refuse_deleting(item, self._broker.vhosts.get(name))
        if name not in self._broker.vhosts and name not in self._plan.vhosts:
            item.refuse(f"there is no virtual host '{name}', neither here nor in the definitions; add it first")
        return name

    def _scratch_vhost(self, name: str) -> VirtualHost:
        """A virtual host for trying declarations in, described as the real one is."""
        found = self._vhosts.get(name)
        if found is None:
            existing = self._broker.vhosts.get(name)
            found = VirtualHost(self._scratch, name, existing.metadata if existing is not None else None)
            self._vhosts[name] = found
        return found

    def _existing_exchange(self, vhost: str, name: str) -> Exchange | None:
        existing = self._broker.vhosts.get(vhost)
        return (existing.exchanges if existing is not None else self._predeclared(vhost)).get(name)

    def _predeclared(self, vhost: str) -> Mapping[str, Exchange]:
        """The exchanges that a virtual host of the plan will start with."""
        from warren.core.declaring.exchanges import predeclare

        found = self._scratch_vhost(vhost)
        if not found.exchanges:
            predeclare(found)
        return found.exchanges

    def _has_queue(self, vhost: str, name: str) -> bool:
        existing = self._broker.vhosts.get(vhost)
        return (existing is not None and name in existing.queues) or (vhost, name) in self._plan.queues

    def _has_destination(self, vhost: str, kind: DestinationKind, name: str) -> bool:
        if kind == "queue":
            return self._has_queue(vhost, name)
        return self._existing_exchange(vhost, name) is not None or (vhost, name) in self._plan.exchanges


def scratch_broker(broker: Broker) -> Broker:
    """A broker in memory with the defaults of `broker`, for trying declarations."""
    store = MemoryDefinitionStore()
    kind = broker.default_queue_type
    return type(broker)(MemoryEngine(), store, Users(store), now_ms=broker.now_ms, default_queue_type=kind)


@contextmanager
def _located(item: Item) -> Iterator[None]:
    """Errors of the parts that check say which item it was."""
    try:
        yield
    except BrokerError as error:
        if error.text.startswith(item.where):
            raise
        _refuse_located(item, error)


def _refuse_located(item: Item, error: BrokerError) -> NoReturn:
    raise limited(PreconditionFailed(f"{item.where}: {error.text}"), error.limit) from error


def _destination_kind(item: Item) -> DestinationKind:
    kind = item.text("destination_type", "queue")
    if kind not in ("queue", "exchange"):
        item.refuse(f"'destination_type' must be queue or exchange, not {kind!r}")
    return "exchange" if kind == "exchange" else "queue"
