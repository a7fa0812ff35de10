"""Damage in the data directory: messages are quarantined one by one with a log line, definitions are refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.durability.broker import Starter, numbered
from tests.support.ctl import ctl

COUNT = 50
SIZE = 3000


def filled(starter: Starter) -> Path:
    """Run a broker once, with COUNT messages of SIZE bytes in `q` and as many in `other`; its segment."""
    broker = starter.start()
    client = starter.connect(broker)
    for queue in ("q", "other"):
        client.declare(queue)
    for body in numbered(COUNT, SIZE):
        client.publish("q", [body])
        client.publish("other", [body.upper()])
    assert starter.stop(broker) == 0
    (segment,) = (starter.data_directory / "messages").glob("*.log")
    return segment


def change(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def test_a_damaged_record_is_quarantined(starter: Starter) -> None:
    segment = filled(starter)
    content = segment.read_bytes()
    offset = content.index(b"000017...") + 1000
    change(segment, offset, b"damaged")
    broker = starter.start()
    assert f"[error] message log: {segment}" in starter.log
    assert "are damaged" in starter.log
    (copy,) = (segment.parent / "quarantine").iterdir()
    assert b"damaged" in copy.read_bytes()
    client = starter.connect(broker)
    expected = numbered(COUNT, SIZE)
    assert client.take_all("other") == expected
    del expected[17]
    assert client.take_all("q") == expected


def test_damage_to_the_start_of_a_record_costs_that_record_alone(starter: Starter) -> None:
    segment = filled(starter)
    start = segment.read_bytes().index(b"000017...") - 60
    change(segment, start, bytes(40))
    broker = starter.start()
    assert f"[error] message log: {segment}" in starter.log
    client = starter.connect(broker)
    expected = numbered(COUNT, SIZE)
    found = client.take_all("q"), client.take_all("other")
    missing = [body for one in found for body in expected if body not in one]
    assert 1 <= len(missing) <= 2
    assert all(body[:6] in (b"000016", b"000017") for body in missing)


def test_damage_that_appears_while_the_broker_runs(starter: Starter) -> None:
    """A record goes bad on disk before its message is read back; it is far enough back not to be in memory yet."""
    broker = starter.start()
    client = starter.connect(broker)
    client.declare("q")
    client.publish("q", numbered(900, SIZE))
    assert starter.stop(broker) == 0
    broker = starter.start()
    (segment,) = (starter.data_directory / "messages").glob("*.log")
    change(segment, segment.read_bytes().index(b"000800...") + 1000, b"damaged")
    expected = numbered(900, SIZE)
    del expected[800]
    assert starter.connect(broker).take_all("q") == expected
    assert "queue 'q' in vhost '/' lost a message" in starter.log


def test_a_segment_of_nonsense_is_moved_away(starter: Starter) -> None:
    """What was in it is lost, and everything else is served."""
    broker = starter.start_with_small_segments(SIZE * 10)
    client = starter.connect(broker)
    client.declare("q")
    client.publish("q", numbered(COUNT, SIZE))
    assert starter.stop(broker) == 0
    segments = sorted((starter.data_directory / "messages").glob("*.log"))
    assert len(segments) >= 4
    nonsense = segments[1]
    lost = [body for body in numbered(COUNT, SIZE) if body in nonsense.read_bytes()]
    assert len(lost) >= 5
    nonsense.write_bytes(b"nonsense" * 4000)
    broker = starter.start()
    assert f"[error] message log: {nonsense} can't be read" in starter.log
    assert not nonsense.exists()
    assert (nonsense.parent / "quarantine" / nonsense.name).read_bytes() == b"nonsense" * 4000
    assert starter.connect(broker).take_all("q") == [body for body in numbered(COUNT, SIZE) if body not in lost]


def test_the_log_goes_on_behind_damage(starter: Starter) -> None:
    segment = filled(starter)
    change(segment, segment.read_bytes().index(b"000017...") + 1000, b"damaged")
    broker = starter.start()
    starter.connect(broker).publish("q", numbered(10))
    assert starter.stop(broker) == 0
    expected = numbered(COUNT, SIZE)
    del expected[17]
    assert starter.restart_and_take("q") == expected + numbered(10)


@pytest.mark.parametrize(("cut", "lost_from_q"), [(1, 0), (20, 0), (1000, 0), (SIZE, 0), (2 * SIZE, 1)])
def test_a_torn_tail_costs_what_is_torn(starter: Starter, cut: int, lost_from_q: int) -> None:
    """A crash in the middle of a write; nothing of it was confirmed, so it is no damage.

    The log ends with the last message of `other`, behind the last one of `q`.
    """
    segment = filled(starter)
    with segment.open("r+b") as file:
        file.truncate(segment.stat().st_size - cut)
    broker = starter.start()
    assert "[error]" not in starter.log
    client = starter.connect(broker)
    assert client.take_all("q") == numbered(COUNT, SIZE)[: COUNT - lost_from_q]
    assert client.take_all("other") == numbered(COUNT, SIZE)[: COUNT - 1]


@pytest.mark.parametrize("tail", [bytes(100_000), b"\xff" * 5000, b"rubbish", bytes(3)])
def test_rubbish_behind_the_last_record_is_cut_off(starter: Starter, tail: bytes) -> None:
    segment = filled(starter)
    with segment.open("ab") as file:
        file.write(tail)
    broker = starter.start()
    client = starter.connect(broker)
    client.publish("q", numbered(5))
    broker.kill()
    assert starter.restart_and_take("q") == numbered(COUNT, SIZE) + numbered(5)
    assert "[error]" not in starter.log


def test_a_torn_tail_is_no_damage_when_the_log_goes_on_in_a_new_segment(starter: Starter) -> None:
    """What a crash leaves of a flush that would have filled the segment: it must not be taken for damage later."""
    segment = filled(starter)
    with segment.open("r+b") as file:
        file.truncate(segment.stat().st_size - 1000)
    broker = starter.start_with_small_segments(SIZE)
    starter.connect(broker).publish("q", numbered(5))
    broker.kill()
    assert len(list(segment.parent.glob("*.log"))) > 1
    assert starter.restart_and_take("q") == numbered(COUNT, SIZE) + numbered(5)
    assert "[error]" not in starter.log
    assert not (segment.parent / "quarantine").exists()


def test_definitions_whose_first_page_is_damaged_are_salvaged(starter: Starter) -> None:
    """It holds no rows: everything is there, and the log says what was damaged and where the damaged files are."""
    filled(starter)
    definitions = starter.data_directory / "definitions.sqlite"
    change(definitions, 0, b"nonsense" * 100)
    damaged = definitions.read_bytes()
    broker = starter.start()
    assert f"[error] definitions: {definitions}: the definition database was damaged" in starter.log
    assert (starter.data_directory / "quarantine" / "definitions.sqlite.1").read_bytes() == damaged
    client = starter.connect(broker)
    assert client.take_all("q") == numbered(COUNT, SIZE)
    assert client.take_all("other") == [body.upper() for body in numbered(COUNT, SIZE)]


def damage_everything_behind_the_first_page(path: Path) -> None:
    change(path, 4096, b"\xa5" * (path.stat().st_size - 4096))


def cut_it_short(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(100)


@pytest.mark.parametrize("damage", [damage_everything_behind_the_first_page, cut_it_short])
def test_definitions_without_anything_sound_are_refused(starter: Starter, damage: object) -> None:
    assert callable(damage)
    filled(starter)
    definitions = starter.data_directory / "definitions.sqlite"
    shutil.copy(definitions, starter.directory / "backup")
    damage(definitions)
    damaged = definitions.read_bytes()
    code, said = starter.attempt()
    last = said.splitlines()[-1]
    assert code == 78
    assert last.startswith(f"Error: {definitions}: the definition database is damaged")
    assert "backup" in last
    assert "Traceback" not in said
    assert definitions.read_bytes() == damaged
    shutil.copy(starter.directory / "backup", definitions)
    assert starter.restart_and_take("q") == numbered(COUNT, SIZE)


def move_away(path: Path) -> None:
    aside = path.parent / "aside"
    aside.mkdir()
    for file in path.parent.glob(f"{path.name}*"):
        file.rename(aside / file.name)


def cut_to_nothing(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("lose", [move_away, cut_to_nothing])
def test_a_start_without_definitions_sets_messages_aside(starter: Starter, lose: Callable[[Path], None]) -> None:
    """What the refusal of a damaged database advises; before, the start threw every message away."""
    filled(starter)
    lose(starter.data_directory / "definitions.sqlite")
    broker = starter.start()
    assert f"{COUNT} message(s) of queue 'q' in vhost '/' (number 1) are set aside" in starter.log
    assert "The default user isn't made again" in starter.log
    assert ctl(broker.data_directory, "list_users", "-q", "--no-table-headers") == ""
    ctl(broker.data_directory, "add_user", "guest", "guest")
    ctl(broker.data_directory, "set_permissions", "guest", ".*", ".*", ".*")
    assert starter.connect(broker).declare("q") == COUNT
    broker.kill()
    client = starter.connect(starter.start())
    assert client.take_all("q") == numbered(COUNT, SIZE)
    assert client.declare("other") == COUNT
    assert client.take_all("other") == [body.upper() for body in numbered(COUNT, SIZE)]
