"""Messages with as many, as large or as deep headers as a frame may have come back from a stream as they were."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Final

import pytest

from tests.adapters.amqp091.streams.talk import Talk, properties_of
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp091.settings import Amqp091Settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.adapters.amqp091.streams.talk import Headers
    from warren.core.messages.field_table import Encodable

FRAME_BYTES: Final = 1 << 17
"""What clients are offered."""

BYTES: Final = 129_000
"""As much as fits into one frame beside the rest."""

EACH: Final = 129

START: Final[dict[str, Encodable]] = {}

DEEP: Final = reduce(lambda inner, _: {"d": inner}, range(30), START)

HEADERS: Final[dict[str, Headers]] = {
    "a string": {"h": "h" * BYTES},
    "many strings": {f"{number:08}": "h" * (EACH - 14) for number in range(BYTES // EACH)},
    "a table": {"t": {"inner": "h" * BYTES}},
    "strings and a table": {"h": "h" * (BYTES // 2), "t": {"inner": "i" * (BYTES // 2)}},
    "an annotation": {"x-h": "h" * BYTES},
    "annotations with a table": {"x-h": "h" * (BYTES // 2), "t": {"inner": "i" * (BYTES // 2)}},
    "many values": {"h": [True] * (BYTES // 2)},
    "many values of an annotation": {"x-h": [True] * (BYTES // 2)},
    "a deep one": {"h": DEEP},
    "a deep annotation": {"x-h": DEEP},
}

LARGER_FRAME_BYTES: Final = 1 << 20

LARGER: Final[dict[str, Headers]] = {
    "a string": {"h": "h" * 900_000},
    "an annotation": {"x-h": "h" * 900_000},
    "a table": {"t": {"inner": "h" * 900_000}},
    "many strings": {f"{number:08}": "h" * 50 for number in range(14_000)},
}


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
def test_they_come_back_as_they_were(talk: Talk, headers: Headers) -> None:
    check(talk, headers, FRAME_BYTES)


@pytest.mark.parametrize("headers", LARGER.values(), ids=LARGER)
def test_they_come_back_where_frames_may_be_larger(tmp_path: Path, headers: Headers) -> None:
    """Than a section of a message of AMQP 1.0 may be."""
    broker = SimulatedBroker(tmp_path, settings=Amqp091Settings(frame_max_bytes=LARGER_FRAME_BYTES))
    check(Talk(broker), headers, LARGER_FRAME_BYTES)
    broker.close()


def check(talk: Talk, headers: Headers, frame_max: int) -> None:
    talk.reconnect(frame_max)
    talk.declare()
    talk.publish(b"before")
    talk.publish(b"body", b"other", headers=headers, content_type="text/plain")
    talk.publish(b"behind")
    talk.reconnect(frame_max)
    talk.consume(x_stream_offset="first")
    talk.began()
    before, *events, behind = talk.deliveries()
    assert [event.body for event in (before, *events, behind)] == [b"before", b"body", b"other", b"behind"]
    for number, event in enumerate(events, 1):
        found = properties_of(event)
        assert found.content_type == "text/plain"
        assert found.headers == {**headers, "x-stream-offset": number}
