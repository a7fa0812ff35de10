"""What each source says, as it says it: nothing is checked yet, and where paths start is noted."""

from __future__ import annotations

from pathlib import Path

import pytest

from warren.gateway.configuration.config import ConfigError
from warren.gateway.configuration.given import Given
from warren.gateway.configuration.sources import (
    FILE_BYTES_MAX,
    assignments,
    command_line_settings,
    environment_settings,
    file_in,
    find_file,
    key_of,
    read_file,
    unknown_key,
)

HERE = Path("/here")


def test_the_environment() -> None:
    variables = {
        "WARREN_HEARTBEAT_S": "7",
        "RABBITMQ_DEFAULT_USER": "anne",
        "RABBITMQ_DEFAULT_PASS": "hers",
        "RABBITMQ_DEFAULT_VHOST": "v",
        "WARREN_SAMPLE_SIZE": "1",
        "WARREN_CONFIG": "x",
        "RABBITMQ_CONFIG_FILE": "x",
        "OTHER_HEARTBEAT_S": "8",
        "WARREN_NAME": "/web/warren",
        "WARREN_ENV_LANG": "C",
        "WARREN_SERVICE_PORT_AMQP": "1",
        "WARREN_PORT_5672_TCP": "1",
    }
    assert environment_settings(variables, HERE) == [
        Given("environment", "RABBITMQ_DEFAULT_USER", "default_user", "anne", HERE),
        Given("environment", "RABBITMQ_DEFAULT_PASS", "default_pass", "hers", HERE),
        Given("environment", "RABBITMQ_DEFAULT_VHOST", "default_vhost", "v", HERE),
        Given("environment", "WARREN_HEARTBEAT_S", "heartbeat_s", "7", HERE),
        Given("environment", "WARREN_SAMPLE_SIZE", "sample_size", "1", HERE),
    ]


def test_options_of_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options: list[tuple[str, str, object]] = [
        ("--absent", "a", None),
        ("--none", "b", []),
        ("--not", "c", False),
        ("--zero", "d", 0),
        ("--no", "e", ""),
    ]
    monkeypatch.chdir(tmp_path)
    for directory, base in ((HERE, HERE), (None, tmp_path)):
        assert command_line_settings(options, directory) == [
            Given("command line", "--zero", "d", 0, base),
            Given("command line", "--no", "e", "", base),
        ]


def test_assignments_of_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [" heartbeat_s = 7 ", "line.greeting=a=b", "listen="]
    monkeypatch.chdir(tmp_path)
    for directory, base in ((HERE, HERE), (None, tmp_path)):
        assert assignments(texts, directory) == [
            Given("command line", "--set heartbeat_s", "heartbeat_s", "7", base),
            Given("command line", "--set line.greeting", "line_greeting", "a=b", base),
            Given("command line", "--set listen", "listen", "", base),
        ]
    with pytest.raises(ConfigError) as raised:
        assignments(["heartbeat_s"])
    assert str(raised.value) == "command line: --set 'heartbeat_s': must be KEY=VALUE, such as heartbeat_s=30"


def test_a_toml_file_and_its_tables(tmp_path: Path) -> None:
    file = tmp_path / "any.toml"
    file.write_bytes(b"\xef\xbb\xbfdata_dir = 'd'\n[mqtt]\nexchange = 'e'\n[odd]\nsize = 1\n")
    assert read_file(file, {}) == (
        [
            Given(str(file), "data_dir", "data_directory", "d", tmp_path),
            Given(str(file), "mqtt.exchange", "mqtt_exchange", "e", tmp_path),
            Given(str(file), "odd.size", "odd_size", 1, tmp_path),
        ],
        [],
    )


def test_a_file_of_rabbitmq(tmp_path: Path) -> None:
    file = tmp_path / "any.conf"
    file.write_text("heartbeat = 7\n")
    ((given,), (remark,)) = read_file(file, {})
    assert (given.key, given.value, given.base) == ("heartbeat_s", "7", tmp_path)
    assert "listens on localhost only" in remark.text


UNREADABLE = {
    "huge": (b"#" * (FILE_BYTES_MAX + 1), "larger than 1048576 bytes, so not a configuration file"),
    "latin": (b"# \xe9", "not UTF-8 text (byte 2)"),
    "broken": (b"heartbeat_s = ", "not valid TOML: Invalid value (at end of document)"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read(tmp_path: Path, name: str) -> None:
    content, text = UNREADABLE[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        read_file(tmp_path / name, {})
    assert str(raised.value) == f"{tmp_path / name}: {text}"


def test_the_largest_file(tmp_path: Path) -> None:
    (tmp_path / "large.toml").write_bytes(b"heartbeat_s = 7\n#".ljust(FILE_BYTES_MAX, b"#"))
    (settings, _) = read_file(tmp_path / "large.toml", {})
    assert [given.value for given in settings] == [7]


def test_which_file_it_is(tmp_path: Path) -> None:
    assert file_in(tmp_path) is None
    assert file_in(tmp_path / ("x" * 300)) is None, "there is no such directory, nor can there be"
    assert find_file(None, {"WARREN_CONFIG": "", "RABBITMQ_CONFIG_FILE": ""}, tmp_path) is None
    (tmp_path / "warren.toml").mkdir()
    assert file_in(tmp_path) is None, "no file"
    (tmp_path / "warren.toml").rmdir()
    (tmp_path / "warren.toml").touch()
    assert file_in(tmp_path) == find_file(None, {}, tmp_path) == tmp_path / "warren.toml"
    variables = {"RABBITMQ_CONFIG_FILE": "b.conf"}
    assert find_file(None, variables, tmp_path) == tmp_path / "b.conf"
    variables["WARREN_CONFIG"] = "/etc/a.toml"
    assert find_file(None, variables, tmp_path) == Path("/etc/a.toml")
    assert find_file(Path("named.toml"), variables, tmp_path) == tmp_path / "named.toml"


def test_the_end_of_rabbitmq_s_file_may_be_left_out(tmp_path: Path) -> None:
    variables = {"RABBITMQ_CONFIG_FILE": "rabbitmq"}
    for name in ("rabbitmq.config", "rabbitmq.conf", "rabbitmq"):
        (tmp_path / name).touch()
        assert find_file(None, variables, tmp_path) == tmp_path / name, "the later one wins"
        variables["WARREN_CONFIG"] = ""


def test_a_second_file_that_cannot_be_looked_at_is_none(tmp_path: Path) -> None:
    (tmp_path / "any.conf").write_text("listeners.tcp.1 = 5672")
    _, remarks = read_file(tmp_path / "any.conf", {"RABBITMQ_ADVANCED_CONFIG_FILE": "x" * 300})
    assert remarks == []


def test_names_of_keys() -> None:
    names = ["heartbeat_s", "data_dir", "mqtt.exchange", "sample.size", "some_thing"]
    assert [key_of(name) for name in names] == [
        "heartbeat_s",
        "data_directory",
        "mqtt_exchange",
        "sample_size",
        "some_thing",
    ]


NEAR = [
    ("heart-beat-s", (), "unknown key heart-beat-s; did you mean heartbeat_s?"),
    ("HEARTBEAT_S", (), "unknown key HEARTBEAT_S; did you mean heartbeat_s?"),
    ("X--Y--", ("x__y__",), "unknown key X--Y--; did you mean x__y__?"),
    ("data_dirr", (), "unknown key data_dirr; did you mean data_dir or data_directory?"),
    ("sample_sice", ("sample_size",), "unknown key sample_sice; did you mean sample_size?"),
    ("tls_certificat_files", (), "unknown key tls_certificat_files; did you mean tls_certificate_file or "),
    ("WARREN_SAMPLE_SICE", ("sample_size",), "unknown key WARREN_SAMPLE_SICE; did you mean WARREN_SAMPLE_SIZE?"),
    ("WARREN_DATA_DIRR", (), "did you mean WARREN_DATA_DIR or WARREN_DATA_DIRECTORY?"),
    (
        "WARREN_MQTT_PORT",
        (),
        "unknown key WARREN_MQTT_PORT; did you mean WARREN_MQTT_PREFETCH",
    ),
    ("WARREN_LOG", (), "unknown key WARREN_LOG; nearest: WARREN_LOG_LEVEL; docs/configuration.md has"),
    ("!!!", (), "unknown key !!!; docs/configuration.md has all keys, and `warren init` writes them into a file"),
]


@pytest.mark.parametrize(("written", "of_plugins", "text"), NEAR)
def test_the_nearest_keys_are_offered(written: str, of_plugins: tuple[str, ...], text: str) -> None:
    key = written.removeprefix("WARREN_").lower() if written.startswith("WARREN_") else written
    error = str(unknown_key(Given("somewhere", written, key, 1, HERE), of_plugins))
    assert error.startswith("somewhere: unknown key ")
    assert text in error
    assert error.count(" or ") <= 1
