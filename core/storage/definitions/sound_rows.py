"""Which rows of a damaged database prove to be ours.

A row that stands where its page says that rows are is ours if its checksum is right, or can be put right.  In a page
whose order is lost, whatever has the form of a row is tried, parts of names and of index pages among it; there, only a
checksum with the database's own key counts (checksums.py).  Older databases have no key, so that what is in such a page
of theirs is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, cast

from warren.core.storage.definitions.checksums import NO_CHECKSUM, NO_KEY, Checksums, DefinitionColumns, agreed_key
from warren.core.storage.definitions.page_file import PageFile, RawRow

PUT_RIGHT_MAX: Final = 100
"""Bad rows in which a single wrong bit is looked for; a database with more has lost more than bits."""

DEFINITION_COLUMNS: Final = 6
COUNTER_COLUMNS: Final = 3
UNCHECKED_DEFINITION_COLUMNS: Final = 5
UNCHECKED_COUNTER_COLUMNS: Final = 2
"""Columns of our tables, and of those of version 1."""


@dataclass(slots=True)
class Found:
    """What was read: rows by position, counters, and columns with their checksums that don't fit.

    corrected: rows of which one bit was put right.  unproved: what may be rows in pages without order, and can't be
    told from what somebody has made up.
    """

    rows: dict[int, DefinitionColumns] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    bad: list[tuple[tuple[object, ...], object]] = field(default_factory=list)
    corrected: int = 0
    unproved: int = 0

    def __bool__(self) -> bool:
        return bool(self.rows or self.counters)

    def in_order(self) -> list[DefinitionColumns]:
        """The rows; of two that say to be the same definition, the later one."""
        latest = {row[1:4]: position for position, row in sorted(self.rows.items())}
        return [self.rows[position] for position in sorted(latest.values())]


def collect(pages: PageFile) -> Found:
    """All rows that prove to be ours."""
    rows = list(pages.rows())
    key = agreed_key(_with_checksum(rows))
    if key is None:
        # Without any two rows whose checksums agree, it is one of version 1.
        return _without_checksums(rows)
    found = Found()
    unproved: set[int] = set()
    checksums = Checksums(key)
    for raw in rows:
        if raw.in_order:
            _take(found, raw, checksums)
    _put_right(found, checksums)
    for raw in rows:
        # Found in a page that is damaged, perhaps an old copy: only what is nowhere else counts, and only if proved.
        if not raw.in_order and raw.rowid not in found.rows:
            if key != NO_KEY:
                _take(found, raw, checksums)
            elif _is_proved(raw, checksums):
                unproved.add(raw.rowid)
    found.unproved = len(unproved)
    return found


def _with_checksum(rows: Iterable[RawRow]) -> Iterator[tuple[object, ...]]:
    """The columns of rows that stand where they should, if they can be ours, each with its checksum."""
    for raw in rows:
        if raw.in_order and len(raw.values) == COUNTER_COLUMNS:
            yield raw.values
        elif raw.in_order and len(raw.values) == DEFINITION_COLUMNS:
            yield (raw.rowid, *raw.values[1:])


def _is_proved(raw: RawRow, checksums: Checksums) -> bool:
    """Whether a definition has its checksum."""
    values = raw.values
    if len(values) != DEFINITION_COLUMNS or values[0] is not None:
        return False
    checksum = checksums.of_definition(raw.rowid, *values[1:5])
    return checksum != NO_CHECKSUM and checksum == values[5]


def _put_right(found: Found, checksums: Checksums) -> None:
    """See what of the bad rows only one bit is wrong of."""
    for columns, checksum in found.bad[:PUT_RIGHT_MAX]:
        row = checksums.put_right(columns, checksum)
        if row is not None and found.rows.setdefault(row[0], row) is row:
            found.bad.remove((columns, checksum))
            found.corrected += 1


def _take(found: Found, raw: RawRow, checksums: Checksums) -> None:
    values = raw.values
    if len(values) == COUNTER_COLUMNS:
        checksum = checksums.of_counter(values[0], values[1])
        if checksum != NO_CHECKSUM and checksum == values[2]:
            found.counters[str(values[0])] = int(str(values[1]))
    elif _is_proved(raw, checksums):
        found.rows[raw.rowid] = cast("DefinitionColumns", (raw.rowid, *values[1:5]))
    elif raw.in_order and len(values) == DEFINITION_COLUMNS and values[0] is None:
        found.bad.append(((raw.rowid, *values[1:5]), values[5]))


def _without_checksums(rows: Iterable[RawRow]) -> Found:
    """What a database of version 1 holds, as far as it stands where it should."""
    found = Found()
    any_key = Checksums(NO_KEY)
    for raw in rows:
        values = raw.values
        if not raw.in_order:
            continue
        if len(values) == UNCHECKED_COUNTER_COLUMNS:
            if any_key.of_counter(*values) != NO_CHECKSUM:
                found.counters[str(values[0])] = int(str(values[1]))
        elif len(values) == UNCHECKED_DEFINITION_COLUMNS and values[0] is None:
            columns = (raw.rowid, *values[1:5])
            if any_key.of_definition(*columns) != NO_CHECKSUM:
                found.rows[raw.rowid] = cast("DefinitionColumns", columns)
            else:
                found.bad.append((columns, None))
    return found
