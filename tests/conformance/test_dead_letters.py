"""Dead-lettering and its headers (A.7 Dead lettering)."""

from __future__ import annotations

from typing import Any

from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.scenario import Delivery, Inbox, Workbench, fill, get, ready_count, send, synchronise


def reject(channel: BlockingChannel, queue: str) -> None:
    """Rejects the message at the head for good."""
    delivery = get(channel, queue, auto_ack=False)
    assert delivery is not None
    channel.basic_reject(delivery.tag, requeue=False)
    synchronise(channel)


def deaths(delivery: Delivery) -> list[dict[str, Any]]:
    return list(delivery.properties.headers["x-death"])


def test_a_rejected_message_says_where_and_why(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, "fanout")
    graveyard = bench.bound_queue(channel, exchange, "")
    queue = bench.queue(channel, arguments={"x-dead-letter-exchange": exchange})
    send(channel, "", queue, b"bad", content_type="text/plain", headers={"own": 1})
    reject(channel, queue)
    letter = Inbox(channel, graveyard, auto_ack=True).wait(1)[0]
    assert (letter.body, letter.exchange, letter.routing_key) == (b"bad", exchange, queue)
    headers = letter.properties.headers
    assert headers["own"] == 1
    assert letter.properties.content_type == "text/plain"
    assert headers["x-first-death-reason"] == "rejected"
    assert headers["x-first-death-queue"] == queue
    assert headers["x-first-death-exchange"] == ""
    death = deaths(letter)[0]
    assert (death["count"], death["reason"], death["queue"], death["exchange"]) == (1, "rejected", queue, "")
    assert death["routing-keys"] == [queue]
    assert "time" in death


def test_the_last_death_is_told_too(bench: Workbench, channel: BlockingChannel) -> None:
    graveyard = bench.queue(channel)
    second = bench.queue(
        channel, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": graveyard, "x-message-ttl": 10}
    )
    first = bench.queue(channel, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": second})
    fill(channel, first, 1)
    reject(channel, first)
    letter = Inbox(channel, graveyard, auto_ack=True).wait(1)[0]
    headers = letter.properties.headers
    assert (headers["x-first-death-reason"], headers["x-first-death-queue"]) == ("rejected", first)
    assert (headers["x-last-death-reason"], headers["x-last-death-queue"]) == ("expired", second)
    assert [death["queue"] for death in deaths(letter)] == [second, first]


def test_the_same_death_counts_up(bench: Workbench, channel: BlockingChannel) -> None:
    """A retry ladder: work, reject, wait in a queue with a TTL, work again."""
    wait, work = bench.name(), bench.name()
    channel.queue_declare(
        wait, arguments={"x-message-ttl": 5, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": work}
    )
    channel.queue_declare(work, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": wait})
    fill(channel, work, 1)
    inbox = Inbox(channel, work)
    for attempt in range(1, 4):
        letter = inbox.wait(attempt)[-1]
        channel.basic_reject(letter.tag, requeue=False)
    letter = inbox.wait(4)[-1]
    counts = {(death["queue"], death["reason"]): death["count"] for death in deaths(letter)}
    assert counts == {(work, "rejected"): 3, (wait, "expired"): 3}
    assert deaths(letter)[0]["queue"] == wait
    channel.basic_ack(letter.tag)


def test_an_automatic_cycle_ends(bench: Workbench, channel: BlockingChannel) -> None:
    """Nobody rejects anything here, so the message would go round for ever."""
    name = bench.name()
    channel.queue_declare(
        name, arguments={"x-message-ttl": 0, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": name}
    )
    fill(channel, name, 2)
    assert ready_count(channel, name) == 0


def test_a_missing_dead_letter_exchange_drops(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, arguments={"x-dead-letter-exchange": "nowhere"})
    fill(channel, queue, 1)
    reject(channel, queue)
    assert ready_count(channel, queue) == 0


def test_deletion_and_purge_dead_letter_nothing(bench: Workbench, channel: BlockingChannel) -> None:
    graveyard = bench.queue(channel)
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": graveyard}
    purged = bench.queue(channel, arguments=arguments)
    fill(channel, purged, 2)
    channel.queue_purge(purged)
    deleted = bench.queue(channel, arguments=arguments)
    fill(channel, deleted, 2)
    channel.queue_delete(deleted)
    assert ready_count(channel, graveyard) == 0


def test_an_overriding_key_removes_cc(bench: Workbench, channel: BlockingChannel) -> None:
    graveyard = bench.queue(channel)
    other = bench.queue(channel)
    queue = bench.queue(channel, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": graveyard})
    send(channel, "", queue, b"copied", headers={"CC": [other]})
    synchronise(channel)
    reject(channel, queue)
    letter = Inbox(channel, graveyard, auto_ack=True).wait(1)[0]
    assert "CC" not in letter.properties.headers
    assert deaths(letter)[0]["routing-keys"] == [queue, other]
    assert ready_count(channel, other) == 1


def test_without_a_key_the_message_keeps_its_own(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, "direct")
    queue = bench.queue(channel, arguments={"x-dead-letter-exchange": exchange})
    graveyard = bench.bound_queue(channel, exchange, queue)
    fill(channel, queue, 1)
    reject(channel, queue)
    assert Inbox(channel, graveyard, auto_ack=True).wait(1)[0].routing_key == queue


def test_a_history_that_a_client_carries_over_is_continued(bench: Workbench, channel: BlockingChannel) -> None:
    """Retrying by publishing a dead letter again, as applications written before RabbitMQ 4 do."""
    graveyard = bench.queue(channel)
    queue = bench.queue(channel, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": graveyard})
    fill(channel, queue, 1)
    reject(channel, queue)
    inbox = Inbox(channel, graveyard, auto_ack=True)
    first = inbox.wait(1)[0]
    channel.basic_publish("", queue, first.body, first.properties)
    reject(channel, queue)
    assert deaths(inbox.wait(2)[1])[0]["count"] == 2
