"""Retrying later, with queues that have a TTL and dead-letter back to work: half an hour of waiting without any.

Also what a restart or crash in the middle of it does: a dead letter and its original are one message, which may be
doubled by a crash but is never lost.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.simulated_broker import START_MS, SimulatedBroker
from tests.support.simulated_client import PERSISTENT, SimulatedClient
from warren.adapters.amqp091.codec import methods
from warren.core.messages.field_table import FieldTable
from warren.core.messages.properties import Properties, encode_properties
from warren.core.storage.disk.engine import DiskEngine
from warren.core.storage.disk.records import SEGMENT_HEADER_SIZE

MINUTE_MS = 60_000
RUNGS_MINUTES = (1, 4, 10, 15)
"""Half an hour in all."""

CRASHES = 6


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker(tmp_path, backlog_bytes_max=0)
    yield broker
    broker.close()


def dead_lettering(queue: str, **arguments: int) -> FieldTable:
    named = {"x-" + name.replace("_", "-"): value for name, value in arguments.items()}
    return {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue, **named}


def set_up(client: SimulatedClient) -> None:
    """`work`, and a queue per rung whose messages come back to it when their time is over."""
    client.declare("work", durable=True)
    for minutes in RUNGS_MINUTES:
        client.declare(
            f"wait-{minutes}", durable=True, arguments=dead_lettering("work", message_ttl=minutes * MINUTE_MS)
        )


class Worker:
    """Fails at everything: puts each message on the next rung, and on the floor after the last."""

    def __init__(self, broker: SimulatedBroker) -> None:
        self.broker = broker
        self.tried_at: list[int] = []
        self.given_up: list[bytes] = []
        self.client = broker.connect()
        self.client.consume("work")

    def work(self) -> None:
        """Everything that has come."""
        for event in self.client.take():
            assert isinstance(event.method, methods.BasicDeliver)
            properties = Properties.parse(event.properties)
            self.tried_at.append(self.broker.broker.now_ms)
            deaths = (properties.headers or {}).get("x-death", [])
            assert isinstance(deaths, list)
            if len(deaths) < len(RUNGS_MINUTES):
                self.client.publish(f"wait-{RUNGS_MINUTES[len(deaths)]}", event.body, properties=properties.raw)
            else:
                self.given_up.append(event.body)
            self.client.ack(event.method.delivery_tag)
            self.client.settle()


def run_until(broker: SimulatedBroker, worker: Worker, end_ms: int) -> int:
    """Turn by turn, from one deadline to the next; how many turns that took."""
    turns = 0
    worker.work()
    while (at_ms := broker.broker.deadlines.next_at_ms) is not None and at_ms <= end_ms:
        broker.advance(at_ms - broker.broker.now_ms)
        worker.work()
        turns += 1
    broker.advance(end_ms - broker.broker.now_ms)
    worker.work()
    return turns


EXPECTED_MINUTES = [sum(RUNGS_MINUTES[:rung]) for rung in range(len(RUNGS_MINUTES) + 1)]


def test_half_an_hour(disk: SimulatedBroker) -> None:
    set_up(disk.connect())
    worker = Worker(disk)
    disk.connect().publish("work", b"stubborn", properties=PERSISTENT)
    turns = run_until(disk, worker, START_MS + 31 * MINUTE_MS)
    assert worker.tried_at == [START_MS + minutes * MINUTE_MS for minutes in EXPECTED_MINUTES]
    assert worker.given_up == [b"stubborn"]
    assert turns < 50
    assert disk.broker.store.statistics()["entries"] == 0


def test_half_an_hour_with_restarts_all_along(disk: SimulatedBroker) -> None:
    """Every attempt comes when it is due, or at the start after that."""
    set_up(disk.connect())
    client = disk.connect()
    client.publish("work", b"stubborn", properties=PERSISTENT)
    tried_at: list[int] = []
    given_up: list[bytes] = []
    for minute in range(32):
        worker = Worker(disk)
        run_until(disk, worker, START_MS + minute * MINUTE_MS + MINUTE_MS // 2)
        tried_at += worker.tried_at
        given_up += worker.given_up
        disk.restart()
    assert tried_at == [START_MS + minutes * MINUTE_MS for minutes in EXPECTED_MINUTES]
    assert given_up == [b"stubborn"]


def test_ten_thousand_retries_by_rejection(disk: SimulatedBroker) -> None:
    """Work rejects into a queue that dead-letters back: the classic ladder with one rung, and counts to show for it."""
    client = disk.connect()
    client.declare("work", durable=True, arguments=dead_lettering("wait"))
    client.declare("wait", durable=True, arguments=dead_lettering("work", message_ttl=30 * MINUTE_MS))
    count = 2000
    for number in range(count):
        client.publish("work", b"%d" % number, properties=PERSISTENT)
    for attempt in range(1, 6):
        client.consume("work", "worker")
        events = client.take()
        assert [event.body for event in events] == [b"%d" % number for number in range(count)]
        client.nack(0, multiple=True, requeue=False)
        client.send(1, methods.BasicCancel("worker", nowait=True))
        client.settle()
        assert disk.queue("wait").ready_count == count
        disk.advance(30 * MINUTE_MS)
        (message,) = disk.queue("work").browse(count - 1, 1)
        deaths = (message.properties.headers or {})["x-death"]
        assert isinstance(deaths, list)
        assert [death["count"] for death in deaths if isinstance(death, dict)] == [attempt, attempt]
    assert disk.queue("work").ready_count == count


@pytest.mark.parametrize("torn", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_crashes_lose_no_dead_letter(disk: SimulatedBroker, tmp_path: Path, seed: int, torn: bool) -> None:
    """Confirmed messages move on by TTL, length, rejection and failure, through commits and crashes at any time.

    Each is in the end in some queue, once; or also where it died, when a crash tears the commit that moved it.
    """
    chance = random.Random(seed)
    declare_moving_queues(disk)
    confirmed: set[bytes] = set()
    for round_ in range(CRASHES):
        client = disk.connect()
        client.confirm_select()
        disk.commits_by_itself = True
        batch = [b"%d-%d" % (round_, number) for number in range(chance.randrange(5, 40))]
        for body in batch:
            client.publish(chance.choice(("aging", "short", "work", "fragile")), body, properties=PERSISTENT)
        client.take()
        confirmed.update(batch)
        disk.commits_by_itself = False
        for _ in range(chance.randrange(1, 8)):
            move(disk, client, chance)
            if chance.random() < 0.4:
                disk.begin_commit()
                disk.finish_commit()
                disk.settle()
        crash(disk, tmp_path, chance, torn=torn)
        disk.settle()
    disk.commits_by_itself = True
    disk.settle()
    found = Counter(message.body for queue in disk.vhost.queues.values() for message in queue.browse(0, 100_000))
    assert set(found) == confirmed
    copies = max(found.values())
    assert copies == 1 if not torn else copies <= 1 + CRASHES


def crash(broker: SimulatedBroker, directory: Path, chance: random.Random, *, torn: bool) -> None:
    """Between two commits, or in the middle of writing one."""
    store = broker.broker.store
    assert isinstance(store, DiskEngine)
    if not torn:
        if chance.random() < 0.5:
            broker.begin_commit()
        broker.crash()
        return
    before = store._written_end
    broker.begin_commit()
    last = store._ledger.last
    cut = chance.randint(max(before, last.base + SEGMENT_HEADER_SIZE), last.end) - last.base
    broker.crash(lambda: _truncate(directory / "messages" / f"{last.base:016x}.log", cut))


def _truncate(file: Path, size: int) -> None:
    if file.exists():
        with file.open("r+b") as opened:
            opened.truncate(size)


def declare_moving_queues(broker: SimulatedBroker) -> None:
    """Queues that lose messages to `graves` for each of the reasons there are."""
    client = broker.connect()
    client.declare("graves", durable=True)
    client.declare("aging", durable=True, arguments=dead_lettering("graves", message_ttl=1000))
    client.declare("short", durable=True, arguments=dead_lettering("graves", max_length=3))
    client.declare("work", durable=True, arguments=dead_lettering("graves"))
    client.declare("fragile", durable=True, arguments=dead_lettering("graves", delivery_limit=0))


def move(broker: SimulatedBroker, client: SimulatedClient, chance: random.Random) -> None:
    """Let some messages die."""
    name = chance.choice(("aging", "work", "fragile"))
    if name == "aging":
        broker.advance(chance.randrange(2000))
        return
    for _ in range(chance.randrange(1, 10)):
        event = client.get(name)
        if event is None:
            return
        assert isinstance(event.method, methods.BasicGetOk)
        client.send(1, methods.BasicReject(event.method.delivery_tag, requeue=name == "fragile"))


def test_a_clean_restart_doubles_nothing(disk: SimulatedBroker) -> None:
    declare_moving_queues(disk)
    chance = random.Random(5)
    client = disk.connect()
    bodies = [b"%d" % number for number in range(200)]
    for body in bodies:
        properties = encode_properties(delivery_mode=2, expiration=chance.choice((None, "500", "5000")))
        client.publish(chance.choice(("aging", "short", "work", "fragile")), body, properties=properties.raw)
    client.settle()
    for _ in range(10):
        move(disk, disk.connect(), chance)
        disk.restart()
        disk.settle()
    found = Counter(message.body for queue in disk.vhost.queues.values() for message in queue.browse(0, 1000))
    kept = {body for body in bodies if found[body]}
    assert sorted(found.elements()) == sorted(kept)
    assert kept == set(bodies)
