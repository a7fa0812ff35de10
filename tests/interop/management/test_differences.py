"""The same requests to RabbitMQ's management API and to Warren's: what differs is listed with its reason.

docs/management_rabbitmq.md holds the lists.  Each of its rows has to be seen, so none outlives its difference.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any
from urllib.parse import quote

import httpx
import pika
import pytest

from tests.interop.clients import need
from tests.interop.management import scenario
from tests.interop.management.comparing import VALUED, Broker, answer_of, differences, is_listed, rows
from tests.support.rabbitmq import rabbitmq, rabbitmq_available, rabbitmq_version
from tests.support.warren_process import warren_process

RABBITMQ_PLUGINS = (
    "rabbitmq_management",
    "rabbitmq_shovel",
    "rabbitmq_shovel_management",
    "rabbitmq_federation",
    "rabbitmq_federation_management",
)

FIGURES_TIMEOUT_S = 60.0
"""RabbitMQ shows what it has measured every five seconds."""

POLL_S = 0.1


Answers = dict[str, tuple[httpx.Response, httpx.Response]]
"""RabbitMQ's and Warren's, by the number of the request and the request."""


@contextmanager
def logged_in(port: int) -> Iterator[Broker]:
    base = f"http://127.0.0.1:{port}"
    # A connection for each request: RabbitMQ closes one that hasn't asked for five seconds, and the other's turn may
    # take as long on a busy machine.
    limits = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(base_url=base, auth=("guest", "guest"), timeout=60, limits=limits, trust_env=False) as http:
        yield Broker(http, http.get("/api/overview").json()["node"])


@pytest.fixture(scope="module")
def answers() -> Iterator[Answers]:
    """What both answer to every request; node names are NODE in both."""
    need(rabbitmq_available() and rabbitmq_version().startswith("3.10."), "RabbitMQ 3.10")
    listen = ("amqp=127.0.0.1:0", "http=127.0.0.1:0")
    options = ("--set", "plugins=management,shovel,federation", "--set", "refused_login_delay_s=0")
    with ExitStack() as stack:
        node = stack.enter_context(rabbitmq(plugins=RABBITMQ_PLUGINS))
        process = stack.enter_context(warren_process(listen=listen, options=options))
        there = stack.enter_context(logged_in(node.ports["management"]))
        here = stack.enter_context(logged_in(process.addresses["http"][1]))
        parts = scenario.parts()
        live = parts.pop(scenario.LIVE)
        found: Answers = {}
        for number, request in enumerate(line for part in parts.values() for line in part):
            found[f"{number} {request}"] = (there.ask(request), here.ask(request))
        found.update(_live(stack, live, (there, node.amqp_port), (here, process.amqp_port)))
        yield found


def _live(stack: ExitStack, live: list[str], *brokers: tuple[Broker, int]) -> Answers:
    """The requests about what works, once both have figures of it."""
    names: list[dict[str, str]] = []
    for broker, port in brokers:
        broker.http.get(f"/api/queues?{scenario.SPANS}")
        connection = stack.enter_context(pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port)))
        _work(connection)
        _await(partial(_has_figures, broker))
        channels = broker.http.get("/api/channels").json()
        channel = next(each for each in channels if each["number"] == 1 and each["connection_details"].get("peer_port"))
        of = quote(channel["connection_details"]["name"], safe="")
        names.append({"CHANNEL": quote(channel["name"], safe=""), "CONNECTION": of, "SPANS": scenario.SPANS})
    found = {}
    for request in live:
        there, here = (broker.ask(request, **name) for (broker, _), name in zip(brokers, names, strict=True))
        found[request] = (there, here)
    return found


def _work(connection: pika.BlockingConnection) -> None:
    """A queue with a consumer that acknowledges some of its messages, an exclusive one, a message nobody takes."""
    channel = connection.channel()
    channel.queue_declare("live", durable=True)
    channel.exchange_declare("lx", "topic", durable=True)
    channel.queue_bind("live", "lx", "k")
    channel.confirm_delivery()
    properties = pika.BasicProperties(delivery_mode=2, timestamp=1_700_000_000)
    for _ in range(10):
        channel.basic_publish("lx", "k", b"hello", properties)
    channel.basic_publish("lx", "nobody", b"hello")
    channel.basic_qos(prefetch_count=3)
    taken: list[int] = []

    def take(on: Any, method: Any, properties: Any, body: bytes) -> None:
        taken.append(method.delivery_tag)
        if len(taken) <= 4:
            on.basic_ack(method.delivery_tag)

    channel.basic_consume("live", take, consumer_tag="ct")
    while len(taken) < 7:
        connection.process_data_events(0.1)
    channel.basic_get("live", auto_ack=True)
    connection.channel().queue_declare("mine", exclusive=True)


def _has_figures(broker: Broker) -> bool:
    queue = broker.http.get(f"/api/queues/%2F/live?{scenario.SPANS}").json()
    stats = queue.get("message_stats", {})
    samples = stats.get("publish_details", {}).get("samples", [])
    connections = broker.http.get("/api/connections").json()
    return (
        len(samples) > 1
        and samples[0]["sample"] > 0
        and queue.get("messages_ready") == 2
        and any("recv_oct" in each for each in connections)
        and "publish" in broker.http.get("/api/overview").json()["message_stats"]
        and bool(broker.http.get("/api/consumers").json())
        and all("messages" in each for each in broker.http.get("/api/queues").json())
        and any(each["state"] == "running" for each in broker.http.get("/api/shovels").json())
    )


def _await(holds: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + FIGURES_TIMEOUT_S
    while not holds():
        assert time.monotonic() < give_up_at, "no figures"
        time.sleep(POLL_S)


def test_statuses(answers: Answers) -> None:
    listed = {(row.cells[0], row.cells[1], row.cells[2]) for row in rows("Statuses")}
    seen = {
        (_request(name), str(there.status_code), str(here.status_code))
        for name, (there, here) in answers.items()
        if there.status_code != here.status_code
    }
    assert seen - listed == set(), "not listed"
    assert listed - seen == set(), "listed, and not there any more"


def test_fields(answers: Answers) -> None:
    table = rows("Fields")
    used = set()
    unlisted = []
    for name, (there, here) in answers.items():
        if not (there.status_code < 400 and here.status_code < 400 and there.content and here.content):
            continue
        path = _request(name).split(" ")[1]
        for field, who in differences(answer_of(there), answer_of(here), values=bool(VALUED.search(path))):
            row = next((row for row in table if is_listed(path, field, row)), None)
            if row is None:
                unlisted.append(f"{path}: {field}: {who}")
            used.add(row)
    assert unlisted == [], "not listed"
    assert [row for row in table if row not in used] == [], "listed, and not there any more"


def test_refusals_look_alike(answers: Answers) -> None:
    """An object with an error and a reason, and the error is RabbitMQ's word, where the status is the same."""
    for name, (there, here) in answers.items():
        if here.status_code >= 400 and "/health/" not in name and "HEAD" not in name:
            assert set(here.json()) == {"error", "reason"}, name
            assert isinstance(here.json()["reason"], str), name
            if there.status_code == here.status_code and there.content and there.json()["error"] != "not_found":
                assert here.json()["error"] == there.json()["error"], name


def _request(name: str) -> str:
    number, _, request = name.partition(" ")
    return request if number.isdigit() else name
