"""What protocols are given of a configuration, and what the gateway asks them for."""

from __future__ import annotations

import pytest

from tests.support.core_broker import core_broker
from warren.adapters.mqtt.sessions.world import MqttWorld
from warren.gateway.configuration.config import Config
from warren.gateway.configuration.options import (
    accept_by_protocol,
    adapters_for,
    components_of,
    later_listings,
    listings_of_protocols,
    options_of,
)
from warren.gateway.protocols import PROTOCOLS
from warren.gateway.version import WARREN_VERSION


def test_every_value_and_warren_s_own_version() -> None:
    options = options_of(Config(in_memory=True, heartbeat_s=7))
    assert (options.integer("heartbeat_s"), options.text("warren_version")) == (7, WARREN_VERSION)
    assert options.installed is PROTOCOLS


ADAPTERS = [
    ([], set()),
    (["http"], {"http"}),
    (["mqtt", "mqtt"], {"mqtt"}),
    (["auto"], {"amqp", "amqp10", "stomp", "mqtt", "stream", "ws"}),
    (["ws", "auto", "stomp"], {"amqp", "amqp10", "stomp", "mqtt", "stream", "ws"}),
]


@pytest.mark.parametrize(("names", "wanted"), ADAPTERS)
def test_the_adapters_that_listeners_need(names: list[str], wanted: set[str]) -> None:
    found = adapters_for(names)
    assert set(found) == wanted
    assert all(found[name] is PROTOCOLS.adapter(name) for name in wanted)
    accepting = accept_by_protocol(Config(in_memory=True), names)
    assert set(accepting) == wanted
    assert all(callable(accept) for accept in accepting.values())


def test_what_protocols_list() -> None:
    assert [kind.name for kind in listings_of_protocols()] == [
        "amqp10_connections",
        "amqp10_sessions",
        "amqp10_links",
        "stomp_connections",
        "mqtt_connections",
        "mqtt_sessions",
        "stream_connections",
        "stream_consumers",
        "stream_publishers",
    ]


def test_they_are_known_by_name_before_they_are_loaded() -> None:
    for names, load in later_listings():
        assert list(names) == [kind.name for kind in load()]


@pytest.mark.parametrize("names", [[], ["amqp"], ["auto"]])
def test_what_protocols_keep_is_there_whatever_listens(names: list[str]) -> None:
    """Made with the options as they are."""
    made = components_of(Config(in_memory=True), names)
    assert list(made) == ["mqtt", "http", "metrics"]
    broker = core_broker()
    world = made["mqtt"](broker)
    assert isinstance(world, MqttWorld)
    assert (world.broker, world.product) == (broker, f"Warren {WARREN_VERSION}")
