"""The ready file: whole, one shape for every listener, and gone when it isn't true."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from warren.core.errors import StorageError
from warren.gateway.process.ready_file import remove_ready_file, write_ready_file


def test_one_address_for_every_listener(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    path.write_text("old")
    write_ready_file(path, {"amqp": [("127.0.0.1", 40123), ("::1", 40124)], "mqtt": [("127.0.0.1", 1883)]})
    assert json.loads(path.read_text()) == {
        "amqp": ["127.0.0.1", 40123],
        "amqp.2": ["::1", 40124],
        "mqtt": ["127.0.0.1", 1883],
    }
    assert list(tmp_path.iterdir()) == [path]


def test_it_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    write_ready_file(path, {})
    remove_ready_file(path)
    remove_ready_file(path)
    assert not path.exists()


def test_where_it_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"ready file .* can't be written: No such file"):
        write_ready_file(tmp_path / "missing" / "ready.json", {})
    with pytest.raises(StorageError, match="can't be written: Is a directory"):
        write_ready_file(tmp_path, {})
    with pytest.raises(StorageError, match="can't be removed"):
        remove_ready_file(tmp_path)
