"""The ladder's whole half an hour, in milliseconds: `autojump_clock` jumps whenever everybody waits.

Run it with `python -m pytest examples/retry_ladder`.
"""

import ladder
import pytest
import trio
from trio.testing import MockClock

from warren.gateway import EmbeddedBroker


@pytest.mark.trio
async def test_a_job_is_tried_four_times(autojump_clock: MockClock, warren_embedded: EmbeddedBroker) -> None:
    tried_at: list[int] = []

    async def fail(job: bytes) -> None:
        tried_at.append(round(trio.current_time() - begun))
        raise ValueError(job)

    async with warren_embedded.connect() as client, trio.open_nursery() as nursery:
        await ladder.declare(client)
        nursery.start_soon(ladder.work, client, fail)
        begun = trio.current_time()
        await client.publish("", "jobs", b"three chairs")
        await trio.sleep(3600)
        assert tried_at == [0, 60, 360, 2160]
        assert (await client.check_queue("given-up")).messages == 1
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_one_that_succeeds_at_last_is_done(autojump_clock: MockClock, warren_embedded: EmbeddedBroker) -> None:
    attempts = 0

    async def succeed_at_last(job: bytes) -> None:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise ValueError(job)

    async with warren_embedded.connect() as client, trio.open_nursery() as nursery:
        await ladder.declare(client)
        nursery.start_soon(ladder.work, client, succeed_at_last)
        await client.publish("", "jobs", b"three chairs")
        await trio.sleep(3600)
        assert attempts == 3
        assert all(row["messages"] == 0 for row in warren_embedded.inspect("queues"))
        nursery.cancel_scope.cancel()
