"""Policies and definitions on the command line: options, files, standard input and output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from tests.gateway.control.control_target import TargetServer, control_target
from tests.support.warren_process import REPOSITORY
from warren.gateway.command_line import main as cli
from warren.gateway.command_line.files import read_file
from warren.gateway.control.client import CommandFailedError
from warren.gateway.control.protocol import SOCKET_NAME, encode


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TargetServer]:
    async with control_target(tmp_path) as target:
        yield target


class Warren:
    """`warren ...` in a thread of this process."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._directory = directory
        self._capsys = capsys

    async def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """(exit code, standard output, standard error)."""
        command = [*arguments, "--data-dir", str(self._directory)]
        code = await trio.to_thread.run_sync(cli.run, command)
        return code, *self._capsys.readouterr()


@pytest.fixture
def warren(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Warren:
    return Warren(tmp_path, capsys)


async def test_a_policy_as_rabbitmqctl_sets_it(server: TargetServer, warren: Warren) -> None:
    definition = '{"message-ttl":500}'
    code, out, err = await warren("set_policy", "--priority", "-3", "--apply-to", "queues", "p", "^q", definition)
    announced = f'Setting policy "p" for pattern "^q" to "{definition}" with priority "-3" for vhost "/" ...\n'
    assert (code, out, err) == (0, announced, "")
    table = 'vhost\tname\tpattern\tapply-to\tdefinition\tpriority\n/\tp\t^q\tqueues\t{"message-ttl":500}\t-3\n'
    assert await warren("list_policies", "-q") == (0, table, "")
    _, out, _ = await warren("list_policies", "--formatter", "json")
    assert json.loads(out)[0]["definition"] == definition
    assert (await warren("clear_policy", "p"))[:2] == (0, 'Clearing policy "p" on vhost "/" ...\n')


async def test_limits(server: TargetServer, warren: Warren) -> None:
    await warren("set_vhost_limits", '{"max-queues":1}')
    assert (await warren("list_vhost_limits"))[1] == '{"max-queues":1}\n'
    assert (await warren("list_vhost_limits", "--global", "-q"))[1] == 'vhost\tlimits\n/\t{"max-queues":1}\n'
    assert json.loads((await warren("list_vhost_limits", "--formatter", "json"))[1]) == {"max-queues": 1}
    await warren("set_user_limits", "guest", '{"max-channels":2}')
    assert (await warren("list_user_limits", "--user", "guest"))[1] == '{"max-channels":2}\n'
    assert (await warren("list_user_limits", "--global", "-q"))[1] == 'user\tlimits\nguest\t{"max-channels":2}\n'


async def test_an_emptied_default_queue_type(server: TargetServer, warren: Warren) -> None:
    await warren("update_vhost_metadata", "/", "--default-queue-type", "quorum")
    assert server.broker.vhosts["/"].metadata == {"default_queue_type": "quorum"}
    await warren("update_vhost_metadata", "/", "--default-queue-type", "")
    assert server.broker.vhosts["/"].metadata == {}


async def test_definitions_in_a_file(server: TargetServer, warren: Warren, tmp_path: Path) -> None:
    path = tmp_path / "definitions.json"
    code, out, _ = await warren("export_definitions", str(path), "--format", "json")
    assert (code, out) == (0, f'Exporting definitions in JSON to a file at "{path}" ...\n')
    assert path.stat().st_mode & 0o777 == 0o600
    definitions = json.loads(path.read_text())
    assert [user["name"] for user in definitions["users"]] == ["guest"]
    definitions["queues"] = [{"vhost": "/", "name": "grün", "arguments": {}}]
    path.write_text(json.dumps(definitions, ensure_ascii=False))
    code, out, _ = await warren("import_definitions", str(path))
    assert (code, out) == (0, "Importing definitions in JSON ...\nImported users: 1, vhosts: 2, queues: 1\n")
    assert list(server.broker.vhosts["/"].queues) == ["grün"]
    assert (await warren("export_definitions", str(path), "-q"))[:2] == (0, "")
    assert [queue["name"] for queue in json.loads(path.read_text())["queues"]] == ["grün"]
    assert sorted(found.name for found in tmp_path.iterdir()) == sorted([SOCKET_NAME, "definitions.json"])


async def test_definitions_through_standard_streams(server: TargetServer, warren: Warren, tmp_path: Path) -> None:
    code, out, _ = await warren("export_definitions", "-")
    assert (code, json.loads(out)["rabbitmq_definition_format"]) == (0, "cluster")

    def piped(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "warren", "import_definitions", "-q", "--data-dir", str(tmp_path)]
        return subprocess.run(
            [*command, *arguments], cwd=REPOSITORY, input=out, capture_output=True, text=True, check=False
        )

    for arguments in ((), ("-",)):
        done = await trio.to_thread.run_sync(piped, *arguments)
        assert (done.returncode, done.stdout, done.stderr) == (0, "Imported users: 1, vhosts: 2\n", "")


async def test_files_that_cannot_be_used(server: TargetServer, warren: Warren, tmp_path: Path) -> None:
    code, _, err = await warren("import_definitions", "-q", str(tmp_path / "gone.json"))
    assert (code, err) == (65, f"Error: {tmp_path}/gone.json: can't be read: No such file or directory\n")
    code, _, err = await warren("export_definitions", "-q", str(tmp_path / "gone" / "file.json"))
    assert (code, "can't be written: No such file or directory" in err) == (65, True)
    (tmp_path / "bad.json").write_text('{"queues": [')
    code, _, err = await warren("import_definitions", "-q", str(tmp_path / "bad.json"))
    assert code == 70
    assert err.startswith("Error: nothing was imported: the definitions are not valid JSON: line 1, column 13: ")


def test_a_file_may_be_so_long_and_no_longer(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(b"xxxx")
    assert read_file(str(path), 4) == b"xxxx"
    path.write_bytes(b"xxxxx")
    with pytest.raises(CommandFailedError, match=r"file\.json: larger than 4 bytes, which is too large") as raised:
        read_file(str(path), 4)
    assert raised.value.exit_code == 65


async def test_a_pipe_is_written_to_as_it_is(server: TargetServer, warren: Warren, tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    assert (await warren("export_definitions", "-q", str(path)))[0] == 0
    assert json.loads(os.read(reading, 65536))["product_name"] == "Warren"
    os.close(reading)


async def exchange(directory: Path, sent: bytes) -> dict[str, object]:
    """The answer to bytes on the control socket, after which nothing more is sent."""
    async with await trio.open_unix_socket(str(directory / SOCKET_NAME)) as stream:
        await stream.send_all(sent)
        await stream.send_eof()
        answer = b"".join([chunk async for chunk in stream])
    return dict(json.loads(answer))


IMPORT: dict[str, object] = {"command": "import_definitions", "arguments": [], "options": {}}


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (encode({**IMPORT, "content_bytes": 5}) + b"{}", "2 bytes of content came instead of 5"),
        (encode({**IMPORT, "content_bytes": 1}) + b"{}", "2 bytes of content came instead of 1"),
        (encode({**IMPORT, "content_bytes": -1}), "content_bytes must be a number from 0"),
        (encode({**IMPORT, "content_bytes": 10**12}), "content_bytes must be a number from 0"),
        (encode({**IMPORT, "content_bytes": "2"}) + b"{}", "content_bytes must be a number from 0"),
        (encode(IMPORT) + b"{}", "content_bytes doesn't say what"),
    ],
)
async def test_content_that_does_not_fit(server: TargetServer, tmp_path: Path, sent: bytes, expected: str) -> None:
    answer = await exchange(tmp_path, sent)
    assert (answer["ok"], answer["exit_code"]) == (False, 64)
    assert expected in str(answer["error"])


async def test_content_in_pieces(server: TargetServer, tmp_path: Path) -> None:
    content = json.dumps({"queues": [{"vhost": "/", "name": f"q{number}"} for number in range(5000)]}).encode()
    async with await trio.open_unix_socket(str(tmp_path / SOCKET_NAME)) as stream:
        sent = encode({**IMPORT, "content_bytes": len(content)}) + content
        for start in range(0, len(sent), 10_000):
            await stream.send_all(sent[start : start + 10_000])
            await trio.testing.wait_all_tasks_blocked()
        answer = json.loads(b"".join([chunk async for chunk in stream]))
    assert answer["text"] == "Imported queues: 5000"
    assert len(server.broker.vhosts["/"].queues) == 5000
