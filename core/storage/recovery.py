"""Bringing a broker back from its stores: definitions first, then the messages into their queues.

Messages that may have been delivered before are marked as redelivered.  After a clean stop the definitions say, per
queue, up to which log position anything was given to a consumer; after a crash nobody knows, so all are marked.  A row
that stays while the broker runs tells the two apart.  How often deliveries failed, the message log knows.

Longer than 400 lines because each step rests on those before it.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Collection, Mapping, Sequence, Set
from typing import TYPE_CHECKING, cast

from warren.core.access.defaults import ADMINISTRATOR, EVERYTHING, note_seeded, seed_defaults
from warren.core.administration import vhost_deletion
from warren.core.component import FOREIGN_PREFIX
from warren.core.declaring.bindings import store_binding
from warren.core.declaring.departures import DEPARTED, is_binding_to
from warren.core.declaring.exchanges import predeclare
from warren.core.declaring.numbers import COUNTER, DELETED
from warren.core.declaring.quarantine import SetAside
from warren.core.declaring.queues import OF_CLUSTER
from warren.core.errors import BrokerError, StorageError
from warren.core.exchanges.base import Exchange
from warren.core.exchanges.binding import Binding, Destination
from warren.core.exchanges.registry import create
from warren.core.messages.field_table import decode_table
from warren.core.queues.base import Queue, Stored
from warren.core.queues.quorum import URGENT, QuorumQueue
from warren.core.queues.registry import find_type
from warren.core.queues.unavailable import Unavailable
from warren.core.routing.vhost import VirtualHost
from warren.core.routing.vhost_metadata import DELETING

if TYPE_CHECKING:
    from warren.core.access.permissions import Permission
    from warren.core.broker import Broker
    from warren.core.messages.field_table import FieldValue
    from warren.core.storage.definitions.store import JSON
    from warren.core.storage.engine import Owner

_log = logging.getLogger("warren.recovery")

MARKER = "marker"
RUNNING = "running"
DELIVERED = "delivered"
NOTES_DELETIONS = "notes deletions"

IMPORT = "import"
"""The kind of rows that note an import which is under way (core.administration.definitions_json.journal)."""

OF_DEFINITIONS = 0
DEFINITIONS_OWNER = ("definitions", "", "")
"""A number that nothing is stored under, and whose it is: the message log tells by it that there were definitions."""


def recover(
    broker: Broker,
    *,
    default_user: str,
    default_password: str,
    default_vhost: str,
    default_tags: Collection[str] = ADMINISTRATOR,
    default_permissions: Permission = EVERYTHING,
    with_defaults: bool = True,
) -> None:
    """Fill a new broker from its stores, and mark it as running.

    default_user, default_password, default_vhost, default_tags, default_permissions: what a blank store starts with.
    with_defaults: False when it starts
    with imported definitions instead.  Raises StorageError when the definitions hold what this version can't read;
    damage to messages is logged and survived.
    """
    damage = broker.definitions.damage()
    delivered: dict[tuple[str, str], Mapping[str, JSON]] = {}
    # The row that tells a crash from a clean stop may be among what was lost.
    crashed = bool(damage)
    urgent: list[tuple[str, str]] = []
    foreign: set[str] = set()
    without_row: set[str] = set()
    lost_bindings: list[tuple[str, str, dict[str, JSON]]] = []
    deleted: set[int] = set()
    # Before Warren noted deletions, what a crash left of one looked like what damage leaves.
    notes_deletions = bool(damage)
    is_blank = True
    had_definitions = broker.store.owner(OF_DEFINITIONS) is not None
    for kind, vhost, name, value in broker.definitions.load():
        is_blank = False
        if vhost and vhost not in broker.vhosts:
            _make_vhost(broker, vhost)
            without_row.add(vhost)
        try:
            if kind == MARKER:
                crashed = crashed or name == RUNNING
                notes_deletions = notes_deletions or name == NOTES_DELETIONS
            elif kind == DELETED:
                deleted.add(int(name))
            elif kind == "vhost":
                _restore_vhost(broker, name, value)
                without_row.discard(name)
            elif kind == DEPARTED:
                lost_bindings = _drop_bindings_to(broker, vhost, name, lost_bindings)
            elif kind == DELIVERED:
                delivered[vhost, name] = value
            elif kind == URGENT:
                urgent.append((vhost, name))
            elif kind == IMPORT:
                broker.begun_imports[name] = value
            elif not any(component.restore(kind, vhost, name, value) for component in broker.components.values()):
                if kind.startswith(FOREIGN_PREFIX):
                    foreign.add(kind)
                elif kind != "binding":
                    _restore(broker, kind, vhost, name, value)
                elif not restore_binding(broker.vhosts[vhost], value):
                    lost_bindings.append((vhost, name, value))
        except (BrokerError, KeyError, ValueError, TypeError) as error:
            raise StorageError(
                f"the definitions hold a {kind} '{name}' (vhost '{vhost}') that can't be restored: {error}; "
                "was the data directory written by a newer Warren?"
            ) from error
    if is_blank:
        # A first start, or the database was moved away: then all that the message log holds has lost its owner.  No
        # number is taken, and so nothing is committed, before the next start would know that.
        notes_deletions = True
        broker.definitions.put(MARKER, "", NOTES_DELETIONS, {})
        if had_definitions:
            _refuse_default_user(broker)
    if foreign:
        _log.warning(
            "the data directory holds %s of a package that isn't installed here: kept as it is, and out of use until "
            "the package is back",
            " and ".join(f"'{kind}'" for kind in sorted(foreign)),
        )
    for vhost, _, value in lost_bindings:
        broker.quarantine.bindings.add(vhost, value)
    broker.quarantine.restored(broker.vhosts)
    for name in sorted(without_row):
        _log.error("the row of vhost '%s' is lost; made anew, without description, tags and default queue type", name)
        broker.definitions.put("vhost", "", name, {})
    if with_defaults and not broker.vhosts:
        add_vhost(broker, default_vhost)
    for restored in broker.vhosts.values():
        broker.policies.apply_at_start(restored)
    for component in broker.components.values():
        component.restored()
    for vhost, name in urgent:
        found = broker.vhosts[vhost].queues.get(name)
        if isinstance(found, QuorumQueue):
            found.has_urgent()
    _restore_messages(
        broker,
        delivered,
        crashed=crashed,
        deleted=deleted,
        keep_unknown=bool(foreign),
        sets_aside=notes_deletions,
    )
    if with_defaults:
        if damage and not broker.users:
            note_seeded(broker.definitions)
            _log.error("no users are left in the damaged definitions: add one with warren ctl add_user")
        elif is_blank and not had_definitions and (broker.quarantine.entries or broker.quarantine.streams):
            # An older version, which didn't note that there were definitions, has left messages.
            _refuse_default_user(broker)
        seed_defaults(
            broker.definitions,
            broker.users,
            default_user,
            default_password,
            default_vhost,
            tags=default_tags,
            permissions=default_permissions,
        )
    for vhost, name in delivered:
        broker.definitions.delete(DELIVERED, vhost, name)
    broker.definitions.put(MARKER, "", RUNNING, {})
    broker.definitions.put(MARKER, "", NOTES_DELETIONS, {})
    broker.definitions.damage_seen_to()
    broker.definitions.reserve_ids(COUNTER)
    broker.definitions.commit()
    if not had_definitions:
        # Not before a power failure can't take them away any more, or that would look like a loss.
        broker.definitions.sync()
        broker.store.note_owner(OF_DEFINITIONS, DEFINITIONS_OWNER)
    broker.withdrawals.resume()
    vhost_deletion.resume(broker)


def _refuse_default_user(broker: Broker) -> None:
    """Whoever could log in is lost; that must not open the door to everybody who knows the default password."""
    note_seeded(broker.definitions)
    _log.error(
        "the definitions that were kept here are gone, and the users with them. The default user isn't made again, as "
        "this is no first start and everybody knows its password: add a user with warren ctl add_user and "
        "set_permissions, or begin as a new broker with warren ctl stop_app, reset and start_app"
    )


def finish_chores(broker: Broker) -> None:
    """Before the last commit of a run: do at once what can't be left to the next start."""
    broker.chores.finish()


def note_clean_stop(broker: Broker) -> None:
    """Before the stores are closed in good order: remember what was delivered, and that this was no crash."""
    for component in broker.components.values():
        component.before_stop()
    for vhost in broker.vhosts.values():
        for queue in vhost.queues.values():
            position = queue.delivered_position()
            if position:
                broker.definitions.put(DELIVERED, vhost.name, queue.name, {"position": position})
    broker.streams.close()
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
    vhost.metadata = {key: value for key, value in row.items() if key != DELETING}
    vhost.deleting = bool(row.get(DELETING, False))
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
    elif kind == "queue" and value.get(OF_CLUSTER):
        from warren.core.cluster.restoring import stand_in  # nobody without a cluster needs it

        vhost.queues[name] = stand_in(vhost, name, value, arguments, raw)
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
        vhost.queues[name].user = str(value.get("user", ""))
        vhost.queues[name].user_id = str(value.get("user_id", ""))
    else:
        raise ValueError("this version knows no such kind")


def _drop_bindings_to(
    broker: Broker, vhost: str, departed: str, lost: list[tuple[str, str, dict[str, JSON]]]
) -> list[tuple[str, str, dict[str, JSON]]]:
    """A crash came while bindings to something deleted were going: the rest of them goes now; the other lost ones."""
    staying = []
    for each in lost:
        if each[0] == vhost and is_binding_to(each[2], departed):
            broker.definitions.delete("binding", vhost, each[1])
        else:
            staying.append(each)
    broker.definitions.delete(DEPARTED, vhost, departed)
    return staying


def restore_binding(vhost: VirtualHost, value: Mapping[str, JSON]) -> bool:
    """Make a binding by its row; False when an end of it isn't there."""
    raw, arguments = _arguments(value)
    source = vhost.exchanges.get(str(value["source"]))
    ends = vhost.queues if value["kind"] == "queue" else vhost.exchanges
    target = cast("Mapping[str, Destination]", ends).get(str(value["destination"]))
    if source is None or target is None:
        return False
    binding = Binding(source.name, target, str(value["routing_key"]), arguments, raw)
    binding.stored = True
    binding.slots = slots = _slots(value.get("slots"))
    if source.add(binding):
        vhost.leads(source, target)
        vhost.changed()
        if binding.slots != slots:
            # The row is an older version's, or somebody has the slots by now: what it got stays its own.
            store_binding(vhost, binding)
    return True


def _slots(value: JSON) -> tuple[tuple[int, int], ...]:
    return tuple((int(str(first)), int(str(count))) for first, count in cast("Sequence[Sequence[JSON]]", value or ()))


def _arguments(value: Mapping[str, JSON]) -> tuple[bytes, dict[str, FieldValue]]:
    raw = base64.b64decode(str(value["arguments"]))
    return raw, decode_table(raw, 0)[0]


def _is_of_a_component(broker: Broker, number: int, positions: Sequence[int]) -> bool:
    return any(component.restore_records(number, positions) for component in broker.components.values())


def _own_queues(broker: Broker) -> list[Queue]:
    """All but those of a cluster, whose messages aren't in this broker's log."""
    return [each for vhost in broker.vhosts.values() for each in vhost.queues.values() if not each.of_cluster]


def _keep_owners(broker: Broker) -> None:
    """Have the message log know whose its numbers are, also of what was declared before it noted that."""
    owners: dict[int, Owner] = {
        each.number: each.owner for each in broker.quarantine.entries.values() if each.owner is not None
    }
    owners.update((number, owner) for number, owner in broker.quarantine.streams.items() if owner is not None)
    owners.update((queue.store_id, ("queue", queue.vhost.name, queue.name)) for queue in _own_queues(broker))
    for vhost in broker.vhosts.values():
        owners.update((exchange.store_id, ("exchange", vhost.name, name)) for name, exchange in vhost.exchanges.items())
    for component in broker.components.values():
        owners.update(component.owners())
    owners.pop(0, None)
    found = broker.store.owner(OF_DEFINITIONS)
    if found is not None:
        owners[OF_DEFINITIONS] = found
    broker.store.keep_owners(owners)


def _restore_messages(
    broker: Broker,
    delivered: Mapping[tuple[str, str], Mapping[str, JSON]],
    *,
    crashed: bool,
    deleted: Set[int],
    keep_unknown: bool,
    sets_aside: bool,
) -> None:
    """Give what is in the log to whom it belongs.

    deleted: numbers whose entries are to be settled.  keep_unknown: what is nobody's may be a package's that isn't
    there.  sets_aside: it is to be set aside; else it is what a crash of an older Warren left of a deletion, and is
    settled.
    """
    queues = {queue.store_id: queue for queue in _own_queues(broker)}
    exchanges: dict[int, Exchange] = {
        exchange.store_id: exchange
        for vhost in broker.vhosts.values()
        for exchange in vhost.exchanges.values()
        if exchange.store_id
    }
    entries = []
    last_position = last_number = 0
    for queue_id, positions, sizes in broker.store.recover():
        last_number = max(last_number, queue_id)
        last_position = max(last_position, positions[-1]) if positions else last_position
        queue = queues.get(queue_id)
        if queue is not None:
            entries.append((queue, positions, sizes))
        elif queue_id in exchanges:
            exchanges[queue_id].restore_messages(positions, sizes)
        elif queue_id in deleted:
            broker.store.settle_positions(queue_id, positions)
        elif _is_of_a_component(broker, queue_id, positions) or keep_unknown or not positions:
            continue
        elif sets_aside:
            broker.quarantine.hold(SetAside(queue_id, broker.store.owner(queue_id), positions, sizes))
        else:
            broker.store.settle_positions(queue_id, positions)
    streams = broker.store.streams.numbers()
    for number in broker.streams.restored(deleted, queues):
        broker.quarantine.streams[number] = broker.store.owner(number)
    for number in deleted:
        broker.numbers.deleted(number)
    broker.definitions.skip_ids(COUNTER, max([last_number, *queues, *exchanges, *deleted, *streams]))
    _keep_owners(broker)
    # What happens at the start happens in the order of declaring, so that one history has one outcome.
    entries.sort(key=lambda entry: entry[0].store_id)
    for description in broker.damage():
        _log.error("%s", description)
    if broker.found_damage():
        for component in broker.components.values():
            component.damage_found()
    # Positions grow in the order of publishing, so they serve as the sequences of recovered messages.
    broker.sequence = last_position
    for queue, positions, sizes in entries:
        if not positions:
            continue
        last_delivered = positions[-1]
        noted = delivered.get((queue.vhost.name, queue.name), {})
        if not crashed:
            last_delivered = min(last_delivered, int(str(noted.get("position", 0))))
        queue.restore(Stored(positions, sizes, last_delivered, broker.store.failures(queue.store_id)))
    broker.dirty_queues.sort(key=lambda queue: queue.store_id)
