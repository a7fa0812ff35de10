"""`continue_client_deaths = false`: what a client publishes has no former life (A.7 Dead lettering, RabbitMQ 4).

With the default, which is what applications written before expect, see test_dead_letters.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.scenario import Inbox, Workbench, fill, get, synchronise
from tests.support.brokers import run_warren


@pytest.fixture(scope="module")
def bench() -> Iterator[Workbench]:
    with run_warren("--set", "continue_client_deaths=false") as broker:
        workbench = Workbench(broker.address)
        yield workbench
        workbench.clean_up()


@pytest.fixture
def channel(bench: Workbench) -> BlockingChannel:
    return bench.channel()


def reject(channel: BlockingChannel, queue: str) -> None:
    delivery = get(channel, queue, auto_ack=False)
    assert delivery is not None
    channel.basic_reject(delivery.tag, requeue=False)
    synchronise(channel)


def test_a_dead_letter_that_is_published_again_starts_afresh(bench: Workbench, channel: BlockingChannel) -> None:
    graveyard = bench.queue(channel)
    queue = bench.queue(channel, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": graveyard})
    fill(channel, queue, 1)
    reject(channel, queue)
    inbox = Inbox(channel, graveyard, auto_ack=True)
    first = inbox.wait(1)[0]
    channel.basic_publish("", queue, first.body, first.properties)
    synchronise(channel)
    again = get(channel, queue, auto_ack=False)
    assert again is not None
    assert not [name for name in again.properties.headers or {} if "death" in name]
    channel.basic_reject(again.tag, requeue=False)
    letter = inbox.wait(2)[1]
    (death,) = letter.properties.headers["x-death"]
    assert death["count"] == 1


def test_the_brokers_own_history_goes_on(bench: Workbench, channel: BlockingChannel) -> None:
    """A retry ladder without a client that publishes anything again."""
    wait, work = bench.name(), bench.name()
    channel.queue_declare(
        wait, arguments={"x-message-ttl": 5, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": work}
    )
    channel.queue_declare(work, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": wait})
    fill(channel, work, 1)
    inbox = Inbox(channel, work)
    for attempt in range(1, 4):
        channel.basic_reject(inbox.wait(attempt)[-1].tag, requeue=False)
    letter = inbox.wait(4)[-1]
    counts = {(death["queue"], death["reason"]): death["count"] for death in letter.properties.headers["x-death"]}
    assert counts == {(work, "rejected"): 3, (wait, "expired"): 3}
