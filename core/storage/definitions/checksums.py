"""How a row of the definition database proves that it is as this database has written it.

SQLite has no checksums of its own on what lies in the database file, so each row carries one: of all its columns, its
place among the others included.  A row that fails it is never served.

A salvage looks for rows also where a page has lost its order, and there it comes upon whatever clients have chosen:
the name of a queue may hold the bytes of a row.  So checksums are CRC-32 begun with a number that each database draws
by lot, its key.  Nobody is told it; a row that was made up has one chance in four thousand million.

The key stands in a row of `counters`.  If that is lost, the other rows still know it: a CRC can be run backwards, from
a checksum to the number that it began with, and rows which stand where their pages say that rows are agree on that.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, TypeGuard
from zlib import crc32

DefinitionColumns = tuple[int, str, bytes, bytes, str]
"""Position, kind, virtual host, name, value."""

KEY_NAME: Final = "key of the checksums"
"""The row of `counters` that holds the key."""

NO_KEY: Final = 0
"""The key of version 2, which had none."""

KEYS: Final = range(1, 1 << 32)
"""What a key may be."""

NO_CHECKSUM: Final = -1
"""Of columns that can't be ours."""

PUT_RIGHT_BYTES_MAX: Final = 8192
"""Of a row whose wrong bit is looked for: a tenth of a second of trying.  Longer ones aren't asked for the key."""

AGREEING_FEWEST: Final = 2
"""Rows that have to agree on a key: a single one that is damaged agrees with itself."""

AGREEING_ENOUGH: Final = 100
"""So many that no others need be asked."""

_WORD: Final = 0xFFFFFFFF

_POLYNOMIAL: Final = 0xEDB88320
"""CRC-32's, lowest bit first (RFC 1952, 8)."""


class Checksums:
    """Of one database.  key: what they begin with."""

    __slots__ = ("key",)

    def __init__(self, key: int) -> None:
        self.key = key

    @classmethod
    def drawn(cls) -> Checksums:
        """Those of a new database."""
        return cls(secrets.choice(KEYS))

    def of_definition(self, position: object, kind: object, vhost: object, name: object, value: object) -> int:
        """The checksum of a definition's columns; `NO_CHECKSUM` for types that no row of ours has."""
        parts = _definition_parts(position, kind, vhost, name, value)
        return NO_CHECKSUM if parts is None else _crc(parts, self.key)

    def of_counter(self, name: object, first_free: object) -> int:
        """The checksum of a counter; `NO_CHECKSUM` for types that no counter of ours has."""
        parts = _counter_parts(name, first_free)
        return NO_CHECKSUM if parts is None else _crc(parts, self.key)

    def put_right(self, columns: tuple[object, ...], checksum: object) -> DefinitionColumns | None:
        """A definition of which one bit is wrong, as it was; None when it isn't that.

        A checksum of 32 bits makes that certain enough for rows that aren't long: with more bits wrong, it takes one in
        a million for another row.
        """
        position, *texts = columns
        if type(position) is not int or type(checksum) is not int:
            return None
        # Bytes stand here for text, too, where the wrong bit made it another encoding's.
        parts = [text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text for text in texts]
        if not _are_bytes(parts) or sum(map(len, parts)) > PUT_RIGHT_BYTES_MAX:
            return None
        if (self._of_parts(position, parts) ^ checksum).bit_count() == 1:
            return _decoded(position, parts)
        for number in range(64):
            if self._of_parts(position ^ 1 << number, parts) == checksum:
                return _decoded(position ^ 1 << number, parts)
        for index, part in enumerate(parts):
            changed = bytearray(part)
            tried: list[bytes | bytearray] = [*parts[:index], changed, *parts[index + 1 :]]
            for number in range(8 * len(part)):
                changed[number >> 3] ^= 1 << (number & 7)
                if self._of_parts(position, tried) == checksum:
                    return _decoded(position, [bytes(each) for each in tried])
                changed[number >> 3] ^= 1 << (number & 7)
        return None

    def _of_parts(self, position: int, parts: Sequence[bytes | bytearray]) -> int:
        return _crc(_with_head(position, parts), self.key)


def agreed_key(rows: Iterable[tuple[object, ...]]) -> int | None:
    """The key with which most of these rows (columns, the checksum last) were written; None if hardly any agree.

    Rows of two columns and a checksum are counters, those of five definitions.
    """
    votes: Counter[int] = Counter()
    for *columns, checksum in rows:
        parts = _counter_parts(*columns) if len(columns) == 2 else _definition_parts(*columns)
        if parts is None or type(checksum) is not int or not 0 <= checksum <= _WORD:
            continue
        if sum(map(len, parts)) <= PUT_RIGHT_BYTES_MAX:
            key = begun_with(b"".join(parts), checksum)
            votes[key] += 1
            if votes[key] >= AGREEING_ENOUGH:
                break
    for key, count in votes.most_common(1):
        if count >= AGREEING_FEWEST:
            return key
    return None


def begun_with(data: bytes, checksum: int) -> int:
    """The number that CRC-32 has to begin with for `data` to have this checksum."""
    state = checksum ^ _WORD
    for byte in reversed(data):
        index = _BY_HIGH_BYTE[state >> 24]
        state = (state ^ _TABLE[index]) << 8 | index ^ byte
    return state ^ _WORD


def _table_entry(index: int) -> int:
    for _ in range(8):
        index = index >> 1 ^ (_POLYNOMIAL if index & 1 else 0)
    return index


_TABLE: Final = [_table_entry(index) for index in range(256)]
_BY_HIGH_BYTE: Final = {entry >> 24: index for index, entry in enumerate(_TABLE)}
"""No two entries have the same highest byte, which is why a CRC can be run backwards."""


def _definition_parts(
    position: object, kind: object, vhost: object, name: object, value: object
) -> Sequence[bytes | bytearray] | None:
    """What the checksum is of; None for types that no row of ours has."""
    if (
        type(position) is not int
        or type(kind) is not str
        or type(vhost) is not bytes
        or type(name) is not bytes
        or type(value) is not str
    ):
        return None
    encoded = (kind.encode("utf-8", "surrogatepass"), vhost, name, value.encode("utf-8", "surrogatepass"))
    return _with_head(position, encoded)


def _counter_parts(name: object, first_free: object) -> Sequence[bytes] | None:
    if type(name) is not str or type(first_free) is not int:
        return None
    return (b"%d " % first_free, name.encode("utf-8", "surrogatepass"))


def _with_head(position: int, parts: Sequence[bytes | bytearray]) -> Sequence[bytes | bytearray]:
    """The kind, virtual host, name and value as bytes, behind the position and how long the first three are."""
    kind, vhost, name, value = parts
    return (b"%d %d %d %d " % (position, len(kind), len(vhost), len(name)) + kind + vhost + name, value)


def _crc(parts: Sequence[bytes | bytearray], key: int) -> int:
    first, second = parts
    return crc32(second, crc32(first, key))


def _are_bytes(parts: list[object]) -> TypeGuard[list[bytes]]:
    return all(isinstance(part, bytes) for part in parts)


def _decoded(position: int, parts: list[bytes]) -> DefinitionColumns | None:
    kind, vhost, name, value = parts
    try:
        return position, kind.decode(), vhost, name, value.decode()
    except UnicodeDecodeError:
        return None
