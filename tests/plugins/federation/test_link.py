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
from warren.plugins.bridging import kept_file
from warren.plugins.federation.kept import Kept, LinkKey, TargetKey
from warren.plugins.federation.link import CLEAN_UP_S, Link
from warren.plugins.federation.upstream import read_upstream

LOG = logging.getLogger("warren.test")
CONTEXT = cast("Context", SimpleNamespace(log=LOG, facts=SimpleNamespace(cluster_name="down", version="1")))
KEY = LinkKey(TargetKey("/", "exchange", "x"), "u", "x")


class FakeWork:
    """Runs for ever; cleaning up fails until `reachable`.

    makes: whether it makes something at the upstream.  cleaned: when cleaning up was tried.
    """

    makes_own: ClassVar[bool] = True
    there = "x"
    tag = "t"

    def __init__(self, made: Link) -> None:
        self.makes = True
        self._made = made
        self.reachable = True
        self.runs = 0
        self.cleaned: list[float] = []

    async def run(self, peers: trio.Nursery, running: Callable[[], None]) -> None:
        self.runs += 1
        if self.makes:
            await self._made.ground.making()
        running()
        await trio.sleep_forever()

    async def follow(self) -> None:
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


def link(kept: Kept, key: LinkKey = KEY, **keys: object) -> tuple[Link, FakeWork]:
    upstream = read_upstream(key.upstream, {"uri": "amqp://far.example", **keys})  # type: ignore[dict-item]
    made = Link(CONTEXT, kept, key, FanoutExchange("x"), upstream)
    work = FakeWork(made)
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
    tried, work = link(kept, KEY, **{"resource-cleanup-mode": mode})
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
        other = KEY._replace(upstream="other")
        heir, of_heir = link(kept, other)
        tried.leave_to(heir)
        await tried.wait_over()
        assert trio.current_time() - work.cleaned[0] <= 21
        assert list(kept) == [other], "the successor is to clean up, also after a restart"
        heir.retire(clean=True)
        await heir.run()
    assert "is still there" not in caplog.text
    assert (len(of_heir.cleaned), list(kept)) == (1, [])


async def test_one_that_was_retired_before_it_began(autojump_clock: MockClock, tmp_path: Path) -> None:
    """It cleans up what a former run has made, and nothing that may be somebody else's."""
    kept = Kept(tmp_path, LOG)
    await kept.add(KEY, None)
    for cleaned in (1, 0):
        tried, work = link(kept)
        tried.retire(clean=True)
        await tried.run()
        assert work.runs == 0
        assert len(work.cleaned) == cleaned
        assert list(kept) == []


async def test_one_that_has_made_nothing_deletes_nothing(autojump_clock: MockClock, kept: Kept) -> None:
    """What has its names at the upstream is another broker's."""
    tried, work = link(kept)
    work.makes = False
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tried.run)
        await wait_all_tasks_blocked()
        assert list(kept) == []
        tried.retire(clean=True)
    assert work.cleaned == []


async def test_one_that_cleans_up_elsewhere_leaves_what_its_namesake_has_made(
    autojump_clock: MockClock, kept: Kept
) -> None:
    """An upstream that moves: both links have one key."""
    (before, _), (after, _) = link(kept), link(kept, uri="amqp://other.example")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(before.run)
        await wait_all_tasks_blocked()
        before.retire(clean=True)
        nursery.start_soon(after.run)
        await before.wait_over()
        await wait_all_tasks_blocked()
        assert list(kept) == [KEY]
        after.retire(clean=True)
    assert list(kept) == []


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
    assert tried.is_at(read_upstream("u", {"uri": ["amqp://other.example", "amqp://far.example"]}))
    assert not tried.shares(link(Kept(None, LOG), KEY._replace(there="y"))[0])
    assert tried.shares(link(Kept(None, LOG), KEY._replace(upstream="other"))[0])


async def test_what_is_kept_is_there_again(tmp_path: Path) -> None:
    first = Kept(tmp_path, LOG)
    await first.load()
    assert list(first) == []
    other = LinkKey(TargetKey("v", "exchange", "ä"), "u", "y")
    await first.add(KEY, None)
    await first.add(other, None)
    await first.add(KEY, None)
    again = Kept(tmp_path, LOG)
    await again.load()
    assert list(again) == [KEY, other]
    assert again.claim(other, LOG)
    assert not again.claim(other, again), "it has its owner"
    await again.discard(other, again)
    await again.discard(KEY, None)
    await again.discard(KEY, None)
    last = Kept(tmp_path, LOG)
    await last.load()
    assert list(last) == [other]
    assert KEY.id != other.id
    assert len(KEY.id) == 16


async def test_what_many_links_change_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[int] = []
    real = kept_file._replace

    def replace(path: Path, keys: Sequence[object]) -> None:
        writes.append(len(keys))
        real(path, keys)

    monkeypatch.setattr(kept_file, "_replace", replace)
    tried = Kept(tmp_path, LOG)
    async with trio.open_nursery() as nursery:
        for number in range(500):
            nursery.start_soon(tried.add, KEY._replace(there=str(number)), None)
    assert len(writes) <= 2
    again = Kept(tmp_path, LOG)
    await again.load()
    assert list(again) == list(tried)
    assert len(list(again)) == 500


async def test_a_file_that_cant_be_written_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "plugins").write_text("no folder")
    tried = Kept(tmp_path, LOG)
    await tried.add(KEY, None)
    assert list(tried) == [KEY]
    assert "can't be written" in caplog.text
