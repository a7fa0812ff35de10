"""Bringing a broker back from its stores: definitions first, then the messages into their queues.

Messages that may have been delivered before are marked as redelivered.  After a clean stop the definitions say, per
queue, up to which log position anything was given to a consumer; after a crash nobody knows, so all are marked.  A row
that stays while the broker runs tells the two apart.  How often deliveries failed, the message log knows.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from warren.core.access.defaults import note_seeded, seed_defaults
from warren.core.component import FOREIGN_PREFIX
from warren.core.declaring.exchanges import predeclare
from warren.core.errors import BrokerError, StorageError
from warren.core.exchanges.base import Exchange
from warren.core.exchanges.binding import Binding, Destination
from warren.core.exchanges.registry import create
from warren.core.messages.field_table import decode_table
from warren.core.queues.base import Queue, Stored
from warren.core.queues.registry import find_type
from warren.core.queues.unavailable import Unavailable
from warren.core.routing.vhost import VirtualHost

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.messages.field_table import FieldValue
    from warren.core.storage.definitions.store import JSON

_log = logging.getLogger("warren.recovery")

MARKER = "marker"
RUNNING = "running"
DELIVERED = "delivered"


def recover(
    broker: Broker, *, default_user: str, default_password: str, default_vhost: str, with_defaults: bool = True
) -> None:
    """Fill a new broker from its stores, and mark it as running.

    default_user, default_password, default_vhost: what a blank store starts with.  with_defaults: False when it starts
    with imported definitions instead.  Raises StorageError when the definitions hold what this version can't read;
    damage to messages is logged and survived.
    """
    damage = broker.definitions.damage()
    delivered: dict[tuple[str, str], Mapping[str, JSON]] = {}
    # The row that tells a crash from a clean stop may be among what was lost.
    crashed = bool(damage)
    foreign: set[str] = set()
    without_row: set[str] = set()
    for kind, vhost, name, value in broker.definitions.load():
        if vhost and vhost not in broker.vhosts:
            _make_vhost(broker, vhost)
            without_row.add(vhost)
        try:
            if kind == MARKER:
                crashed = crashed or name == RUNNING
            elif kind == "vhost":
                _restore_vhost(broker, name, value)
                without_row.discard(name)
            elif kind == DELIVERED:
                delivered[vhost, name] = value
            elif not any(component.restore(kind, vhost, name, value) for component in broker.components.values()):
                if kind.startswith(FOREIGN_PREFIX):
                    foreign.add(kind)
                else:
                    _restore(broker, kind, vhost, name, value)
        except (BrokerError, KeyError, ValueError, TypeError) as error:
            raise StorageError(
                f"the definitions hold a {kind} '{name}' (vhost '{vhost}') that can't be restored: {error}; "
                "was the data directory written by a newer Warren?"
            ) from error
    if foreign:
        _log.warning(
            "the data directory holds %s of a package that isn't installed here: kept as it is, and out of use until "
            "the package is back",
            " and ".join(f"'{kind}'" for kind in sorted(foreign)),
        )
    for name in sorted(without_row):
        _log.error("the row of vhost '%s' is lost; made anew, without description, tags and default queue type", name)
        broker.definitions.put("vhost", "", name, {})
    if with_defaults:
        if not broker.vhosts:
            add_vhost(broker, default_vhost)
        if damage and not broker.users:
            # Whoever could log in is lost; that must not open the door to everybody who knows the default password.
            note_seeded(broker.definitions)
            _log.error("no users are left in the damaged definitions: add one with warren ctl add_user")
        seed_defaults(broker.definitions, broker.users, default_user, default_password, default_vhost)
    for restored in broker.vhosts.values():
        broker.policies.apply(restored)
    for component in broker.components.values():
        component.restored()
    _restore_messages(broker, delivered, crashed=crashed, keep_unknown=bool(foreign))
    for vhost, name in delivered:
        broker.definitions.delete(DELIVERED, vhost, name)
    broker.definitions.put(MARKER, "", RUNNING, {})
    broker.definitions.commit()


def note_clean_stop(broker: Broker) -> None:
    """Before the stores are closed in good order: remember what was delivered, and that this was no crash."""
    for component in broker.components.values():
        component.before_stop()
    for vhost in broker.vhosts.values():
        for queue in vhost.queues.values():
            position = queue.delivered_position()
            if position:
                broker.definitions.put(DELIVERED, vhost.name, queue.name, {"position": position})
    broker.definitions.delete(MARKER, "", RUNNING)
    broker.definitions.commit()


def add_vhost(broker: Broker, name: str, metadata: Mapping[str, JSON] | None = None) -> VirtualHost:
    """Make a virtual host with its predeclared exchanges, durably."""
    vhost = _make_vhost(broker, name, metadata)
    broker.definitions.put("vhost", "", name, dict(metadata or {}))
    return vhost


def _make_vhost(broker: Broker, name: str, metadata: Mapping[str, JSON] | None = None) -> VirtualHost:
    vhost = broker.vhosts[name] = VirtualHost(broker, name, metadata)
    predeclare(vhost)
    return vhost


def _restore_vhost(broker: Broker, name: str, row: Mapping[str, JSON]) -> None:
    """Take a virtual host's row; what is in it may have come before, where the row was lost and made anew."""
    vhost = broker.vhosts.get(name) or _make_vhost(broker, name)
    vhost.metadata = dict(row)
    vhost.tracing = bool(row.get("tracing", False))


def _restore(broker: Broker, kind: str, vhost_name: str, name: str, value: Mapping[str, JSON]) -> None:
    vhost = broker.vhosts[vhost_name]
    raw, arguments = _arguments(value)
    if kind == "exchange":
        exchange = create(
            str(value["type"]),
            name,
            durable=True,
            auto_delete=bool(value["auto_delete"]),
            internal=bool(value["internal"]),
            arguments=arguments,
            arguments_raw=raw,
        )
        exchange.store_id = int(str(value.get("id", 0)))
        vhost.exchanges[name] = exchange
        exchange.attached(vhost)
    elif kind == "queue":
        made = find_type(arguments) or Unavailable
        vhost.queues[name] = made(
            vhost,
            name,
            durable=True,
            auto_delete=bool(value["auto_delete"]),
            arguments=arguments,
            arguments_raw=raw,
            store_id=int(str(value["id"])),
        )
    elif kind == "binding":
        destination = str(value["destination"])
        ends = vhost.queues if value["kind"] == "queue" else vhost.exchanges
        source = str(value["source"])
        target = cast("Mapping[str, Destination]", ends).get(destination)
        if target is None or source not in vhost.exchanges:
            _log.warning(
                "a binding from '%s' to '%s' in vhost '%s' has lost an end; dropping it",
                source,
                destination,
                vhost_name,
            )
            broker.definitions.delete(kind, vhost_name, name)
            return
        binding = Binding(source, target, str(value["routing_key"]), arguments, raw)
        binding.stored = True
        vhost.exchanges[source].add(binding)
    else:
        raise ValueError("this version knows no such kind")


def _arguments(value: Mapping[str, JSON]) -> tuple[bytes, dict[str, FieldValue]]:
    raw = base64.b64decode(str(value["arguments"]))
    return raw, decode_table(raw, 0)[0]


def _is_of_a_component(broker: Broker, number: int, positions: Sequence[int]) -> bool:
    return any(component.restore_records(number, positions) for component in broker.components.values())


def _restore_messages(
    broker: Broker, delivered: Mapping[tuple[str, str], Mapping[str, JSON]], *, crashed: bool, keep_unknown: bool
) -> None:
    """Give what is in the log to whom it belongs; what is nobody's is settled, unless `keep_unknown`."""
    queues: dict[int, Queue] = {
        queue.store_id: queue for vhost in broker.vhosts.values() for queue in vhost.queues.values()
    }
    exchanges: dict[int, Exchange] = {
        exchange.store_id: exchange
        for vhost in broker.vhosts.values()
        for exchange in vhost.exchanges.values()
        if exchange.store_id
    }
    entries = []
    for queue_id, positions, sizes in broker.store.recover():
        queue = queues.get(queue_id)
        if queue is not None:
            entries.append((queue, positions, sizes))
        elif queue_id in exchanges:
            exchanges[queue_id].restore_messages(positions, sizes)
        elif not _is_of_a_component(broker, queue_id, positions) and not keep_unknown:
            broker.store.settle_positions(queue_id, positions)
    # What happens at the start happens in the order of declaring, so that one history has one outcome.
    entries.sort(key=lambda entry: entry[0].store_id)
    for description in broker.damage():
        _log.error("%s", description)
    # Positions grow in the order of publishing, so they serve as the sequences of recovered messages.
    broker.sequence = max((positions[-1] for _, positions, _ in entries if positions), default=0)
    for queue, positions, sizes in entries:
        if not positions:
            continue
        last_delivered = positions[-1]
        noted = delivered.get((queue.vhost.name, queue.name), {})
        if not crashed:
            last_delivered = min(last_delivered, int(str(noted.get("position", 0))))
        queue.restore(Stored(positions, sizes, last_delivered, broker.store.failures(queue.store_id)))
    broker.dirty_queues.sort(key=lambda queue: queue.store_id)
