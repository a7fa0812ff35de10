"""Long work gives way to others between two slices."""

from __future__ import annotations

from collections.abc import Generator

import pytest
import trio

from warren.core.administration.steps import Steps
from warren.gateway.turns import in_turns


async def test_others_have_a_turn_after_each_slice() -> None:
    seen: list[str] = []

    def work() -> Generator[None, None, str]:
        for number in range(3):
            seen.append(f"slice {number}")
            yield
        return "done"

    async def hub() -> None:
        while True:
            await trio.lowlevel.checkpoint()
            seen.append("hub")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hub)
        await trio.lowlevel.checkpoint()
        assert await in_turns(Steps(work())) == "done"
        nursery.cancel_scope.cancel()
    # Trio shuffles who comes first in each round, so that two slices may meet, but not three.
    assert [each for each in seen if each != "hub"] == ["slice 0", "slice 1", "slice 2"]
    assert "hub" in seen[seen.index("slice 0") : seen.index("slice 2")]


async def test_errors_come_through() -> None:
    def work() -> Generator[None, None, str]:
        yield
        raise LookupError("broken")

    with pytest.raises(LookupError, match="broken"):
        await in_turns(Steps(work()))
