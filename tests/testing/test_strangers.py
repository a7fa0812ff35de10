"""The plugin of pytest as a stranger's tests have it: real runs of pytest, with real clients."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.warren_process import PYTHON_PATH
from tests.testing.running import TIME_LIMIT_S, copy_stranger, run_pytest

pytestmark = pytest.mark.limits(seconds=TIME_LIMIT_S + 30)


@pytest.mark.parametrize(
    ("name", "passed", "arguments"),
    [
        ("plain", 16, ("-n", "2")),
        ("other_protocols", 2, ()),
        ("in_asyncio", 2, ()),
        ("in_trio", 3, ()),
    ],
)
def test_all_pass(tmp_path: Path, name: str, passed: int, arguments: tuple[str, ...]) -> None:
    copy_stranger(tmp_path, name)
    run = run_pytest(tmp_path, *arguments)
    assert run.counts == {"passed": passed}, run.output


def test_mistakes_are_told_what_to_do(tmp_path: Path) -> None:
    copy_stranger(tmp_path, "misused")
    run = run_pytest(tmp_path, "--tb=short")
    assert run.counts == {"passed": 2, "failed": 3, "error": 3}, run.output
    for told in (
        "mark the test with @pytest.mark.trio",
        "pika connects to a broker that runs in this very thread",
        "test_misused connects to a broker that runs in this very thread",
        "open_broker runs on Trio, and this is asyncio",
        "warren_leftovers is warn, fail, ignore, not perhaps",
        "nowhere.json can't be read: No such file or directory",
    ):
        assert told in run.output, run.output


LEAVES = """
import pika

def test_it(warren_url, warren_broker):
    connection = pika.BlockingConnection(pika.URLParameters(warren_url))
    channel = connection.channel()
    channel.queue_declare("orders")
    for body in (b"1", b"2", b"3"):
        channel.basic_publish("", "orders", body)
    warren_broker.wait_for_messages("orders", 3)
    channel.basic_get("orders")
    test_it.connection = connection
"""

LEFT = "unacknowledged in queue 'orders': 1\nnobody took from queue 'orders': 2\n"


@pytest.mark.parametrize(
    ("ini", "warnings", "counts"),
    [
        ("", "default", {"passed": 1, "warning": 1}),
        ("", "error", {"passed": 1, "error": 1}),
        ("warren_leftovers = fail", "default", {"passed": 1, "error": 1}),
        ("warren_leftovers = ignore", "error", {"passed": 1}),
    ],
)
def test_what_a_test_leaves(tmp_path: Path, ini: str, warnings: str, counts: dict[str, int]) -> None:
    (tmp_path / "test_it.py").write_text(LEAVES)
    run = run_pytest(tmp_path, ini=ini, warnings=warnings)
    assert run.counts == counts, run.output
    told = "\n".join(line.removeprefix("E").strip() for line in run.output.splitlines()) + "\n"
    assert (LEFT in told) is ("ignore" not in ini), run.output
    assert ("(AMQP 0-9-1, channels: 1)" in told) is ("ignore" not in ini)


def test_a_failure_shows_the_brokers_log(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import pika\n"
        "def test_it(warren_url):\n"
        "    with pika.BlockingConnection(pika.URLParameters(warren_url)) as connection:\n"
        "        connection.channel().queue_declare('nowhere', passive=True)\n"
    )
    run = run_pytest(tmp_path)
    assert run.counts == {"failed": 1}, run.output
    assert "- Warren's log -" in run.output
    assert "NOT_FOUND - no queue 'nowhere' in vhost 'test_it'" in run.output.partition("Warren's log")[2]


DEFINITIONS = {
    "users": [{"name": "app", "password": "secret", "tags": ""}, {"name": "guest", "password": "other", "tags": ""}],
    "vhosts": [{"name": "/"}, {"name": "elsewhere"}],
    "permissions": [{"user": "app", "vhost": "/", "configure": "", "write": ".*", "read": ".*"}],
    "queues": [
        {"name": "orders", "vhost": "/", "durable": True, "auto_delete": False, "arguments": {}},
        {"name": "others", "vhost": "elsewhere", "durable": True, "auto_delete": False, "arguments": {}},
    ],
    "policies": [
        {"vhost": "/", "name": "short", "pattern": ".*", "apply-to": "queues", "definition": {"max-length": 1}}
    ],
}

DEFINED = """
import pika
import pytest

def names(broker):
    return [(each.name, each.row["policy"]) for each in broker.queues()]

def test_of_the_ini(warren_url, warren_broker):
    assert names(warren_broker) == [("orders", "short")]
    app = warren_url.replace("guest:guest", "app:secret")
    with pika.BlockingConnection(pika.URLParameters(app)) as connection:
        connection.channel().basic_publish("", "orders", b"three chairs")
        assert warren_broker.connections()[0].user == "app"

@pytest.mark.warren(definitions="mine.json")
def test_of_the_mark(warren_broker):
    assert names(warren_broker) == [("mine", None)]

@pytest.mark.warren(definitions="many.json")
def test_of_too_many(warren_broker):
    raise AssertionError("it has begun")
"""


def test_definitions_and_configuration(tmp_path: Path) -> None:
    queue = {"name": "mine", "durable": True, "auto_delete": False, "arguments": {}}
    many = {"queues": [{**queue, "vhost": "a"}, {**queue, "vhost": "b"}]}
    (tmp_path / "all.json").write_text(json.dumps(DEFINITIONS))
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "mine.json").write_text(json.dumps({"queues": [queue]}))
    (tmp_path / "tests" / "many.json").write_text(json.dumps(many))
    (tmp_path / "warren.toml").write_text('listen = ["amqp=127.0.0.1:1"]\nsmell = 1\n')
    (tmp_path / "tests.toml").write_text("heartbeat_s = 7\n")
    (tmp_path / "tests" / "test_it.py").write_text(
        DEFINED + "\ndef test_heartbeat(warren_url):\n"
        "    with pika.BlockingConnection(pika.URLParameters(warren_url)) as connection:\n"
        "        assert connection._impl.params.heartbeat == 7\n"
    )
    run = run_pytest(tmp_path, ini="warren_definitions = all.json\nwarren_config = tests.toml")
    assert run.counts == {"passed": 3, "error": 1}, run.output
    assert "have the virtual hosts a, b and no '/'" in run.output


def test_a_broker_that_cant_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(warren_url): pass\n")
    (tmp_path / "tests.toml").write_text("smell = 1\n")
    run = run_pytest(tmp_path, ini="warren_config = tests.toml")
    assert run.counts == {"error": 1}, run.output
    assert "WarrenError: the broker's process has ended (1); the end of its log:" in run.output
    assert "smell" in run.output


def test_where_it_isnt_used_it_costs_nothing(tmp_path: Path) -> None:
    program = (
        "import sys, re, warnings, pathlib, pytest\n"
        "before = set(sys.modules)\n"
        "import warren.testing.pytest_plugin\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": PYTHON_PATH, "WARREN_FORM": ""},
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        check=True,
    )
    assert done.stdout.split() == ["warren", "warren.forms", "warren.testing", "warren.testing.pytest_plugin"]


def test_pytest_tells_of_it(tmp_path: Path) -> None:
    output = run_pytest(tmp_path, "--markers").output
    assert "@pytest.mark.warren(definitions=FILE, leftovers='warn'):" in output
    output = run_pytest(tmp_path, "--fixtures").output
    for name in ("warren_url", "warren_mqtt", "warren_stomp", "warren_broker", "warren_embedded", "warren_process"):
        assert f"{name} " in output
