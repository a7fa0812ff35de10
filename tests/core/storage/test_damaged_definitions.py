"""A start on definitions of which rows are lost to damage: the rest is served, and no door opens by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import PERSISTENT, SimulatedClient
from warren.adapters.amqp091.codec import methods
from warren.core.messages.message import Message
from warren.core.storage.definitions.memory import MemoryDefinitionStore
from warren.core.storage.definitions.store import JSON, Row
from warren.core.storage.disk.owners import STALE_LINES_MAX
from warren.core.storage.recovery import MARKER, NOTES_DELETIONS


class DamagedDefinitions(MemoryDefinitionStore):
    """Rows in memory that can be lost; a start that follows is told so once, as by the store on disk."""

    def __init__(self) -> None:
        super().__init__()
        self.reports: list[str] = []

    def damage(self) -> list[str]:
        return list(self.reports)

    def lose(self, is_lost: Callable[[Row], bool]) -> None:
        """Lose rows; at least one must be there to be lost."""
        lost = [row for row in self.load() if is_lost(row)]
        assert lost
        for kind, vhost, name, _ in lost:
            self.delete(kind, vhost, name)
        self.commit()
        self.reports.append("some rows are lost")

    def recovered(self) -> None:
        """Forget the damage, as a start on the sound rows does."""
        self.reports.clear()


@pytest.fixture
def definitions() -> DamagedDefinitions:
    return DamagedDefinitions()


@pytest.fixture
def broker(definitions: DamagedDefinitions) -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker(definitions=definitions)
    yield broker
    broker.settle()
    broker.check()
    broker.close()


def filled(broker: SimulatedBroker) -> SimulatedClient:
    client = broker.connect()
    client.declare("q", durable=True)
    client.send(1, methods.QueueBind(queue="q", exchange="amq.topic", routing_key="a"))
    client.settle()
    return client


def test_a_lost_vhost_is_made_anew_for_what_is_in_it(
    broker: SimulatedBroker, definitions: DamagedDefinitions, caplog: pytest.LogCaptureFixture
) -> None:
    filled(broker)
    broker.broker.update_vhost("/", {"description": "ours"})
    broker.crash(lambda: definitions.lose(lambda row: row[0] == "vhost"))
    assert "the row of vhost '/' is lost" in caplog.text
    assert set(broker.vhost.queues) == {"q"}
    assert broker.vhost.metadata == {}
    definitions.recovered()
    broker.broker.update_vhost("/", {"description": "again"})
    caplog.clear()
    broker.crash()
    assert "lost" not in caplog.text
    assert set(broker.vhost.queues) == {"q"}
    assert broker.vhost.metadata == {"description": "again"}


def test_lost_users_do_not_bring_the_default_user_back(
    broker: SimulatedBroker, definitions: DamagedDefinitions, caplog: pytest.LogCaptureFixture
) -> None:
    filled(broker)
    broker.crash(lambda: definitions.lose(lambda row: row[0] in ("user", "marker")))
    assert not broker.broker.users
    assert "no users are left" in caplog.text
    definitions.recovered()
    broker.crash()
    assert not broker.broker.users


@pytest.mark.parametrize("owners", ["noted", "an older version's", "lost"])
def test_definitions_that_were_moved_away_do_not_bring_the_default_user_back(
    definitions: DamagedDefinitions, tmp_path: Path, owners: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody took it away, or gave it another password; who moves a damaged database away doesn't want it back."""
    broker = SimulatedBroker(tmp_path, definitions=definitions)
    assert "guest" in {user.name for user in broker.broker.users}
    file = tmp_path / "messages" / "owners"
    if owners == "noted":
        filled(broker)
    else:
        filled(broker).publish("q", b"1", properties=PERSISTENT)
    broker.settle()

    def move_away() -> None:
        definitions.clear()
        if owners == "lost":
            file.unlink()
        elif owners == "an older version's":
            lines = file.read_bytes().splitlines(keepends=True)
            file.write_bytes(b"".join(line for line in lines if b"definitions" not in line))

    broker.restart(move_away)
    assert not broker.broker.users
    assert "The default user isn't made again" in caplog.text
    caplog.clear()
    for _ in range(2):
        broker.restart()
        assert not broker.broker.users
        assert "default user" not in caplog.text
    broker.broker.users.add_user("guest", "guest", ["administrator"])
    broker.restart()
    assert "guest" in {user.name for user in broker.broker.users}, "an operator said so"
    broker.close()


def test_even_if_the_start_that_misses_them_is_cut_short(
    definitions: DamagedDefinitions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever of it is committed."""
    broker = SimulatedBroker(tmp_path, definitions=definitions)
    put = definitions.put
    left = 0

    def put_some(kind: str, vhost: str, name: str, value: Mapping[str, JSON]) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise KeyboardInterrupt
        put(kind, vhost, name, value)

    for count in range(3, 6):  # the first two are one change

        def cut_short(count: int = count) -> None:
            nonlocal left
            definitions.clear()
            left = count

        with monkeypatch.context() as patched:
            patched.setattr(definitions, "put", put_some)
            with pytest.raises(KeyboardInterrupt):
                broker.crash(cut_short)
        broker = SimulatedBroker(tmp_path, definitions=definitions)
        assert not broker.broker.users, count
    broker.close()


def test_a_first_start_that_is_cut_short_is_still_the_first(
    definitions: DamagedDefinitions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is a message log before there are definitions; those count once they are kept."""

    def fail() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(definitions, "sync", fail)
        with pytest.raises(KeyboardInterrupt):
            SimulatedBroker(tmp_path, definitions=definitions)
    assert (tmp_path / "messages").is_dir()
    definitions.clear()
    broker = SimulatedBroker(tmp_path, definitions=definitions)
    assert "guest" in {user.name for user in broker.broker.users}
    broker.close()


def test_what_was_noted_of_definitions_outlives_the_owners(definitions: DamagedDefinitions, tmp_path: Path) -> None:
    """The file is rewritten when most of it is of what is gone."""
    broker = SimulatedBroker(tmp_path, definitions=definitions)
    client = broker.connect()
    for number in range(STALE_LINES_MAX + 10):
        client.declare(str(number), durable=True)
        client.send(1, methods.QueueDelete(queue=str(number)))
    broker.settle()
    for _ in range(3):
        broker.restart()
    assert len((tmp_path / "messages" / "owners").read_bytes().splitlines()) < 10
    broker.restart(definitions.clear)
    assert not broker.broker.users
    broker.close()


def test_a_start_without_definitions_may_be_cut_short(broker: SimulatedBroker, definitions: DamagedDefinitions) -> None:
    """Whatever of it is committed, the next start still knows that messages may have lost their queues."""
    filled(broker)
    seen: list[bool] = []

    def lose_everything() -> None:
        definitions.clear()
        seen.clear()

    put = definitions.put

    def note(kind: str, vhost: str, name: str, value: Mapping[str, JSON]) -> None:
        put(kind, vhost, name, value)
        seen.append((MARKER, "", NOTES_DELETIONS) in [row[:3] for row in definitions.load()])

    definitions.put = note  # type: ignore[method-assign]
    broker.crash(lose_everything)
    assert seen
    assert all(seen)


def test_a_start_on_damage_is_reported_and_shown(broker: SimulatedBroker, definitions: DamagedDefinitions) -> None:
    filled(broker)
    broker.crash(lambda: definitions.lose(lambda row: row[0] == "binding"))
    assert broker.broker.damage() == ["definitions: some rows are lost"]
    assert set(broker.vhost.queues) == {"q"}


def test_after_damage_nobody_relies_on_a_clean_stop(definitions: DamagedDefinitions, tmp_path: Path) -> None:
    """The row that tells of a crash may be what was lost, so messages are marked as perhaps delivered."""
    broker = SimulatedBroker(tmp_path, definitions=definitions)
    filled(broker).publish("q", b"1", properties=PERSISTENT)
    broker.restart()
    assert not broker.queue("q").was_delivered(head_of(broker))
    broker.restart(lambda: definitions.lose(lambda row: row[0] == "binding"))
    assert broker.queue("q").was_delivered(head_of(broker))
    broker.close()


def head_of(broker: SimulatedBroker) -> Message:
    """The first message of the queue q."""
    (message,) = broker.queue("q").browse(0, 1)
    return message
