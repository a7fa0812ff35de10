"""Components: the broker asks them in order, and what belongs to one that is missing waits for it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from warren.core.access.users import Users
from warren.core.broker import Broker
from warren.core.component import FOREIGN_PREFIX, Component, ComponentFactory
from warren.core.errors import StorageError
from warren.core.messages.address import Address
from warren.core.messages.message import Message
from warren.core.messages.properties import encode_properties
from warren.core.storage.definitions.memory import MemoryDefinitionStore
from warren.core.storage.definitions.store import JSON
from warren.core.storage.disk.engine import DiskEngine
from warren.core.storage.recovery import note_clean_stop, recover

KIND = f"{FOREIGN_PREFIX}ledger"


class Ledger(Component):
    """Keeps rows, and one message under a number of its own; `seen` is every call that it got."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.seen: list[tuple[object, ...]] = []
        self.numbers: dict[int, str] = {}
        self.bodies: list[bytes] = []

    def keep(self, name: str, body: bytes) -> None:
        """A row with the number of a message."""
        number = self.broker.definitions.next_id("queue")
        self.broker.definitions.put(KIND, "/", name, {"number": number})
        message = Message(
            self.broker.next_sequence(), Address("", name), encode_properties(delivery_mode=2), body, 0, len(body), 0, 0
        )
        self.broker.store.append(message, (number,))

    def restore(self, kind: str, vhost: str, name: str, value: Mapping[str, JSON]) -> bool:
        if kind != KIND:
            return False
        self.seen.append(("restore", vhost, name))
        self.numbers[int(str(value["number"]))] = name
        return True

    def restored(self) -> None:
        self.seen.append(("restored", sorted(self.broker.vhosts)))

    def restore_records(self, number: int, positions: Sequence[int]) -> bool:
        if number not in self.numbers:
            return False
        self.seen.append(("records", self.numbers[number], len(positions)))
        self.bodies += [record.body for record in self.broker.store.read(positions) if record is not None]
        return True

    def forget_vhost(self, name: str) -> None:
        self.seen.append(("forget", name, name in self.broker.vhosts))

    def damage_found(self) -> None:
        self.seen.append(("damage_found",))

    def before_stop(self) -> None:
        self.seen.append(("before_stop",))


class Disk:
    """A data directory over several lives of a broker."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.definitions = MemoryDefinitionStore()

    def start(self, components: Mapping[str, ComponentFactory]) -> Broker:
        broker = Broker(
            DiskEngine(self.directory), self.definitions, Users(self.definitions), now_ms=0, components=components
        )
        recover(broker, default_user="guest", default_password="guest", default_vhost="/")
        return broker

    def stop(self, broker: Broker, *, crash: bool = False) -> None:
        commit = broker.begin_commit()
        commit.write()
        broker.finish_commit(commit)
        if not crash:
            note_clean_stop(broker)
        broker.store.close()


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def ledger_of(broker: Broker) -> Ledger:
    found = broker.components["ledger"]
    assert isinstance(found, Ledger)
    return found


def test_every_call_in_order_over_a_restart(disk: Disk) -> None:
    broker = disk.start({"ledger": Ledger})
    first = ledger_of(broker)
    first.keep("a", b"kept")
    disk.stop(broker)
    assert first.seen == [("restored", ["/"]), ("before_stop",)]
    second = ledger_of(disk.start({"ledger": Ledger}))
    assert second.seen == [("restore", "/", "a"), ("restored", ["/"]), ("records", "a", 1)]
    assert second.bodies == [b"kept"]


def test_damage_is_told_behind_what_could_be_read(disk: Disk) -> None:
    broker = disk.start({"ledger": Ledger})
    first = ledger_of(broker)
    first.keep("a", b"a message that goes bad")
    first.keep("b", b"kept")
    disk.stop(broker)
    (log,) = disk.directory.rglob("*.log")
    log.write_bytes(log.read_bytes().replace(b"goes bad", b"went bad"))
    second = ledger_of(disk.start({"ledger": Ledger}))
    assert second.seen[-2:] == [("records", "b", 1), ("damage_found",)]
    assert second.bodies == [b"kept"]


def test_components_are_asked_in_the_order_in_which_they_were_added(disk: Disk) -> None:
    broker = disk.start({"first": Ledger, "second": Ledger})
    assert list(broker.components) == ["users", "policies", "parameters", "super streams", "first", "second"]
    broker.definitions.put(KIND, "/", "a", {"number": 7})
    disk.stop(broker)
    broker = disk.start({"first": Ledger, "second": Ledger})
    first, second = broker.components["first"], broker.components["second"]
    assert isinstance(first, Ledger)
    assert isinstance(second, Ledger)
    assert (first.numbers, second.numbers) == ({7: "a"}, {}), "a row has one taker"


def test_a_virtual_host_is_forgotten_while_it_is_still_there(disk: Disk) -> None:
    broker = disk.start({"ledger": Ledger})
    broker.add_vhost("other", {})
    broker.delete_vhost("other")
    assert ledger_of(broker).seen[-1] == ("forget", "other", True)
    assert "other" not in broker.vhosts


@pytest.mark.parametrize("crash", [False, True])
def test_what_a_missing_component_kept_waits_for_it(disk: Disk, caplog: pytest.LogCaptureFixture, crash: bool) -> None:
    broker = disk.start({"ledger": Ledger})
    ledger_of(broker).keep("a", b"kept")
    disk.stop(broker, crash=crash)
    for _ in range(2):
        with caplog.at_level(logging.WARNING, "warren.recovery"):
            caplog.clear()
            broker = disk.start({})
        assert f"'{KIND}' of a package that isn't installed" in caplog.text
        disk.stop(broker, crash=crash)
    with caplog.at_level(logging.WARNING, "warren.recovery"):
        caplog.clear()
        back = ledger_of(disk.start({"ledger": Ledger}))
    assert back.bodies == [b"kept"]
    assert "isn't installed" not in caplog.text


def test_entries_of_nobody_are_set_aside_and_those_of_what_was_deleted_settled(disk: Disk) -> None:
    broker = disk.start({})
    number = broker.definitions.next_id("queue")
    message = Message(1, Address("", "x"), encode_properties(delivery_mode=2), b"x", 0, 1, 0, 0)
    broker.store.append(message, (number,))
    disk.stop(broker)
    broker = disk.start({})
    assert list(broker.quarantine.entries) == [number]
    broker.numbers.deleted(number)
    disk.stop(broker)
    broker = disk.start({})
    assert not broker.quarantine.entries
    disk.stop(broker)
    store = DiskEngine(disk.directory)
    assert [found for found in store.recover() if found[1]] == []
    store.close()


def test_a_kind_of_a_newer_warren_still_ends_the_start(disk: Disk) -> None:
    broker = disk.start({})
    broker.definitions.put("novelty", "/", "a", {})
    disk.stop(broker)
    with pytest.raises(StorageError, match="written by a newer Warren"):
        disk.start({})
