"""Doing here what the cluster has agreed on, by the operations that a broker by itself does it with.

Doing it again changes nothing, so that a crash in between does no harm.  What can't be done just now (its virtual host
is still being deleted, something node-local has the name) is no error: it says why, and is tried again.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, cast

from warren.core.cluster.away import home_of
from warren.core.cluster.definitions import items
from warren.core.cluster.definitions.items import Item
from warren.core.cluster.definitions.rows import ARGUMENTS, NODE, SCRAM
from warren.core.cluster.placing import move_elsewhere, place_elsewhere
from warren.core.cluster.sharing import is_shared_exchange, is_shared_queue
from warren.core.declaring.bindings import add_binding, take_binding
from warren.core.declaring.exchanges import add_exchange, remove_exchange
from warren.core.declaring.queues import create_queue, remove_queue
from warren.core.errors import BrokerError
from warren.core.exchanges.binding import Binding, Destination
from warren.core.exchanges.registry import create
from warren.core.messages.field_table import decode_table
from warren.core.policies.policy import policy_from_row
from warren.core.storage import recovery

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.cluster.agreements import Agreements
    from warren.core.exchanges.base import Exchange
    from warren.core.messages.field_table import FieldValue
    from warren.core.policies.policy import PolicyKind
    from warren.core.queues.answer import Answer
    from warren.core.routing.vhost import VirtualHost
    from warren.core.storage.definitions.store import JSON


class Applier:
    """To one broker.

    changed: called when something that was in the way may be so no longer.
    """

    def __init__(self, broker: Broker, agreements: Agreements, changed: Callable[[], None]) -> None:
        self._broker = broker
        self._agreements = agreements
        self._changed = changed

    def put(self, item: Item) -> str:
        """Make it, or change it to what it is now; why that can't be done at present, empty when it is done."""
        try:
            with self._agreements.apart():
                return self._put(item)
        except BrokerError as error:
            return error.text

    def remove(self, item: Item) -> None:
        """Take it away, with all that belongs to it; it may be gone already."""
        with self._agreements.apart():
            self._remove(item)

    def _put(self, item: Item) -> str:
        broker = self._broker
        if item.kind == items.VHOST:
            return self._put_vhost(item)
        if item.kind == items.USER:
            row = dict(item.row)
            verifier = row.pop(SCRAM, None)
            broker.users.replace(item.name, row, cast("Mapping[str, JSON] | None", verifier))
            return ""
        if item.kind == items.GLOBAL_PARAMETER:
            broker.parameters.set_global(item.name, item.row["value"])
            return ""
        vhost = broker.vhosts.get(item.vhost)
        if vhost is None or vhost.deleting:
            return f"vhost '{item.vhost}' is being deleted here"
        if item.kind == items.PERMISSION:
            row = dict(item.row)
            patterns = (str(row["configure"]), str(row["write"]), str(row["read"]))
            broker.users.set_permissions(item.name, item.vhost, *patterns)
        elif item.kind == items.TOPIC_PERMISSION:
            user, exchange = json.loads(item.name)
            write, read = str(item.row["write"]), str(item.row["read"])
            broker.users.set_topic_permissions(user, item.vhost, exchange, write, read)
        elif item.kind in (items.POLICY, items.OPERATOR_POLICY):
            broker.policies.set(vhost, policy_from_row(cast("PolicyKind", item.kind), item.name, item.row))
        elif item.kind == items.PARAMETER:
            component, name = json.loads(item.name)
            broker.parameters.set(item.vhost, component, name, item.row["value"], unknown_too=True)
        elif item.kind == items.EXCHANGE:
            return _put_exchange(vhost, item)
        elif item.kind == items.QUEUE:
            return self._put_queue(vhost, item)
        else:
            return _put_binding(vhost, item)
        return ""

    def _put_vhost(self, item: Item) -> str:
        broker = self._broker
        vhost = broker.vhosts.get(item.name)
        if vhost is None:
            recovery.add_vhost(broker, item.name, item.row)
            return ""
        if vhost.deleting:
            return "what had its name is still being deleted here"
        vhost.metadata = dict(item.row)
        vhost.tracing = bool(item.row.get("tracing", False))
        broker.put_vhost(vhost)
        vhost.changed()
        return ""

    def _put_queue(self, vhost: VirtualHost, item: Item) -> str:
        there = vhost.queues.get(item.name)
        raw, arguments = _arguments(item.row)
        node = str(item.row.get(NODE, ""))
        if there is not None:
            if is_shared_queue(there):
                if node not in ("", self._agreements.node) and home_of(there) not in ("", node):
                    move_elsewhere(there, node, item.row)
                return ""
            return f"{there.description} is this node's own, and has the name"
        # A replicated queue's number in the log of its shard is one that nothing else has ever had.
        broker_alone = self._broker.cluster is None
        if node in ("", self._agreements.node):
            queue = create_queue(
                vhost,
                item.name,
                durable=True,
                arguments=arguments,
                arguments_raw=raw,
                store_id=None if node or broker_alone else item.made,
                replicated=not node,
            )
        else:
            queue = place_elsewhere(vhost, item.name, node, item.row, arguments, raw, item.made)
        queue.user, queue.user_id = str(item.row.get("user", "")), str(item.row.get("user_id", ""))
        return ""

    def _remove(self, item: Item) -> None:
        broker = self._broker
        if item.kind == items.USER:
            if item.name in broker.users:
                broker.users.delete_user(item.name)
        elif item.kind == items.GLOBAL_PARAMETER:
            if any(name == item.name for name, _ in broker.parameters.globals()):
                broker.parameters.clear_global(item.name)
        elif item.kind == items.VHOST:
            vhost = broker.vhosts.get(item.name)
            if vhost is not None and not vhost.deleting:
                broker.delete_vhost(item.name, lambda _: self._changed())
        else:
            vhost = broker.vhosts.get(item.vhost)
            if vhost is not None and not vhost.deleting:
                self._remove_in(vhost, item)

    def _remove_in(self, vhost: VirtualHost, item: Item) -> None:
        users, parameters = self._broker.users, self._broker.parameters
        if item.kind == items.PERMISSION:
            if item.name in users:
                users.clear_permissions(item.name, item.vhost)
        elif item.kind == items.TOPIC_PERMISSION:
            user, exchange = json.loads(item.name)
            if user in users:
                users.clear_topic_permissions(user, item.vhost, exchange)
        elif item.kind in (items.POLICY, items.OPERATOR_POLICY):
            kind = cast("PolicyKind", item.kind)
            if any(policy.name == item.name for policy in self._broker.policies.in_vhost(kind, item.vhost)):
                self._broker.policies.clear(vhost, kind, item.name)
        elif item.kind == items.PARAMETER:
            component, name = json.loads(item.name)
            if any(found.name == name for found in parameters.find(vhost=item.vhost, component=component)):
                parameters.clear(item.vhost, component, name)
        elif item.kind == items.EXCHANGE:
            there = vhost.exchanges.get(item.name)
            if there is not None and is_shared_exchange(there):
                remove_exchange(vhost, there)
        elif item.kind == items.QUEUE:
            queue = vhost.queues.get(item.name)
            if queue is not None and is_shared_queue(queue):
                waiting = self._agreements.leaving.pop((vhost.name, queue.name), [])
                answers = waiting[:]
                waiting.clear()
                remove_queue(vhost, queue, partial(_answer_all, answers))
        else:
            _remove_binding(vhost, item)


def _answer_all(waiting: list[Answer[int]], count: int | BrokerError) -> None:
    for answer in waiting:
        answer(count)


def _put_exchange(vhost: VirtualHost, item: Item) -> str:
    there = vhost.exchanges.get(item.name)
    if there is not None:
        return "" if is_shared_exchange(there) else f"exchange '{item.name}' is this node's own, and has the name"
    raw, arguments = _arguments(item.row)
    made = create(
        str(item.row["type"]),
        item.name,
        durable=True,
        internal=bool(item.row["internal"]),
        arguments=arguments,
        arguments_raw=raw,
    )
    add_exchange(vhost, made)
    return ""


def _put_binding(vhost: VirtualHost, item: Item) -> str:
    source, target = _ends(vhost, item)
    if source is None or target is None:
        return "an end of it isn't here"
    raw, arguments = _arguments(item.row)
    add_binding(vhost, source, Binding(source.name, target, str(item.row["routing_key"]), arguments, raw))
    return ""


def _remove_binding(vhost: VirtualHost, item: Item) -> None:
    source, target = _ends(vhost, item)
    if source is None or target is None:
        return
    raw, arguments = _arguments(item.row)
    binding = source.get(Binding(source.name, target, str(item.row["routing_key"]), arguments, raw).key)
    if binding is not None:
        take_binding(vhost, source, binding)


def _ends(vhost: VirtualHost, item: Item) -> tuple[Exchange | None, Destination | None]:
    ends = vhost.queues if item.row["kind"] == "queue" else vhost.exchanges
    target = cast("Mapping[str, Destination]", ends).get(str(item.row["destination"]))
    return vhost.exchanges.get(str(item.row["source"])), target


def _arguments(row: Mapping[str, JSON]) -> tuple[bytes, dict[str, FieldValue]]:
    raw = base64.b64decode(str(row[ARGUMENTS]))
    return raw, decode_table(raw, 0)[0]
