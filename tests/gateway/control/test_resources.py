"""Words that set how much memory and disk may be in use, and what happens then."""

from __future__ import annotations

from typing import cast

import pytest

from tests.gateway.control.control_target import Asker
from warren.core.configuration.values import Watermark
from warren.gateway import open_broker
from warren.gateway.configuration.config import Config
from warren.gateway.process.settings import total_memory_bytes


@pytest.fixture
async def warren() -> Asker:
    return Asker()


MEMORY = [
    (("0.3",), Watermark(relative=0.3)),
    (("0",), Watermark(relative=0.0)),
    (("1",), Watermark(relative=1.0)),
    (("absolute", "0"), Watermark(absolute_bytes=0)),
    (("absolute", "1073741824"), Watermark(absolute_bytes=2**30)),
    (("absolute", "2GiB"), Watermark(absolute_bytes=2**31)),
    (("absolute", "2M"), Watermark(absolute_bytes=2**21)),
    (("absolute", "2MB"), Watermark(absolute_bytes=2_000_000)),
]


@pytest.mark.parametrize(("arguments", "watermark"), MEMORY)
async def test_the_memory_threshold(warren: Asker, arguments: tuple[str, ...], watermark: Watermark) -> None:
    assert await warren.do("set_vm_memory_high_watermark", *arguments) == ""
    assert warren.server.limits.memory_high_watermark == watermark
    facts = cast("dict[str, object]", (await warren.ask("status"))["value"])
    assert facts["vm_memory_high_watermark_limit"] == watermark.bytes_of(total_memory_bytes())


DISK = [
    (("1000",), 1000),
    (("2GB",), 2 * 10**9),
    (("0",), 0),
    (("mem_relative", "1.5"), int(1.5 * total_memory_bytes())),
    (("mem_relative", "0"), 0),
]


@pytest.mark.parametrize(("arguments", "limit"), DISK)
async def test_the_disk_limit(warren: Asker, arguments: tuple[str, ...], limit: int) -> None:
    assert await warren.do("set_disk_free_limit", *arguments) == ""
    assert warren.server.limits.disk_free_limit_bytes == limit
    assert cast("dict[str, object]", (await warren.ask("status"))["value"])["disk_free_limit"] == limit


MEMORY_WORD = "set_vm_memory_high_watermark"

REFUSED = [
    (
        "set_vm_memory_high_watermark",
        ("1.01",),
        65,
        "'1.01' is no threshold: it must be a number from 0 to 1, or absolute",
    ),
    (MEMORY_WORD, ("-0.1",), 65, "'-0.1' is no threshold"),
    (MEMORY_WORD, ("much",), 65, "'much' is no threshold"),
    (
        "set_vm_memory_high_watermark",
        ("2GiB",),
        65,
        "'2GiB' is no threshold: it must be a number from 0 to 1, or absolute",
    ),
    (MEMORY_WORD, ("0.5", "0.6"), 64, "a fraction stands alone"),
    (MEMORY_WORD, ("absolute",), 64, "absolute needs a size: a size in bytes, such as 1048576"),
    (
        "set_vm_memory_high_watermark",
        ("absolute", "2 turtles"),
        65,
        "'2 turtles' is no threshold: it must be a size in",
    ),
    (MEMORY_WORD, ("absolute", "-1"), 65, "'-1' is no threshold"),
    ("set_disk_free_limit", ("much",), 65, "'much' is no limit: it must be a size in bytes"),
    ("set_disk_free_limit", ("-1",), 65, "'-1' is no limit"),
    ("set_disk_free_limit", ("1", "2"), 64, "a size stands alone"),
    ("set_disk_free_limit", ("mem_relative",), 64, "mem_relative needs a multiple"),
    ("set_disk_free_limit", ("mem_relative", "-1"), 65, "'-1' is no limit: it must be a number from 0 to"),
    ("set_disk_free_limit", ("mem_relative", "1GB"), 65, "'1GB' is no limit"),
]


@pytest.mark.parametrize(("word", "arguments", "code", "text"), REFUSED)
async def test_what_is_no_limit(warren: Asker, word: str, arguments: tuple[str, ...], code: int, text: str) -> None:
    before = (warren.server.limits.memory_high_watermark, warren.server.limits.disk_free_limit_bytes)
    found = await warren.refused(word, *arguments)
    assert (found[0], found[1][: len(text)]) == (code, text)
    assert (warren.server.limits.memory_high_watermark, warren.server.limits.disk_free_limit_bytes) == before


async def test_while_the_application_is_stopped_there_are_none(warren: Asker) -> None:
    await warren.do("stop_app")
    assert (await warren.refused("set_vm_memory_high_watermark", "0.5"))[0] == 69
    assert "disk_free_limit" not in cast("dict[str, object]", (await warren.ask("status"))["value"])


# In a running broker


async def test_an_alarm_is_raised_and_cleared_before_the_word_is_answered(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    directory = tmp_path_factory.mktemp("data") / "store"
    config = Config(data_directory=directory, disk_free_limit_bytes=0)
    async with open_broker(data_directory=directory, listen=["amqp=127.0.0.1:0"], config=config) as broker:
        server = broker._server
        alarms = server.broker.alarms
        await server.limits.set(memory=Watermark(relative=0.0))
        assert alarms.raised() == ["memory"]
        assert alarms.blocked == "low on memory"
        await server.limits.set(disk_free_bytes=2**62)
        assert alarms.raised() == ["disk", "memory"]
        await server.limits.set(memory=Watermark(relative=1.0))
        assert alarms.raised() == ["disk"]
        await server.limits.set(disk_free_bytes=0)
        assert alarms.raised() == []
        assert alarms.blocked is None


async def test_the_next_run_starts_with_what_is_configured() -> None:
    config = Config(in_memory=True, memory_high_watermark=Watermark(relative=0.9))
    async with open_broker(listen=["amqp=127.0.0.1:0"], config=config) as broker:
        server = broker._server
        await server.limits.set(memory=Watermark(relative=0.0))
        await server.stop_app()
        await server.start_app()
        assert server.limits.memory_high_watermark == Watermark(relative=0.9)
        assert server.broker.alarms.raised() == []
