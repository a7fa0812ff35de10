"""Direct clients of queues that answer later: confirms wait for the answer and for the disk, whichever comes last."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.core_clients import queue as declare
from tests.support.direct_clients import session_of
from tests.support.late_queue import LATE_BY_MS, LateQueue, late_queues
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.direct.confirmation import Confirmation
from warren.adapters.direct.delivery import Delivery
from warren.adapters.direct.errors import ClientClosed, Refused
from warren.adapters.direct.session import DirectSession
from warren.core.errors import BrokerError
from warren.core.messages.properties import EMPTY, encode_properties

PERSISTENT = encode_properties(delivery_mode=2)


@pytest.fixture(autouse=True)
def late() -> Iterator[None]:
    with late_queues():
        yield


@pytest.fixture
def broker(tmp_path: Path) -> SimulatedBroker:
    made = SimulatedBroker(tmp_path)
    made.commits_by_itself = False
    declare(made, "late", {"x-queue-type": "late"}, durable=True)
    declare(made, "q", durable=True)
    return made


@pytest.fixture
def session(broker: SimulatedBroker) -> DirectSession:
    return session_of(broker)


def late_queue(broker: SimulatedBroker) -> LateQueue:
    found = broker.vhost.queue("late")
    assert isinstance(found, LateQueue)
    return found


def publish(session: DirectSession, *, persistent: bool) -> Confirmation:
    confirmation = Confirmation()
    session.publish("", "late", PERSISTENT if persistent else EMPTY, b"1", confirmation=confirmation)
    return confirmation


def test_a_confirm_waits_for_the_queue(broker: SimulatedBroker, session: DirectSession) -> None:
    confirmation = publish(session, persistent=False)
    broker.advance(LATE_BY_MS - 1)
    assert not confirmation.done
    broker.advance(1)
    assert confirmation.done
    assert confirmation.error is None


def test_the_disk_may_come_last(broker: SimulatedBroker, session: DirectSession) -> None:
    confirmation = publish(session, persistent=True)
    broker.advance(LATE_BY_MS)
    assert not confirmation.done
    broker.begin_commit()
    broker.finish_commit()
    assert confirmation.done
    assert confirmation.error is None


def test_the_queue_may_come_last(broker: SimulatedBroker, session: DirectSession) -> None:
    confirmation = publish(session, persistent=True)
    broker.begin_commit()
    broker.finish_commit()
    assert not confirmation.done
    broker.advance(LATE_BY_MS)
    assert confirmation.done
    assert confirmation.error is None


def test_a_late_refusal(broker: SimulatedBroker, session: DirectSession) -> None:
    late_queue(broker).refuses = True
    confirmation = publish(session, persistent=True)
    broker.advance(LATE_BY_MS)
    assert isinstance(confirmation.error, Refused)
    broker.begin_commit()
    broker.finish_commit()
    assert isinstance(confirmation.error, Refused)


@pytest.mark.parametrize("persistent", [True, False])
def test_the_end_may_come_first(
    broker: SimulatedBroker, session: DirectSession, persistent: bool, caplog: pytest.LogCaptureFixture
) -> None:
    confirmation = publish(session, persistent=persistent)
    session.close()
    assert isinstance(confirmation.error, ClientClosed)
    broker.advance(LATE_BY_MS)
    broker.begin_commit()
    broker.finish_commit()
    assert caplog.records == []


def test_polling(broker: SimulatedBroker, session: DirectSession) -> None:
    publish(session, persistent=True)
    broker.advance(LATE_BY_MS)
    answers: list[Delivery | BrokerError | None] = []
    session.get("late", answers.append, no_ack=False)
    assert answers == []
    broker.advance(LATE_BY_MS)
    (delivery,) = answers
    assert isinstance(delivery, Delivery)
    delivery.ack()
    session.get("late", answers.append, no_ack=False)
    broker.advance(LATE_BY_MS)
    assert answers[1] is None
    late_queue(broker).fails = True
    session.get("late", answers.append, no_ack=False)
    broker.advance(LATE_BY_MS)
    assert isinstance(answers[2], BrokerError)


def test_a_message_that_is_polled_too_late_goes_back(broker: SimulatedBroker, session: DirectSession) -> None:
    publish(session, persistent=True)
    broker.advance(LATE_BY_MS)
    answers: list[Delivery | BrokerError | None] = []
    session.get("late", answers.append, no_ack=False)
    session.close()
    broker.advance(LATE_BY_MS)
    assert answers == [None]
    assert (late_queue(broker).ready_count, late_queue(broker).unacked_count) == (1, 0)
