"""Long answers are made in slices, with a turn for everybody else in between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

import msgspec
import pytest
import trio

from tests.plugins.management.api import open_api
from warren.core.administration import operations
from warren.plugins.management.answer_room import AnswerRoom
from warren.plugins.management.answers import PIECE_BYTES, SLICE_ITEMS, answer_of
from warren.plugins.management.endpoint import Listed
from warren.plugins.management.sampler import OBJECTS_MAX

QUEUES = OBJECTS_MAX + 1


def roomy() -> AnswerRoom:
    """Room for everything."""
    return AnswerRoom(2**30, 1.0, lambda streams: None, lambda: None)


async def test_between_two_turns_only_so_many_objects_are_made() -> None:
    made: list[int] = []
    turns: list[int] = []

    def items() -> Iterator[Mapping[str, object]]:
        for number in range(1000):
            made.append(number)
            yield {"number": number}

    async def others() -> None:
        while True:
            turns.append(len(made))
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(others)
        with roomy().place(None) as place:
            response = await answer_of(Listed(items()), "/", None, place)
        nursery.cancel_scope.cancel()
    steps = [after - before for before, after in pairwise(turns)]
    assert len(made) == 1000
    assert 0 < max(steps) <= 2 * SLICE_ITEMS, "the last of one round, and the first of the next"
    assert msgspec.json.decode(bytes(response.body)) == [{"number": number} for number in range(1000)]


@pytest.mark.parametrize("count", [0, 1, SLICE_ITEMS, 5000])
async def test_a_list_is_whole_however_long(count: int) -> None:
    page = {"page": 1, "total_count": count}
    for listed in (Listed([{"n": n} for n in range(count)]), Listed([{"n": n} for n in range(count)], page)):
        with roomy().place(None) as place:
            response = await answer_of(listed, "/", None, place)
        sent: list[bytes] = []

        async def send(message: Mapping[str, object], sent: list[bytes] = sent) -> None:
            sent.append(bytes(message.get("body", b"")))  # type: ignore[call-overload]

        await response({"type": "http"}, None, send)  # type: ignore[arg-type]
        found = msgspec.json.decode(b"".join(sent))
        assert (found["items"] if listed.page else found) == [{"n": n} for n in range(count)]
        assert len(b"".join(sent)) == int(response.headers["content-length"])
        assert max(map(len, sent)) < 2 * PIECE_BYTES


async def test_very_many_queues_are_listed_without_rates_and_pages_of_them_with() -> None:
    """More than are sampled."""
    async with open_api() as api:
        for number in range(QUEUES):
            operations.queues.declare(api.broker, "/", f"q{number}")
        everything = await api.get("/queues")
        assert len(everything) == QUEUES
        assert "publish_details" not in everything[0]["message_stats"]
        page = await api.get("/queues?page=2&page_size=500")
        assert page["items"][0]["message_stats"]["publish_details"] == {"rate": 0.0}
        assert [each["name"] for each in page["items"]] == [f"q{number}" for number in range(500, 1000)]
