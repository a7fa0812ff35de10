"""A data directory that can't be used: one line that says what is wrong and where, and no start."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.durability.broker import Starter, numbered

WITHOUT_PRIVILEGES = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
"""Root without the right to write where permissions forbid it, as a broker in a container may be."""

CONFIG = 78


def no_privileges() -> list[str]:
    """The command that makes permissions count for the process it runs."""
    if os.geteuid() != 0:
        return []
    if shutil.which(WITHOUT_PRIVILEGES[0]) is None:
        pytest.skip("root ignores permissions here, and there is no setpriv to change that")
    return WITHOUT_PRIVILEGES


def the_directory_is_read_only(data: Path) -> Path:
    data.chmod(0o500)
    return data


def its_parent_is_read_only(data: Path) -> Path:
    shutil.rmtree(data)
    data.parent.chmod(0o500)
    return data


def messages_are_read_only(data: Path) -> Path:
    (data / "messages").mkdir()
    (data / "messages").chmod(0o500)
    return data / "messages"


def definitions_are_read_only(data: Path) -> Path:
    (data / "definitions.sqlite").touch()
    (data / "definitions.sqlite").chmod(0o400)
    return data / "definitions.sqlite"


def the_directory_cannot_be_entered(data: Path) -> Path:
    data.chmod(0o000)
    return data


@pytest.mark.parametrize(
    "make_unusable",
    [
        the_directory_is_read_only,
        its_parent_is_read_only,
        messages_are_read_only,
        definitions_are_read_only,
        the_directory_cannot_be_entered,
    ],
)
def test_no_right_to_write(tmp_path: Path, make_unusable: Callable[[Path], Path]) -> None:
    data = tmp_path / "parent" / "data"
    data.mkdir(parents=True)
    starter = Starter(tmp_path)
    where = make_unusable(data)
    try:
        code, said = starter.attempt(data_directory=data, before=no_privileges())
    finally:
        for each in (data.parent, data):
            if each.exists():
                each.chmod(0o700)
    check_refusal(code, said, where)


def a_file_in_place_of_it(data: Path) -> Path:
    data.rmdir()
    data.touch()
    return data


def a_file_in_place_of_messages(data: Path) -> Path:
    (data / "messages").touch()
    return data / "messages"


def a_directory_in_place_of_definitions(data: Path) -> Path:
    (data / "definitions.sqlite").mkdir()
    return data / "definitions.sqlite"


def a_directory_in_place_of_the_lock(data: Path) -> Path:
    (data / "warren.lock").mkdir()
    return data / "warren.lock"


def a_dangling_link_in_place_of_it(data: Path) -> Path:
    data.rmdir()
    data.symlink_to("nowhere")
    return data


@pytest.mark.parametrize(
    "put_in_the_way",
    [
        a_file_in_place_of_it,
        a_file_in_place_of_messages,
        a_directory_in_place_of_definitions,
        a_directory_in_place_of_the_lock,
        a_dangling_link_in_place_of_it,
    ],
)
def test_something_in_the_way(tmp_path: Path, put_in_the_way: Callable[[Path], Path]) -> None:
    data = tmp_path / "data"
    data.mkdir()
    where = put_in_the_way(data)
    code, said = Starter(tmp_path).attempt()
    check_refusal(code, said, where)


def test_a_refused_start_changes_nothing(starter: Starter) -> None:
    broker = starter.start()
    client = starter.connect(broker)
    client.declare("q")
    client.publish("q", numbered(10))
    assert starter.stop(broker) == 0
    messages = starter.data_directory / "messages"
    messages.chmod(0o500)
    try:
        code, said = starter.attempt(before=no_privileges())
    finally:
        messages.chmod(0o700)
    check_refusal(code, said, messages)
    assert starter.restart_and_take("q") == numbered(10)


def check_refusal(code: int, said: str, where: Path) -> None:
    """One line for people, with the path, and the exit code for it."""
    last = said.splitlines()[-1]
    assert last.startswith("Error: "), said
    assert str(where) in last
    assert "Traceback" not in said
    assert code == CONFIG
