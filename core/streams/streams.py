"""All streams of a broker: what of them goes to disk with the next commit."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from warren.core.errors import StorageError
from warren.core.streams.bloom import SIZE_DEFAULT
from warren.core.streams.flush import StreamFlush
from warren.core.streams.log import StreamLog

if TYPE_CHECKING:
    from warren.core.storage.engine import StorageEngine
    from warren.core.storage.files import Files

_log = logging.getLogger("warren.streams")


class StreamsFlush:
    """What one commit writes of all streams; `write` runs in a worker thread."""

    __slots__ = ("_deleted", "parts")

    def __init__(self, parts: list[tuple[StreamLog, StreamFlush]], deleted: list[Files]) -> None:
        self.parts = parts
        self._deleted = deleted

    def write(self) -> None:
        """Write and sync each, and remove what is deleted; raises OSError when the disk fails."""
        for _, flush in self.parts:
            try:
                flush.write()
            except OSError as error:
                # Who tells of it says where.
                error.filename2 = flush.place
                raise
        while self._deleted:
            self._deleted[-1].remove_all()
            self._deleted.pop()


class Streams:
    """The logs of streams by the numbers of their queues.

    A log has `changed` called whenever something of it is to be flushed.
    """

    def __init__(self, store: StorageEngine) -> None:
        self._store = store
        self._changed: dict[StreamLog, None] = {}
        self._deleted: list[Files] = []
        self._listeners: dict[StreamLog, Callable[[bool], None]] = {}

    def open(self, number: int, on_flushed: Callable[[bool], None], filter_size: int = SIZE_DEFAULT) -> StreamLog:
        """The log of a stream, as it is on disk.

        on_flushed: called when readers may have more, with whether a segment was begun.  filter_size: bytes of filters
        of chunks.  What is damaged is logged.  Raises StorageError where it can't be read.
        """
        try:
            log = StreamLog(self._store.streams.files(number), filter_size=filter_size)
        except OSError as error:
            raise StorageError(f"the files of stream {number} can't be read: {error.strerror or error}") from error
        for report in log.reports:
            _log.error("stream %d: %s", number, report)
        self._listeners[log] = on_flushed
        return log

    def changed(self, log: StreamLog) -> None:
        """Something was appended to it, or is to be removed from it."""
        self._changed[log] = None

    def delete(self, log: StreamLog) -> None:
        """Nothing reads or writes it any more; its files go with the next commit."""
        self._listeners.pop(log, None)
        self._changed.pop(log, None)
        log.let_go()
        self._deleted.append(log.files)

    def restored(self, deleted: Collection[int], used: Collection[int]) -> list[int]:
        """At a start: what was left of deleted streams goes; gives the numbers of those that belong to nobody."""
        lost = []
        for number in self._store.streams.numbers():
            if number in used:
                continue
            if number in deleted:
                self.delete_files(number)
            else:
                lost.append(number)
        return lost

    def delete_files(self, number: int) -> None:
        """The files of a stream that nobody has open go with the next commit."""
        self._deleted.append(self._store.streams.files(number))

    def messages_in(self, number: int) -> int:
        """How many messages the files of a stream that nobody has open hold.  Raises StorageError."""
        log = self.open(number, lambda _: None)
        self._listeners.pop(log)
        log.let_go()
        return log.end_offset - log.first_offset

    @property
    def pending(self) -> bool:
        """True when there is anything to flush."""
        return bool(self._changed or self._deleted)

    def begin_flush(self, now_ms: int) -> StreamsFlush | None:
        """Hand over what is to be written; None: nothing."""
        if not self._changed and not self._deleted:
            return None
        parts = []
        for log in self._changed:
            flush = log.begin_flush(now_ms)
            if flush is not None:
                parts.append((log, flush))
        self._changed = {}
        deleted, self._deleted = self._deleted, []
        return StreamsFlush(parts, deleted)

    def finish_flush(self, flush: StreamsFlush) -> None:
        """Book it: readers may have what was written."""
        for log, part in flush.parts:
            is_longer = log.finish_flush(part)
            listener = self._listeners.get(log)
            if listener is not None:
                listener(is_longer)
                if log.pending:
                    self._changed[log] = None

    def close(self) -> None:
        """The broker stops, and everything is flushed: give back reserved space."""
        for log in self._listeners:
            try:
                log.close()
            except OSError as error:
                # The next start finds the space unused, and cuts it off itself.
                _log.warning("the space reserved for a stream can't be given back: %s", error)
