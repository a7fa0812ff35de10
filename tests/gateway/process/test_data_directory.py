"""The data directory: made, private, locked, and refused with a text that helps."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.warren_process import REPOSITORY
from warren.core.errors import StorageError
from warren.gateway.process.data_directory import LOCK_NAME, DataDirectory, DataDirectoryInUseError, is_in_use


def test_it_is_made_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    with DataDirectory(path) as opened:
        assert opened.path == path
        assert path.stat().st_mode & 0o777 == 0o700
        assert (path / LOCK_NAME).stat().st_mode & 0o777 == 0o600


def test_a_second_holder_is_told_who_the_first_is(tmp_path: Path) -> None:
    with DataDirectory(tmp_path) as opened:
        opened.record({"amqp": [("127.0.0.1", 5672), ("::1", 5673)]})
        assert is_in_use(tmp_path)
        with pytest.raises(DataDirectoryInUseError) as caught:
            DataDirectory(tmp_path)
    text = str(caught.value)
    assert f"process {os.getpid()}, since 20" in text
    assert "listening on amqp 127.0.0.1:5672, amqp [::1]:5673" in text
    assert f"warren ctl --data-dir {tmp_path} stop" in text


def test_it_is_free_again_when_closed(tmp_path: Path) -> None:
    first = DataDirectory(tmp_path)
    first.close()
    first.close()
    assert not is_in_use(tmp_path)
    assert not is_in_use(tmp_path / "missing")
    DataDirectory(tmp_path).close()


HOLD = """
import os, signal, sys
from pathlib import Path
from warren.gateway.process.data_directory import DataDirectory
held = DataDirectory(Path(sys.argv[1]))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_holder_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", HOLD, str(tmp_path)], cwd=REPOSITORY, check=False)
    assert killed.returncode == -9
    assert '"pid"' in (tmp_path / LOCK_NAME).read_text()
    DataDirectory(tmp_path).close()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": 1}', b'{"pid":1,"started":2,"listening":{"a":1}}'])
def test_a_lock_file_that_makes_no_sense(tmp_path: Path, content: bytes) -> None:
    with DataDirectory(tmp_path):
        (tmp_path / LOCK_NAME).write_bytes(content)
        with pytest.raises(DataDirectoryInUseError, match="in use by another process"):
            DataDirectory(tmp_path)


def test_a_file_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file is not a directory; name another directory with --data-dir"):
        DataDirectory(tmp_path / "file")
    with pytest.raises(StorageError, match="can't be made: Not a directory"):
        DataDirectory(tmp_path / "file" / "data")


def test_a_link_in_the_place_of_the_lock(tmp_path: Path) -> None:
    (tmp_path / "target").touch()
    (tmp_path / LOCK_NAME).symlink_to(tmp_path / "target")
    with pytest.raises(StorageError, match="can't be opened for writing"):
        DataDirectory(tmp_path)
    assert (tmp_path / "target").read_bytes() == b""


REPORT = """
import os, resource, sys
from pathlib import Path
from warren.core.errors import StorageError
from warren.gateway.process.data_directory import DataDirectory
if sys.argv[2] == "no right":
    if os.geteuid() == 0:
        os.setuid(65534)
else:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
try:
    DataDirectory(Path(sys.argv[1]))
except StorageError as error:
    print(error)
"""


def report(path: Path, situation: str) -> str:
    """The text of the StorageError in a process without the right to write, or without any room for it."""
    command = [sys.executable, "-c", REPORT, str(path), situation]
    return subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout


def test_no_right_to_write() -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o555)
        text = report(path / "data", "no right")
    assert f"{path / 'data'} can't be made: Permission denied; give this user the right" in text
    assert "name another directory with --data-dir" in text


def test_no_room(tmp_path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 0
    text = report(tmp_path, "no room")
    assert f"{tmp_path / LOCK_NAME} can't be written: File too large" in text
    assert not is_in_use(tmp_path)
