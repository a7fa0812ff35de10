"""A shard's stream in JetStream, for the replicated storage engine: blocking, for one thread at a time.

What the engine gets for any trouble is StreamAway, with words: it waits and tries again, while publishers wait for
their confirms, as long as nobody closes the stream.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar

from warren.core.errors import StorageError
from warren.core.storage.replicated.errors import StreamAway, StreamDiverged, StreamFull, WrongSequence
from warren.gateway.nats import jetstream, requirements
from warren.gateway.nats.blocking import Asked, BlockingClient
from warren.gateway.nats.calls import Call
from warren.gateway.nats.errors import (
    FULL,
    NO_MESSAGE_FOUND,
    STREAM_NAME_IN_USE,
    STREAM_NOT_FOUND,
    WRONG_LAST_SEQUENCE,
    ApiError,
    NatsClosed,
    NatsDisconnected,
    NatsError,
    NoResponders,
)
from warren.gateway.nats.jetstream import Published, StreamInfo
from warren.gateway.nats.options import Options

T = TypeVar("T")

_log = logging.getLogger("warren.cluster")

RETRY_S: Final = 0.2
"""Between two tries, and before a server is asked once more what it didn't have."""

HEADERS_BYTES: Final = 4096
"""Left of what a server takes in one message, for the subject and the headers."""

BATCH_COUNT: Final = 1000
BATCH_BYTES: Final = 8 << 20
"""What is asked for at once when a stream is read: some hundred flushes of 64 KiB."""


def shard_stream_config(name: str, *, replicas: int) -> Mapping[str, Any]:
    """The configuration of a shard's stream: nothing of it goes but by a purge."""
    return {
        "name": name,
        "subjects": [subject_of(name)],
        "storage": "file",
        "retention": "limits",
        "discard": "new",
        "num_replicas": replicas,
        "allow_direct": True,
        "deny_delete": True,
    }


def subject_of(name: str) -> str:
    """Where the frames of a stream are published."""
    return f"warren.shard.{name}"


class JetStreamShard:
    """See the head of this file.  name: the stream's.  patience_s: how long one call waits before it is trouble.

    is_full: it has refused the last append for want of room.
    """

    def __init__(self, options: Options, name: str, *, patience_s: float = 10.0) -> None:
        self.name = name
        self._client = BlockingClient(options, patience_s=patience_s)
        self._subject = subject_of(name)
        self._asked: Asked[Published] | None = None
        self._closed = threading.Event()
        self._told = ""
        self.is_full = False

    @property
    def trouble(self) -> str:
        """What is waited for, in words; empty while nothing is."""
        return self._told

    @property
    def frame_bytes_max(self) -> int:
        """The most octets that one frame may have."""
        return self._do(self._client.payload_bytes_max) - HEADERS_BYTES

    def make(self, *, replicas: int = requirements.REPLICAS_LEAST) -> None:
        """See that the server is fit, and that the stream is there and as it should be.

        Raises UnfitServer, NatsError.
        """
        info, where = self._client.server_info()
        requirements.check_server(info, where)
        try:
            found = self._client.call(jetstream.create_stream(shard_stream_config(self.name, replicas=replicas)))
        except ApiError as error:
            if error.code != STREAM_NAME_IN_USE:
                raise
            found = self._client.call(jetstream.stream_info(self.name))
        requirements.check_stream(found, replicas=replicas)

    def find(self, *, replicas: int = requirements.REPLICAS_LEAST) -> None:
        """As `make`, of one that was made before and has taken messages: it isn't begun anew, but waited for.

        Raises StreamDiverged where it isn't there any more, StorageError once it is closed, UnfitServer, NatsError.
        """
        info, where = self._client.server_info()
        requirements.check_server(info, where)
        while (found := self._found()) is None:
            self.wait("it has no leader")
        requirements.check_stream(found, replicas=replicas)

    def _found(self) -> StreamInfo | None:
        """What its leader says of it; None where it has none just now."""
        try:
            return self._client.call(jetstream.stream_info(self.name))
        except NatsClosed as error:
            raise _closed(self.name) from error
        except ApiError as error:
            if error.code != STREAM_NOT_FOUND:
                raise
            raise StreamDiverged(
                f"the stream {self.name} isn't there any more: the NATS servers have lost what they had confirmed. "
                "Restore it from a backup; docs/cluster.md says how to go on without"
            ) from error
        except (NoResponders, NatsDisconnected):
            return None

    def bounds(self) -> tuple[int, int]:
        """(first, last) sequence that is there."""
        info = self._call(jetstream.stream_info(self.name))
        return info.first_sequence, info.last_sequence

    def read(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        """(sequence, frame) of all that is there between the two, both included, in order."""
        while first <= last:
            count = min(last - first + 1, BATCH_COUNT)
            batch = self._call(jetstream.get_batch(self.name, first, count=count, size_bytes=BATCH_BYTES))
            if not batch:
                raise StreamAway(f"a server of the stream {self.name} doesn't have message {first} yet")
            for stored in batch:
                yield stored.sequence, stored.payload
            first = batch[-1].sequence + 1

    def get(self, sequence: int) -> bytes | None:
        """One frame, from the leader; None where it isn't there."""
        try:
            return self._do(lambda: self._client.call(jetstream.get_message(self.name, sequence)).payload)
        except _NotFoundError:
            return None

    def begin_append(self, frame: bytes, expected_last: int) -> None:
        """Send a frame on its way."""
        self._asked = None
        call = jetstream.publish(self._subject, frame, expected_last=expected_last)
        self._asked = self._do(lambda: self._client.start(call))

    def end_append(self) -> None:
        """A majority has it when this returns."""
        asked, self._asked = self._asked, None
        if asked is None:
            raise StreamAway(f"nothing was sent to the stream {self.name}")
        try:
            self._do(lambda: self._client.finish(asked))
        except StreamFull:
            self.is_full = True
            raise
        except (StreamAway, WrongSequence):
            self.is_full = False
            raise
        self.is_full = False
        if self._told:
            self._told = ""
            _log.info("the stream %s takes messages again", self.name)

    def purge(self, before: int) -> None:
        """Drop all frames before this sequence."""
        self._call(jetstream.purge_stream(self.name, before))

    def wait(self, trouble: str) -> None:
        """Say so once, and rest."""
        if trouble != self._told:
            self._told = trouble
            _log.warning("the stream %s: %s; what is published to its queues waits", self.name, trouble)
        if self._closed.wait(RETRY_S):
            raise _closed(self.name)

    def close(self) -> None:
        """No more of it."""
        self._closed.set()
        self._client.close()

    def _call(self, call: Call[T]) -> T:
        return self._do(lambda: self._client.call(call))

    def _do(self, action: Callable[[], T]) -> T:
        if self._closed.is_set():
            raise _closed(self.name)
        try:
            return action()
        except NatsClosed as error:
            raise _closed(self.name) from error
        except ApiError as error:
            if error.code in WRONG_LAST_SEQUENCE:
                raise WrongSequence(str(error)) from error
            if error.code == NO_MESSAGE_FOUND:
                raise _NotFoundError from error
            if error.code in FULL:
                raise StreamFull(
                    f"there is no room for more, {error}: raise the limit (max_bytes of the stream, that of the "
                    "account, max_file_store of the servers), or make room on their disks"
                ) from error
            raise StreamAway(str(error)) from error
        except (NatsError, OSError) as error:
            if self._closed.is_set():
                raise _closed(self.name) from error
            raise StreamAway(str(error)) from error


class _NotFoundError(StreamAway):
    """There is no such message."""


def _closed(name: str) -> StorageError:
    return StorageError(f"the stream {name} was closed while it was waited for; nothing unwritten was confirmed")
