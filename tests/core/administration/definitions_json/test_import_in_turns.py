"""An import in turns: little is made in each, others may come in between, and a crash doesn't leave half of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from tests.core.administration.definitions_json.documents import FILES, Document, document, exported, read
from tests.core.administration.definitions_json.test_bad_files import NOT_DEFINITIONS
from tests.support.core_broker import core_broker
from warren.core.administration import operations
from warren.core.administration.definitions_json import journal
from warren.core.administration.definitions_json.importing import Imported, import_definitions
from warren.core.administration.definitions_json.in_turns import AT_ONCE_BYTES_MAX, check
from warren.core.administration.definitions_json.plan import DONE_PER_SLICE
from warren.core.administration.definitions_json.reading import ROWS_PER_SLICE, read_document, read_in_slices, text_of
from warren.core.administration.steps import Steps
from warren.core.broker import Broker
from warren.core.errors import BrokerError, PreconditionFailed
from warren.core.storage.definitions.memory import MemoryDefinitionStore
from warren.core.storage.definitions.sqlite import SqliteDefinitionStore
from warren.core.storage.recovery import IMPORT, finish_chores

QUEUES = 3 * DONE_PER_SLICE

QUEUE_ROWS = [
    {"name": f"q{number}", "vhost": "v", "durable": True, "auto_delete": False, "arguments": {"x-max-length": number}}
    for number in range(QUEUES)
]

FILE = document(
    users=[{"name": "u", "password_hash": "", "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": []}],
    vhosts=[{"name": "v", "tracing": True, "limits": {"max-queues": 10_000}}],
    permissions=[{"user": "u", "vhost": "v", "configure": "", "write": ".*", "read": ".*"}],
    topic_permissions=[{"user": "u", "vhost": "v", "exchange": "x", "write": "a", "read": "b"}],
    exchanges=[{"name": "x", "vhost": "v", "type": "topic", "durable": True, "auto_delete": False, "arguments": {}}],
    global_parameters=[{"name": "place", "value": {"city": "here"}}],
    policies=[
        {
            "name": "p",
            "vhost": "v",
            "pattern": "^q",
            "apply-to": "queues",
            "definition": {"expires": 10**9},
            "priority": 1,
        }
    ],
    parameters=[{"component": "unknown", "vhost": "v", "name": "n", "value": {"a": 1}}],
    queues=QUEUE_ROWS,
    bindings=[
        {
            "source": "x",
            "vhost": "v",
            "destination": row["name"],
            "destination_type": "queue",
            "routing_key": "k.#",
            "arguments": {},
        }
        for row in QUEUE_ROWS
    ],
)


class Asked:
    """Somebody who has asked for an import, and drives the broker meanwhile."""

    def __init__(self, broker: Broker, data: str, vhost: str | None = None) -> None:
        self._broker = broker
        self._steps = check(broker, data, vhost=vhost, source="a test")
        self.answers: list[Imported | BrokerError] = []
        self._is_checked = False

    def turn(self) -> bool:
        """Check some of it, or let the broker have a turn; False when all is done."""
        if not self._is_checked:
            self._is_checked = not self._steps.step()
            if self._is_checked:
                self._steps.result.carry_out(self.answers.append)
        return self._broker.end_turn() or not self.answers

    def begin(self) -> Asked:
        """Until it is checked, and the first of it is about to be made."""
        while not self._is_checked:
            self.turn()
        return self

    def finish(self) -> Imported:
        """Until it is done: what came of it."""
        while self.turn():
            pass
        [found] = self.answers
        assert isinstance(found, Imported), found
        return found


def finished(broker: Broker, data: str, vhost: str | None = None) -> Imported:
    return Asked(broker, data, vhost).finish()


def told(broker: Broker) -> Document:
    """What it exports, but for the user whose password has another salt in each broker."""
    found = exported(broker)
    return {**found, "users": [row for row in found["users"] if row["name"] != "guest"]}


def queues_in(broker: Broker) -> int:
    """How many there are of the file."""
    return len(broker.vhosts["v"].queues) if "v" in broker.vhosts else 0


def test_it_is_what_one_at_once_is(broker: Broker) -> None:
    other = core_broker()
    assert finished(broker, FILE) == import_definitions(other, FILE)
    assert told(broker) == told(other)
    assert queues_in(broker) == QUEUES


@pytest.mark.parametrize("name", FILES)
def test_files_of_rabbitmq(broker: Broker, name: str) -> None:
    other = core_broker()
    text = read(name) + " " * AT_ONCE_BYTES_MAX
    assert finished(broker, text) == import_definitions(other, text)
    assert [row["name"] for row in exported(broker)["queues"]] == [row["name"] for row in exported(other)["queues"]]
    assert exported(broker)["bindings"] == exported(other)["bindings"]


def test_little_is_made_in_each_turn(broker: Broker) -> None:
    asked = Asked(broker, FILE)
    before = turns = 0
    while asked.turn():
        made = queues_in(broker)
        assert made - before <= DONE_PER_SLICE
        turns += made != before
        before = made
    assert turns >= QUEUES // DONE_PER_SLICE


def test_what_is_little_is_imported_at_once(broker: Broker) -> None:
    asked = Asked(broker, document(vhosts=[{"name": "v"}]))
    asked.turn()
    assert asked.answers == [Imported({"vhosts": 1}, [])]
    assert "v" in broker.vhosts


def test_into_one_virtual_host(broker: Broker) -> None:
    rows = [{**row, "vhost": "elsewhere"} for row in QUEUE_ROWS]
    finished(broker, document(queues=rows), "/")
    assert len(broker.vhosts["/"].queues) == QUEUES


def test_what_is_refused_has_changed_nothing(store: MemoryDefinitionStore, broker: Broker) -> None:
    before, rows = exported(broker), list(store.load())
    bad = document(vhosts=[{"name": "v"}], queues=[*QUEUE_ROWS, {"name": 5, "vhost": "v"}])
    with pytest.raises(PreconditionFailed) as caught:
        finished(broker, bad)
    assert caught.value.text.startswith("nothing was imported: queues[150]")
    assert exported(broker) == before
    assert list(store.load()) == rows
    assert not broker.chores


def test_who_has_asked_for_it_goes_away(broker: Broker) -> None:
    Asked(broker, FILE).begin()
    while broker.end_turn():
        pass
    assert queues_in(broker) == QUEUES


def test_a_stop_does_it_to_its_end(broker: Broker) -> None:
    asked = Asked(broker, FILE).begin()
    finish_chores(broker)
    assert queues_in(broker) == QUEUES
    assert len(asked.answers) == 1


def test_what_others_have_made_meanwhile_stays(broker: Broker) -> None:
    asked = Asked(broker, FILE).begin()
    while not queues_in(broker):
        broker.end_turn()
    last = f"q{QUEUES - 1}"
    assert last not in broker.vhosts["v"].queues
    made, _ = operations.queues.declare(broker, "v", last, durable=False)
    asked.finish()
    assert broker.vhosts["v"].queues[last] is made
    assert queues_in(broker) == QUEUES


def test_what_others_have_deleted_meanwhile_is_told(broker: Broker) -> None:
    asked = Asked(broker, FILE).begin()
    while not queues_in(broker):
        broker.end_turn()
    operations.exchanges.delete(broker, "v", "x")
    warnings = asked.finish().warnings
    assert "binding of queue 'q0' to 'x' in vhost 'v': no exchange 'x' in vhost 'v'; left out" in warnings
    assert len([each for each in warnings if each.startswith("binding")]) == QUEUES
    assert queues_in(broker) == QUEUES


def test_nothing_is_left_in_a_virtual_host_that_others_have_deleted_meanwhile(broker: Broker) -> None:
    permission = {"user": "guest", "vhost": "v", "configure": "", "write": "", "read": ""}
    rows = [{**permission, "user": f"u{number}"} for number in range(DONE_PER_SLICE)]
    everything = json.loads(FILE)
    users = [everything["users"][0], *({**everything["users"][0], "name": row["user"]} for row in rows)]
    asked = Asked(broker, document(**{**everything, "users": users, "permissions": rows})).begin()
    while "v" not in broker.vhosts:
        broker.end_turn()
    operations.vhosts.delete(broker, "v")
    warnings = asked.finish().warnings
    left = exported(broker)
    for section in ("permissions", "topic_permissions", "parameters", "policies", "queues", "bindings"):
        assert [row for row in left[section] if row["vhost"] == "v"] == []
    assert f"permissions of 'u{DONE_PER_SLICE - 1}': vhost v not found; left out" in warnings


def copied(path: Path, directory: Path) -> Path:
    """The database as a crash leaves it at this moment."""
    directory.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", directory)
    return directory / path.name


def test_a_crash_at_any_moment_leaves_all_of_it_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "definitions.sqlite"
    store = SqliteDefinitionStore(path)
    broker = core_broker(store)
    asked = Asked(broker, FILE)
    found: list[tuple[int, int]] = []
    for number in count():
        has_more = asked.turn()
        again = SqliteDefinitionStore(copied(path, tmp_path / str(number)))
        restarted = core_broker(again)
        cut = queues_in(restarted)
        journal.finish(restarted)
        found.append((cut, queues_in(restarted)))
        assert not [row for row in again.load() if row[0] == IMPORT]
        again.close()
        if not has_more:
            break
    store.close()
    assert {after for _, after in found} == {0, QUEUES}
    assert any(0 < cut < QUEUES for cut, _ in found), "some crash came in the middle"
    assert [after for _, after in found] == sorted(after for _, after in found)
    assert queues_in(broker) == QUEUES


def test_a_note_that_is_damaged_is_told(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    for _ in journal.note(broker, "name", FILE, None):
        pass
    rows = {name: value for kind, _, name, value in broker.definitions.load() if kind == IMPORT}
    broker.begun_imports = {name: value for name, value in rows.items() if name != "name/0"}
    journal.finish(broker)
    assert "are damaged: import them again" in caplog.text
    assert queues_in(broker) == 0


def test_a_note_of_what_cant_be_imported_any_more_is_told(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    for _ in journal.note(broker, "name", document(queues=QUEUE_ROWS), "gone"):
        pass
    broker.begun_imports = {name: value for kind, _, name, value in broker.definitions.load() if kind == IMPORT}
    journal.finish(broker)
    assert "can't be imported any more: nothing was imported: vhost gone not found" in caplog.text
    assert not broker.begun_imports


def in_slices(data: bytes | str) -> Document:
    return Steps(read_in_slices(text_of(data))).finish()


def refusal(read_it: Callable[[bytes | str], Document], data: bytes | str) -> str:
    try:
        read_it(data)
    except PreconditionFailed as error:
        return error.text
    return ""


DOCUMENTS = [
    "{}",
    ' {"queues" : [ ] , "users":[],\n"x": {"a": [1, 2, {"b": null}]}, "vhosts":[{"name":"a"} , {"name":"b"}] }\n',
    json.dumps({"queues": [{"name": str(number)} for number in range(3 * ROWS_PER_SLICE)]}, indent=2),
    '{"a": 1, "a": [2]}',
    FILE,
]


@pytest.mark.parametrize("text", DOCUMENTS)
def test_reading_in_slices_is_reading(text: str) -> None:
    assert in_slices(text) == read_document(text)


@pytest.mark.parametrize(
    "data",
    [*(data for data, _ in NOT_DEFINITIONS), '{"a": [1,]}', '{"a": [1 2]}', '{"a" [1]}', '{"a": 1} x', '{"a": ['],
)
def test_what_is_wrong_is_said_in_the_same_words(data: bytes | str) -> None:
    assert refusal(in_slices, data) == refusal(read_document, data)


def test_a_long_file_is_read_in_slices() -> None:
    slices = sum(1 for _ in read_in_slices(DOCUMENTS[2]))
    assert slices >= 3
