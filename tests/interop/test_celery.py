"""Celery: a worker process takes its tasks through Warren, and the results come back through it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import celery
import pytest

from tests.interop.celery_application import DEFAULTS, QUORUM_QUEUES
from tests.interop.clients import TIME_LIMIT_S, url
from tests.support import child
from tests.support.warren_process import PYTHON_PATH, WarrenProcess, warren_process

TASK_TIME_LIMIT_S = 60.0
"""For one task, which takes milliseconds."""

STOP_GRACE_S = 60.0
"""A worker ends its tasks and says goodbye to the others first."""


@pytest.fixture(scope="module")
def warren() -> Iterator[WarrenProcess]:
    """A broker of these tests' own: workers leave durable queues behind, as they should."""
    with warren_process() as broker:
        yield broker
        log = broker.log.read_text()
    assert "Traceback" not in log, log


@pytest.fixture(scope="module")
def application(warren: WarrenProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The application, with a worker running it."""
    broker_url = url(warren.addresses["amqp"])
    with working(broker_url, tmp_path_factory.mktemp("celery"), "worker@interop", "classic"):
        from tests.interop.celery_application import application as sending

        sending.conf.broker_url = broker_url
        yield sending
        sending.backend.result_consumer.stop()
        sending.pool.force_close_all()
        sending.close()


SOLO = ("--pool", "solo")
"""Without processes of its own: a worker that starts at once."""


@contextmanager
def working(
    broker_url: str, directory: Path, name: str, queue_type: str, pool: tuple[str, ...] = SOLO
) -> Iterator[None]:
    """A worker of this name runs the application, with a queue of this type; it has to end in good order."""
    log = directory / "worker.log"
    command = [sys.executable, "-m", "celery", "-A", "tests.interop.celery_application", "worker"]
    options = [*pool, "--loglevel", "info", "--hostname", name]
    own = {"AMQP_URL": broker_url, "PYTHONPATH": PYTHON_PATH, "C_FORCE_ROOT": "1", "QUEUE_TYPE": queue_type}
    worker = child.start([*command, *options], log, {**os.environ, **own}, directory)
    try:
        child.wait_until(lambda: f"{name} ready." in log.read_text(), worker, log, TIME_LIMIT_S, "starting the worker")
        yield
    finally:
        code = child.stop(worker, STOP_GRACE_S)
    assert code == 0, child.log_tail(log)


def call(application: Any, name: str, *arguments: object) -> Any:
    """Send a task by name, as a program does that doesn't have its code."""
    return application.send_task(f"tests.interop.celery_application.{name}", args=arguments)


def test_a_task_gives_its_result(application: Any) -> None:
    assert call(application, "add", 2, 3).get(timeout=TASK_TIME_LIMIT_S) == 5


def test_many_tasks_give_theirs(application: Any) -> None:
    results = [call(application, "add", number, number) for number in range(100)]
    assert [result.get(timeout=TASK_TIME_LIMIT_S) for result in results] == [2 * number for number in range(100)]


def test_an_exception_arrives(application: Any) -> None:
    with pytest.raises(ValueError, match="on purpose"):
        call(application, "fail", "on purpose").get(timeout=TASK_TIME_LIMIT_S)


def test_retries(application: Any) -> None:
    assert call(application, "succeed_at_third_attempt").get(timeout=TASK_TIME_LIMIT_S) == 3


def test_retries_through_queues_with_ttls(warren: WarrenProcess, tmp_path: Path) -> None:
    """Of a quorum queue Celery doesn't hold a retry back itself: it publishes the message again to a ladder of queues
    where it has been before, with all its headers (5.5) or without its deaths (newer ones); retried three times,
    a task runs four times in either way."""
    broker_url = url(warren.addresses["amqp"])
    with (
        working(broker_url, tmp_path, "quorum@interop", "quorum"),
        celery.Celery("quorum", broker=broker_url, backend="rpc://") as sending,
    ):
        sending.conf.update(**QUORUM_QUEUES)
        results = [call(sending, name) for name in ("succeed_at_last_retry", "succeed_at_last_plain_retry")]
        assert [result.get(timeout=TASK_TIME_LIMIT_S) for result in results] == [4, 4]
        sending.backend.result_consumer.stop()
        sending.pool.force_close_all()


def test_with_nothing_configured(tmp_path: Path) -> None:
    """As somebody has it who only says where the broker is: processes that fetch several tasks each and acknowledge
    them early, no confirms, heart-beats, gossip among workers."""
    with warren_process() as broker:
        broker_url = url(broker.addresses["amqp"])
        with (
            working(broker_url, tmp_path, "stock@interop", DEFAULTS, ()),
            celery.Celery("stock", broker=broker_url, backend="rpc://") as sending,
        ):
            results = [call(sending, "add", number, number) for number in range(100)]
            assert [result.get(timeout=TASK_TIME_LIMIT_S) for result in results] == [
                2 * number for number in range(100)
            ]
            assert call(sending, "succeed_at_third_attempt").get(timeout=TASK_TIME_LIMIT_S) == 3
            later = sending.send_task("tests.interop.celery_application.add", args=(1, 1), countdown=0.2)
            assert later.get(timeout=TASK_TIME_LIMIT_S) == 2
            sending.backend.result_consumer.stop()
            sending.pool.force_close_all()
        log = broker.log.read_text()
    assert "Traceback" not in log, log


def test_a_task_in_the_future(application: Any) -> None:
    result = application.send_task("tests.interop.celery_application.add", args=(1, 1), countdown=0.2)
    assert result.get(timeout=TASK_TIME_LIMIT_S) == 2


def test_tasks_in_the_future_dont_hold_up_others(application: Any) -> None:
    """The worker holds them unacknowledged, and asks for more by raising the prefetch count of its whole channel.

    It does that only for a broker that says it is RabbitMQ before 4.0, where the limit of a channel is shared by its
    consumers and can be raised at any time. That is so here, too, which is why `product_version` is what it is.
    """
    later = [
        application.send_task("tests.interop.celery_application.add", args=(1, 1), countdown=3600) for _ in range(5)
    ]
    try:
        assert call(application, "add", 1, 2).get(timeout=TASK_TIME_LIMIT_S) == 3
    finally:
        for result in later:
            result.revoke()


def test_delivery_information(application: Any) -> None:
    expected = {"redelivered": False, "routing_key": "celery"}
    assert call(application, "where").get(timeout=TASK_TIME_LIMIT_S) == expected


def test_remote_control(application: Any) -> None:
    """A broadcast through a fanout exchange, answered into a queue with an expiry."""
    answers = application.control.broadcast("ping", reply=True, limit=1, timeout=TASK_TIME_LIMIT_S)
    assert answers == [{"worker@interop": {"ok": "pong"}}]
