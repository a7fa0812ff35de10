"""SQLite's write-ahead log as a file: which of its frames are whole, also behind one that isn't.

SQLite stops reading its log at the first frame whose checksum is wrong, and takes what follows for the trace of a
crash, without a word.  After a crash that is right.  But a bit that flipped in the middle of the log looks the same to
it, and takes everything behind it along.  The two are told apart by what follows: behind a torn write there is nothing
of this log any more, behind a flipped bit there are whole frames.

Format (sqlite.org/fileformat.html, 4): a header of 32 bytes, then frames of a header of 24 bytes and one page.  A frame
says which page it is, how many pages the database has if it ends a transaction (else 0), and repeats the salts of the
log's header; frames with other salts are left from before the log was begun anew.  The checksum goes on from frame to
frame.  It is made of sums, so that the trace of one wrong bit can be recognised.  If only one bit of the frame can
have left it, that is put right.  The high bits of several words leave the same trace; then the page stays as it is, and
the checksums of rows tell which row the bit is in.  A frame that has more than one wrong bit is bad, and the next one
is judged by the checksum that the bad one says it has.
"""

from __future__ import annotations

import sys
from array import array
from collections import Counter
from dataclasses import field
from struct import Struct
from typing import Final

from warren.core.frozen import slotted

MAGIC: Final = 0x377F0682
"""The lowest bit says that words are summed up as big-endian."""

HEADER: Final = Struct(">8I")
"""Magic, version, page size, checkpoint number, two salts, two checksums."""

FRAME: Final = Struct(">6I")
"""Page number, pages in the database (0: the transaction goes on), two salts, two checksums."""

PAGE_SIZES: Final = frozenset(1 << bits for bits in range(9, 17))

DEFAULT_PAGE_SIZE: Final = 4096
"""Of a log whose header can't be believed; SQLite makes databases so."""

PAGES_MAX: Final = 1 << 22
"""A database of 16 GiB; a page number above that is no page number."""

_SUMMED_OF_HEADER: Final = 24
_SUMMED_OF_FRAME: Final = 8
"""What the checksum covers of the two headers, in bytes."""

_WORD: Final = 0xFFFFFFFF

Sums = tuple[int, int]


@slotted
class Frame:
    """One frame.  page: its number.  database_pages: as its header says.  is_whole: at most one bit of it was wrong,
    and its header is right.  is_named: its header can be believed, whatever became of the page."""

    page: int
    database_pages: int
    data: bytes
    is_whole: bool
    is_named: bool = True


@slotted
class WalContent:
    """What a log holds.

    frames: up to the end of the last transaction whose last frame is whole.  readable: how many of them SQLite would
    read.  corrected, bad: how many had one wrong bit, and more than one.  unnamed: how many of the bad ones don't even
    say which page they were.  torn: how many frames behind these aren't whole, as a crash leaves them.
    """

    page_size: int = DEFAULT_PAGE_SIZE
    frames: list[Frame] = field(default_factory=list)
    readable: int = 0
    corrected: int = 0
    bad: int = 0
    unnamed: int = 0
    torn: int = 0

    @property
    def is_damaged(self) -> bool:
        """True when SQLite would leave out frames that a transaction's whole end proves to have been there."""
        return self.readable < len(self.frames)

    def pages(self) -> dict[int, bytes]:
        """The latest version of each page in the log, within the database as the last transaction left it."""
        found = {frame.page: frame.data for frame in self.frames if frame.is_named}
        return {page: data for page, data in found.items() if 0 < page <= self.database_pages}

    @property
    def database_pages(self) -> int:
        """Pages in the database after the last transaction; 0 for a log without any."""
        return self.frames[-1].database_pages if self.frames else 0


def frame_count(log: bytes) -> int:
    """How many frames of the current salts there are up to the last of them, whether or not their checksums are right;
    a quick look, to be compared with how many SQLite reads."""
    header = _Header(log)
    size = FRAME.size + header.page_size
    count = 0
    for number in range((len(log) - HEADER.size) // size):
        if FRAME.unpack_from(log, HEADER.size + number * size)[2:4] == header.salts:
            count = number + 1
    return count


def read_wal(log: bytes) -> WalContent:
    """Look at every frame of a log; see the head of this file."""
    header = _Header(log)
    content = WalContent(header.page_size)
    frames: list[Frame] = []
    is_readable, sums, committed = header.is_whole, header.sums, 0
    # What the next frame goes on from, if the one before it was bad: that is not known for certain.
    other_sums = sums
    for number in range(frame_count(log)):
        at = HEADER.size + number * (FRAME.size + header.page_size)
        found = _check(log, at, header, (sums, other_sums))
        frames.append(found.frame)
        is_readable = is_readable and found.as_written
        sums, other_sums = found.sums, found.other_sums
        content.corrected += found.frame.is_whole and not found.as_written
        if found.frame.is_whole and found.frame.database_pages:
            committed = number + 1
            if is_readable:
                content.readable = committed
    content.frames = frames[:committed]
    content.bad = sum(1 for frame in content.frames if not frame.is_whole)
    content.unnamed = sum(1 for frame in content.frames if not frame.is_named)
    content.torn = sum(1 for frame in frames[committed:] if not frame.is_whole)
    return content


class _Header:
    """What the log's header says, or is likely to have said: whole, put right, or told from the frames."""

    def __init__(self, log: bytes) -> None:
        said = log[: HEADER.size].ljust(HEADER.size, b"\0")
        self.order = "big" if HEADER.unpack(said)[0] & 1 else "little"
        self.is_whole = self._sums_of(said) == HEADER.unpack(said)[6:]
        if not self.is_whole:
            said = self._put_right(said)
        fields = HEADER.unpack(said)
        self.page_size = fields[2] if fields[2] in PAGE_SIZES else DEFAULT_PAGE_SIZE
        self.sums: Sums = fields[6], fields[7]
        salts = (fields[4], fields[5])
        if self._sums_of(said) != self.sums:
            salts = self._salts_of_frames(log, salts)
        self.salts: Sums = salts

    def _sums_of(self, header: bytes) -> Sums:
        return sums_of(header[:_SUMMED_OF_HEADER], (0, 0), self.order)

    def _put_right(self, said: bytes) -> bytes:
        summed = said[:_SUMMED_OF_HEADER]
        for order in ("little", "big"):
            for word, bit in wrong_bits(summed, (0, 0), HEADER.unpack(said)[6:], order):
                fixed = with_changed_bit(summed, word, bit, order) + said[_SUMMED_OF_HEADER:]
                fields = HEADER.unpack(fixed)
                if fields[0] == MAGIC + (order == "big") and fields[2] in PAGE_SIZES:
                    self.order = order
                    return fixed
        sums = self._sums_of(said)
        if HEADER.unpack(said)[0] & ~1 == MAGIC and _is_one_bit(sums, HEADER.unpack(said)[6:]):
            return said[:_SUMMED_OF_HEADER] + Struct(">2I").pack(*sums)
        self.order = sys.byteorder
        return said

    def _salts_of_frames(self, log: bytes, said: Sums) -> Sums:
        """The salts that most of the header and the first two frames have."""
        votes = Counter([said])
        for number in range(2):
            at = HEADER.size + number * (FRAME.size + self.page_size)
            if at + FRAME.size <= len(log):
                votes[FRAME.unpack_from(log, at)[2:4]] += 1
        return votes.most_common(1)[0][0]


@slotted
class _Checked:
    frame: Frame
    as_written: bool
    sums: Sums
    other_sums: Sums


def _check(log: bytes, at: int, header: _Header, before: tuple[Sums, Sums]) -> _Checked:
    """Judge the frame at `at`; before: the checksums that it may go on from, the likelier first."""
    page, database_pages, *rest = FRAME.unpack_from(log, at)
    salts, stored = (rest[0], rest[1]), (rest[2], rest[3])
    data = log[at + FRAME.size : at + FRAME.size + header.page_size]
    summed = log[at : at + _SUMMED_OF_FRAME] + data
    for base in before:
        sums = sums_of(summed, base, header.order)
        if sums == stored:
            return _Checked(Frame(page, database_pages, data, True), salts == header.salts, sums, sums)
        if _is_one_bit(sums, stored) and salts == header.salts:
            return _Checked(Frame(page, database_pages, data, True), False, sums, sums)
    for base in before:
        bits = wrong_bits(summed, base, stored, header.order)
        if page > PAGES_MAX or database_pages > PAGES_MAX:
            bits = [(word, bit) for word, bit in bits if word < 2]
        if len(bits) == 1:
            summed = with_changed_bit(summed, *bits[0], header.order)
            page, database_pages = Struct(">2I").unpack_from(summed)
        if bits:
            return _Checked(Frame(page, database_pages, summed[_SUMMED_OF_FRAME:], True), False, stored, stored)
    frame = Frame(page, database_pages, data, False, salts == header.salts)
    return _Checked(frame, False, stored, sums_of(summed, before[0], header.order))


def sums_of(data: bytes, before: Sums, order: str) -> Sums:
    """SQLite's checksum of `data` (a multiple of 8 bytes), going on from `before`."""
    words = _words(data, order)
    first, second = before
    for even, odd in zip(words[0::2], words[1::2], strict=True):
        first = (first + even + second) & _WORD
        second = (second + odd + first) & _WORD
    return first, second


def wrong_bits(data: bytes, before: Sums, stored: Sums, order: str) -> list[tuple[int, int]]:
    """(word, bit) of each single bit that may be wrong, as changing it makes the checksum of `data` the stored one."""
    sums = sums_of(data, before, order)
    wanted = ((stored[0] - sums[0]) & _WORD, (stored[1] - sums[1]) & _WORD)
    words = _words(data, order)
    found: list[tuple[int, int]] = []
    # What a change by 1 of the even and the odd word of a pair does to the sums at the end, pair by pair from the last.
    even, odd = (1, 1), (0, 1)
    for pair in range(len(words) // 2 - 1, -1, -1):
        for index, effect in ((2 * pair, even), (2 * pair + 1, odd)):
            for bit in range(32):
                change = -(1 << bit) if words[index] >> bit & 1 else 1 << bit
                if (effect[0] * change - wanted[0]) & _WORD == 0 and (effect[1] * change - wanted[1]) & _WORD == 0:
                    found.append((index, bit))
        even = ((even[0] + even[1]) & _WORD, (even[0] + 2 * even[1]) & _WORD)
        odd = ((odd[0] + odd[1]) & _WORD, (odd[0] + 2 * odd[1]) & _WORD)
    return found


def with_changed_bit(data: bytes, word: int, bit: int, order: str) -> bytes:
    """`data` with one bit of one word changed."""
    words = _words(data, order)
    words[word] ^= 1 << bit
    if order != sys.byteorder:
        words.byteswap()
    return words.tobytes()


def _is_one_bit(sums: Sums, stored: Sums) -> bool:
    """True when the two differ by one bit: it is the stored checksum that is wrong, and what it is of is right."""
    return (sums[0] ^ stored[0]).bit_count() + (sums[1] ^ stored[1]).bit_count() == 1


def _words(data: bytes, order: str) -> array[int]:
    words = array("I", data)
    if order != sys.byteorder:
        words.byteswap()
    return words
