"""RabbitMQ's own rabbitmqadmin, as a running RabbitMQ offers it, runs unchanged, and says the same of both brokers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.interop.clients import need
from tests.support.rabbitmq import rabbitmq, rabbitmq_available
from tests.support.warren_process import warren_process

TIME_LIMIT_S = 60.0

WORDS = """
declare vhost name=plant
declare user name=ann password=secret tags=management
declare permission vhost=plant user=ann configure=.* write=.* read=.*
declare permission vhost=/ user=ann configure=^a write= read=.*
declare queue name=orders durable=true arguments={"x-max-length":100}
declare queue name=orders durable=false
declare exchange name=shop type=topic durable=true
declare exchange name=shop type=nonsense
declare binding source=shop destination=orders routing_key=a.#
declare binding source=shop destination=none routing_key=a.#
declare policy name=short pattern=^ord definition={"max-length":5} apply-to=queues priority=3
declare operator_policy name=bound pattern=^ord definition={"max-length":7} apply-to=queues
declare parameter component=federation-upstream name=up value={"uri":"amqp://elsewhere.invalid"}
declare vhost_limit vhost=plant name=max-queues value=5
declare user_limit user=ann name=max-connections value=7
publish exchange=shop routing_key=a.b payload=hello properties={"delivery_mode":2,"headers":{"n":1}}
publish routing_key=orders payload=second
publish exchange=shop routing_key=zzz payload=lost
get queue=orders count=5 ackmode=ack_requeue_true
get queue=orders count=1 ackmode=ack_requeue_false
get queue=none
-f raw_json get queue=orders payload_file={file} ackmode=ack_requeue_true
list vhosts name
list users name tags
list permissions user vhost configure write read
list queues name durable arguments
list exchanges name type durable
list bindings source destination routing_key
list policies name pattern definition priority apply-to
list operator_policies name pattern definition
list parameters component name value
list vhost_limits
list user_limits
list nodes running type
list connections name
list channels name
list consumers consumer_tag
-V plant list queues name
-u ann -p secret -V plant list queues name
-u ann -p secret list users
-u ann -p wrong list queues
show overview cluster_name
-f tsv list queues name
-f long list queues name vhost
-f bash list queues name
-s name list exchanges name
-s name -R list exchanges name
-d 1 list queues name
close connection name=none
purge queue name=orders
delete binding source=shop destination_type=queue destination=orders properties_key=a.%23
delete policy name=short
delete operator_policy name=bound
delete parameter component=federation-upstream name=up
delete vhost_limit vhost=plant name=max-queues
delete user_limit user=ann name=max-connections
delete queue name=orders
delete queue name=orders
delete exchange name=shop
delete permission vhost=/ user=ann
delete user name=ann
delete vhost name=plant
""".strip().splitlines()
"""Arguments of rabbitmqadmin, one call a line; those that one version doesn't know fail alike at both."""


SHOWN_OTHERWISE = "get"
"""A message without properties has a column of them at RabbitMQ, as it writes an empty array there."""


@dataclass(frozen=True, slots=True)
class Both:
    """program: the file.  ports: RabbitMQ's, Warren's."""

    program: Path
    ports: tuple[int, int]

    def run(self, port: int, *arguments: str) -> tuple[int, str]:
        """The exit code, and what was printed on either channel."""
        command = [sys.executable, str(self.program), "-H", "127.0.0.1", "-P", str(port), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    need(rabbitmq_available(), "RabbitMQ")
    listen = ("amqp=127.0.0.1:0", "http=127.0.0.1:0")
    options = (
        "--set",
        "plugins=management,federation",
        "--set",
        "cluster_name=same",
        "--set",
        "refused_login_delay_s=0",
    )
    configuration = ("cluster_name = same",)
    plugins = ("rabbitmq_management", "rabbitmq_federation", "rabbitmq_federation_management")
    with (
        rabbitmq(plugins=plugins, configuration=configuration) as node,
        warren_process(listen=listen, options=options) as process,
    ):
        port = node.ports["management"]
        program = tmp_path_factory.mktemp("cli") / "rabbitmqadmin"
        program.write_bytes(httpx.get(f"http://127.0.0.1:{port}/cli/rabbitmqadmin", trust_env=False).content)
        yield Both(program, (port, process.addresses["http"][1]))


@pytest.mark.limits(seconds=600)  # each word is a process, for each of the brokers
def test_words(both: Both, tmp_path: Path) -> None:
    failed = 0
    for line in WORDS:
        arguments = [each.replace("{file}", str(tmp_path / "payload")) for each in line.split(" ")]
        (there, said_there), (here, said_here) = (both.run(port, *arguments) for port in both.ports)
        assert here == there, f"{line}: {said_there} {said_here}"
        failed += there != 0
        assert "Traceback" not in said_here, line
        if there == 0 and SHOWN_OTHERWISE not in line.split(" "):
            assert _lines(said_here) == _lines(said_there), line
    assert failed < len(WORDS) / 4


def _lines(said: str) -> list[str]:
    """Without what columns are as wide as, and in any order: exchanges differ by those of plugins."""
    kept = (" ".join(line.replace("|", " ").split()) for line in said.splitlines() if not line.startswith(("+", "-")))
    return sorted(line for line in kept if not line.startswith(("amq.rabbitmq.trace", "internal_cluster_id")))


def test_export_and_import(both: Both, tmp_path: Path) -> None:
    """What RabbitMQ exports, Warren imports by the same program, and exports again."""
    there, here = both.ports
    assert both.run(there, "declare", "queue", "name=kept", "durable=true")[0] == 0
    assert both.run(there, "export", str(tmp_path / "there.json"))[0] == 0
    code, said = both.run(here, "import", str(tmp_path / "there.json"))
    assert code == 0, said
    assert both.run(here, "export", str(tmp_path / "here.json"))[0] == 0
    exported = json.loads((tmp_path / "here.json").read_text())
    assert [each["name"] for each in exported["queues"]] == ["kept"]
    code, said = both.run(there, "import", str(tmp_path / "here.json"))
    assert code == 0, said
