"""Configuration: the sources and their order, the file formats, and the text of every refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from warren.core.configuration.values import Watermark
from warren.gateway.configuration.catalogue import KEYS, plugin_keys
from warren.gateway.configuration.config import Config, ConfigError, default_data_directory
from warren.gateway.configuration.load import describe, load_config
from warren.gateway.configuration.sources import assignments, command_line_settings
from warren.gateway.network.addresses import Listener


def load(
    directory: Path,
    *,
    toml: str | None = None,
    environment: dict[str, str] | None = None,
    options: list[tuple[str, str, object]] | None = None,
    config_file: Path | None = None,
) -> Config:
    """load_config in an empty environment, with the working directory `directory`."""
    if toml is not None:
        (directory / "warren.toml").write_text(toml, encoding="utf-8")
    environment = {"WARREN_DATA_DIRECTORY": str(directory / "data"), **(environment or {})}
    return load_config(
        command_line_settings(options or [], directory),
        config_file=config_file,
        environment=environment,
        directory=directory,
    )


def refusal(directory: Path, **sources: object) -> str:
    with pytest.raises(ConfigError) as caught:
        load(directory, **sources)  # type: ignore[arg-type]
    return str(caught.value)


def test_defaults(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert config.listeners[0] == Listener("amqp", "localhost", 5672)
    assert {listener.host for listener in config.listeners} == {"localhost"}, "nothing is open to the network unasked"
    assert (config.heartbeat_s, config.frame_max, config.channel_max) == (60, 131072, 2047)
    assert config.loopback_users == {"guest"}
    assert config.max_message_bytes == 16 * 1024 * 1024
    assert config.memory_high_watermark.bytes_of(1000) == 600
    assert config.file is None
    assert config.cluster_name.startswith("warren@")


def test_keys_are_attributes_and_arguments_and_nothing_else_is() -> None:
    config = Config(in_memory=True, heartbeat_s=7, data_dir=Path("/here"))
    assert (config.heartbeat_s, config.data_directory, config.data_dir) == (7, Path("/here"), Path("/here"))
    assert config.replace(heartbeat_s=8) == Config(in_memory=True, heartbeat_s=8, data_directory=Path("/here"))
    with pytest.raises(TypeError, match="hearbeat_s is no key"):
        Config(hearbeat_s=7)
    with pytest.raises(AttributeError, match="hearbeat_s is no key"):
        _ = config.hearbeat_s


def test_sources_in_their_order(tmp_path: Path) -> None:
    toml = "heartbeat_s = 1\nframe_max = 10000\nchannel_max = 10\ndefault_user = 'toml'"
    environment = {
        "RABBITMQ_DEFAULT_USER": "rabbit",
        "RABBITMQ_DEFAULT_VHOST": "/rabbit",
        "WARREN_HEARTBEAT_S": "2",
        "WARREN_FRAME_MAX": "20000",
        "WARREN_DEFAULT_VHOST": "/warren",
    }
    config = load(tmp_path, toml=toml, environment=environment, options=[("--heartbeat", "heartbeat_s", "3")])
    assert (config.heartbeat_s, config.frame_max, config.channel_max) == (3, 20000, 10)
    assert (config.default_user, config.default_vhost) == ("rabbit", "/warren")


def test_listeners_are_replaced_as_a_whole(tmp_path: Path) -> None:
    toml = 'listen = ["amqp=127.0.0.1:1", "amqp=[::1]:2"]'
    assert load(tmp_path, toml=toml).listeners == (
        Listener("amqp", "127.0.0.1", 1),
        Listener("amqp", "::1", 2),
    )
    environment = {"WARREN_LISTEN": "amqp=0.0.0.0:3,amqp=[::]:4"}
    assert [str(each) for each in load(tmp_path, environment=environment).listeners] == [
        "amqp=0.0.0.0:3",
        "amqp=[::]:4",
    ]
    options: list[tuple[str, str, object]] = [("--listen-only", "listen", ["amqp=localhost:0", "amqp=localhost:0"])]
    found = load(tmp_path, environment=environment, options=options).listeners
    assert found == (Listener("amqp", "localhost", 0),) * 2


def test_paths_start_where_they_were_written(tmp_path: Path) -> None:
    elsewhere = tmp_path / "etc"
    elsewhere.mkdir()
    (elsewhere / "broker.toml").write_text('data_dir = "data"\nready_file = "/run/ready"\n')
    config = load_config(config_file=elsewhere / "broker.toml", environment={}, directory=tmp_path)
    assert (config.data_directory, config.ready_file) == (elsewhere / "data", Path("/run/ready"))
    environment = {"WARREN_DATA_DIR": "other"}
    config = load_config(config_file=elsewhere / "broker.toml", environment=environment, directory=tmp_path)
    assert config.data_directory == tmp_path / "other"


def test_which_file_is_read(tmp_path: Path) -> None:
    names = ("in_data/warren.toml", "warren.toml", "variable.toml", "option.toml")
    (tmp_path / "in_data").mkdir()
    environment = {"WARREN_DATA_DIRECTORY": "in_data"}
    for heartbeat_s, name in enumerate(names):
        (tmp_path / name).write_text(f"heartbeat_s = {heartbeat_s}")
        if name == "variable.toml":
            environment["WARREN_CONFIG"] = name
        option = Path(name) if name == "option.toml" else None
        config = load_config(config_file=option, environment=environment, directory=tmp_path)
        assert (config.heartbeat_s, config.file) == (heartbeat_s, tmp_path / name)


def test_without_a_word_it_is_the_process_s_own_directory_and_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "warren.toml").write_text("heartbeat_s = 7")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WARREN_FRAME_MAX", "20000")
    config = load_config(assignments(["data_directory=here"]))
    assert (config.file, config.heartbeat_s, config.frame_max) == (tmp_path / "warren.toml", 7, 20000)
    assert config.data_directory == tmp_path / "here"


def test_in_memory_has_no_directory_unless_one_is_named(tmp_path: Path) -> None:
    set_in_memory = assignments(["in_memory=yes"])
    assert load_config(set_in_memory, environment={}, directory=tmp_path).data_directory is None
    named = load_config(set_in_memory, environment={"WARREN_DATA_DIR": "here"}, directory=tmp_path)
    assert named.in_memory
    assert named.data_directory == tmp_path / "here"
    assert Config(in_memory=True).data_directory is None
    assert Config().data_directory == default_data_directory()


def test_the_default_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/xdg")
    assert default_data_directory() == Path("/xdg/warren")
    monkeypatch.setenv("XDG_DATA_HOME", "not/absolute")
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert default_data_directory() == Path("/home/someone/.local/share/warren")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert default_data_directory() == Path("/var/lib/warren")


REFUSED_TOML = [
    ("heartbeat_s = 'soon'", "heartbeat_s = 'soon': must be a whole number of seconds from 0 to 65535"),
    ("heartbeat_s = true", "heartbeat_s = True: must be a whole number"),
    ("heartbeat_s = 1.5", "must be a whole number"),
    ("heartbeat_s = 65536", "from 0 to 65535"),
    ("handshake_timeout_s = nan", "must be a number of seconds from 0.1 to 3600"),
    ("handshake_timeout_s = 0", "from 0.1 to 3600"),
    ("frame_max = 4095", "must be a size in bytes"),
    ("max_message_bytes = '1 parsec'", "such as 1048576, 512KiB, 64MiB or 50MB"),
    ("in_memory = 'perhaps'", "must be true or false"),
    ("default_pass = ''", "default_pass = '...': must be a string that isn't empty"),
    ("log_level = 'loud'", "must be one of debug, info, warning, error, critical, none"),
    ("memory_high_watermark = -1", "must be a fraction of the memory from 0 to 1, such as 0.6, or a size"),
    ("loopback_users = [1]", "must be a list of names"),
    ("data_directory = 7", "must be the name of a file or directory"),
    ("listen = []", "must be at least one address"),
    ("listen = 'amqp=127.0.0.1:1,amqp=127.0.0.1:1'", "each only once"),
    ("listen = '127.0.0.1:1'", "listen = '127.0.0.1:1': must be PROTOCOL=HOST:PORT"),
    ("listen = 'gopher=127.0.0.1:1'", "with one of these protocols: amqp"),
    ("listen = 'amqp=127.0.0.1'", "must be HOST:PORT"),
    ("listen = 'amqp=::1:5672'", "[::1]:5672"),
    ("listen = 'amqp=127.0.0.1:65536'", "a port from 0 to 65535"),
    ("listen = 5672", "must be PROTOCOL=HOST:PORT"),
    ("hearbeat_s = 1", "unknown key hearbeat_s; did you mean heartbeat_s?"),
    ("zzz = 1", "unknown key zzz; docs/configuration.md has all keys, and `warren init` writes"),
    ("[mqtt]\nport = 1", "unknown key mqtt"),
    ("heartbeat_s = ", "not valid TOML"),
]


@pytest.mark.parametrize(("toml", "expected"), REFUSED_TOML)
def test_what_a_file_is_refused_for(tmp_path: Path, toml: str, expected: str) -> None:
    text = refusal(tmp_path, toml=toml)
    assert text.startswith(f"{tmp_path / 'warren.toml'}: ")
    assert expected in text


def test_what_the_other_sources_are_refused_for(tmp_path: Path) -> None:
    assert refusal(tmp_path, environment={"WARREN_HEARTBEAT_S": "x"}) == (
        "environment: WARREN_HEARTBEAT_S = 'x': must be a whole number of seconds from 0 to 65535"
    )
    text = refusal(tmp_path, environment={"WARREN_HEARTBEAT": "1"})
    assert text == "environment: unknown key WARREN_HEARTBEAT; did you mean WARREN_HEARTBEAT_S?"
    text = refusal(tmp_path, options=[("--listen-only", "listen", ["amqp=nowhere"])])
    assert text.startswith("command line: --listen-only = 'amqp=nowhere': must be HOST:PORT")
    with pytest.raises(ConfigError, match="--set 'x': must be KEY=VALUE"):
        assignments(["x"])
    with pytest.raises(ConfigError, match="unknown key --set frame-max; did you mean frame_max"):
        load_config(assignments(["frame-max=1"]), environment={}, directory=tmp_path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert "can't be read: No such file" in refusal(tmp_path, config_file=Path("missing.toml"))
    assert "can't be read" in refusal(tmp_path, config_file=tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"default_user = '\xe9'")
    assert "not UTF-8 text (byte 16)" in refusal(tmp_path, config_file=Path("latin.toml"))
    (tmp_path / "huge.toml").write_bytes(b"#" * (1024 * 1024 + 1))
    assert "not a configuration file" in refusal(tmp_path, config_file=Path("huge.toml"))


def test_links_of_containers_are_not_settings(tmp_path: Path) -> None:
    links = {
        "WARREN_PORT": "tcp://10.0.0.1:5672",
        "WARREN_PORT_5672_TCP_ADDR": "10.0.0.1",
        "WARREN_SERVICE_HOST": "10.0.0.1",
        "WARREN_SERVICE_PORT_AMQP": "5672",
    }
    assert load(tmp_path, environment=links) == load(tmp_path)


SIZES = [("1024", 1024), ("64MiB", 64 * 2**20), ("50MB", 50_000_000), ("2k", 2048), ("1.5 GiB", 3 * 2**29)]


@pytest.mark.parametrize(("written", "expected"), SIZES)
def test_sizes(tmp_path: Path, written: str, expected: int) -> None:
    assert load(tmp_path, toml=f"backlog_bytes_max = '{written}'").backlog_bytes_max == expected


WATERMARKS = [
    ("0.4", Watermark(relative=0.4)),
    ("1", Watermark(relative=1.0)),
    ("0", Watermark(relative=0.0)),
    ("'0.000001'", Watermark(relative=0.000001)),
    ("'2GiB'", Watermark(absolute_bytes=2**31)),
    ("1000000000", Watermark(absolute_bytes=1_000_000_000)),
]


@pytest.mark.parametrize(("written", "expected"), WATERMARKS)
def test_watermarks(tmp_path: Path, written: str, expected: Watermark) -> None:
    assert load(tmp_path, toml=f"memory_high_watermark = {written}").memory_high_watermark == expected


def test_names_and_booleans_as_strings(tmp_path: Path) -> None:
    config = load(tmp_path, environment={"WARREN_LOOPBACK_USERS": "a, b", "WARREN_IN_MEMORY": "On"})
    assert config.loopback_users == {"a", "b"}
    assert config.in_memory
    assert load(tmp_path, environment={"WARREN_LOOPBACK_USERS": ""}).loopback_users == frozenset()


def test_described_without_secrets(tmp_path: Path) -> None:
    toml = 'default_pass = "swordfish"\nmemory_high_watermark = "1GiB"\nloopback_users = ["guest", "anne", "zoe"]'
    shown = describe(load(tmp_path, toml=toml))
    assert shown["loopback_users"] == ["anne", "guest", "zoe"]
    assert "swordfish" not in str(shown)
    assert shown["listen"] == [str(listener) for listener in load(tmp_path).listeners]
    assert shown["memory_high_watermark"] == str(2**30)
    assert shown["config_file"] == str(tmp_path / "warren.toml")
    of_plugins = plugin_keys(["management", "metrics"])
    assert list(shown) == [*KEYS, *of_plugins, "config_file"]
