"""Data directories of earlier versions: each is opened, nothing in it is lost, and all of it works.

And the other way round: what a newer version has written is refused in words, and left as it is.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.child import ChildError
from tests.support.warren_process import PYTHON_PATH, WarrenProcess, start_warren
from tests.upgrade.contents import OPTIONS, missing, not_working
from tests.upgrade.releases import LOCK, RELEASES, Release
from warren.core.storage.definitions import rows
from warren.core.storage.definitions.checksums import KEY_NAME, Checksums
from warren.core.storage.disk import records
from warren.core.streams import segment_file

KEPT = [
    pytest.param(release, killed, id=f"{release.name}, {'killed' if killed else 'stopped'}")
    for release in RELEASES
    for killed in (True, False)
]

ENVIRONMENT = {**os.environ, "PYTHONPATH": PYTHON_PATH}


def unpacked(release: Release, directory: Path, *, killed: bool) -> Path:
    """A copy of what a version left."""
    data = directory / "data"
    packed = lzma.decompress(release.archive(killed=killed).read_bytes())
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        tar.extractall(data, filter="data")
    data.chmod(0o700)
    return data


def started(directory: Path, data: Path) -> WarrenProcess:
    listen = [f"{protocol}=127.0.0.1:0" for protocol in ("amqp", "mqtt", "stream")]
    return start_warren(directory, data_directory=data, listen=listen, options=OPTIONS)


def store(*words: str) -> tuple[int, str]:
    """Exit code of `warren store WORDS`, and what it says."""
    command = [sys.executable, "-m", "warren", "store", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def files_in(directory: Path) -> dict[str, str]:
    """All files below a directory, each with a hash of its content."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name != LOCK
    }


def missing_of(release: Release, broker: WarrenProcess) -> list[str]:
    return missing(
        broker.addresses,
        streams=bool(release.streams),
        notes=release.notes_offsets,
        # Versions before that didn't count what a consumer gave back by basic.nack.
        counts_failures=release.definitions > 1,
    )


@pytest.mark.parametrize(("release", "killed"), KEPT)
def test_formats_are_what_is_said(tmp_path: Path, release: Release, killed: bool) -> None:
    data = unpacked(release, tmp_path, killed=killed)
    segment = min((data / "messages").glob("*.log"))
    version, _, _ = records.decode_segment_header(segment.read_bytes()[: records.SEGMENT_HEADER_SIZE])
    # A segment that hasn't been compacted or begun anew keeps the version that it was begun with.
    assert version == release.log
    connection = sqlite3.connect(data / "definitions.sqlite")
    assert connection.execute("PRAGMA user_version").fetchone() == (release.definitions,)
    connection.close()
    versions = {segment_file.version_of_start(path.read_bytes()) for path in data.rglob("*.segment")}
    assert versions == ({release.streams} if release.streams else set())


@pytest.mark.parametrize(("release", "killed"), KEPT)
def test_nothing_is_lost_and_all_of_it_works(tmp_path: Path, release: Release, killed: bool) -> None:
    data = unpacked(release, tmp_path, killed=killed)
    before = files_in(data)
    code, said = store("check", str(data))
    assert code == 0, said
    assert files_in(data) == before, "a check changes something"
    for _ in range(2):
        broker = started(tmp_path, data)
        try:
            assert missing_of(release, broker) == []
        finally:
            broker.stop()
        code, said = store("check", str(data))
        assert code == 0, said
    broker = started(tmp_path, data)
    try:
        assert not_working(broker.addresses) == []
    finally:
        broker.stop()
    assert " is damaged" not in broker.log.read_text()
    assert not list(data.rglob("quarantine/*"))


@pytest.mark.parametrize(("release", "killed"), KEPT)
def test_repairing_makes_todays_directory_of_it(tmp_path: Path, release: Release, killed: bool) -> None:
    data, repaired = unpacked(release, tmp_path, killed=killed), tmp_path / "repaired"
    before = files_in(data)
    code, said = store("repair", str(data), str(repaired))
    assert code == 0, said
    assert files_in(data) == before
    broker = started(tmp_path, repaired)
    try:
        assert missing_of(release, broker) == []
        assert not_working(broker.addresses) == []
    finally:
        broker.stop()


def _newer_log(data: Path) -> Path:
    segment = max((data / "messages").glob("*.log"))
    content = segment.read_bytes()
    _, base, end = records.decode_segment_header(content[: records.SEGMENT_HEADER_SIZE])
    header = records.encode_segment_header(base, end, version=records.FORMAT_VERSION + 1)
    segment.write_bytes(header + content[len(header) :])
    return segment


def _newer_definitions(data: Path) -> Path:
    path = data / "definitions.sqlite"
    connection = sqlite3.connect(path)
    (key,) = connection.execute("SELECT first_free FROM counters WHERE name = ?", (KEY_NAME,)).fetchone()
    version = rows.FORMAT_VERSION + 1
    noted = version, Checksums(key).of_counter(rows.FORMAT_NAME, version), rows.FORMAT_NAME
    connection.execute("UPDATE counters SET first_free = ?, checksum = ? WHERE name = ?", noted)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.commit()
    connection.close()
    return path


def _newer_stream(data: Path) -> Path:
    segment = max(data.rglob("*.segment"))
    content = segment.read_bytes()
    base = segment_file.base_of(segment.name)
    assert base is not None
    key = segment_file.key_of_start(content, base)
    start = segment_file.encode_start(base, key, version=segment_file.FORMAT_VERSION + 1)
    segment.write_bytes(start + content[len(start) :])
    return segment


NEWER = {
    "the message log": (_newer_log, "has message format"),
    "the definitions": (_newer_definitions, "the definition database has format"),
    "a stream": (_newer_stream, "has stream format"),
}


@pytest.mark.parametrize("what", NEWER)
def test_what_a_newer_version_has_written_is_refused_and_left_as_it_is(tmp_path: Path, what: str) -> None:
    make_newer: Callable[[Path], Path]
    make_newer, words = NEWER[what]
    data = unpacked(RELEASES[-1], tmp_path, killed=False)
    path = make_newer(data)
    before = files_in(data)
    with pytest.raises(ChildError) as refused:
        started(tmp_path, data)
    said = " ".join(str(refused.value).split())
    assert f"{path}" in said
    assert words in said
    assert "newer" in said
    assert "Traceback" not in said
    left = {name: content for name, content in files_in(data).items() if name in before}
    assert left == before
    for words_of_store in (("check", str(data)), ("repair", str(data), str(tmp_path / "repaired"))):
        code, told = store(*words_of_store)
        assert code != 0
        assert words in " ".join(told.split()), told
        assert "Traceback" not in told
    assert {name: content for name, content in files_in(data).items() if name in before} == before
