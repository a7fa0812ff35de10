"""Many who ask for long answers and read them slowly, or not at all: of the management API and of metrics.

What is held for them is bounded, others are served, a turn of the broker has one slice of all that work, and who reads
too slowly is cut off once somebody else needs the room.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.plugins.management.api import Api, open_api
from warren.core.administration import operations
from warren.gateway import EmbeddedBroker, open_broker
from warren.gateway.configuration.config import Config
from warren.gateway.plugins.serving import PATIENCE_S
from warren.gateway.plugins.streams import PACE_BYTES
from warren.plugins.management.answer_room import LIMIT

T = TypeVar("T")

LOGIN = base64.b64encode(b"guest:guest").decode()
HEADERS = f"Host: localhost\r\nAuthorization: Basic {LOGIN}\r\n\r\n"
QUEUES = ("GET /api/queues HTTP/1.1\r\n" + HEADERS).encode()
PER_OBJECT = ("GET /metrics/per-object HTTP/1.1\r\n" + HEADERS).encode()

ANSWER_BYTES = 18_000_000
"""Of the list of all queues: more than the buffers of two sockets hold."""

TIMES_THE_PACE = 8
"""Of a reader, as the buffers of two sockets take some megabytes before the broker hears of it."""


def declare_queues(api: Api) -> None:
    for number in range(2000):
        operations.queues.declare(api.broker, "/", f"q{number}", arguments={"x-note": "y" * 9000})


async def asked(stack: AsyncExitStack, port: int, request: bytes) -> trio.SocketStream:
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    stack.push_async_callback(trio.aclose_forcefully, stream)
    await stream.send_all(request)
    return stream


async def status(stream: trio.SocketStream) -> int:
    head = b""
    while b"\r\n\r\n" not in head:
        more = await stream.receive_some(4096)
        assert more
        head += more
    return int(head.split()[1])


async def until_made_room(clock: MockClock, ask: Callable[[], Awaitable[T]], status_of: Callable[[T], int]) -> T:
    """Ask later and later, until a slow one is cut off for it; the answer.

    Kernels go on handing over to each other for a while, which counts as reading, so it may take some more time.
    """
    while True:
        clock.jump(PATIENCE_S + 1)
        await wait_all_tasks_blocked()  # connections that were idle for so long are closed first
        answered = await ask()
        if status_of(answered) != 503:
            return answered


async def until_blocked(embedded: EmbeddedBroker, count: int) -> None:
    """Wait until so many connections have something that their peers don't read."""
    run = embedded._server._run
    assert run is not None
    while sum(bool(link.unsent_bytes) for link in run.hub.links) < count:
        await trio.sleep(0)


async def test_what_is_held_for_slow_readers_is_bounded(mock_clock: MockClock) -> None:
    """Six, where there is room for two: the others are told so, and short answers come all the while."""
    bound = 2 * ANSWER_BYTES + ANSWER_BYTES // 2
    async with open_api(management_answers_bytes_max=bound, unread_timeout_s=0) as api, AsyncExitStack() as stack:
        declare_queues(api)
        found = [
            await status(await asked(stack, api.port, QUEUES)) for _ in range(6)
        ]  # one after the other has its answer
        assert found.count(200) == 2
        assert found.count(503) == 4
        await until_blocked(api.embedded, 2)
        assert (await api.ask("GET", "/whoami")).status_code == 200
        assert len((await api.get("/queues?page=1&page_size=10"))["items"]) == 10
        refused = await api.ask("GET", "/queues")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
        assert LIMIT in refused.json()["reason"]
        assert api.broker.limit_hits.of(LIMIT) >= 5
        answered = await until_made_room(mock_clock, lambda: api.ask("GET", "/queues"), lambda found: found.status_code)
        assert len(answered.json()) == 2000, "for which a slow one was cut off"


async def test_a_reader_who_keeps_pace_is_not_cut_off(mock_clock: MockClock) -> None:
    async with open_api(management_answers_bytes_max=ANSWER_BYTES) as api, AsyncExitStack() as stack:
        declare_queues(api)
        reader = await asked(stack, api.port, QUEUES)
        received, refused = 0, 0
        begun_s = trio.current_time()
        while received < ANSWER_BYTES:
            piece = await reader.receive_some(1024 * 1024)
            received += len(piece)
            mock_clock.jump(len(piece) / (TIMES_THE_PACE * PACE_BYTES))
            if received < ANSWER_BYTES // 2 and refused < 3:
                refused += (await api.ask("GET", "/queues")).status_code == 503
            for _ in range(20):
                await trio.sleep(0)
        assert refused == 3
        assert trio.current_time() - begun_s > PATIENCE_S, "who reads nothing would have been cut off"


async def test_a_turn_has_one_slice_however_many_ask(monkeypatch: pytest.MonkeyPatch, mock_clock: MockClock) -> None:
    """No time passes, as some wait for others.

    Slices are counted between two looks at the sockets, which Trio takes between two rounds of its tasks.
    """
    from warren.plugins.management import answers

    slices: list[int] = []
    made = 0
    encode = answers.encode

    def counting(value: object) -> bytes:
        nonlocal made
        made += 1
        return encode(value)

    async def others() -> None:
        nonlocal made
        while True:
            slices.append(made)
            made = 0
            await trio.lowlevel.checkpoint()

    async with open_api() as api, AsyncExitStack() as stack, trio.open_nursery() as nursery:
        for number in range(2000):
            operations.queues.declare(api.broker, "/", f"q{number}")
        monkeypatch.setattr(answers, "encode", counting)
        nursery.start_soon(others)
        streams = [await asked(stack, api.port, QUEUES) for _ in range(10)]
        for each in streams:
            assert await status(each) == 200
        nursery.cancel_scope.cancel()
    assert max(slices) <= 2 * answers.SLICE_ITEMS + len(streams), "the last of one round, the first of the next"


@asynccontextmanager
async def open_metrics(**options: object) -> AsyncIterator[tuple[EmbeddedBroker, int]]:
    config = Config(in_memory=True, plugins=("metrics",)).replace(**options)
    async with open_broker(listen=["metrics=127.0.0.1:0"], config=config) as embedded:
        yield embedded, embedded.address("metrics")[1]


async def test_slow_readers_of_metrics_make_room_for_others(mock_clock: MockClock) -> None:
    """All connections that there may be have a page under way that nobody reads; nothing of it is kept but a piece."""
    async with (
        open_metrics(metrics_connections_max=3, unread_timeout_s=0) as (embedded, port),
        AsyncExitStack() as stack,
    ):
        broker = embedded._server.broker
        for number in range(3000):
            operations.queues.declare(broker, "/", f"{number}" + "q" * 240)
        for _ in range(3):
            assert await status(await asked(stack, port, PER_OBJECT)) == 200
        await until_blocked(embedded, 3)
        run = embedded._server._run
        assert run is not None
        assert max(link.unsent_bytes for link in run.hub.links) <= 256 * 1024
        assert await status(await asked(stack, port, PER_OBJECT)) == 503
        asked_again = 0

        async def ask_again() -> int:
            nonlocal asked_again
            asked_again += 1
            return await status(await asked(stack, port, PER_OBJECT))

        assert await until_made_room(mock_clock, ask_again, int) == 200
        assert broker.limit_hits.of("metrics_connections_max") == 1 + asked_again
