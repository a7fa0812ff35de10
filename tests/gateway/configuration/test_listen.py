"""Where the broker listens, as the sources of the configuration say it together: all addresses, or single protocols."""

from __future__ import annotations

from pathlib import Path

import pytest

from warren.gateway.configuration.config import Config, ConfigError
from warren.gateway.configuration.load import describe, load_config
from warren.gateway.configuration.sources import assignments, command_line_settings
from warren.gateway.network.addresses import Listener, NoListener, changed_listeners, changes_of_both

DEFAULT = [str(each) for each in Config(in_memory=True).listeners]


def load(
    tmp_path: Path,
    *listen: str,
    only: tuple[str, ...] = (),
    toml: str = "",
    settings: tuple[str, ...] = (),
    **environment: str,
) -> Config:
    """What a start makes of a file, the environment, --set, --listen and --listen-only."""
    (tmp_path / "warren.toml").write_text(toml)
    options = [("--listen", "listen_by_protocol", list(listen)), ("--listen-only", "listen", list(only))]
    command_line = [*assignments(settings), *command_line_settings(options)]
    environment = {"WARREN_IN_MEMORY": "true", **environment}
    return load_config(command_line, environment=environment, directory=tmp_path)


def listeners(tmp_path: Path, *listen: str, **sources: object) -> list[str]:
    return [str(each) for each in load(tmp_path, *listen, **sources).listeners]  # type: ignore[arg-type]


def moved(*changes: str) -> list[str]:
    """The default listeners with those changes in place of the protocol's, which has one there."""
    found = list(DEFAULT)
    for name in {each.partition("=")[0] for each in changes}:
        (at,) = [at for at, each in enumerate(found) if each.partition("=")[0] == name]
        found[at : at + 1] = [each for each in changes if each.partition("=")[0] == name]
    return found


def test_one_protocol_moves_and_the_others_stay(tmp_path: Path) -> None:
    assert listeners(tmp_path, "mqtt=*:1883") == moved("mqtt=*:1883")
    assert len(listeners(tmp_path, "mqtt=*:1883")) == len(DEFAULT)


def test_several_of_one_protocol_add_up(tmp_path: Path) -> None:
    found = listeners(tmp_path, "mqtt=*:1883", "amqp=10.0.0.1:5672", "mqtt=127.0.0.1:1884")
    assert found == moved("amqp=10.0.0.1:5672", "mqtt=*:1883", "mqtt=127.0.0.1:1884")


def test_a_protocol_with_several_default_addresses_leaves_them_all(tmp_path: Path) -> None:
    assert [each for each in listeners(tmp_path, "ws=*:8080") if each.startswith("ws")] == ["ws=*:8080"]


def test_what_has_no_default_address_comes_beside_the_others(tmp_path: Path) -> None:
    assert listeners(tmp_path, "auto=*:5000", "amqp10=*:5673") == [*DEFAULT, "auto=*:5000", "amqp10=*:5673"]


def test_none_is_without_it(tmp_path: Path) -> None:
    left = [each for each in DEFAULT if each.partition("=")[0] not in ("mqtt", "ws")]
    assert listeners(tmp_path, "mqtt=none", " WS = None ") == left


def test_tls_is_a_listener_of_its_own(tmp_path: Path) -> None:
    settings = ("tls_certificate_file=server.pem",)
    found = listeners(tmp_path, "mqtts=*:8883", "wss=none", settings=settings)
    assert {"mqtt=localhost:1883", "mqtts=*:8883", "amqps=localhost:5671", "ws=localhost:15674"} <= set(found)
    assert "mqtts=localhost:8883" not in found
    assert not [each for each in found if each.startswith("wss")]


def test_only_these(tmp_path: Path) -> None:
    assert listeners(tmp_path, only=("amqp=*:5672", "amqp=[::1]:1")) == ["amqp=*:5672", "amqp=[::1]:1"]


def test_what_a_file_names_is_changed_protocol_by_protocol(tmp_path: Path) -> None:
    toml = 'listen = ["amqp=*:1", "mqtt=*:2", "mqtt=*:3"]'
    assert listeners(tmp_path, toml=toml) == ["amqp=*:1", "mqtt=*:2", "mqtt=*:3"]
    assert listeners(tmp_path, "mqtt=*:4", toml=toml) == ["amqp=*:1", "mqtt=*:4"]
    assert listeners(tmp_path, "stomp=*:5", "amqp=none", toml=toml) == ["mqtt=*:2", "mqtt=*:3", "stomp=*:5"]


def test_every_source_can_change_a_protocol(tmp_path: Path) -> None:
    toml = 'listen_by_protocol = ["mqtt=*:1", "stomp=*:1", "amqp=*:1"]'
    environment = {"WARREN_LISTEN_BY_PROTOCOL": "mqtt=*:2,amqp=*:2"}
    found = listeners(tmp_path, "amqp=*:3", toml=toml, **environment)
    assert found == moved("mqtt=*:2", "stomp=*:1", "amqp=*:3")


@pytest.mark.parametrize("order", ["{listen}\n{changes}", "{changes}\n{listen}"])
def test_one_source_may_name_all_and_change_some(tmp_path: Path, order: str) -> None:
    toml = order.format(listen='listen = ["amqp=*:1", "mqtt=*:1"]', changes='listen_by_protocol = ["mqtt=*:2"]')
    assert listeners(tmp_path, toml=toml) == ["amqp=*:1", "mqtt=*:2"]


def test_who_names_all_later_takes_changes_back(tmp_path: Path) -> None:
    toml = 'listen_by_protocol = ["mqtt=*:1"]'
    environment = {"WARREN_LISTEN_BY_PROTOCOL": "stomp=*:1"}
    assert listeners(tmp_path, only=("amqp=*:1",), toml=toml, **environment) == ["amqp=*:1"]
    assert listeners(tmp_path, toml=toml, WARREN_LISTEN="amqp=*:2") == ["amqp=*:2"]
    assert listeners(tmp_path, settings=("listen=amqp=*:3",), toml=toml) == ["amqp=*:3"]


def test_listeners_of_a_plugin_move_and_go_like_all_others(tmp_path: Path) -> None:
    config = load(tmp_path, "http=*:8080")
    assert config.plugins == ("management", "metrics")
    assert [str(each) for each in config.listeners if each.protocol == "http"] == ["http=*:8080"]
    assert load(tmp_path, "http=none").plugins == ("metrics",)
    assert load(tmp_path, "http=none", "metrics=none").plugins == ()
    settings = ("tls_certificate_file=server.pem",)
    assert load(tmp_path, "http=none", settings=settings).plugins == ("management", "metrics"), "https is left"
    assert load(tmp_path, "http=none", "https=none", settings=settings).plugins == ("metrics",)
    assert load(tmp_path, "http=*:1", toml='listen = ["amqp=*:1"]').plugins == ("management",)
    assert load(tmp_path, "http=none", toml='listen = ["amqp=*:1", "http=*:1"]').plugins == ()


def test_nothing_left_to_connect_to_is_refused(tmp_path: Path) -> None:
    names = sorted({each.partition("=")[0] for each in DEFAULT})
    with pytest.raises(ConfigError, match="command line: --listen leaves no listener at all; name one address"):
        load(tmp_path, *(f"{name}=none" for name in names))
    assert load(tmp_path, *(f"{name}=none" for name in names if name != "amqp")).plugins == ()


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (["mqtt=none", "mqtt=*:1"], "must be either mqtt=none, or addresses of mqtt"),
        (["mqtt=*:1", "mqtt=*:1"], "must be addresses, each only once"),
        (["mqtt=nowhere"], "must be HOST:PORT"),
        (["mtqq=none"], "with one of these protocols: amqp"),
        (["none"], "must be PROTOCOL=HOST:PORT"),
    ],
)
def test_what_is_no_change(tmp_path: Path, written: list[str], told: str) -> None:
    with pytest.raises(ConfigError, match=told) as raised:
        load(tmp_path, *written)
    assert str(raised.value).startswith("command line: --listen = ")


def test_none_is_no_address_of_those_that_are_named_in_whole(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a protocol that isn't named has none, and `none` is for --listen"):
        load(tmp_path, only=("amqp=*:1", "mqtt=none"))


def test_what_is_in_effect_can_be_seen(tmp_path: Path) -> None:
    shown = describe(load(tmp_path, "mqtt=none", "amqp=*:1"))
    assert shown["listen_by_protocol"] == ["mqtt=none", "amqp=*:1"]
    assert shown["listen"] == [each for each in moved("amqp=*:1") if not each.startswith("mqtt")]


def test_a_rabbitmq_conf_is_changed_and_its_remark_is_moot(tmp_path: Path) -> None:
    file = tmp_path / "rabbitmq.conf"
    file.write_text("mqtt.listeners.tcp.default = 1883\n")

    def read(*listen: str) -> Config:
        given = command_line_settings([("--listen", "listen_by_protocol", list(listen))])
        return load_config(given, config_file=file, environment={"WARREN_IN_MEMORY": "1"}, directory=tmp_path)

    assert "localhost only" in " ".join(read("mqtt=*:1").warnings)
    changed = read("amqp=*:5672")
    assert (changed.warnings, [str(each) for each in changed.listeners][:2]) == ((), ["amqp=*:5672", "mqtt=*:1883"])


def test_changes_can_be_made_twice() -> None:
    """A configuration that has been made effective is one, too."""
    before = (Listener("amqp", "localhost", 1), Listener("ws", "localhost", 2), Listener("ws", "localhost", 3))
    changes = (Listener("ws", "*", 4), NoListener("amqp"), Listener("auto", "*", 5))
    once = changed_listeners(before, changes)
    assert once == (Listener("ws", "*", 4), Listener("auto", "*", 5))
    assert changed_listeners(once, changes) == once


def test_the_later_of_two_sources_counts_for_what_it_names() -> None:
    first = (Listener("ws", "*", 1), NoListener("amqp"))
    assert changes_of_both(first, (NoListener("ws"),)) == (NoListener("amqp"), NoListener("ws"))
