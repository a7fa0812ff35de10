"""What plugins offer: words, listings, counters, parameters, mounts, types; each is safe, and goes with its run."""

from __future__ import annotations

from collections.abc import MutableMapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.gateway.plugins.running import ask, becomes, host_of, plugin_of, running
from tests.gateway.plugins.samples import Sample, SampleExchange, SampleQueue, for_ever
from warren.core.administration.parameters import clear_parameter, set_parameter
from warren.core.errors import PreconditionFailed, StorageError
from warren.core.exchanges import registry as exchanges
from warren.core.policies import settings
from warren.core.queues import registry as queues
from warren.core.queues.answer import ignore
from warren.gateway.configuration.config import Config
from warren.gateway.plugin import App, BrokerClient, Context, Facts, ParameterChange, Plugin
from warren.gateway.server import open_server
from warren.gateway.version import WARREN_VERSION

Message = MutableMapping[str, Any]


async def fails_once_told(plugin: Plugin, context: Context) -> None:
    async for change in context.parameters("sample"):
        raise ZeroDivisionError(f"told {change.name}")


# Words, listings, counters


async def test_words(caplog: pytest.LogCaptureFixture) -> None:
    async with running("sample") as server:
        assert (await ask(server, "sample_count"))["text"] == "1"
        assert (await ask(server, "sample_count"))["text"] == "2"
        answer = await ask(server, "sample_crash")
        assert answer["ok"] is False
        assert "a bug in the plugin 'sample' (ZeroDivisionError('in a word'))" in str(answer["error"])
        assert plugin_of(server).state == "running"
        assert plugin_of(server).last_error == "its word 'sample_crash' failed: ZeroDivisionError: in a word"
        assert (await ask(server, "sample_count", "too many"))["exit_code"] == 64
    assert "ZeroDivisionError: in a word" in caplog.text


async def test_the_words_of_one_that_does_not_run_say_why(autojump_clock: MockClock) -> None:
    Sample.reset(fails_once_told)
    async with running("sample") as server:
        set_parameter(server.broker, "/", "sample", "go", 1)
        await becomes(lambda: plugin_of(server).state == "failed")
        answer = await ask(server, "sample_count")
        assert answer["exit_code"] == 69
        assert answer["error"] == "the plugin 'sample' doesn't run, it is failed: it failed: ZeroDivisionError: told go"
        assert "samples" not in server.broker.listings.names()
        await becomes(lambda: plugin_of(server).state == "running")
        assert (await ask(server, "sample_count"))["text"] == "1"
        assert server.broker.inspect("samples", None) == [{"number": 7}]


async def test_listings_and_counters(caplog: pytest.LogCaptureFixture) -> None:
    async with running("sample", "second") as server:
        await ask(server, "sample_count")
        assert host_of(server).counters() == {"sample": {"asked": 1}, "second": {}}
        (row, _) = server.broker.inspect("plugins", None)
        assert row == {
            "name": "sample",
            "state": "running",
            "about": "does as it is told",
            "restarts": 0,
            "last_error": "",
            "since": row["since"],
            "counters": {"asked": 1},
        }
        Sample.bad_counters = True
        assert host_of(server).counters()["sample"] == {}
        assert plugin_of(server).last_error == "its counters failed: ZeroDivisionError: in the counters"
        assert plugin_of(server).state == "running"


async def test_a_listing_whose_name_is_taken_is_the_plugins_failure(autojump_clock: MockClock) -> None:
    Sample.listing_name = "queues"
    async with running("sample") as server:
        assert plugin_of(server).state == "failed"
        assert "there is a listing 'queues' already" in plugin_of(server).last_error
        assert server.broker.inspect("queues", None) == []
        Sample.listing_name = "samples"
        await becomes(lambda: plugin_of(server).state == "running")


async def test_list_plugins() -> None:
    async with running("sample") as server:
        answer = await ask(server, "list_plugins")
        rows = answer["rows"]
        assert isinstance(rows, list)
        assert rows[0] == {"name": "sample", "state": "running", "restarts": 0, "last_error": ""}
        assert {"name": "second", "state": "disabled", "restarts": 0, "last_error": None} in rows
        assert (await ask(server, "list_plugins", "name", "colour"))["exit_code"] == 64
        answer = await ask(server, "list_plugins", "name,about")
        assert answer["columns"] == ["name", "about"]
        words = (await ask(server, "list_plugin_words"))["value"]
        assert isinstance(words, list)
        assert [each["name"] for each in words] == ["sample_count", "sample_crash"]
    async with open_server(Config(in_memory=True, listeners=())) as server:
        rows = (await ask(server, "list_plugins", "state"))["rows"]
        assert isinstance(rows, list)
        assert {"state": "disabled"} in rows
        assert (await ask(server, "list_plugin_words"))["value"] == []


# Runtime parameters


async def test_parameters_are_checked_and_told(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    told: list[ParameterChange] = []

    async def listens(plugin: Plugin, context: Context) -> None:
        with pytest.raises(KeyError):
            context.parameters("another")
        async for change in context.parameters("sample"):
            told.append(change)

    Sample.reset(listens)
    async with running("sample") as server:
        broker = server.broker
        with pytest.raises(PreconditionFailed, match="x has to be a number"):
            set_parameter(broker, "/", "sample", "x", "word")
        with pytest.raises(PreconditionFailed, match="the plugin 'sample' failed to check 'x' of component 'sample'"):
            set_parameter(broker, "/", "sample", "x", "crash")
        assert "KeyError: 'crash'" in caplog.text
        set_parameter(broker, "/", "sample", "x", 1)
        await wait_all_tasks_blocked()
        set_parameter(broker, "/", "sample", "x", 2)
        set_parameter(broker, "/", "sample", "y", 3)
        set_parameter(broker, "/", "sample", "x", 4)
        await wait_all_tasks_blocked()
        clear_parameter(broker, "/", "sample", "y")
        await wait_all_tasks_blocked()
    assert told == [
        ParameterChange("/", "x", 1),
        ParameterChange("/", "y", 3),
        ParameterChange("/", "x", 4),
        ParameterChange("/", "y", None, removed=True),
    ]


async def test_every_run_is_told_what_there_is(autojump_clock: MockClock, tmp_path: Path) -> None:
    told: list[ParameterChange] = []

    async def listens(plugin: Plugin, context: Context) -> None:
        async for change in context.parameters("sample"):
            told.append(change)

    Sample.reset(fails_once_told, listens)
    config = Config(data_directory=tmp_path, listeners=(), plugins=("sample",))
    async with open_server(config) as server:
        set_parameter(server.broker, "/", "sample", "x", 1)
        await becomes(lambda: bool(told))
    Sample.reset(listens)
    async with open_server(config) as server:
        await wait_all_tasks_blocked()
    assert told == [ParameterChange("/", "x", 1)] * 2


# HTTP


async def answered(app: App, path: str) -> tuple[int, bytes]:
    """Status and body of a request, as a server makes it."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    await app({"type": "http", "path": path, "root_path": ""}, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


async def shows_its_path(scope: Message, receive: object, send: Any) -> None:
    if scope["path"] == "/crash":
        raise ZeroDivisionError("in a request")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/late":
        raise ZeroDivisionError("half-way")
    await send({"type": "http.response.body", "body": f"{scope['root_path']} {scope['path']}".encode()})


async def test_mounts(caplog: pytest.LogCaptureFixture) -> None:
    contexts: list[Context] = []

    async def mounts(plugin: Plugin, context: Context) -> None:
        contexts.append(context)
        context.mount("/sample", shows_its_path)
        context.mount("/sample/deep/", shows_its_path)
        for path in ("sample", "/a?b", "/sample/"):
            with pytest.raises(ValueError, match=r"no path|mounted by the plugin 'sample' already"):
                context.mount(path, shows_its_path)
        await trio.sleep_forever()

    Sample.reset(mounts)
    async with running("sample") as server:
        found = host_of(server).mounts
        assert contexts[0].mounts is found
        assert [(mount.path, mount.plugin) for mount in found] == [("/sample", "sample"), ("/sample/deep", "sample")]
        assert found.find("/samples") is None
        assert found.find("/") is None
        for path, expected in {
            "/sample": b"/sample /",
            "/sample/a/b": b"/sample /a/b",
            "/sample/deep/c": b"/sample/deep /c",
        }.items():
            mount = found.find(path)
            assert mount is not None
            assert await answered(mount.app, path) == (200, expected)
        mount = found.find("/sample")
        assert mount is not None
        status, body = await answered(mount.app, "/sample/crash")
        assert (status, b"the plugin 'sample' failed" in body) == (500, True)
        with pytest.raises(ZeroDivisionError):
            await answered(mount.app, "/sample/late")
        assert "in a request" in caplog.text
        assert plugin_of(server).state == "running"


async def test_the_root_may_be_mounted() -> None:
    async def mounts(plugin: Plugin, context: Context) -> None:
        context.mount("/", shows_its_path)
        await trio.sleep_forever()

    Sample.reset(mounts)
    async with running("sample") as server:
        mount = host_of(server).mounts.find("/any/thing")
        assert mount is not None
        assert await answered(mount.app, "/any/thing") == (200, b" /any/thing")


async def test_what_a_run_holds_is_withdrawn_with_it(autojump_clock: MockClock) -> None:
    clients: list[BrokerClient] = []
    blocks: list[AbstractAsyncContextManager[BrokerClient]] = []

    async def forgets_everything(plugin: Plugin, context: Context) -> None:
        context.mount("/sample", shows_its_path)
        blocks.append(context.connect())
        clients.append(await blocks[0].__aenter__())
        await clients[0].declare_queue("mine", exclusive=True)
        raise ZeroDivisionError("with a client open")

    Sample.reset(forgets_everything, for_ever)
    async with running("sample") as server:
        await becomes(lambda: plugin_of(server).state == "failed")
        assert clients[0].closed
        assert len(host_of(server).mounts) == 0
        assert server.broker.inspect("connections", None) == []
        assert server.broker.inspect("queues", None) == []
        await blocks[0].__aexit__(None, None, None)


# The broker's side


async def test_what_a_plugin_knows_of_the_broker() -> None:
    seen: list[tuple[Facts, int, str, str]] = []

    async def looks(plugin: Plugin, context: Context) -> None:
        options = context.options
        seen.append((context.facts, options.integer("sample_size"), options.text("product"), context.log.name))
        assert context.counters()["sample"] == {"asked": 0}
        async with context.connect("guest") as client, context.connect(name="other") as other:
            await client.declare_queue("q")
            context.broker.vhost("/").queue("q").purge(ignore)
            context.changed()
            names = [row["user_provided_name"] for row in context.broker.inspect("connections", None)]
            assert names == ["sample", "other"]
            assert (client.user, other.user) == ("guest", "(broker)")

    Sample.reset(looks)
    async with running("sample", sample_size=5) as server:
        await becomes(lambda: plugin_of(server).state == "ended")
    ((facts, size, product, log_name),) = seen
    assert (facts.version, facts.data_directory, facts.listening) == (WARREN_VERSION, None, {})
    assert (size, product, log_name) == (5, "RabbitMQ", "warren.plugin.sample")


async def test_types_and_policy_keys_last_as_long_as_the_broker(tmp_path: Path) -> None:
    config = Config(data_directory=tmp_path, listeners=(), plugins=("sample",))
    for _ in range(2):
        async with open_server(config) as server, server.clients.connect(None, "/", "") as client:
            await client.declare_queue("kept", durable=True, arguments={"x-queue-type": "sample"})
            await client.declare_exchange("x", "x-sample", durable=True)
            assert isinstance(server.broker.vhost("/").queue("kept"), SampleQueue)
            assert isinstance(server.broker.vhost("/").exchange("x"), SampleExchange)
            assert settings.check_definition({"sample-policy": True}, operator=False)
            async with running("sample") as other:
                assert "sample" in queues.queue_types()
                assert plugin_of(other).state == "running"
            assert "sample" in queues.queue_types(), "the other broker's end doesn't matter"
        assert "sample" not in queues.queue_types()
        assert "x-sample" not in exchanges.type_names()
        with pytest.raises(PreconditionFailed):
            settings.check_definition({"sample-policy": True}, operator=False)


async def test_a_policy_key_that_fails_accepts_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with running("sample"):
        for value in ("crash", False):
            with pytest.raises(PreconditionFailed, match="is not a valid sample: 'sample-policy' must be true"):
                settings.check_definition({"sample-policy": value}, operator=False)
        assert settings.merge({"sample-policy": True}, {"sample-policy": False}) == {"sample-policy": False}
    assert "KeyError: 'crash'" in caplog.text
    assert "KeyError: 'merging'" in caplog.text


@pytest.mark.parametrize(
    ("plugins", "text"),
    [
        (("sample", "rival"), "the plugin 'rival': component 'sample' is registered already"),
        (("typist",), "the plugin 'typist': queue type 'classic' is ClassicQueue already"),
    ],
)
async def test_two_that_want_the_same(plugins: tuple[str, ...], text: str) -> None:
    with pytest.raises(StorageError) as raised:
        await _start(plugins)
    assert text in str(raised.value)
    assert "x-sample" not in exchanges.type_names()
    assert "sample" not in queues.queue_types()


async def _start(plugins: tuple[str, ...]) -> None:
    try:
        async with open_server(Config(in_memory=True, listeners=(), plugins=plugins)):
            pytest.fail("it has started")
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
