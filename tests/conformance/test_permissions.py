"""What a user without the right gets: 403 on the channel, or no connection at all (A.3.7, A.5, G)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ProbableAccessDeniedError

from tests.conformance.scenario import (
    Inbox,
    Refusal,
    Workbench,
    assert_refused,
    drain,
    get,
    refusal_of,
    send,
)
from tests.support.brokers import Broker

Expected = Callable[[Refusal | None], Refusal | None]

USER, PASSWORD = "limited", "secret of the limited"


@pytest.fixture(scope="session")
def limited_user(broker_process: Broker) -> Iterator[str]:
    """May configure, write and read what begins with `own`, write `shared-in`, read `shared-out`, and one topic."""
    broker_process.ctl("add_user", USER, PASSWORD)
    broker_process.ctl("set_permissions", USER, "^own", "^(own|shared-in|topics)", "^(own|shared-out)")
    broker_process.ctl("set_topic_permissions", USER, "own-topics", r"^allowed\.", r"^allowed\.")
    broker_process.ctl("add_user", "stranger", PASSWORD)
    broker_process.ctl("add_user", "actor", PASSWORD)
    broker_process.ctl("set_user_tags", "actor", "impersonator")
    broker_process.ctl("set_permissions", "actor", ".*", ".*", ".*")
    yield USER
    for user in (USER, "stranger", "actor"):
        broker_process.ctl("delete_user", user)


@pytest.fixture
def limited(bench: Workbench, limited_user: str) -> BlockingChannel:
    """A channel of the limited user."""
    return bench.connect(user=limited_user, password=PASSWORD).channel()


def declare(channel: BlockingChannel, bench: Workbench, *names: str) -> None:
    for name in names:
        bench.remember(name)
        channel.queue_declare(name)
        channel.exchange_declare(name, "direct")


def test_own_things_are_free(bench: Workbench, limited: BlockingChannel) -> None:
    declare(limited, bench, "own")
    limited.queue_bind("own", "own", "key")
    send(limited, "own", "key", b"message")
    assert drain(limited, "own") == [b"message"]
    limited.queue_purge("own")
    limited.queue_delete("own")
    limited.exchange_delete("own")


Action = Callable[[BlockingChannel], object]
CONFIGURE, WRITE, READ = "configure", "write", "read"

QUEUE_ROWS: list[tuple[str, str, Action]] = [
    ("declare", CONFIGURE, lambda channel: channel.queue_declare("foreign")),
    ("delete", CONFIGURE, lambda channel: channel.queue_delete("foreign")),
    ("bind", WRITE, lambda channel: channel.queue_bind("foreign", "own", "key")),
    ("unbind", WRITE, lambda channel: channel.queue_unbind("foreign", "own", "key")),
    ("purge", READ, lambda channel: channel.queue_purge("foreign")),
    ("get", READ, lambda channel: channel.basic_get("foreign")),
    ("consume", READ, lambda channel: channel.basic_consume("foreign", lambda *delivery: None)),
]


@pytest.mark.parametrize(("verb", "action"), [pytest.param(*row[1:], id=row[0]) for row in QUEUE_ROWS])
def test_foreign_queues(
    bench: Workbench, expected: Expected, channel: BlockingChannel, limited: BlockingChannel, verb: str, action: Action
) -> None:
    declare(channel, bench, "foreign", "own")
    words = f"ACCESS_REFUSED - {verb} access to queue 'foreign' in vhost '/' refused for user '{USER}'"
    assert_refused(refusal_of(lambda: action(limited), limited), expected(Refusal("channel", 403, words)))


EXCHANGE_ROWS: list[tuple[str, str, Action]] = [
    ("declare", CONFIGURE, lambda channel: channel.exchange_declare("foreign", "direct")),
    ("delete", CONFIGURE, lambda channel: channel.exchange_delete("foreign")),
    ("publish", WRITE, lambda channel: send(channel, "foreign", "key", b"message")),
    ("bind as destination", WRITE, lambda channel: channel.exchange_bind("foreign", "own", "key")),
    ("bind as source", READ, lambda channel: channel.exchange_bind("own", "foreign", "key")),
    ("unbind as source", READ, lambda channel: channel.exchange_unbind("own", "foreign", "key")),
    ("bind a queue", READ, lambda channel: channel.queue_bind("own", "foreign", "key")),
    ("unbind a queue", READ, lambda channel: channel.queue_unbind("own", "foreign", "key")),
]


@pytest.mark.parametrize(("verb", "action"), [pytest.param(*row[1:], id=row[0]) for row in EXCHANGE_ROWS])
def test_foreign_exchanges(
    bench: Workbench, expected: Expected, channel: BlockingChannel, limited: BlockingChannel, verb: str, action: Action
) -> None:
    declare(channel, bench, "foreign", "own")
    words = f"ACCESS_REFUSED - {verb} access to exchange 'foreign' in vhost '/' refused for user '{USER}'"
    assert_refused(refusal_of(lambda: action(limited), limited), expected(Refusal("channel", 403, words)))


def test_the_default_exchange_is_called_amq_default(
    bench: Workbench, expected: Expected, channel: BlockingChannel, limited: BlockingChannel
) -> None:
    declare(channel, bench, "own")
    words = f"ACCESS_REFUSED - write access to exchange 'amq.default' in vhost '/' refused for user '{USER}'"
    refusal = refusal_of(lambda: send(limited, "", "own", b"message"), limited)
    assert_refused(refusal, expected(Refusal("channel", 403, words)))


def test_permission_to_write_is_not_permission_to_read(
    bench: Workbench, expected: Expected, channel: BlockingChannel, limited: BlockingChannel
) -> None:
    declare(channel, bench, "shared-in")
    channel.queue_bind("shared-in", "shared-in", "key")
    send(limited, "shared-in", "key", b"message")
    refusal = refusal_of(lambda: limited.basic_get("shared-in"), limited)
    assert_refused(refusal, expected(Refusal("channel", 403, "read access to queue 'shared-in'")))
    assert drain(channel, "shared-in") == [b"message"]


def test_permission_to_read_is_enough_to_consume(
    bench: Workbench, channel: BlockingChannel, limited: BlockingChannel
) -> None:
    declare(channel, bench, "shared-out")
    send(channel, "", "shared-out", b"message")
    assert Inbox(limited, "shared-out").bodies(1) == [b"message"]


def test_an_alternate_exchange_needs_its_own_permissions(
    bench: Workbench, expected: Expected, limited: BlockingChannel
) -> None:
    bench.remember("own")
    arguments = {"alternate-exchange": "foreign"}
    refusal = refusal_of(lambda: limited.exchange_declare("own", "direct", arguments=arguments), limited)
    assert_refused(refusal, expected(Refusal("channel", 403, "write access to exchange 'foreign' in vhost '/'")))


@pytest.mark.parametrize("key", ["forbidden.key", "notallowed.key"])
def test_topic_permissions_on_publishing(
    bench: Workbench, expected: Expected, channel: BlockingChannel, limited: BlockingChannel, key: str
) -> None:
    bench.remember("own-topics")
    channel.exchange_declare("own-topics", "topic")
    queue = bench.bound_queue(channel, "own-topics", "#")
    send(limited, "own-topics", "allowed.key", b"allowed")
    refusal = refusal_of(lambda: send(limited, "own-topics", key, b"refused"), limited)
    words = f"write access to topic '{key}' in exchange 'own-topics' in vhost '/' refused for user '{USER}'"
    assert_refused(refusal, expected(Refusal("channel", 403, f"ACCESS_REFUSED - {words}")))
    assert drain(channel, queue) == [b"allowed"]


def test_topic_permissions_on_binding(
    bench: Workbench, expected: Expected, channel: BlockingChannel, limited: BlockingChannel
) -> None:
    bench.remember("own-topics")
    channel.exchange_declare("own-topics", "topic")
    declare(limited, bench, "own")
    limited.queue_bind("own", "own-topics", "allowed.*")
    refusal = refusal_of(lambda: limited.queue_bind("own", "own-topics", "#"), limited)
    words = f"read access to topic '#' in exchange 'own-topics' in vhost '/' refused for user '{USER}'"
    assert_refused(refusal, expected(Refusal("channel", 403, f"ACCESS_REFUSED - {words}")))


def test_topic_permissions_cover_extra_routing_keys(
    bench: Workbench, expected: Expected, channel: BlockingChannel, limited: BlockingChannel
) -> None:
    bench.remember("own-topics")
    channel.exchange_declare("own-topics", "topic")
    headers = {"CC": ["forbidden.key"]}
    refusal = refusal_of(lambda: send(limited, "own-topics", "allowed.key", b"message", headers=headers), limited)
    assert_refused(refusal, expected(Refusal("channel", 403, "write access to topic 'forbidden.key'")))


@pytest.mark.parametrize("kind", ["queue", "exchange"])
def test_passive_declares_need_any_permission(
    bench: Workbench, channel: BlockingChannel, limited: BlockingChannel, kind: str
) -> None:
    declare(channel, bench, "shared-in", "shared-out")
    for name in ("shared-in", "shared-out"):
        if kind == "queue":
            limited.queue_declare(name, passive=True)
        else:
            limited.exchange_declare(name, passive=True)


@pytest.mark.parametrize("kind", ["queue", "exchange"])
def test_passive_declares_without_any_permission(
    bench: Workbench,
    expected: Expected,
    channel: BlockingChannel,
    limited: BlockingChannel,
    kind: str,
) -> None:
    declare(channel, bench, "foreign")

    def ask() -> None:
        if kind == "queue":
            limited.queue_declare("foreign", passive=True)
        else:
            limited.exchange_declare("foreign", passive=True)

    words = f"ACCESS_REFUSED - configure access to {kind} 'foreign' in vhost '/' refused for user '{USER}'"
    assert_refused(refusal_of(ask, limited), expected(Refusal("channel", 403, words)))


def test_impersonators_may_name_another_user(bench: Workbench, limited_user: str) -> None:
    actor = bench.connect(user="actor", password=PASSWORD).channel()
    queue = bench.queue(actor)
    send(actor, "", queue, b"message", user_id="somebody else")
    delivery = get(actor, queue)
    assert delivery is not None
    assert delivery.properties.user_id == "somebody else"


def test_user_without_the_virtual_host(bench: Workbench, limited_user: str) -> None:
    with pytest.raises(ProbableAccessDeniedError, match="access to vhost '/' refused for user 'stranger'"):
        bench.connect(user="stranger", password=PASSWORD)


def test_a_dead_letter_exchange_needs_permissions_of_its_own(
    bench: Workbench, limited: BlockingChannel, expected: Expected
) -> None:
    """Who has a queue dead-letter could read it, and write to the exchange, by way of the queue (G)."""
    bench.remember("own")
    refusal = refusal_of(lambda: limited.queue_declare("own", arguments={"x-dead-letter-exchange": "foreign"}), limited)
    text = f"ACCESS_REFUSED - write access to exchange 'foreign' in vhost '/' refused for user '{USER}'"
    assert_refused(refusal, expected(Refusal("channel", 403, text)))
    channel = limited.connection.channel()
    channel.queue_declare("own", arguments={"x-dead-letter-exchange": "own"})
    channel.queue_delete("own")


def test_a_queue_that_may_not_be_read_may_not_dead_letter(
    bench: Workbench, broker: Broker, limited_user: str, expected: Expected
) -> None:
    """Else its messages could be had by way of the exchange."""
    bench.remember("own-unread")
    broker.ctl("add_user", "writer", PASSWORD)
    try:
        broker.ctl("set_permissions", "writer", "^own", "^own", "^$")
        channel = bench.connect(user="writer", password=PASSWORD).channel()
        refusal = refusal_of(
            lambda: channel.queue_declare("own-unread", arguments={"x-dead-letter-exchange": "own"}), channel
        )
        text = "ACCESS_REFUSED - read access to queue 'own-unread' in vhost '/' refused for user 'writer'"
        assert_refused(refusal, expected(Refusal("channel", 403, text)))
        channel.connection.close()
    finally:
        broker.ctl("delete_user", "writer")
