"""One link's end, in virtual time: what it cleans up, how long it tries, and who takes over from it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar, cast

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from warren.adapters.peers.errors import PeerError
from warren.core.exchanges.binding import Binding
from warren.core.exchanges.fanout import FanoutExchange
from warren.gateway.plugin import Context
from warren.plugins.federation.kept import Kept, LinkKey, TargetKey
from warren.plugins.federation.link import CLEAN_UP_S, Link
from warren.plugins.federation.upstream import read_upstream

LOG = logging.getLogger("warren.test")
CONTEXT = cast("Context", SimpleNamespace(log=LOG, facts=SimpleNamespace(cluster_name="down", version="1")))
KEY = LinkKey(TargetKey("/", "exchange", "x"), "u", "x")


class FakeWork:
    """Runs for ever; cleaning up fails until `reachable`.  cleaned: when it was tried."""

    makes_own: ClassVar[bool] = True
    there = "x"
    tag = "t"

    def __init__(self) -> None:
        self.reachable = True
        self.runs = 0
        self.cleaned: list[float] = []

    async def run(self, peers: trio.Nursery, running: Callable[[], None]) -> None:
        self.runs += 1
        running()
        await trio.sleep_forever()

    async def clean_up(self, peers: trio.Nursery) -> None:
        await trio.lowlevel.checkpoint()
        self.cleaned.append(trio.current_time())
        if not self.reachable:
            raise PeerError("nobody is there")

    def bound(self, binding: Binding) -> None:
        raise AssertionError("nothing is bound here")

    def unbound(self, bindings: Sequence[Binding]) -> None:
        raise AssertionError("nothing is unbound here")


def link(kept: Kept, **keys: object) -> tuple[Link, FakeWork]:
    upstream = read_upstream("u", {"uri": "amqp://far.example", **keys})  # type: ignore[dict-item]
    made = Link(CONTEXT, kept, KEY, FanoutExchange("x"), upstream)
    work = FakeWork()
    made.work = work
    return made, work


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(None, LOG)


async def test_it_is_cleaned_up_behind(autojump_clock: MockClock, kept: Kept) -> None:
    tried, work = link(kept)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tried.run)
        await wait_all_tasks_blocked()
        assert (tried.status, tried.error, list(kept)) == ("running", "", [KEY])
        tried.retire(clean=True)
        assert tried.status == "shutdown"
    assert len(work.cleaned) == 1
    assert list(kept) == []


@pytest.mark.parametrize(("clean", "mode"), [(True, "never"), (False, "default")])
async def test_or_not(autojump_clock: MockClock, kept: Kept, clean: bool, mode: str) -> None:
    tried, work = link(kept, **{"resource-cleanup-mode": mode})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tried.run)
        await wait_all_tasks_blocked()
        tried.retire(clean=clean)
    assert work.cleaned == []
    assert list(kept) == ([] if mode == "never" else [KEY]), "what stays for a successor is remembered"


async def test_it_isnt_tried_for_ever_and_remembered(
    autojump_clock: MockClock, kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    tried, work = link(kept)
    work.reachable = False
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tried.run)
        await wait_all_tasks_blocked()
        tried.retire(clean=True)
        await trio.sleep(CLEAN_UP_S / 2)
        assert (tried.status, tried.error) == ("shutdown", "nobody is there")
    assert CLEAN_UP_S - 90 < work.cleaned[-1] - work.cleaned[0] <= CLEAN_UP_S
    assert len(work.cleaned) < 40
    assert "is still there: nobody is there" in caplog.text
    assert list(kept) == [KEY]


async def test_a_successor_has_it_stop(autojump_clock: MockClock, kept: Kept, caplog: pytest.LogCaptureFixture) -> None:
    tried, work = link(kept)
    work.reachable = False
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tried.run)
        await wait_all_tasks_blocked()
        tried.retire(clean=True)
        await trio.sleep(20)
        tried.leave_to_successor()
        await tried.wait_over()
        assert trio.current_time() - work.cleaned[0] <= 21
    assert "is still there" not in caplog.text


async def test_one_that_was_retired_before_it_began(autojump_clock: MockClock, kept: Kept) -> None:
    tried, work = link(kept)
    tried.retire(clean=True)
    await tried.run()
    assert work.runs == 0
    assert len(work.cleaned) == 1


async def test_where_it_is() -> None:
    tried, _ = link(Kept(None, LOG))
    for uri, same in (
        ("amqp://far.example", True),
        ("amqp://user:password@far.example?heartbeat=3", True),
        ("amqp://far.example:5673", False),
        ("amqp://far.example/v", False),
        ("amqp://other.example", False),
    ):
        assert tried.is_at(read_upstream("u", {"uri": uri})) is same
    assert tried.is_at(read_upstream("u", {"uri": ["amqp://far.example"]}))


async def test_what_is_kept_is_there_again(tmp_path: Path) -> None:
    first = Kept(tmp_path, LOG)
    await first.load()
    assert list(first) == []
    other = LinkKey(TargetKey("v", "exchange", "ä"), "u", "y")
    await first.add(KEY)
    await first.add(other)
    await first.add(KEY)
    again = Kept(tmp_path, LOG)
    await again.load()
    assert list(again) == [KEY, other]
    await again.discard(KEY)
    await again.discard(KEY)
    last = Kept(tmp_path, LOG)
    await last.load()
    assert list(last) == [other]
    assert KEY.id != other.id
    assert len(KEY.id) == 16


async def test_a_file_that_cant_be_written_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "plugins").write_text("no folder")
    tried = Kept(tmp_path, LOG)
    await tried.add(KEY)
    assert list(tried) == [KEY]
    assert "can't be written" in caplog.text
