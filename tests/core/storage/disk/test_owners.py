"""The file that tells whose the numbers are: damage costs a line, and old lines go."""

from __future__ import annotations

from pathlib import Path

import pytest

from warren.core.storage.disk.owners import STALE_LINES_MAX, Owners

OWNERS = {number: ("queue", "/", f"häse {number}\udcff") for number in range(1, 51)}


def noted(directory: Path) -> Path:
    owners = Owners(directory)
    for number, owner in OWNERS.items():
        owners.note(number, owner)
    owners.close()
    return directory / "owners"


def known(directory: Path) -> dict[int, tuple[str, str, str]]:
    owners = Owners(directory)
    found = {number: owner for number in range(2 * STALE_LINES_MAX) if (owner := owners.get(number)) is not None}
    owners.close()
    return found


def test_what_is_noted_is_known_at_once_and_later(tmp_path: Path) -> None:
    owners = Owners(tmp_path)
    assert owners.get(1) is None
    owners.note(1, OWNERS[1])
    assert owners.get(1) == OWNERS[1]
    owners.close()
    noted(tmp_path)
    assert known(tmp_path) == OWNERS


def test_damage_costs_a_line_each(tmp_path: Path) -> None:
    file = noted(tmp_path)
    content = bytearray(file.read_bytes())
    for at in range(0, len(content), 7):
        damaged = bytearray(content)
        damaged[at] ^= 1
        file.write_bytes(damaged)
        found = known(tmp_path)
        assert len(OWNERS) - 2 <= len(found) < len(OWNERS)
        assert found.items() <= OWNERS.items()


def test_a_torn_line_does_not_spoil_the_next_one(tmp_path: Path) -> None:
    file = noted(tmp_path)
    file.write_bytes(file.read_bytes()[:-5])
    owners = Owners(tmp_path)
    owners.note(99, ("queue", "/", "next"))
    owners.close()
    assert known(tmp_path) == {**{number: OWNERS[number] for number in range(1, 50)}, 99: ("queue", "/", "next")}


def test_a_start_adds_what_is_missing(tmp_path: Path) -> None:
    noted(tmp_path)
    owners = Owners(tmp_path)
    owners.keep({1: OWNERS[1], 77: ("exchange", "/", "e")})
    owners.close()
    assert known(tmp_path) == {**OWNERS, 77: ("exchange", "/", "e")}


def test_a_start_rewrites_a_file_that_is_mostly_of_owners_gone(tmp_path: Path) -> None:
    owners = Owners(tmp_path)
    for number in range(STALE_LINES_MAX + 10):
        owners.note(number, ("queue", "/", str(number)))
    owners.keep({5: ("queue", "/", "5")})
    owners.note(3000, ("queue", "/", "later"))
    owners.close()
    assert (tmp_path / "owners").read_bytes().count(b"\n") == 2
    assert known(tmp_path) == {5: ("queue", "/", "5")}


def test_a_file_that_cannot_be_written_is_told_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "owners").mkdir()
    owners = Owners(tmp_path)
    for number in range(3):
        owners.note(number, OWNERS[1])
    owners.keep({})
    owners.close()
    assert caplog.text.count("can't be written") == 1
