"""The audit of pinned requirements finds what advisories name, without a network."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.audit import LOCK, findings, main, pins

ADVISORY: dict[str, Any] = {
    "id": "PYSEC-0000-1",
    "summary": "it lets everybody in",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "Some_Package"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "1.2"}, {"fixed": "1.4.1"}]}],
        }
    ],
}


@pytest.mark.parametrize(
    ("version", "is_found"), [("1.1", False), ("1.2", True), ("1.4", True), ("1.4.1", False), ("1.10", False)]
)
def test_a_pin_that_an_advisory_names_is_found(version: str, is_found: bool) -> None:
    found = findings(pins(f"some-package=={version} \\\n    --hash=sha256:00\n"), [ADVISORY])
    assert found == ([f"some-package {version}: PYSEC-0000-1: it lets everybody in"] if is_found else [])


def test_versions_that_are_listed_and_a_last_one() -> None:
    listed = {"package": {"ecosystem": "PyPI", "name": "a"}, "versions": ["2.0"]}
    last = {
        "package": {"ecosystem": "PyPI", "name": "b"},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"last_affected": "3"}]}],
    }
    other = {"package": {"ecosystem": "npm", "name": "c"}, "versions": ["1"]}
    advisory = {"id": "x", "affected": [listed, last, other]}
    assert findings({"a": "2.0", "b": "3", "c": "1"}, [advisory]) == ["a 2.0: x: ", "b 3: x: "]
    assert findings({"a": "2.1", "b": "4"}, [advisory]) == []
    assert findings({"a": "2.0"}, [{**advisory, "withdrawn": "2020-01-01T00:00:00Z"}]) == []


def test_a_folder_or_a_zip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "advisories"
    folder.mkdir()
    (folder / "one.json").write_text(json.dumps(ADVISORY))
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("one.json", json.dumps(ADVISORY))
    lock = tmp_path / "lock"
    lock.write_text("some.package==1.3\n")
    for place in (folder, archive):
        assert main([str(place), str(lock)]) == 1
        assert "1 pins, 1 advisories, 1 findings" in capsys.readouterr().out
    lock.write_text("some.package==2\n")
    assert main([str(folder), str(lock)]) == 0
    (folder / "one.json").unlink()
    assert main([str(folder), str(lock)]) == 1, "nothing was audited"


def test_the_lock_is_read() -> None:
    assert len(pins(LOCK.read_text("utf-8"))) > 20
