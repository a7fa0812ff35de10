"""Looking at the messages of a queue that another node has: some at a time, over the link between the two."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.node_pair import NodePair, publish_near
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import SimulatedConsumer
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.amqp091.nodes.owning_end import BROWSED_BYTES_AT_ONCE
from warren.core.administration.operations import far_messages, queues
from warren.core.errors import BrokerError
from warren.core.queues.browse import EVERYTHING, MessageFilter

MANY = 2 * far_messages.AT_ONCE + 50


@pytest.fixture
def pair() -> Iterator[NodePair]:
    pair = NodePair(SimulatedBroker(), SimulatedBroker())
    yield pair
    pair.settle()


def ask(pair: NodePair, start: int, count: int, wanted: MessageFilter = EVERYTHING) -> list[queues.Page | BrokerError]:
    """What is answered, once the two have come to rest."""
    answers: list[queues.Page | BrokerError] = []
    broker = pair.near.broker
    queues.page_elsewhere(broker, "/", "q", answers.append, start=start, count=count, wanted=wanted)
    pair.settle()
    return answers


def page(pair: NodePair, start: int, count: int, wanted: MessageFilter = EVERYTHING) -> queues.Page:
    (answer,) = ask(pair, start, count, wanted)
    assert isinstance(answer, queues.Page)
    return answer


def bodies(page: queues.Page) -> list[bytes]:
    return [each.message.body for each in page.messages]


def test_all_of_a_queue_by_several_questions(pair: NodePair) -> None:
    own, _ = pair.declare()
    expected = [b"%d" % number for number in range(MANY)]
    publish_near(pair, *expected)
    found = page(pair, 0, MANY + 10)
    assert bodies(found) == expected
    assert [each.position for each in found.messages] == list(range(MANY))
    assert (found.following, found.ready_count, found.unacked_count) == (MANY, MANY, 0)
    assert own.ready_count == MANY


def test_a_part_and_where_to_go_on(pair: NodePair) -> None:
    pair.declare()
    publish_near(pair, *(b"%d" % number for number in range(10)))
    found = page(pair, 3, 2)
    assert (bodies(found), found.following, found.ready_count) == ([b"3", b"4"], 5, 10)
    assert bodies(page(pair, found.following, 100)) == [b"%d" % number for number in range(5, 10)]
    assert bodies(page(pair, 10, 100)) == []


def test_a_filter_looks_further(pair: NodePair) -> None:
    pair.declare()
    publish_near(pair, *(b"%d" % number for number in range(MANY)))
    found = page(pair, 0, 3, MessageFilter(body_part=b"99"))
    assert [each.position for each in found.messages] == [99, 199, 299]
    assert found.following == 300


def test_what_consumers_have_isnt_there_and_what_came_back_says_so(pair: NodePair) -> None:
    _, remote = pair.declare(arguments={"x-queue-type": "quorum"})
    publish_near(pair, b"1", b"2", b"3")
    consumer = SimulatedConsumer(remote, credit=2)
    remote.add_consumer(consumer)
    pair.settle()
    found = page(pair, 0, 10)
    assert (bodies(found), found.ready_count, found.unacked_count) == ([b"3"], 1, 2)
    consumer.withdraw()
    consumer.requeue([0])
    remote.remove_consumer(consumer)
    pair.settle()
    first = page(pair, 0, 10).messages[0]
    assert (first.message.body, first.redelivered, first.failures) == (b"1", True, 1)


def test_large_bodies_come_a_few_at_a_time(pair: NodePair, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 3 * 2**19
    on_the_way: list[int] = []

    def take(transport: SimulatedTransport) -> bytes:
        data = taken(transport)
        on_the_way.append(len(data))
        return data

    taken = SimulatedTransport.take
    pair.declare()
    expected = [bytes([number]) * size for number in range(14)]
    for body in expected:
        publish_near(pair, body)
    monkeypatch.setattr(SimulatedTransport, "take", take)
    found = page(pair, 0, 20)
    fitting = -(-queues.PAGE_BYTES_MAX // size)
    assert bodies(found) == expected[:fitting], "a page ends when its bodies are enough"
    assert found.following == fitting
    assert bodies(page(pair, fitting, 20)) == expected[fitting:]
    assert max(on_the_way) < BROWSED_BYTES_AT_ONCE + size


def test_who_cant_be_asked_is_told(pair: NodePair) -> None:
    pair.declare()
    publish_near(pair, b"1")
    answers: list[queues.Page | BrokerError] = []
    queues.page_elsewhere(pair.near.broker, "/", "q", answers.append, start=0, count=1)
    pair.cut = True
    pair.lose_links()
    pair.settle()
    pair.advance(600_000)
    (answer,) = answers
    assert isinstance(answer, BrokerError)
    assert "far" in answer.text


def test_numbers_that_cant_be(pair: NodePair) -> None:
    pair.declare()
    with pytest.raises(ValueError, match="not negative"):
        ask(pair, -1, 1)
