"""Plugins that fail, in every way that there is: they are restarted, and the broker goes on."""

from __future__ import annotations

import logging
from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.gateway.plugins.running import ask, becomes, host_of, plugin_of, running
from tests.gateway.plugins.samples import Run, Sample, Second
from warren.core.broker import Broker
from warren.gateway.plugin import BrokerClient, Context, Options, Plugin
from warren.gateway.plugins.pauses import FIRST_S, LONGEST_S, RECOVERED_AFTER_S, Pauses
from warren.gateway.plugins.supervised import STOP_S


async def fails(plugin: Plugin, context: Context) -> None:
    raise ZeroDivisionError("at once")


async def task_fails(plugin: Plugin, context: Context) -> None:
    async def fail() -> None:
        await trio.lowlevel.checkpoint()
        raise ZeroDivisionError("in a task")

    context.nursery.start_soon(fail)
    await trio.sleep_forever()


async def fails_after_its_start(plugin: Plugin, context: Context) -> None:
    async def fail() -> None:
        await trio.sleep(1)
        raise ZeroDivisionError("later")

    context.nursery.start_soon(fail)


async def fails_as_a_group(plugin: Plugin, context: Context) -> None:
    raise BaseExceptionGroup("several", [KeyboardInterrupt(), ValueError("two")])


async def exits(plugin: Plugin, context: Context) -> None:
    raise SystemExit(3)


WAYS: dict[str, tuple[Run, str]] = {
    "at once": (fails, "ZeroDivisionError: at once"),
    "in a task": (task_fails, "ZeroDivisionError: in a task"),
    "later": (fails_after_its_start, "ZeroDivisionError: later"),
    "as a group": (fails_as_a_group, "KeyboardInterrupt; ValueError: two"),
    "by exiting": (exits, "SystemExit: 3"),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_plugin_that_fails_is_started_again(
    way: str, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    run, error = WAYS[way]
    Sample.reset(run)
    async with running("sample", "second") as server:
        plugin = plugin_of(server)
        await becomes(lambda: plugin.state == "failed")
        assert error in plugin.last_error
        (row, other) = server.broker.inspect("plugins", None)
        assert (row["name"], row["state"], row["restarts"]) == ("sample", "failed", 0)
        assert other["state"] == "running"
        await becomes(lambda: plugin.state == "running")
        assert plugin.restarts == 1
        assert len(Sample.instances) == 2
        async with server.clients.connect(None, "/", "") as client:
            await client.declare_queue("q")
    records = [record for record in caplog.records if record.name == "warren.plugin.sample" and record.exc_info]
    assert records, "its traceback is in the log"
    assert any("it is started again in" in record.getMessage() for record in caplog.records)


async def test_an_instance_that_cannot_be_made(autojump_clock: MockClock) -> None:
    Sample.unmade = [ZeroDivisionError("in the constructor")]
    async with running("sample") as server:
        plugin = plugin_of(server)
        await becomes(lambda: plugin.restarts == 1)
        assert "in the constructor" in plugin.last_error
        await becomes(lambda: plugin.state == "running")


async def test_pauses_grow(autojump_clock: MockClock) -> None:
    Sample.reset(*[fails] * 8)
    async with running("sample") as server:
        plugin = plugin_of(server)
        starts = []
        for number in range(1, 8):
            await becomes(lambda: len(Sample.instances) == number + 1)  # noqa: B023  # awaited at once
            starts.append(trio.current_time())
        between = [after - before for before, after in pairwise(starts)]
        assert all(0.9 * FIRST_S <= pause <= LONGEST_S + 1 for pause in between), between
        assert between[-1] > between[0] * 4
        await becomes(lambda: plugin.state == "running")


def test_the_bounds_of_pauses() -> None:
    longest = Pauses(lambda: 0.999_999)
    pauses = [longest.next_s(0) for _ in range(40)]
    assert pauses[0] == pytest.approx(FIRST_S, rel=0.01)
    assert pauses == sorted(pauses)
    assert pauses[-1] == pytest.approx(LONGEST_S, rel=0.01)
    assert longest.next_s(RECOVERED_AFTER_S) == pytest.approx(FIRST_S, rel=0.01)
    assert longest.next_s(1.0) == pytest.approx(2 * FIRST_S, rel=0.01)
    assert Pauses(lambda: 0.0).next_s(0) == FIRST_S / 2


async def test_one_that_returns_has_ended_and_its_words_go_on(autojump_clock: MockClock) -> None:
    async def ends(plugin: Plugin, context: Context) -> None:
        await trio.sleep(5)

    Sample.reset(ends)
    async with running("sample") as server:
        plugin = plugin_of(server)
        await becomes(lambda: plugin.state == "ended")
        await trio.sleep(1000)
        assert (plugin.state, plugin.restarts, len(Sample.instances)) == ("ended", 0, 1)
        assert (await ask(server, "sample_count"))["text"] == "1"
        assert server.broker.inspect("samples", None) == [{"number": 7}]
    assert plugin.state == "stopped"


# Before anybody is connected


@pytest.mark.parametrize("fails_first", [False, True])
async def test_a_class_prepares_the_broker_before_anybody_is_connected(
    fails_first: bool, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    prepared: list[tuple[int, bool]] = []

    def prepare(broker: Broker, options: Options) -> None:
        prepared.append((len(Sample.instances), "/" in broker.vhosts))
        if fails_first:
            raise ZeroDivisionError("a bug")

    Sample.reset()
    monkeypatch.setattr(Sample, "prepare", prepare)
    async with running("sample") as server:
        await becomes(lambda: plugin_of(server).state == "running")
        assert prepared == [(0, True)]
    assert ("couldn't prepare the broker" in caplog.text) == fails_first


# Stopping


async def test_plugins_are_stopped_in_reverse_before_clients_and_stores(autojump_clock: MockClock) -> None:
    said: list[str] = []

    async def says_goodbye(plugin: Plugin, context: Context) -> None:
        async with context.connect() as client:
            await client.declare_queue("q")
            try:
                await trio.sleep_forever()
            finally:
                with trio.move_on_after(1, shield=True):
                    said.extend(Second.started)
                    await client.publish("", "q", b"goodbye", mandatory=True)
                    said.append("goodbye")

    Sample.reset(says_goodbye)
    async with running("sample", "second"):
        pass
    assert said == ["second ended", "goodbye"]


async def test_one_that_does_not_end_is_left_behind(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    release = trio.Event()
    lost: list[BrokerClient] = []

    async def hangs(plugin: Plugin, context: Context) -> None:
        async with context.connect() as client:
            lost.append(client)
            with trio.CancelScope(shield=True):
                await release.wait()

    Sample.reset(hangs)
    try:
        async with running("sample", "second") as server:
            plugin = plugin_of(server)
            stopped_at_s = trio.current_time()
            await server.stop_app()
            assert trio.current_time() - stopped_at_s == pytest.approx(STOP_S, abs=1)
            assert server.stuck_plugins == ["sample"]
            assert plugin.state == "stuck"
            assert Second.started == ["second ended"]
            assert lost[0].closed
            await server.start_app()
            await becomes(lambda: plugin_of(server).state == "running")
    finally:
        release.set()
        await wait_all_tasks_blocked()
    assert plugin.state == "stopped"
    assert "it was asked to stop 5 s ago and hasn't" in caplog.text


async def test_an_error_while_stopping_is_logged_and_no_more(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails_at_the_end(plugin: Plugin, context: Context) -> None:
        async def fail() -> None:
            try:
                await trio.sleep_forever()
            finally:
                raise ZeroDivisionError("cleaning up")

        context.nursery.start_soon(fail)
        await trio.sleep_forever()

    Sample.reset(fails_at_the_end)
    async with running("sample") as server:
        plugin = plugin_of(server)
    assert plugin.state == "stopped"
    assert "cleaning up" in plugin.last_error


async def test_stopping_while_it_waits_for_its_restart(autojump_clock: MockClock) -> None:
    Sample.reset(*[fails] * 100)
    async with running("sample") as server:
        plugin = plugin_of(server)
        await becomes(lambda: plugin.restarts == 5)
        stopped_at_s = trio.current_time()
    assert trio.current_time() - stopped_at_s < 0.5
    assert plugin.state == "stopped"


async def test_it_runs_again_with_the_broker(autojump_clock: MockClock) -> None:
    async with running("sample") as server:
        await server.stop_app()
        assert server.plugins is None
        assert (await ask(server, "sample_count"))["ok"] is False
        await server.start_app()
        await becomes(lambda: len(Sample.instances) == 2)
        assert host_of(server).stuck == []
        assert (await ask(server, "sample_count"))["text"] == "1"


@pytest.mark.interpreted("replaces a method, which the compiled form doesn't let")
async def test_a_disk_that_fails_stops_plugins_too(autojump_clock: MockClock) -> None:
    ended = []

    async def notes_its_end(plugin: Plugin, context: Context) -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append(True)

    Sample.reset(notes_its_end)
    with pytest.RaisesGroup(OSError, flatten_subgroups=True):
        async with running("sample") as server:
            run = server._run
            assert run is not None

            def fail() -> bool:
                raise OSError("the disk is gone")

            run.hub.broker.end_turn = fail  # type: ignore[method-assign]
            run.hub.request_turn()
            await trio.sleep_forever()
    assert ended


def test_the_log_is_the_plugins() -> None:
    assert logging.getLogger("warren.plugin.sample").parent is not None
