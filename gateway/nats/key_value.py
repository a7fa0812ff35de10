"""Buckets of keys and values: a JetStream stream whose subjects are the keys, as NATS's other clients have them
(ADR-8).

A key's revision is the sequence of its last message.  What is deleted, and what has outlived its time, leaves a
marker, so that who watches hears of it; a marker has a revision as well, and `write` on top of it takes that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from warren.gateway.nats import jetstream
from warren.gateway.nats.calls import Call, Reply
from warren.gateway.nats.errors import NO_MESSAGE_FOUND, ApiError
from warren.gateway.nats.headers import Headers
from warren.gateway.nats.jetstream import Published, Stored, StreamInfo

OPERATION: Final = "KV-Operation"
MARKER_REASON: Final = "Nats-Marker-Reason"
_GONE: Final = frozenset({"DEL", "PURGE"})

_BUCKET: Final = re.compile(r"[a-zA-Z0-9_-]+")
_KEY: Final = re.compile(r"[-/_=a-zA-Z0-9]+(\.[-/_=a-zA-Z0-9]+)*")

MARKER_S: Final = 60
"""How long a marker is kept where a key has outlived its time: who was away longer than that has to read all anew."""

_NANOSECONDS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A key and what it holds.  is_gone: it is deleted, or has outlived its time, and only its marker is left."""

    key: str
    value: bytes
    revision: int
    is_gone: bool


class Bucket:
    """The calls of one bucket.  Raises ValueError for a name that can't be one's."""

    def __init__(self, name: str) -> None:
        if not _BUCKET.fullmatch(name):
            raise ValueError(f"{name!r} can't be a bucket's name: letters, digits, - and _ only")
        self.name = name
        self.stream = f"KV_{name}"
        self._prefix = f"$KV.{name}."

    def create(self, *, replicas: int, history: int = 1) -> Call[StreamInfo]:
        """Make the bucket, or find it made.  history: how many values of a key are kept."""
        return jetstream.create_stream(self.config(replicas=replicas, history=history))

    def config(self, *, replicas: int, history: int = 1) -> Mapping[str, Any]:
        """Its stream's configuration."""
        return {
            "name": self.stream,
            "subjects": [f"{self._prefix}>"],
            "storage": "file",
            "retention": "limits",
            "discard": "new",
            "num_replicas": replicas,
            "max_msgs_per_subject": history,
            "allow_rollup_hdrs": True,
            "deny_delete": True,
            "allow_direct": True,
            "allow_msg_ttl": True,
            "subject_delete_marker_ttl": MARKER_S * _NANOSECONDS,
        }

    def get(self, key: str) -> Call[Entry | None]:
        """What a key holds, from the leader; None where there isn't even a marker."""
        call = jetstream.last_message(self.stream, self.subject(key))

        def answer(replies: Sequence[Reply]) -> Entry | None:
            try:
                return self.entry(call.answer(replies))
            except ApiError as error:
                if error.code == NO_MESSAGE_FOUND:
                    return None
                raise

        return Call(call.subject, call.payload, answer)

    def put(self, key: str, value: bytes) -> Call[int]:
        """Whatever it held before; the revision."""
        return self._revision(jetstream.publish(self.subject(key), value))

    def write(self, key: str, value: bytes, revision: int, *, ttl_s: int = 0) -> Call[int]:
        """Only if the key is at this revision, 0 for a new one; the new revision.

        ttl_s: after so many whole seconds without another write the key goes by itself; 0 for never.  Refused with one
        of WRONG_LAST_SEQUENCE.
        """
        headers = {jetstream.TTL: f"{ttl_s}s"} if ttl_s else {}
        subject = self.subject(key)
        return self._revision(jetstream.publish(subject, value, expected_last_of_subject=revision, headers=headers))

    def delete(self, key: str, revision: int, *, ttl_s: int = 0) -> Call[int]:
        """Leave only a marker, if the key is at this revision; the marker's.

        ttl_s: after so many whole seconds the marker goes, too; 0 for never.
        """
        subject = self.subject(key)
        headers = {OPERATION: "DEL"}
        if ttl_s:
            headers[jetstream.TTL] = f"{ttl_s}s"
        return self._revision(jetstream.publish(subject, b"", expected_last_of_subject=revision, headers=headers))

    def subject(self, key: str) -> str:
        """That of a key.  Raises ValueError for what can't be one."""
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} can't be a key: letters, digits, - / _ = and single dots between them only")
        return self._prefix + key

    def entry(self, stored: Stored) -> Entry:
        """A message of the stream as an entry."""
        return self.entry_of(stored.subject, stored.payload, stored.sequence, stored.headers)

    def entry_of(self, subject: str, payload: bytes, sequence: int, headers: Headers) -> Entry:
        """The same, from its parts."""
        is_gone = headers.fields.get(OPERATION) in _GONE or MARKER_REASON in headers.fields
        return Entry(subject[len(self._prefix) :], payload, sequence, is_gone)

    def watch_config(self, inbox: str, *, after: int = 0, heartbeat_s: int) -> Mapping[str, Any]:
        """The consumer of a watch.

        inbox: where its messages go.  after: a revision; what is newer than that comes, instead of the last of each
        key.
        """
        config: dict[str, Any] = {
            "deliver_subject": inbox,
            "ack_policy": "none",
            "max_deliver": 1,
            "filter_subject": f"{self._prefix}>",
            "mem_storage": True,
            "num_replicas": 1,
            "idle_heartbeat": heartbeat_s * _NANOSECONDS,
            "inactive_threshold": 4 * heartbeat_s * _NANOSECONDS,
            "deliver_policy": "by_start_sequence" if after else "last_per_subject",
        }
        if after:
            config["opt_start_seq"] = after + 1
        return config

    def _revision(self, call: Call[Published]) -> Call[int]:
        return Call(
            call.subject,
            call.payload,
            lambda replies: call.answer(replies).sequence,
            call.headers,
            repeatable=call.repeatable,
        )
