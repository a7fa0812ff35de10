"""Shovels of the configuration that change while their broker doesn't run: nothing goes on collecting at the others."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.plugins.shovel.brokers import edge, take, until, until_state
from tests.plugins.shovel.test_mqtt_notifications import cut
from tests.plugins.shovel.test_mqtt_sessions import mqtt_upstream, sessions, topics
from tests.support.faulty_link import LOOPBACK, faulty_link
from warren.gateway import open_broker
from warren.gateway.embedding import EmbeddedBroker
from warren.plugins.shovel.definition import read_definition
from warren.plugins.shovel.left_file import LeftFile
from warren.plugins.shovel.mqtt_sessions import kept_sessions
from warren.plugins.shovel.plugin import static_shovels

LOG = logging.getLogger("warren.test")


@asynccontextmanager
async def configured(directory: Path, **shovels: dict[str, Any]) -> AsyncIterator[EmbeddedBroker]:
    """A run of one broker, with these shovels in its configuration."""
    whole = {name: {"reconnect-delay": 0.05, **keys} for name, keys in shovels.items()}
    async with edge(directory / "edge", in_memory=False, shovel_static=static_shovels(whole)) as broker:
        yield broker


def mqtt(url: str, *topics: str, **more: Any) -> dict[str, Any]:
    return {
        "src-protocol": "mqtt",
        "src-uri": url,
        "src-topics": list(topics),
        "dest-uri": "amqp://",
        "dest-queue": "in",
        **more,
    }


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_topics_that_were_left_out_meanwhile_are_unsubscribed_from(tmp_path: Path, version: str) -> None:
    async with mqtt_upstream() as (upstream, url), upstream.connect() as far:
        async with configured(tmp_path, s=mqtt(url, "a/#", "b", **{"src-mqtt-version": version})):
            await until(lambda: topics(upstream) == {"a.#", "b"})
        await far.publish("amq.topic", "a.1", b"from before, when it was wanted")
        async with configured(tmp_path, s=mqtt(url, "b", "c", **{"src-mqtt-version": version})) as broker:
            await until(lambda: topics(upstream) == {"b", "c"})
            await until_state(broker, "running")
            assert sessions(upstream) == 1
            await far.publish("amq.topic", "a.1", b"not any more")
            await far.publish("amq.topic", "c", b"c")
            async with broker.connect() as here:
                assert await take(here, "in", 1) == [b"c"]


async def test_it_is_known_over_starts_at_which_the_other_broker_is_away(tmp_path: Path) -> None:
    async with mqtt_upstream() as (upstream, _), faulty_link(1) as link:
        link.target = upstream.address("mqtt")
        own = f"mqtt://guest:guest@{LOOPBACK}:{link.port}"
        async with configured(tmp_path, s=mqtt(own, "a")):
            await until(lambda: topics(upstream) == {"a"})
        cut(link)
        async with configured(tmp_path, s=mqtt(own, "b")) as broker:
            await until_state(broker, "terminated")
        link.target = upstream.address("mqtt")
        async with configured(tmp_path, s=mqtt(own, "c")):
            await until(lambda: topics(upstream) == {"c"})


async def test_another_client_id_ends_the_session_of_before(tmp_path: Path) -> None:
    async with mqtt_upstream() as (upstream, url):
        async with configured(tmp_path, s=mqtt(url, "a", **{"src-client-id": "one"})) as broker:
            await until_state(broker, "running")
        async with configured(tmp_path, s=mqtt(url, "a", **{"src-client-id": "two"})):
            await until(lambda: [row["name"] for row in upstream.inspect("queues")] == ["mqtt-subscription-two"])


async def test_a_shovel_that_is_gone_is_ended_by_way_of_one_that_knows_the_broker(tmp_path: Path) -> None:
    async with mqtt_upstream() as (upstream, url):
        both = {"kept": mqtt(url, "a"), "gone": mqtt(url, "b")}
        async with configured(tmp_path, **both) as broker:
            for name in both:
                await until_state(broker, "running", name=name)
            assert sessions(upstream) == 2
        async with configured(tmp_path, kept=both["kept"]) as broker:
            await until(lambda: topics(upstream) == {"a"})
            await until_state(broker, "running", name="kept")
            assert sessions(upstream) == 1


async def test_where_nobody_can_log_in_any_more_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with mqtt_upstream() as (upstream, url):
        async with configured(tmp_path, s=mqtt(url, "a", **{"src-client-id": "one"})) as broker:
            await until_state(broker, "running")
        async with configured(tmp_path):
            await until(lambda: "declared no more" in caplog.text)
        assert "has left 'one' at 127.0.0.1:" in caplog.text
        caplog.clear()
        async with configured(tmp_path, s=mqtt(url, "a")) as broker:
            await until_state(broker, "running")
        assert "declared no more" not in caplog.text, "once is enough"
        assert sessions(upstream) == 2


async def test_a_durable_subscription_over_stomp_ends_with_its_destination(tmp_path: Path) -> None:
    def stomp(destination: str) -> dict[str, Any]:
        return {
            "src-protocol": "stomp",
            "src-uri": url,
            "src-destination": destination,
            "src-headers": {"durable": True, "auto-delete": False, "id": "site"},
            "dest-uri": "amqp://",
            "dest-queue": "in",
        }

    async with open_broker(listen=(f"stomp={LOOPBACK}:0",)) as upstream:
        url = "stomp://guest:guest@{}:{}".format(*upstream.address("stomp"))
        async with configured(tmp_path, s=stomp("/topic/a")):
            await until(lambda: topics(upstream) == {"a"})
        assert topics(upstream) == {"a"}, "it outlives its connections"
        async with configured(tmp_path, s=stomp("/topic/b")):
            await until(lambda: topics(upstream) == {"b"})


async def test_no_password_is_in_the_file_and_what_is_ended_isnt_either(tmp_path: Path) -> None:
    async with mqtt_upstream() as (_, url):
        file = tmp_path / "edge" / "plugins" / "shovel" / "left.json"
        async with configured(tmp_path, s=mqtt(url, "a", **{"src-client-id": "one"})) as broker:
            await until_state(broker, "running")
            text = await trio.Path(file).read_text()
            assert "guest" not in text
            port = int(url.rsplit(":", 1)[1])
            assert json.loads(text) == [[["mqtt", "one", LOOPBACK, port], {"topics": ["a"]}]]
        async with configured(tmp_path, s=mqtt(url, "a", **{"src-client-id": "two"})) as broker:
            await until_state(broker, "running")
            await until(lambda: [row[0][1] for row in json.loads(file.read_text())] == ["two"])


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", '[[["amqp", "a", "b", 1], {}]]', '[[["mqtt", "a", "b", 1], []]]', '[[["mqtt", "a"], {}]]']
)
async def test_a_file_that_cant_be_read_is_told_of_and_changes_nothing(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "plugins" / "shovel" / "left.json"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    left = LeftFile(tmp_path, LOG)
    await left.load()
    assert "what shovels have left at other brokers stays there" in caplog.text
    definition = read_definition(mqtt("mqtt://far.example", "a"))
    (session,) = kept_sessions(definition, str)
    await left.note(session)
    again = LeftFile(tmp_path, LOG)
    await again.load()
    assert again.get(session.key) == {"topics": ["a"]}


async def test_topics_add_up_until_they_are_told_of_as_all() -> None:
    left = LeftFile(None, LOG)
    (one,) = kept_sessions(read_definition(mqtt("mqtt://far.example", "b", "a")), str)
    (two,) = kept_sessions(read_definition(mqtt("mqtt://far.example", "c")), str)
    await left.note(one)
    await left.note(two)
    assert left.get(one.key) == {"topics": ["a", "b", "c"]}
    await left.replace(one.key, {"topics": ["c"]})
    assert left.get(one.key) == {"topics": ["c"]}
    await left.discard(one.key)
    assert left.get(one.key) == {}
