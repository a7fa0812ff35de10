"""What clients, administrators and HTTP declare on one node is on all, whole brokers with real servers of NATS."""

from __future__ import annotations

import base64
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pika
import pytest
from pika.exceptions import ChannelClosedByBroker, ConnectionClosedByBroker

from tests.support.child import wait_until
from tests.support.cluster import QUORUM, Nodes, channel_of
from tests.support.ctl import ctl
from tests.support.nats_servers import NatsServer
from tests.support.warren_process import WarrenProcess

WAIT_S = 60.0

OPTIONS = ("--listen-only", "http=127.0.0.1:0", "--listen-only", "stomp=127.0.0.1:0", "--set", "plugins=management")


@pytest.fixture
def nodes(tmp_path: Path, servers: list[NatsServer]) -> Iterator[tuple[WarrenProcess, WarrenProcess]]:
    """Two that have joined."""
    with ExitStack() as stack:
        found = stack.enter_context(Nodes(tmp_path, servers))
        yield found.start("n1", *OPTIONS), found.start("n2", *OPTIONS)


def until(node: WarrenProcess, condition: Callable[[], bool], what: str) -> None:
    wait_until(condition, node.process, node.log, WAIT_S, what)


def http(node: WarrenProcess, method: str, path: str, body: object = None, user: str = "guest:guest") -> int:
    """The status of an answer."""
    host, port = node.addresses["http"]
    headers = {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{host}:{port}/api{path}", data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def has(node: WarrenProcess, path: str) -> bool:
    return http(node, "GET", path) == 200


def test_amqp_0_9_1(nodes: tuple[WarrenProcess, WarrenProcess]) -> None:
    one, two = nodes
    with channel_of(one) as channel:
        channel.exchange_declare("x", "topic", durable=True)
        channel.queue_declare("q", durable=True, arguments=QUORUM)
        channel.queue_bind("q", "x", "k.#")
        channel.exchange_declare("other", "fanout", durable=True)
        channel.exchange_bind("other", "x", "all")
    until(two, lambda: has(two, "/bindings/%2F/e/x/e/other/all"), "what was bound last")
    assert has(two, "/bindings/%2F/e/x/q/q/k.%23")
    with channel_of(two) as channel:
        channel.queue_declare("q", durable=True, arguments=QUORUM)
        with pytest.raises(ChannelClosedByBroker, match="inequivalent arg 'type'"):
            channel.exchange_declare("x", "direct", durable=True)
    with channel_of(two) as channel:
        channel.exchange_unbind("other", "x", "all")
        assert channel.queue_delete("q").method.message_count == 0
        channel.exchange_delete("x")
        assert not has(two, "/exchanges/%2F/x")
    until(one, lambda: not has(one, "/exchanges/%2F/x"), "the deletion")
    assert not has(one, "/queues/%2F/q")


def test_http_and_ctl(nodes: tuple[WarrenProcess, WarrenProcess]) -> None:
    one, two = nodes
    assert http(one, "PUT", "/vhosts/v", {"description": "d"}) == 201
    assert http(one, "PUT", "/vhosts/v", {"description": "e"}) == 204
    assert http(one, "PUT", "/users/ada", {"password": "secret", "tags": "administrator"}) == 201
    assert http(one, "PUT", "/permissions/v/ada", {"configure": ".*", "write": ".*", "read": ".*"}) in (201, 204)
    assert http(one, "PUT", "/exchanges/v/x", {"type": "topic"}) == 201
    assert http(one, "PUT", "/queues/v/q", {"durable": True, "arguments": QUORUM}) == 201
    assert http(one, "PUT", "/queues/v/q", {"durable": True, "arguments": QUORUM}) == 204
    assert http(one, "POST", "/bindings/v/e/x/q/q", {"routing_key": "k"}) == 201
    assert http(one, "PUT", "/policies/v/p", {"pattern": ".*", "definition": {"max-length": 5}}) == 201
    assert http(one, "PUT", "/global-parameters/g", {"value": 1}) in (201, 204)
    until(two, lambda: has(two, "/global-parameters/g"), "what was set last")
    assert http(two, "GET", "/whoami", user="ada:secret") == 200
    assert "ada" in ctl(two.data_directory, "list_permissions", "-p", "v")
    assert ctl(two.data_directory, "list_policies", "-p", "v").count("max-length") == 1
    ctl(two.data_directory, "clear_policy", "-p", "v", "p")
    ctl(two.data_directory, "change_password", "ada", "another")
    ctl(two.data_directory, "add_user", "bob", "secret", "--configure", ".*", "-p", "v")
    ctl(two.data_directory, "clear_permissions", "-p", "v", "ada")
    until(one, lambda: "ada" not in ctl(one.data_directory, "list_permissions", "-p", "v"), "what was done last")
    assert "bob" in ctl(one.data_directory, "list_permissions", "-p", "v")
    assert http(one, "GET", "/whoami", user="ada:another") == 200
    assert not has(one, "/policies/v/p")
    assert http(one, "DELETE", "/bindings/v/e/x/q/q/k") == 204
    assert http(one, "DELETE", "/queues/v/q") == 204
    assert http(one, "DELETE", "/exchanges/v/x") == 204
    assert http(one, "DELETE", "/users/ada") == 204
    assert http(one, "DELETE", "/users/ada") == 404
    ctl(two.data_directory, "delete_user", "bob")
    assert http(two, "DELETE", "/vhosts/v") == 204
    assert not has(two, "/vhosts/v")
    until(one, lambda: not has(one, "/vhosts/v"), "the deletion")
    assert not has(one, "/users/ada")


def test_stomp(nodes: tuple[WarrenProcess, WarrenProcess]) -> None:
    one, two = nodes
    with socket.create_connection(one.addresses["stomp"], WAIT_S) as connection:
        connection.settimeout(WAIT_S)
        connection.sendall(
            b"CONNECT\naccept-version:1.2\nhost:/\nlogin:guest\npasscode:guest\n\n\0"
            b"SUBSCRIBE\nid:1\ndestination:/topic/t\nx-queue-name:news\ndurable:true\nauto-delete:false\n"
            b"x-queue-type:quorum\nreceipt:r\n\n\0"
        )
        answer = b""
        while b"RECEIPT" not in answer:
            received = connection.recv(65536)
            assert received, answer
            answer += received
        assert b"ERROR" not in answer
    until(two, lambda: has(two, "/bindings/%2F/e/amq.topic/q/news/t"), "the subscription's binding")


def test_without_a_majority_of_nats_nothing_shared_changes_and_clients_are_told(
    tmp_path: Path, servers: list[NatsServer]
) -> None:
    with Nodes(tmp_path, servers) as found:
        node = found.start("n1", *OPTIONS)
        with channel_of(node) as channel:
            channel.queue_declare("before", durable=True, arguments=QUORUM)
        for server in servers[:2]:
            server.stop(0)
        connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", node.amqp_port, heartbeat=0))
        channel = connection.channel()
        channel.queue_declare("before", durable=True, arguments=QUORUM)
        channel.queue_declare("mine", exclusive=True)
        with pytest.raises(ConnectionClosedByBroker, match=r"the cluster's definitions can't be changed now") as caught:
            channel.queue_declare("during", durable=True, arguments=QUORUM)
        assert caught.value.reply_code == 541
        assert http(node, "PUT", "/vhosts/v", {}) == 503
        for server in servers[:2]:
            server.start()
        until(node, lambda: http(node, "PUT", "/vhosts/v", {}) in (201, 204), "NATS to be there again")
        # It starts without NATS, with all that it knows.
        assert node.stop() == 0
        for server in servers:
            server.stop(0)
        node = found.start("n1", *OPTIONS)
        assert has(node, "/vhosts/v")
        assert has(node, "/queues/%2F/before")
