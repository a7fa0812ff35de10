"""The command-line tools of librabbitmq, the C client (Debian's amqp-tools)."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.interop.clients import TIME_LIMIT_S, need, run, url

QUEUE = "interop-amqp-tools"


@pytest.fixture
def server(broker_address: tuple[str, int]) -> Iterator[str]:
    """The tools' option for the server, once the queue is there; the queue is deleted afterwards."""
    need(shutil.which("amqp-publish") is not None, "amqp-tools")
    option = f"--url={url(broker_address)}"
    declared = run(["amqp-declare-queue", option, "--queue", QUEUE, "--durable"])
    assert declared.decode().strip() == QUEUE
    yield option
    run(["amqp-delete-queue", option, "--queue", QUEUE])


def test_publish_and_get(server: str) -> None:
    run(["amqp-publish", server, "--routing-key", QUEUE, "--persistent", "--body", "from the command line"])
    assert run(["amqp-get", server, "--queue", QUEUE]) == b"from the command line"


def test_getting_from_an_empty_queue_is_exit_code_2(server: str) -> None:
    command = ["amqp-get", server, "--queue", QUEUE]
    assert subprocess.run(command, timeout=TIME_LIMIT_S, check=False).returncode == 2


def test_a_large_body_comes_back_in_many_frames(server: str) -> None:
    body = bytes(range(256)) * 4096
    run(["amqp-publish", server, "--routing-key", QUEUE], stdin=body)
    assert run(["amqp-get", server, "--queue", QUEUE]) == body


def test_consume(server: str) -> None:
    lines = b"".join(b"line %d\n" % number for number in range(20))
    run(["amqp-publish", server, "--routing-key", QUEUE, "--line-buffered"], stdin=lines)
    assert run(["amqp-consume", server, "--queue", QUEUE, "--count", "20", "--prefetch-count", "5", "cat"]) == lines


def test_an_exchange_and_a_routing_key(server: str) -> None:
    consumer = subprocess.Popen(
        ["amqp-consume", server, "--exchange", "amq.topic", "--routing-key", "a.#", "--count", "1", "cat"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert consumer.stderr is not None
        # It names the queue that it has bound, once it has.
        assert b"Server provided queue name" in consumer.stderr.readline()
        run(["amqp-publish", server, "--exchange", "amq.topic", "--routing-key", "a.b", "--body", "by topic"])
        output, _ = consumer.communicate(timeout=TIME_LIMIT_S)
    finally:
        consumer.kill()
        consumer.wait()
    assert output == b"by topic"


def test_a_wrong_password_is_told(broker_address: tuple[str, int]) -> None:
    need(shutil.which("amqp-get") is not None, "amqp-tools")
    wrong = url(broker_address).replace("guest:guest", "guest:wrong")
    command = ["amqp-get", f"--url={wrong}", "--queue", QUEUE]
    done = subprocess.run(command, capture_output=True, timeout=TIME_LIMIT_S, check=False)
    assert done.returncode == 1
    assert b"ACCESS_REFUSED" in done.stderr
