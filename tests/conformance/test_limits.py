"""Limits of virtual hosts and users as clients meet them (spec A.3.7, A.4, A.5)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ProbableAccessDeniedError

from tests.conformance.scenario import Refusal, Workbench, assert_refused, process_until, queue_exists, refusal_of
from tests.support.brokers import Broker

VHOST = "limited"
USER = "limited-user"


@pytest.fixture(scope="module")
def made(broker_process: Broker) -> Iterator[None]:
    """A virtual host and a user that nobody else has."""
    broker_process.ctl("add_vhost", VHOST)
    broker_process.ctl("add_user", USER, "secret")
    broker_process.ctl("set_permissions", "-p", VHOST, USER, ".*", ".*", ".*")
    yield
    broker_process.ctl("delete_user", USER)
    broker_process.ctl("delete_vhost", VHOST)


@pytest.fixture
def limited(broker: Broker, made: None) -> Iterator[None]:
    """The same, without limits after the test."""
    yield
    broker.ctl("set_vhost_limits", "-p", VHOST, "{}")
    broker.ctl("clear_user_limits", USER, "all")


def connect(bench: Workbench) -> pika.BlockingConnection:
    return bench.connect(USER, "secret", virtual_host=VHOST)


def refused_connection(bench: Workbench) -> Refusal:
    with pytest.raises(ProbableAccessDeniedError) as caught:
        connect(bench)
    found = re.search(r'\((\d+)\) "(.*)"', str(caught.value))
    assert found is not None
    return Refusal("connection", int(found[1]), found[2])


def test_connections_of_a_virtual_host(bench: Workbench, broker: Broker, limited: None) -> None:
    broker.ctl("set_vhost_limits", "-p", VHOST, '{"max-connections": 1}')
    first = connect(bench)
    text = f"access to vhost '{VHOST}' refused for user '{USER}': connection limit (1) is reached"
    assert_refused(refused_connection(bench), Refusal("connection", 530, f"NOT_ALLOWED - {text}"))
    first.close()
    process_until(bench.channel(), lambda: open_connections(broker) == 0)
    connect(bench).close()


def open_connections(broker: Broker) -> int:
    return len(re.findall(f"^{VHOST}$", broker.ctl("list_connections", "vhost"), re.MULTILINE))


def test_queues_of_a_virtual_host(bench: Workbench, broker: Broker, limited: None) -> None:
    broker.ctl("set_vhost_limits", "-p", VHOST, '{"max-queues": 1}')
    channel: BlockingChannel = connect(bench).channel()
    channel.queue_declare("the-one", exclusive=True)
    refusal = refusal_of(lambda: channel.queue_declare("too-many"), channel)
    text = f"cannot declare queue 'too-many': queue limit in vhost '{VHOST}' (1) is reached"
    assert_refused(refusal, Refusal("channel", 406, f"PRECONDITION_FAILED - {text}"))
    channel = channel.connection.channel()
    channel.queue_declare("the-one", exclusive=True)
    assert not queue_exists(bench, "too-many")


def test_connections_of_a_user(bench: Workbench, broker: Broker, limited: None) -> None:
    broker.ctl("set_user_limits", USER, '{"max-connections": 0}')
    text = f"connection refused for user '{USER}': user connection limit (0) is reached"
    assert_refused(refused_connection(bench), Refusal("connection", 530, f"NOT_ALLOWED - {text}"))
    broker.ctl("clear_user_limits", USER, "max-connections")
    connect(bench).close()


def test_channels_of_a_user(bench: Workbench, broker: Broker, limited: None) -> None:
    broker.ctl("set_user_limits", USER, '{"max-channels": 2}')
    connection = connect(bench)
    first = connection.channel()
    connection.channel()
    refusal = refusal_of(connection.channel, first)
    text = f"number of channels opened for user '{USER}' has reached the maximum allowed user limit of"
    assert_refused(refusal, Refusal("connection", 530, f"NOT_ALLOWED - {text}"))


def test_a_closed_channel_no_longer_counts(bench: Workbench, broker: Broker, limited: None) -> None:
    if not broker.is_warren:
        pytest.skip("RabbitMQ lowers its count some time after close-ok")
    broker.ctl("set_user_limits", USER, '{"max-channels": 1}')
    connection = connect(bench)
    for _ in range(3):
        connection.channel().close()
