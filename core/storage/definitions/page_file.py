"""Reading rows out of a SQLite database that SQLite itself can't read any more, page by page.

The tree of pages is not needed for that: each leaf of a table says by itself what rows it holds, and each of our rows
has a checksum that tells whether it is one.  So every page of the file is looked at, wherever the tree lost it.  In a
page whose own order is damaged, rows are looked for at every place where one could begin; what was deleted has been
overwritten by SQLite (secure_delete), so that nothing comes back to life by that.

Format: sqlite.org/fileformat.html, 1.6 (pages and cells) and 2.1 (records).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Final

from warren.core.frozen import frozen

LEAF: Final = 13
"""The kind of page that holds rows of a table."""

DATABASE_HEADER_SIZE: Final = 100
"""At the beginning of the first page."""

LEAF_HEADER_SIZE: Final = 8

RECORD_BEGINS: Final = re.compile(rb"(?=[\x04-\x0f]\x00)")
"""A record of ours begins with the length of its header and, for the row's position, the type NULL; text never holds
such bytes."""

VARINT_BYTES_MAX: Final = 9
LENGTH_BYTES_MAX: Final = 5
"""Of the length of a row: SQLite's rows are at most 2 GiB."""

Value = int | bytes | str | None
"""What a column may hold here; the broker writes no floats."""


class BadCellError(Exception):
    """No row begins there."""


@frozen
class RawRow:
    """A row as it stands in the file.  rowid: its number.  in_order: it was found where its page says that it is."""

    rowid: int
    values: tuple[Value, ...]
    in_order: bool


class PageFile:
    """A database file and newer versions of some of its pages.

    page_count: of the database; 0: as many as the file has.
    """

    def __init__(self, descriptor: int, page_size: int, newer: Mapping[int, bytes], page_count: int = 0) -> None:
        self._descriptor = descriptor
        self._page_size = page_size
        self._newer = newer
        self.page_count = page_count or os.fstat(descriptor).st_size // page_size

    def page(self, number: int) -> bytes:
        """The page, or nothing when there is none of this number."""
        found = self._newer.get(number)
        if found is None and 0 < number <= self.page_count:
            found = os.pread(self._descriptor, self._page_size, (number - 1) * self._page_size)
        return found if found is not None and len(found) == self._page_size else b""

    def rows(self) -> Iterator[RawRow]:
        """Every row of every table, in no order; some may be no rows at all, which their checksums will tell."""
        for number in range(1, self.page_count + 1):
            page = self.page(number)
            if page:
                yield from self._rows_of(page, DATABASE_HEADER_SIZE if number == 1 else 0)

    def _rows_of(self, page: bytes, at: int) -> Iterator[RawRow]:
        is_whole = page[at] == LEAF
        if is_whole:
            count = int.from_bytes(page[at + 3 : at + 5], "big")
            pointers_end = at + LEAF_HEADER_SIZE + 2 * count
            if pointers_end > len(page):
                is_whole, pointers_end = False, at + LEAF_HEADER_SIZE
            for pointer in range(at + LEAF_HEADER_SIZE, pointers_end, 2):
                try:
                    yield self._row_at(page, int.from_bytes(page[pointer : pointer + 2], "big"), in_order=True)
                except BadCellError:
                    is_whole = False
        if not is_whole:
            yield from self.rows_anywhere(page)

    def rows_anywhere(self, page: bytes) -> Iterator[RawRow]:
        """What may be rows at any place of the page."""
        for found in RECORD_BEGINS.finditer(page):
            for rowid_size in range(1, VARINT_BYTES_MAX + 1):
                for length_size in range(1, LENGTH_BYTES_MAX + 1):
                    start = found.start() - rowid_size - length_size
                    if start >= 0 and _varints_end(page, start) == found.start():
                        try:
                            yield self._row_at(page, start, in_order=False)
                        except BadCellError:
                            continue

    def _row_at(self, page: bytes, start: int, *, in_order: bool) -> RawRow:
        length, at = _varint(page, start)
        rowid, at = _varint(page, at)
        return RawRow(rowid, _values(self._payload(page, at, length)), in_order)

    def _payload(self, page: bytes, at: int, length: int) -> bytes:
        """The whole record, from its page and those that it overflows into (1.6, "Cell payload overflow pages")."""
        if length > self.page_count * self._page_size:
            raise BadCellError
        local = self._local_size(length)
        if at + local + (4 if local < length else 0) > len(page):
            raise BadCellError
        if local == length:
            return page[at : at + length]
        parts = [page[at : at + local]]
        missing = length - local
        number = int.from_bytes(page[at + local : at + local + 4], "big")
        while missing > 0:
            page = self.page(number)
            if not page:
                raise BadCellError
            part = page[4 : 4 + missing]
            parts.append(part)
            missing -= len(part)
            number = int.from_bytes(page[:4], "big")
        return b"".join(parts)

    def _local_size(self, length: int) -> int:
        usable = self._page_size
        most = usable - 35
        if length <= most:
            return length
        least = (usable - 12) * 32 // 255 - 23
        size = least + (length - least) % (usable - 4)
        return size if size <= most else least


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at `at`, and where it ends."""
    value = 0
    for index in range(VARINT_BYTES_MAX):
        if at + index >= len(data):
            raise BadCellError
        byte = data[at + index]
        if index == VARINT_BYTES_MAX - 1:
            return _signed(value << 8 | byte), at + VARINT_BYTES_MAX
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    raise BadCellError


def _varints_end(data: bytes, at: int) -> int:
    """Where two numbers that begin at `at` end; -1 when there are none."""
    try:
        return _varint(data, _varint(data, at)[1])[1]
    except BadCellError:
        return -1


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _values(record: bytes) -> tuple[Value, ...]:
    """The columns of a record; BadCellError when it isn't one."""
    header_size, at = _varint(record, 0)
    body = header_size
    values: list[Value] = []
    if header_size > len(record):
        raise BadCellError
    while at < header_size:
        serial_type, at = _varint(record, at)
        value, body = _value(record, body, serial_type)
        values.append(value)
    if at != header_size or body != len(record):
        raise BadCellError
    return tuple(values)


_INTEGER_SIZES: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


def _value(record: bytes, at: int, serial_type: int) -> tuple[Value, int]:
    if serial_type == 0:
        return None, at
    if serial_type in (8, 9):
        return serial_type - 8, at
    size = _INTEGER_SIZES.get(serial_type, -1)
    if size < 0 and serial_type >= 12:
        size = (serial_type - 12) // 2
    end = at + size
    if size < 0 or end > len(record):
        raise BadCellError
    data = record[at:end]
    if serial_type < 12:
        return int.from_bytes(data, "big", signed=True), end
    if serial_type % 2 == 0:
        return data, end
    try:
        return data.decode(), end
    except UnicodeDecodeError:
        # No text of ours; as bytes it fails its checksum, and can still be shown.
        return data, end
