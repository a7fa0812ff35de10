"""`warren import rabbitmq` from Debian's RabbitMQ: definitions and messages, in bounds, resumable, nothing lost."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pika
import pytest

from tests.interop.clients import need
from tests.support import child
from tests.support.ctl import ctl
from tests.support.rabbitmq import RabbitMQ, rabbitmq, rabbitmq_available
from tests.support.warren_process import PYTHON_PATH, REPOSITORY, WarrenProcess, start_warren
from warren.gateway.command_line import import_rabbitmq
from warren.gateway.command_line.import_rabbitmq import Importing, Wanted
from warren.gateway.command_line.rabbitmq_source import MOVERS, RabbitmqSource, Waiting
from warren.gateway.control.client import CommandFailedError

TIME_LIMIT_S = 240
SHOP = "shop / back"
"""A virtual host whose name has to be escaped everywhere."""

QUEUES = {"orders": 1200, "bills": 400, "empty": 0, "late": 1}


@pytest.fixture(scope="module")
def source() -> Iterator[RabbitMQ]:
    need(rabbitmq_available(), "rabbitmq-server")
    # The command waits for what the API says next of a queue, which is every five seconds by default.
    often = ["collect_statistics_interval = 500"]
    with rabbitmq(plugins=["rabbitmq_management"], configuration=often) as node:
        node.ctl("add_vhost", SHOP)
        node.ctl("add_user", "ada", "secret/@:")
        node.ctl("set_user_tags", "ada", "administrator")
        for vhost in ("/", SHOP):
            node.ctl("set_permissions", "-p", vhost, "ada", ".*", ".*", ".*")
        node.ctl("set_permissions", "-p", SHOP, "guest", ".*", ".*", ".*")
        node.ctl("set_policy", "-p", SHOP, "bounded", "^bills", '{"max-length": 100000}')
        yield node


def connected(port: int, vhost: str) -> pika.BlockingConnection:
    return pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port, vhost, heartbeat=0))


def fill(node: RabbitMQ, vhost: str, queues: dict[str, int], kind: str = "classic") -> None:
    """Queues with so many durable messages, each with its number; they are safe when this returns."""
    with connected(node.amqp_port, vhost) as connection:
        channel = connection.channel()
        # One wait for all of them, where there are transactions, instead of one for each.
        if kind == "classic":
            channel.tx_select()
        else:
            channel.confirm_delivery()
        for name, count in queues.items():
            channel.queue_declare(name, durable=True, arguments={"x-queue-type": kind})
            for number in range(count):
                properties = pika.BasicProperties(delivery_mode=2, message_id=f"{name}-{number}", priority=number % 5)
                channel.basic_publish("", name, b"%d" % number, properties)
        if kind == "classic":
            channel.tx_commit()


def bodies(port: int, vhost: str, queue: str) -> list[int]:
    """What is in a queue, in order; it is empty afterwards."""
    found: list[int] = []
    with connected(port, vhost) as connection:
        channel = connection.channel()
        count = channel.queue_declare(queue, passive=True).method.message_count
        coming = channel.consume(queue, auto_ack=True, inactivity_timeout=TIME_LIMIT_S)
        for _, properties, body in itertools.islice(coming, count):
            number = int(body)
            assert (properties.message_id, properties.priority) == (f"{queue}-{number}", number % 5)
            found.append(number)
        channel.cancel()
        assert channel.basic_get(queue)[0] is None
        return found


def command(node: RabbitMQ, warren: WarrenProcess, *more: str) -> list[str]:
    api = f"http://ada:secret%2F%40%3A@127.0.0.1:{node.ports['management']}"
    amqp = f"amqp://127.0.0.1:{node.amqp_port}"
    where = ["--data-dir", str(warren.data_directory)]
    return [sys.executable, "-m", "warren", "import", "rabbitmq", api, "--amqp", amqp, *where, *more]


def run(arguments: Sequence[str]) -> tuple[int, str, str]:
    environment = {**os.environ, "PYTHONPATH": PYTHON_PATH}
    found = subprocess.run(
        arguments, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False
    )
    return found.returncode, found.stdout, found.stderr


@pytest.fixture
def warren(tmp_path: Path) -> Iterator[WarrenProcess]:
    running = start_warren(tmp_path, data_directory=tmp_path / "data", options=["--set", "plugins=shovel"])
    yield running
    running.stop()


def test_everything_is_taken_over(source: RabbitMQ, warren: WarrenProcess) -> None:
    fill(source, SHOP, QUEUES)
    fill(source, "/", {"safe": 300}, "quorum")
    fill(source, "/", {"history": 5}, "stream")
    code, said, error = run(command(source, warren, "--at-a-time", "2"))
    assert (code, error) == (0, "")
    assert "queue 'history' in vhost '/' stays there: it is a stream" in said
    assert said.splitlines()[-1].startswith("Done: queues that were emptied: ")
    for name, count in QUEUES.items():
        assert bodies(warren.amqp_port, SHOP, name) == list(range(count))
        assert bodies(source.amqp_port, SHOP, name) == []
    assert bodies(warren.amqp_port, "/", "safe") == list(range(300))
    directory = warren.data_directory
    assert json.loads(ctl(directory, "list_policies", "-p", SHOP, "--formatter", "json"))[0]["name"] == "bounded"
    assert "Success" in ctl(directory, "authenticate_user", "ada", "secret/@:")
    assert json.loads(ctl(directory, "list_parameters", "-p", SHOP, "--formatter", "json")) == []
    assert json.loads(ctl(directory, "shovel_status", "--formatter", "json")) == []
    again, said, _ = run(command(source, warren))
    assert again == 0
    assert "These definitions are what was imported last" in said


def test_it_goes_on_after_every_crash(source: RabbitMQ, tmp_path: Path) -> None:
    """The command and the broker are killed while messages are under way."""
    fill(source, SHOP, {"orders": 3000, "bills": 3000})
    data = tmp_path / "data"
    options = ["--set", "plugins=shovel"]
    warren = start_warren(tmp_path, data_directory=data, options=options)
    log = tmp_path / "import.log"
    environment = {**os.environ, "PYTHONPATH": PYTHON_PATH}
    importing = child.start(command(source, warren, "--at-a-time", "1"), log, environment, REPOSITORY)

    def under_way() -> bool:
        found = json.loads(ctl(data, "list_queues", "-p", SHOP, "messages", "--formatter", "json"))
        return any(row["messages"] for row in found)

    try:
        child.wait_until(lambda: "Imported" in log.read_text(), importing, log, TIME_LIMIT_S, "importing")
        child.wait_until(under_way, importing, log, TIME_LIMIT_S, "the first messages")
    finally:
        child.stop(importing, 0)
        warren.kill()
    warren = start_warren(tmp_path, data_directory=data, options=options)
    try:
        code, _, error = run(command(source, warren))
        assert (code, error) == (0, "")
        for name in ("orders", "bills"):
            found = bodies(warren.amqp_port, SHOP, name)
            assert set(found) == set(range(3000)), "nothing is lost; what was under way may be there twice"
            assert bodies(source.amqp_port, SHOP, name) == []
    finally:
        warren.stop()


def test_what_a_consumer_holds_is_told_and_stays(source: RabbitMQ, warren: WarrenProcess) -> None:
    fill(source, SHOP, {"late": 3})
    with connected(source.amqp_port, SHOP) as connection:
        channel = connection.channel()
        assert channel.basic_get("late")[0] is not None
        code, _, error = run(command(source, warren, "--timeout", "4", "--vhost", SHOP))
        assert code == 75
        assert "nothing has moved for 4 seconds, and there are messages left in 'late' (1)" in error
        assert "consumers of that RabbitMQ hold 1 of them" in error
    assert run(command(source, warren))[0] == 0
    assert sorted(bodies(warren.amqp_port, SHOP, "late")) == [0, 1, 2]


def test_definitions_alone(source: RabbitMQ, tmp_path: Path) -> None:
    """Without the plugin shovel, which is asked for before anything is done otherwise."""
    fill(source, SHOP, {"late": 2})
    warren = start_warren(tmp_path, data_directory=tmp_path / "data")
    try:
        code, _, error = run(command(source, warren))
        assert (code, "needs the plugin shovel" in error) == (69, True)
        assert SHOP not in ctl(warren.data_directory, "list_vhosts")
        code, said, _ = run(command(source, warren, "--no-messages", "--vhost", SHOP))
        assert code == 0
        assert said.startswith("Imported ")
        assert bodies(warren.amqp_port, SHOP, "late") == []
        assert bodies(source.amqp_port, SHOP, "late") == [0, 1]
    finally:
        warren.stop()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["ftp://host"], 64, "a URL is such as http://guest:guest@localhost:15672"),
        (["http://a:b@127.0.0.1:1"], 69, "can't be asked"),
        (["http://a:b@127.0.0.1:1", "--to", "http://c:d@127.0.0.1:1"], 69, "http://127.0.0.1:1 can't be asked"),
        (["http://a:b@127.0.0.1:1", "--at-a-time", "0"], 64, "--at-a-time is 1 at least"),
    ],
)
def test_what_cannot_be(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    program = [sys.executable, "-m", "warren", "import", "rabbitmq", *arguments, "--data-dir", str(tmp_path)]
    found = run(program)
    assert found[0] == code
    assert said in found[2]
    assert "Traceback" not in found[2]


def test_the_password_of_the_api_is_that_of_amqp() -> None:
    source = RabbitmqSource("https://ada:s%2F%40@rabbit.example:15671", 1)
    assert source.uri(None, "/") == "amqp://ada:s%2F%40@rabbit.example/%2F"
    assert source.uri("amqps://other:5671?verify=verify_none", "a b") == (
        "amqps://ada:s%2F%40@other:5671/a%20b?verify=verify_none"
    )
    assert source.uri("amqp://bob:x@other", "v") == "amqp://bob:x@other/v"
    with pytest.raises(CommandFailedError):
        source.uri("http://other", "/")


def test_what_moves_messages_itself_stays_there(monkeypatch: pytest.MonkeyPatch) -> None:
    source = RabbitmqSource("http://a:b@host:1", 1)
    definitions = {
        "vhosts": [{"name": "/"}, {"name": "v"}],
        "parameters": [{"component": each, "vhost": "/"} for each in (*MOVERS, "vhost-limits")],
        "queues": [{"name": "q", "vhost": "v"}, {"name": "q", "vhost": "/"}],
    }
    monkeypatch.setattr(source, "_get", lambda path: json.loads(json.dumps(definitions)))
    found, left_out = source.definitions(())
    assert [each["component"] for each in found["parameters"]] == ["vhost-limits"]
    assert left_out == len(MOVERS)
    only_v, _ = source.definitions(("v",))
    assert (only_v["queues"], only_v["parameters"]) == ([{"name": "q", "vhost": "v"}], [])


def test_names_of_shovels_are_always_the_same() -> None:
    queue = Waiting("/", "q" * 255, "classic", 1, 0, False)
    assert import_rabbitmq.name_of(queue) == import_rabbitmq.name_of(queue._replace(messages=2))
    assert import_rabbitmq.name_of(queue) != import_rabbitmq.name_of(queue._replace(vhost="v"))
    assert len(import_rabbitmq.name_of(queue)) < 64
    assert Importing(Wanted("http://a")).wanted.at_a_time == 16
