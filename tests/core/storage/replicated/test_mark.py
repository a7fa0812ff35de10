"""The mark: the later of two, and the one before where a write was cut off."""

from __future__ import annotations

from pathlib import Path

from warren.core.storage.replicated.frames import CHAIN_SIZE
from warren.core.storage.replicated.mark import FILE_NAME, UNMARKED, Mark, MarkFile, read_mark


def fields(mark: Mark | None) -> tuple[int, int, int, bytes] | None:
    return None if mark is None else (mark.sequence, mark.base, mark.end, mark.chain)


def numbered(number: int) -> Mark:
    return Mark(number, 10 * number, 100 * number, bytes([number]) * CHAIN_SIZE)


def test_the_later_one_counts(tmp_path: Path) -> None:
    assert read_mark(tmp_path) is None
    file = MarkFile(tmp_path)
    for number in range(1, 6):
        file.write(numbered(number))
        assert fields(read_mark(tmp_path)) == fields(numbered(number))
    file.forget()
    assert read_mark(tmp_path) is UNMARKED
    file.close()


def test_a_write_that_is_cut_off_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    contents = []
    file = MarkFile(tmp_path)
    for number in (1, 2, 3):
        file.write(numbered(number))
        contents.append(path.read_bytes())
    file.close()
    before, after = contents[1], contents[2]
    for at in range(1, len(after)):
        path.write_bytes(after[:at] + before[at:])
        assert fields(read_mark(tmp_path)) in (fields(numbered(2)), fields(numbered(3)))
    path.write_bytes(before[:512])
    assert fields(read_mark(tmp_path)) == fields(numbered(1))
    path.write_bytes(bytes(len(before)))
    assert read_mark(tmp_path) is UNMARKED


def test_one_that_is_void_stays_so_whoever_writes(tmp_path: Path) -> None:
    file = MarkFile(tmp_path)
    file.write(numbered(1))
    file.void()
    file.write(numbered(2))
    assert read_mark(tmp_path) is UNMARKED
    # A write that was under way as it became so.
    content = (tmp_path / FILE_NAME).read_bytes()
    other = MarkFile(tmp_path)
    other.write(numbered(3))
    other.close()
    assert content == b""
    file.close()
    assert read_mark(tmp_path) is UNMARKED
