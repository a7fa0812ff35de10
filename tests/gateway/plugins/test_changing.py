"""Plugins that are enabled and disabled while the broker runs, and what of that is there after a restart."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from trio.testing import wait_all_tasks_blocked

from tests.gateway.plugins.running import host_of, plugin_of, running
from tests.gateway.plugins.samples import Rival, Second
from warren.core.administration import operations
from warren.core.broker import Broker
from warren.core.errors import BrokerError, PreconditionFailed, StorageError
from warren.gateway.configuration.config import Config
from warren.gateway.configuration.enabled_plugins import NAME, read_changes
from warren.gateway.control.commands import run_command
from warren.gateway.control.target import Answer
from warren.gateway.server import Server, open_server


def names(server: Server) -> list[str]:
    return [plugin.name for plugin in host_of(server).plugins]


async def ask(server: Server, *arguments: str) -> Answer:
    return await run_command(server.control, {"command": "set_plugins", "arguments": list(arguments), "options": {}})


async def test_one_comes_and_goes() -> None:
    async with running() as server:
        assert server.plugins is None
        await server.set_plugins(["rival", "second"])
        await wait_all_tasks_blocked()
        assert names(server) == ["rival", "second"]
        assert plugin_of(server, "second").state == "running"
        operations.parameters.set_parameter(server.broker, "/", "sample", "p", 3)
        await server.set_plugins(["second"])
        assert names(server) == ["second"]
        with pytest.raises(PreconditionFailed, match="component sample not found"):
            operations.parameters.set_parameter(server.broker, "/", "sample", "p", 4)
        assert [each.name for each in server.broker.parameters.find(component="sample")] == ["p"], "which stays"
        await server.set_plugins([])
        assert Second.started == ["second ended"]
        assert server.broker.inspect("plugins", None) == []
        await server.set_plugins(["rival"])
        assert server.broker.parameters.knows("sample")


async def test_the_word_says_what_has_changed() -> None:
    async with running("second") as server:
        answer = await ask(server, "rival")
        assert answer["value"] == {"started": ["rival"], "stopped": ["second"], "listening": {}}
        assert answer["text"] == "enabled: rival\ndisabled: second"
        assert (await ask(server, "rival"))["text"] == "plugins are as they were"
        for name, text in (("gopher", "'gopher' is none"), ("gone", "can't be loaded"), ("misnamed", "calls itself")):
            refused = await ask(server, name)
            assert (refused["exit_code"], text in str(refused["error"])) == (70, True)
        assert names(server) == ["rival"]


async def test_types_come_and_go_while_nothing_is_of_them() -> None:
    async with running("second") as server:
        await server.set_plugins(["sample"])
        operations.queues.declare(server.broker, "/", "q", arguments={"x-queue-type": "sample"})
        operations.exchanges.declare(server.broker, "/", "x", "x-sample")
        for text in (
            "queue 'q' in vhost '/' is of the type 'sample'",
            "exchange 'x' in vhost '/' is of the type",
        ):
            with pytest.raises(StorageError, match=text):
                await server.set_plugins(["second"])
            assert names(server) == ["sample"], "nothing is done"
            if "q" in server.broker.vhosts["/"].queues:
                operations.queues.delete(server.broker, "/", "q")
        operations.exchanges.delete(server.broker, "/", "x")
        await server.set_plugins(["second"])
        assert names(server) == ["second"]
        with pytest.raises(BrokerError, match="x-sample"):
            operations.exchanges.declare(server.broker, "/", "x", "x-sample")


async def test_what_waits_for_a_type_is_back_with_a_start(tmp_path: Path) -> None:
    config = Config(data_directory=tmp_path, listen=(), plugins=("sample",))
    async with open_server(config) as server:
        operations.queues.declare(server.broker, "/", "q", durable=True, arguments={"x-queue-type": "sample"})
    async with open_server(config.replace(plugins=())) as server:
        with pytest.raises(StorageError, match="queue 'q' in vhost '/' waits for the plugin 'sample' and a start"):
            await server.set_plugins(["sample"])
        assert server.plugins is None


async def test_who_knows_users_comes_with_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Second, "back_ends", {"second": None})
    async with running() as server:
        with pytest.raises(StorageError, match=r"brings authentication back-ends \(second\)"):
            await server.set_plugins(["second"])
    async with running("second") as server:
        with pytest.raises(StorageError, match="with --offline it counts from the next start on"):
            await server.set_plugins([])


async def test_two_that_want_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one isn't enabled; the first one stays."""

    class Another(Rival):
        name = "second"

    monkeypatch.setattr("tests.gateway.plugins.samples.Second", Another)
    async with running("rival") as server:
        with pytest.raises(StorageError, match="component 'sample' is registered already"):
            await server.set_plugins(["rival", "second"])
        assert names(server) == ["rival"]
        assert server.broker.parameters.knows("sample")
        await server.set_plugins(["rival"])


async def test_what_it_prepared_is_undone(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []
    fails = False

    def leave(broker: Broker) -> None:
        done.append("left")
        if fails:
            raise ZeroDivisionError("leaving")

    monkeypatch.setattr(Second, "prepare", lambda broker, options: done.append("prepared"))
    monkeypatch.setattr(Second, "leave", leave)
    async with running() as server:
        for _ in range(2):
            await server.set_plugins(["second"])
            await server.set_plugins([])
            fails = True
        assert done == ["prepared", "left"] * 2
        assert [record.levelno for record in caplog.records if record.name == "warren.plugin.second"] == [logging.ERROR]
        caplog.clear()


async def test_it_is_kept_for_the_next_start(tmp_path: Path) -> None:
    config = Config(data_directory=tmp_path, listen=(), plugins=("second",))
    async with open_server(config) as server:
        await server.set_plugins(["rival"])
        assert json.loads((tmp_path / NAME).read_text()) == ["rival", "-second"]
        await server.stop_app()
        with pytest.raises(StorageError, match="the broker is stopped"):
            await server.set_plugins([])
        await server.start_app()
        assert names(server) == ["rival"]
    async with open_server(config) as server:
        assert names(server) == ["rival"]
        assert server.config.plugins == ("rival",)
        await server.set_plugins(["second"])
        assert not (tmp_path / NAME).exists(), "as configured"
    async with open_server(config) as server:
        assert names(server) == ["second"]


async def test_a_configuration_that_is_read_again_is_changed_in_the_same_way(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    config = Config(data_directory=tmp_path, listen=(), plugins=("second",))
    async with open_server(config, lambda: config) as server:
        await server.set_plugins(["rival", "second"])
        await server.reload()
        assert "the configuration is the same" in caplog.text
        assert names(server) == ["second", "rival"]


async def test_a_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text('["second"')
    config = Config(data_directory=tmp_path, listen=())
    with pytest.raises(StorageError, match=r"can't be read: .*; without the file plugins are as configured"):
        async with open_server(config):
            pass
    (tmp_path / NAME).write_text('["second", "no_longer_installed", "-gone_too"]')
    assert read_changes(tmp_path / NAME) == ["second"]
    async with open_server(config) as server:
        assert names(server) == ["second"]


async def test_one_that_does_not_end_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from tests.gateway.plugins import samples

    async def never_ends(*_: object) -> None:
        import trio

        with trio.CancelScope(shield=True):
            await over.wait()

    import trio

    over = trio.Event()
    monkeypatch.setattr(samples, "for_ever", never_ends)
    monkeypatch.setattr("warren.gateway.plugins.supervised.STOP_S", 0.01)
    async with running("second") as server:
        with pytest.raises(StorageError, match="'second' doesn't end; a restart of the broker ends it"):
            await server.set_plugins([])
        assert plugin_of(server, "second").state == "stuck"
        over.set()
        await wait_all_tasks_blocked()
