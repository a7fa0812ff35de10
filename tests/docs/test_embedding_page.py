"""What docs/embedding.md shows is what happens."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import trio

from tests.docs.pages import ROOT, blocks
from tests.support.warren_process import PYTHON_PATH
from warren.gateway import BrokerClient, encode_properties, open_broker

PAGE = ROOT / "docs" / "embedding.md"

TIME_LIMIT_S = 60.0


def run(*command: str, directory: Path = ROOT) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=directory,
        env={"PYTHONPATH": PYTHON_PATH},
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_first_program() -> None:
    program, _, _ = blocks(PAGE, "python")
    (expected,) = blocks(PAGE, "text")
    assert run("-W", "error", "-c", program) == expected


async def test_many_publishes() -> None:
    _, function, _ = blocks(PAGE, "python")
    names: dict[str, object] = {"PERSISTENT": encode_properties(delivery_mode=2)}
    exec(function, names)
    publish_all = names["publish_all"]
    assert callable(publish_all)
    with trio.fail_after(TIME_LIMIT_S):
        async with open_broker(listen=()) as broker, broker.connect() as client:
            await client.declare_queue("orders")
            await publish_all(client, [b"1", b"2"])
            assert (await client.check_queue("orders")).messages == 2


def test_the_test_in_virtual_time(tmp_path: Path) -> None:
    _, _, test_file = blocks(PAGE, "python")
    (tmp_path / "test_orders.py").write_text(test_file)
    output = run("-m", "pytest", "-p", "no:cacheprovider", "--rootdir", ".", "-q", directory=tmp_path)
    assert "1 passed" in output


def test_the_table_names_every_function_of_the_client() -> None:
    text = PAGE.read_text("utf-8")
    public = [name for name in vars(BrokerClient) if not name.startswith("_")]
    assert len(public) > 15
    assert [name for name in public if f"`{name}" not in text and f"{name}(" not in text] == []
