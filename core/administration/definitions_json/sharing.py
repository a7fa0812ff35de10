"""Carrying out an import in a cluster: what is shared is agreed on first, and the rest is done here.

What is agreed on goes in the order in which one belongs to the other, all of one kind beside each other.  Then the
import is done again, and finds that it was agreed on; what is left of its plan is this node's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from warren.core.access import accounts, permissions, topic_permissions
from warren.core.administration.parameters import GLOBAL_PARAMETER, parameter_row
from warren.core.administration.vhost_limits import COMPONENT, NAME
from warren.core.cluster import sharing
from warren.core.cluster.agreements import Change
from warren.core.cluster.definitions.items import RANKS
from warren.core.declaring.rows import binding_name, binding_row, exchange_row, queue_row
from warren.core.exchanges.binding import Binding
from warren.core.messages.field_table import encode_table
from warren.core.queues.registry import queue_class
from warren.core.routing.vhost_metadata import check_metadata

if TYPE_CHECKING:
    from warren.core.administration.definitions_json.plan import Plan, PlannedBinding, PlannedQueue, PlannedVhost
    from warren.core.broker import Broker
    from warren.core.cluster.agreements import Agreements, Intent
    from warren.core.exchanges.binding import DestinationKind
    from warren.core.storage.definitions.store import JSON


class End(NamedTuple):
    """Where a binding leads, of which nothing but this matters for its row."""

    kind: DestinationKind
    name: str


def carry_out_shared(broker: Broker, agreements: Agreements, plan: Plan, intent: Intent) -> dict[str, int]:
    """Have the cluster agree on what is shared of a plan, and do the rest here; how many of each section there were.

    Raises Unanswered until that is agreed on, and ClusterAway (541).
    """
    if not agreements.begin(intent):
        changes = sorted(_changes(broker, agreements, plan), key=lambda change: RANKS[change.kind])
        if changes:
            agreements.ask(*changes, intent=intent, note=plan.counts())
        counts = plan.counts()
    else:
        noted = agreements.note_of(intent)
        counts = dict(noted) if isinstance(noted, dict) else plan.counts()
    _leave_out_shared(broker, plan)
    with agreements.apart():
        plan.carry_out(broker)
    return counts


def _changes(broker: Broker, agreements: Agreements, plan: Plan) -> Iterator[Change]:
    for user in plan.users.values():
        yield Change(accounts.KIND, "", user.name, broker.users.row_to_put(user))
    for name, planned in plan.vhosts.items():
        yield from _vhost(broker, name, planned)
    for (user_name, vhost), permission in plan.permissions.items():
        yield Change(permissions.KIND, vhost, user_name, permission._asdict())
    for (user_name, vhost, exchange_name), topics in plan.topic_permissions.items():
        yield Change(*topic_permissions.change(user_name, vhost, exchange_name, topics))
    for name, value in plan.global_parameters.items():
        yield Change(GLOBAL_PARAMETER, "", name, {"value": value})
    for vhost, policy in plan.policies:
        yield Change(policy.kind, vhost, policy.name, policy.value())
    for parameter in plan.parameters:
        yield Change(*parameter_row(*parameter[:3]), {"value": parameter.value})
    for (vhost, name), exchange in plan.exchanges.items():
        if sharing.is_shared_exchange(exchange):
            yield Change("exchange", vhost, name, exchange_row(exchange))
    # Queues are under the policies that come with them.
    policies = broker.policies.foreseen(plan.policies)
    for (vhost, name), queue in plan.queues.items():
        if _is_shared(name, queue):
            type_name = queue_class(f"queue '{name}'", queue.arguments).type_name
            node = agreements.home_of(policies, vhost, name, type_name)
            yield Change("queue", vhost, name, {**queue_row(queue.arguments_raw), "node": node})
    for planned_binding in plan.bindings:
        if _is_shared_binding(broker, plan, planned_binding):
            yield _binding(planned_binding)


def _vhost(broker: Broker, name: str, planned: PlannedVhost) -> Iterator[Change]:
    there = broker.vhosts.get(name)
    row: dict[str, JSON] = {} if there is None else {**_json(there.metadata)}
    for key in planned.metadata:
        row.pop(key, None)
    row.update(check_metadata(planned.metadata))
    if planned.tracing is not None:
        row.pop("tracing", None)
        row.update({"tracing": True} if planned.tracing else {})
    yield Change("vhost", "", name, row)
    if planned.limits:
        yield Change(*parameter_row(name, COMPONENT, NAME), {"value": dict(planned.limits)})


def _binding(planned: PlannedBinding) -> Change:
    raw = encode_table(planned.arguments)
    end = End(planned.kind, planned.destination)
    binding = Binding(planned.source, end, planned.routing_key, planned.arguments, raw)  # type: ignore[arg-type]
    return Change("binding", planned.vhost, binding_name(binding), binding_row(binding))


def _leave_out_shared(broker: Broker, plan: Plan) -> None:
    """What the cluster has agreed on is done, or will be."""
    plan.bindings = [each for each in plan.bindings if not _is_shared_binding(broker, plan, each)]
    for key in [key for key, exchange in plan.exchanges.items() if sharing.is_shared_exchange(exchange)]:
        del plan.exchanges[key]
    for each in [each for each, queue in plan.queues.items() if _is_shared(each[1], queue)]:
        del plan.queues[each]
    for section in (plan.users, plan.vhosts, plan.permissions, plan.topic_permissions, plan.global_parameters):
        section.clear()
    plan.policies.clear()
    plan.parameters.clear()


def _is_shared(name: str, queue: PlannedQueue) -> bool:
    made = queue_class(f"queue '{name}'", queue.arguments)
    durable, auto_delete = queue.durable, queue.auto_delete
    return sharing.is_shared_declaration(name, made.type_name, durable=durable, auto_delete=auto_delete)


def _is_shared_binding(broker: Broker, plan: Plan, planned: PlannedBinding) -> bool:
    if not _is_on_all_nodes(broker, plan, planned.vhost, planned.source):
        return False
    if planned.kind == "exchange":
        return _is_on_all_nodes(broker, plan, planned.vhost, planned.destination)
    queue = plan.queues.get((planned.vhost, planned.destination))
    if queue is not None:
        return _is_shared(planned.destination, queue)
    vhost = broker.vhosts.get(planned.vhost)
    there = None if vhost is None else vhost.queues.get(planned.destination)
    return there is not None and sharing.is_shared_queue(there)


def _is_on_all_nodes(broker: Broker, plan: Plan, vhost_name: str, name: str) -> bool:
    exchange = plan.exchanges.get((vhost_name, name))
    if exchange is None:
        vhost = broker.vhosts.get(vhost_name)
        if vhost is None:
            # One that is to be made has what every virtual host has.
            return name.startswith("amq.")
        exchange = vhost.exchanges.get(name)
    return exchange is not None and sharing.is_on_all_nodes(exchange)


def _json(metadata: Mapping[str, object]) -> Mapping[str, JSON]:
    return metadata  # type: ignore[return-value]
