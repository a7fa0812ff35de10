"""Declaring, deleting, binding through core: errors of A.5 with code and text, idempotence, names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import SimulatedConsumer, publish
from warren.core.clients.client import Client
from warren.core.declaring.bindings import bind, unbind
from warren.core.declaring.exchanges import check_exchange, declare_exchange, delete_exchange
from warren.core.declaring.queues import (
    accessible_queue,
    check_queue,
    declare_queue,
    delete_queue,
    end_client,
    end_consumer,
    purge_queue,
)
from warren.core.errors import BrokerError
from warren.core.queues.answer import at_once

Doing = Callable[[Client], object]


@pytest.fixture
def broker() -> SimulatedBroker:
    return SimulatedBroker()


@pytest.fixture
def client(broker: SimulatedBroker) -> Client:
    """Has declared q (transient), d (durable), mine (exclusive) and the exchanges x (direct), i (internal)."""
    client = make_client(broker)
    declare_queue(client, "q")
    declare_queue(client, "d", durable=True)
    declare_exchange(client, "x", "direct")
    declare_exchange(client, "i", "fanout", durable=True, internal=True)
    return client


def make_client(broker: SimulatedBroker, user: str = "guest") -> Client:
    return Client("tester", broker.broker.users[user], broker.vhost, "test", {})


REFUSED: dict[str, tuple[int, str, Doing]] = {
    "passive missing queue": (404, "no queue 'z' in vhost '/'", lambda c: check_queue(c, "z")),
    "passive missing exchange": (404, "no exchange 'z' in vhost '/'", lambda c: check_exchange(c, "z")),
    "use of a missing queue": (404, "no queue 'z'", lambda c: accessible_queue(c, "z", "read")),
    "purge of a missing queue": (404, "no queue 'z'", lambda c: purge_queue(c, "z")),
    "bind of a missing queue": (404, "no queue 'z'", lambda c: bind(c, "queue", "z", "x", "k", {}, b"\0\0\0\0")),
    "bind to a missing exchange": (404, "no exchange 'z'", lambda c: bind(c, "queue", "q", "z", "k", {}, b"\0\0\0\0")),
    "bind of a missing exchange": (
        404,
        "no exchange 'z'",
        lambda c: bind(c, "exchange", "z", "x", "k", {}, b"\0\0\0\0"),
    ),
    "reserved queue": (403, "queue name 'amq.z' contains reserved prefix 'amq.*'", lambda c: declare_queue(c, "amq.z")),
    "reserved exchange": (403, "contains reserved prefix", lambda c: declare_exchange(c, "amq.z", "direct")),
    "made up generated name": (403, "contains reserved prefix", lambda c: declare_queue(c, "amq.gen-mine")),
    "declare default": (403, "not permitted on the default exchange", lambda c: declare_exchange(c, "", "direct")),
    "passive default": (403, "not permitted on the default exchange", lambda c: check_exchange(c, "")),
    "delete default": (403, "not permitted on the default exchange", lambda c: delete_exchange(c, "")),
    "bind default": (
        403,
        "not permitted on the default exchange",
        lambda c: bind(c, "queue", "q", "", "k", {}, b"\0\0\0\0"),
    ),
    "unbind default": (403, "not permitted on the default exchange", lambda c: unbind(c, "queue", "q", "", "q", {})),
    "delete predeclared": (
        403,
        "deletion of system exchange 'amq.direct' in vhost '/' not allowed",
        lambda c: delete_exchange(c, "amq.direct"),
    ),
    "other durability": (
        406,
        "inequivalent arg 'durable' for queue 'q' in vhost '/': received 'true' but current is 'false'",
        lambda c: declare_queue(c, "q", durable=True),
    ),
    "other auto-delete": (406, "inequivalent arg 'auto_delete'", lambda c: declare_queue(c, "q", auto_delete=True)),
    "other exclusivity": (405, "cannot obtain exclusive access", lambda c: declare_queue(c, "q", exclusive=True)),
    "other type": (
        406,
        "inequivalent arg 'type' for exchange 'x' in vhost '/': received 'fanout' but current is 'direct'",
        lambda c: declare_exchange(c, "x", "fanout"),
    ),
    "other internal": (406, "inequivalent arg 'internal'", lambda c: declare_exchange(c, "x", "direct", internal=True)),
    "unknown type": (406, "unknown exchange type 'z'", lambda c: declare_exchange(c, "new", "z")),
    "unknown queue type": (
        406,
        "x-queue-type",
        lambda c: declare_queue(c, "new", arguments={"x-queue-type": "z"}, arguments_raw=b"\0\0\0\0"),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(broker: SimulatedBroker, client: Client, name: str) -> None:
    code, text, doing = REFUSED[name]
    before = (set(broker.vhost.queues), set(broker.vhost.exchanges), broker.broker.inspect("bindings", "/"))
    with pytest.raises(BrokerError) as refused:
        doing(client)
    assert refused.value.code == code
    assert text in refused.value.text
    after = (set(broker.vhost.queues), set(broker.vhost.exchanges), broker.broker.inspect("bindings", "/"))
    assert before == after, "what is refused changes nothing"


FINE: dict[str, Doing] = {
    "queue again": lambda c: declare_queue(c, "q"),
    "durable queue again": lambda c: declare_queue(c, "d", durable=True),
    "queue with line ends": lambda c: declare_queue(c, "q\r\n"),
    "exchange again": lambda c: declare_exchange(c, "i", "fanout", durable=True, internal=True),
    "predeclared again": lambda c: declare_exchange(c, "amq.topic", "topic", durable=True),
    "passive predeclared": lambda c: check_exchange(c, "amq.topic"),
    "delete of a missing queue": lambda c: delete_queue(c, "z"),
    "delete of a missing exchange": lambda c: delete_exchange(c, "z"),
    "unbind of a missing binding": lambda c: unbind(c, "queue", "q", "x", "k", {}),
    "unbind of a missing queue": lambda c: unbind(c, "queue", "z", "x", "k", {}),
    "unbind of a missing exchange": lambda c: unbind(c, "queue", "q", "z", "k", {}),
}


@pytest.mark.parametrize("name", FINE)
def test_what_is_fine_and_changes_nothing(broker: SimulatedBroker, client: Client, name: str) -> None:
    before = (set(broker.vhost.queues), set(broker.vhost.exchanges))
    FINE[name](client)
    assert (set(broker.vhost.queues), set(broker.vhost.exchanges)) == before


def test_binding_twice_is_once(broker: SimulatedBroker, client: Client) -> None:
    for _ in range(2):
        bind(client, "queue", "q", "x", "k", {}, b"\0\0\0\0")
    assert len(broker.vhost.exchanges["x"].bindings) == 1


def test_conditions_of_deleting(broker: SimulatedBroker, client: Client) -> None:
    queue = broker.queue("q")
    publish(broker, queue, [b"1", b"2"])
    consumer = SimulatedConsumer(queue, credit=0)
    queue.add_consumer(consumer)
    for text, unused in [("in use", True), ("not empty", False)]:
        with pytest.raises(BrokerError, match=text) as refused:
            delete_queue(client, "q", if_unused=unused, if_empty=not unused)
        assert refused.value.code == 406
    bind(client, "queue", "d", "x", "k", {}, b"\0\0\0\0")
    with pytest.raises(BrokerError, match="in use"):
        delete_exchange(client, "x", if_unused=True)
    assert at_once(partial(purge_queue, client, "q")) == 2
    assert at_once(partial(delete_queue, client, "q", if_empty=True)) == 0
    assert consumer.told
    assert not consumer.active


def test_exclusive_queues_are_their_connections_own(broker: SimulatedBroker, client: Client) -> None:
    declare_queue(client, "mine", exclusive=True, durable=True)
    assert not broker.queue("mine").durable
    other = make_client(broker)
    doings: list[Doing] = [
        lambda c: declare_queue(c, "mine", exclusive=True),
        lambda c: check_queue(c, "mine"),
        lambda c: accessible_queue(c, "mine", "read"),
        lambda c: delete_queue(c, "mine"),
        lambda c: purge_queue(c, "mine"),
        lambda c: bind(c, "queue", "mine", "x", "k", {}, b"\0\0\0\0"),
        lambda c: unbind(c, "queue", "mine", "x", "k", {}),
    ]
    for doing in doings:
        with pytest.raises(BrokerError, match="cannot obtain exclusive access to locked queue 'mine'") as refused:
            doing(other)
        assert refused.value.code == 405
    declare_queue(client, "mine", exclusive=True, durable=True)
    bind(client, "queue", "mine", "x", "k", {}, b"\0\0\0\0")
    end_client(client)
    assert "mine" not in broker.vhost.queues
    assert not broker.vhost.exchanges["x"].bindings
    assert client.exclusive_queues == {}


def test_a_deleted_exclusive_queue_is_forgotten_by_its_owner(client: Client) -> None:
    declare_queue(client, "mine", exclusive=True)
    delete_queue(client, "mine")
    assert client.exclusive_queues == {}


def test_ending_a_consumer_twice_is_once(broker: SimulatedBroker, client: Client) -> None:
    declare_queue(client, "auto", auto_delete=True)
    queue = broker.queue("auto")
    first, second = SimulatedConsumer(queue), SimulatedConsumer(queue)
    queue.add_consumer(first)
    queue.add_consumer(second)
    end_consumer(first)
    end_consumer(first)
    assert "auto" in broker.vhost.queues
    end_consumer(second)
    assert "auto" not in broker.vhost.queues
    declare_queue(client, "auto", auto_delete=True)
    end_consumer(second)
    assert "auto" in broker.vhost.queues, "a late end must not take the new queue of that name away"


PERMISSIONS: dict[str, tuple[str, Doing]] = {
    "declare queue": ("configure access to queue 'new'", lambda c: declare_queue(c, "new")),
    "declare exchange": ("configure access to exchange 'new'", lambda c: declare_exchange(c, "new", "direct")),
    "delete queue": ("configure access to queue 'q'", lambda c: delete_queue(c, "q")),
    "delete exchange": ("configure access to exchange 'x'", lambda c: delete_exchange(c, "x")),
    "purge": ("read access to queue 'q'", lambda c: purge_queue(c, "q")),
    "bind queue": ("write access to queue 'q'", lambda c: bind(c, "queue", "q", "x", "k", {}, b"\0\0\0\0")),
    "unbind queue": ("write access to queue 'q'", lambda c: unbind(c, "queue", "q", "x", "k", {})),
    "bind exchange": ("write access to exchange 'i'", lambda c: bind(c, "exchange", "i", "x", "", {}, b"\0\0\0\0")),
    "passive queue": ("configure access to queue 'q'", lambda c: check_queue(c, "q")),
    "passive exchange": ("configure access to exchange 'x'", lambda c: check_exchange(c, "x")),
}


@pytest.mark.parametrize("name", PERMISSIONS)
def test_permissions(broker: SimulatedBroker, client: Client, name: str) -> None:
    text, doing = PERMISSIONS[name]
    broker.broker.users.add_user("poor", "poor")
    broker.broker.users.set_permissions("poor", "/", "^$", "^$", "^$")
    with pytest.raises(BrokerError, match=text) as refused:
        doing(make_client(broker, "poor"))
    assert refused.value.code == 403
    assert refused.value.text.endswith("in vhost '/' refused for user 'poor'")


@pytest.mark.parametrize("verb", [0, 1, 2])
def test_a_passive_declare_needs_any_one_permission(broker: SimulatedBroker, client: Client, verb: int) -> None:
    broker.broker.users.add_user("poor", "poor")
    patterns = ["^$", "^$", "^$"]
    patterns[verb] = "^(q|x)$"
    broker.broker.users.set_permissions("poor", "/", *patterns)
    check_queue(make_client(broker, "poor"), "q")
    check_exchange(make_client(broker, "poor"), "x")
