"""Dead-lettering and its headers (A.7 Dead lettering)."""

from __future__ import annotations

from typing import Any

from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import NackError

from tests.conformance.scenario import (
    Delivery,
    Inbox,
    Workbench,
    fill,
    get,
    process_until,
    ready_count,
    send,
    synchronise,
)


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


def test_hidden_copies_are_routing_keys_of_a_dead_letter_too(bench: Workbench, channel: BlockingChannel) -> None:
    """Without a key of the queue's own a dead letter goes by all keys of the message, though nobody sees BCC."""
    exchange = bench.exchange(channel, "direct")
    queue = bench.queue(channel, arguments={"x-dead-letter-exchange": exchange})
    open_, hidden = bench.name("open"), bench.name("hidden")
    graveyards = [bench.bound_queue(channel, exchange, key) for key in (queue, open_, hidden)]
    send(channel, "", queue, b"m", headers={"CC": [open_], "BCC": [hidden], "own": 1})
    synchronise(channel)
    reject(channel, queue)
    for graveyard in graveyards:
        (letter,) = Inbox(channel, graveyard, auto_ack=True).wait(1)
        assert {"CC", "own"} == {name for name in letter.properties.headers if not name.startswith("x-")}
        assert deaths(letter)[0]["routing-keys"] == [queue, open_]
        assert hidden not in str(letter.properties.headers)


def test_hidden_copies_go_along_from_death_to_death(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, "fanout")
    last = bench.exchange(channel, "direct")
    queue = bench.queue(channel, arguments={"x-dead-letter-exchange": exchange})
    second = bench.queue(channel, arguments={"x-dead-letter-exchange": last})
    channel.queue_bind(second, exchange)
    hidden = bench.name("hidden")
    graveyard, other = bench.bound_queue(channel, last, queue), bench.bound_queue(channel, last, hidden)
    send(channel, "", queue, b"m", headers={"BCC": [hidden]})
    synchronise(channel)
    reject(channel, queue)
    reject(channel, second)
    assert [ready_count(channel, each) for each in (graveyard, other)] == [1, 1]


def test_an_overriding_key_removes_hidden_copies_too(bench: Workbench, channel: BlockingChannel) -> None:
    exchange, last = bench.exchange(channel, "direct"), bench.exchange(channel, "direct")
    queue = bench.queue(
        channel, arguments={"x-dead-letter-exchange": exchange, "x-dead-letter-routing-key": "overriding"}
    )
    second = bench.queue(channel, arguments={"x-dead-letter-exchange": last})
    channel.queue_bind(second, exchange, "overriding")
    hidden = bench.name("hidden")
    others = [bench.bound_queue(channel, each, hidden) for each in (exchange, last)]
    send(channel, "", queue, b"m", headers={"BCC": [hidden]})
    synchronise(channel)
    reject(channel, queue)
    reject(channel, second)
    assert [ready_count(channel, each) for each in others] == [0, 0]


def test_an_automatic_cycle_over_two_queues_ends(bench: Workbench, channel: BlockingChannel) -> None:
    first, second, end = bench.name(), bench.name(), bench.queue(channel)
    for queue, to in ((first, second), (second, first)):
        arguments = {"x-message-ttl": 5, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": to}
        channel.queue_declare(queue, arguments=arguments)
    shows_the_time = bench.queue(
        channel, arguments={"x-message-ttl": 200, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": end}
    )
    fill(channel, first, 2)
    send(channel, "", shows_the_time, b"now")
    Inbox(channel, end, auto_ack=True).wait(1)
    assert (ready_count(channel, first), ready_count(channel, second)) == (0, 0)


def test_a_cycle_goes_on_where_a_client_rejects(bench: Workbench, channel: BlockingChannel) -> None:
    name = bench.name()
    channel.queue_declare(name, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": name})
    fill(channel, name, 1)
    for count in (1, 2, 3):
        reject(channel, name)
        held = get(channel, name, auto_ack=False)
        assert held is not None
        assert deaths(held)[0]["count"] == count
        channel.basic_nack(held.tag, requeue=True)


def test_several_reasons_in_one_history(bench: Workbench, channel: BlockingChannel) -> None:
    """Each queue and reason has an entry of its own, the latest first; the first death stays the first."""
    graveyard, third, second = bench.queue(channel), bench.name("third"), bench.name("second")
    channel.queue_declare(
        third,
        arguments={"x-max-length": 0, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": graveyard},
    )
    channel.queue_declare(
        second, arguments={"x-message-ttl": 0, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": third}
    )
    first = bench.queue(channel, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": second})
    send(channel, "", first, b"m", expiration="60000")
    synchronise(channel)
    reject(channel, first)
    (letter,) = Inbox(channel, graveyard, auto_ack=True).wait(1)
    found = [(death["queue"], death["reason"], death["count"]) for death in deaths(letter)]
    assert found == [(third, "maxlen", 1), (second, "expired", 1), (first, "rejected", 1)]
    assert [death.get("original-expiration") for death in deaths(letter)] == [None, None, "60000"]
    assert letter.properties.expiration is None
    assert letter.properties.headers["x-first-death-queue"] == first
    assert letter.properties.headers["x-first-death-reason"] == "rejected"


QUORUM = {"x-queue-type": "quorum", "x-dead-letter-exchange": ""}
AT_LEAST_ONCE = {**QUORUM, "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}


def test_dead_letters_at_least_once(bench: Workbench, channel: BlockingChannel) -> None:
    graveyard = bench.queue(channel, durable=True)
    queue = bench.queue(channel, durable=True, arguments={**AT_LEAST_ONCE, "x-dead-letter-routing-key": graveyard})
    channel.confirm_delivery()
    send(channel, "", queue, b"bad", delivery_mode=2)
    inbox = Inbox(channel, queue)
    channel.basic_reject(inbox.wait(1)[0].tag, requeue=False)
    (letter,) = Inbox(channel, graveyard, auto_ack=True).wait(1)
    assert letter.body == b"bad"
    assert deaths(letter)[0]["reason"] == "rejected"


def test_what_nobody_takes_still_counts_as_being_there(bench: Workbench, channel: BlockingChannel) -> None:
    """Its dead letter exchange leads nowhere, so with at-least-once the rejected message fills the queue."""
    nowhere = bench.name("nowhere")
    arguments = {**AT_LEAST_ONCE, "x-dead-letter-routing-key": nowhere, "x-max-length": 1}
    queue = bench.queue(channel, durable=True, arguments=arguments)
    channel.confirm_delivery()
    send(channel, "", queue, b"bad", delivery_mode=2)
    inbox = Inbox(channel, queue)
    channel.basic_reject(inbox.wait(1)[0].tag, requeue=False)
    synchronise(channel)
    channel.basic_cancel(inbox.tag)

    def refused() -> bool:
        try:
            send(channel, "", queue, b"more", delivery_mode=2)
        except NackError:
            return True
        return False

    process_until(channel, refused)
