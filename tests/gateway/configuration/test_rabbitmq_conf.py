"""Files that were written for RabbitMQ."""

from __future__ import annotations

from pathlib import Path

import pytest

from warren.core.configuration.values import Watermark
from warren.gateway.configuration.config import Config, ConfigError
from warren.gateway.configuration.given import Weight
from warren.gateway.configuration.load import load_config
from warren.gateway.network.addresses import Listener
from warren.gateway.process.settings import total_memory_bytes

EVERYTHING = """
# A comment
listeners.tcp.1 = 127.0.0.1:5672
listeners.tcp.2 = ::1:5673
listeners.tcp.default = 5674   # every address
  default_user = admin
default_pass = 'p#ss'
default_vhost = /prod
loopback_users.guest = false
loopback_users.monitor = true
heartbeat = 30
frame_max = 65536
channel_max = 0
handshake_timeout = 2500
max_message_size = 1048576
vm_memory_high_watermark.relative = 0.7
disk_free_limit.absolute = 2GB
log.console.level = warning
cluster_name = burrow
product.name = Rabbit

collect_statistics_interval = 10000
prometheus.tcp.port = 15692
runtime_parameters.limits.federation-upstream = 5
"""


def read(tmp_path: Path, text: str, **environment: str) -> Config:
    file = tmp_path / "rabbitmq.conf"
    file.write_text(text)
    environment = {"RABBITMQ_CONFIG_FILE": str(file), "WARREN_IN_MEMORY": "true", **environment}
    return load_config(environment=environment, directory=tmp_path)


def test_every_key_that_applies(tmp_path: Path) -> None:
    config = read(tmp_path, EVERYTHING)
    assert config.listeners == (
        Listener("amqp", "127.0.0.1", 5672),
        Listener("amqp", "::1", 5673),
        Listener("amqp", "*", 5674),
        Listener("http", "localhost", 15672, optional=True),
        Listener("metrics", "*", 15692),
    )
    assert (config.default_user, config.default_pass, config.default_vhost) == ("admin", "p#ss", "/prod")
    assert config.loopback_users == {"monitor"}
    assert (config.heartbeat_s, config.frame_max, config.channel_max) == (30, 65536, 0)
    assert config.handshake_timeout_s == 2.5
    assert config.max_message_bytes == 1048576
    assert config.memory_high_watermark == Watermark(relative=0.7)
    assert config.disk_free_limit_bytes == 2_000_000_000
    assert (config.log_level, config.cluster_name, config.product) == ("warning", "burrow", "Rabbit")


def test_keys_without_a_counterpart_are_listed(tmp_path: Path) -> None:
    config = read(tmp_path, EVERYTHING)
    assert [text.partition(": ")[2] for text in config.warnings] == [
        "runtime_parameters.limits.federation-upstream: ignored: runtime parameters are limited by nothing but memory",
    ]
    assert [str(remark).partition(": ")[2] for remark in config.remarks if remark.weight is Weight.NOTE] == [
        "collect_statistics_interval: ignored: counts are kept as things happen",
    ]


def test_later_sources_win(tmp_path: Path) -> None:
    config = read(tmp_path, EVERYTHING, WARREN_LISTEN="amqp=[::1]:1", RABBITMQ_DEFAULT_USER="env")
    assert config.listeners == (Listener("amqp", "::1", 1),)
    assert config.default_user == "env"


def test_small_forms(tmp_path: Path) -> None:
    assert read(tmp_path, "listeners.tcp.default = :::5672").listeners[:-2] == (Listener("amqp", "::", 5672),)
    assert read(tmp_path, "listeners.tcp.a = [::1]:1").listeners[:-2] == (Listener("amqp", "::1", 1),)
    assert read(tmp_path, "listeners.tcp.a = 1\nlisteners.tcp = none").listeners == Config().listeners[1:]
    assert read(tmp_path, "loopback_users = none").loopback_users == frozenset()
    assert read(tmp_path, "heartbeat = 1\nheartbeat = 2").heartbeat_s == 2
    absolute = read(tmp_path, "vm_memory_high_watermark.absolute = 1GiB").memory_high_watermark
    assert absolute == Watermark(absolute_bytes=2**30)


REFUSED = [
    ("heartbeat: 10", "line 1: 'heartbeat: 10': must be key = value"),
    ("\n[section]", "line 2"),
    ("heartbeat = often", "heartbeat = 'often': must be a whole number"),
    ("handshake_timeout = soon", "handshake_timeout = 'soon': must be a number of seconds"),
    ("listeners.tcp.default = amqp", "listeners.tcp.default = 'amqp=*:amqp': must be HOST:PORT"),
    ("loopback_users = guest", "loopback_users = 'guest': must be none"),
]


@pytest.mark.parametrize(("text", "expected"), REFUSED)
def test_what_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'rabbitmq.conf'}: ")
    assert expected in str(caught.value)


SYNTAX = [
    ("default_user = it's", "it's"),
    ("default_user = 'p#s s' # a comment", "p#s s"),
    ("default_user=a#b", "a"),
    ("\t default_user \t=\t a b \t", "a b"),
    ("default_user = a=b", "a=b"),
    ("default_user = 'over\nlines'", "over\nlines"),
    ("default_user = '''\nit's 'quoted'\nso\n''' # and a comment", "it's 'quoted'\nso"),
    ("default_user = a\r\nheartbeat = 1\r\n", "a"),
    ("default_user = 'a", "'a"),
    ("default_user = a\ndefault_user = b", "b"),
    ("default_user = häse", "häse"),
]


@pytest.mark.parametrize(("text", "user"), SYNTAX)
def test_a_value_is_what_rabbitmq_reads(tmp_path: Path, text: str, user: str) -> None:
    assert read(tmp_path, text).default_user == user


def test_loopback_users(tmp_path: Path) -> None:
    config = read(tmp_path, "loopback_users.app = app\nloopback_users.john\\.doe = true\nloopback_users.guest = no")
    assert config.loopback_users == {"guest", "john.doe"}
    told = [text.partition(": ")[2] for text in config.warnings if ": loopback" in text]
    assert told == [
        "loopback_users.app = 'app': ignored: neither true nor false",
        "loopback_users.guest = 'no': ignored: neither true nor false",
    ]
    assert read(tmp_path, "loopback_users.john\\.doe = false").loopback_users == {"guest"}
    assert read(tmp_path, "loopback_users.guest = false\nloopback_users = none").loopback_users == frozenset()


# What values stand for


def test_a_value_may_name_environment_variables_and_other_keys(tmp_path: Path) -> None:
    text = "default_user = $(SEED_USER)\ndefault_pass = 'a$( SEED_PASS )b'\n"
    text += "cluster_name = $(default_user)-$(default_vhost)\ndefault_vhost = $(PRODUCT)\n"
    config = read(tmp_path, text, SEED_USER="ann", SEED_PASS="$(not again)'#", PRODUCT="v")
    assert (config.default_user, config.default_pass) == ("ann", "a$(not again)'#b")
    assert (config.cluster_name, config.default_vhost) == ("ann-v", "v")


def test_a_value_may_be_that_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "pass").write_text("sword fish$(HOME)\n\n")
    assert read(tmp_path, "default_pass = $(< secrets/pass )").default_pass == "sword fish$(HOME)\n"


def test_files_are_included_where_they_are_named(tmp_path: Path) -> None:
    (tmp_path / "conf.d" / "more").mkdir(parents=True)
    (tmp_path / "conf.d" / "20.conf").write_text("heartbeat = 20\nchannel_max = 20\ninclude more/x.conf")
    (tmp_path / "conf.d" / "10.conf").write_text("heartbeat = 10\ndefault_pass = $(<secret)")
    (tmp_path / "conf.d" / "secret").write_text("beside the file that names it")
    (tmp_path / "conf.d" / "more" / "x.conf").write_text("cluster_name = x")
    config = read(tmp_path, "heartbeat = 1\ninclude conf.d/*.conf # all\nchannel_max = 30\n")
    assert (config.heartbeat_s, config.channel_max, config.cluster_name) == (20, 30, "x")
    assert config.default_pass == "beside the file that names it"


def test_a_file_that_is_not_there_to_be_included_is_said(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    config = read(tmp_path, "listeners.tcp.1 = 1\ninclude gone.conf\ninclude conf.d/*.conf\nheartbeat = 7")
    assert config.heartbeat_s == 7
    assert [text.partition(": ")[2] for text in config.warnings] == [
        "include gone.conf: there is no such file; nothing is included",
        "include conf.d/*.conf: there is no such file; nothing is included",
    ]


def test_an_included_directory_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    with pytest.raises(ConfigError, match=r"include .*conf\.d: can't be read: Is a directory"):
        read(tmp_path, "include conf.d")


NOT_THERE = [
    (
        "default_user = $(SEED_USER)",
        "default_user = $(SEED_USER): there is no environment variable SEED_USER, nor a key",
    ),
    ("default_user = $()", "default_user = $(): there is no environment variable"),
    ("default_pass = x$(A B)y", "default_pass = $(A B): there is no environment variable A B"),
    ("default_user = $(default_pass)\ndefault_pass = $(default_user)", "default_user -> default_pass -> default_user"),
    ("default_pass = $(<gone)", "gone): can't be read: No such file or directory"),
    ("default_pass = encrypted:abc=", "default_pass: its value is encrypted, which Warren can't read"),
    ("ssl_options.password = encrypted:abc", "ssl_options.password: its value is encrypted"),
    ("a..b = 1", "line 1: 'a..b = ...': must be key = value"),
    ("default_user. = x", "line 1: 'default_user. = ...': must be key = value"),
    (".default_user = x", "must be key = value"),
    ("include rabbitmq.conf", "includes more than 100 files; does one include itself?"),
    ("include", "line 1: 'include': must be key = value"),
    ("default_pass = 'swordfish' x", "line 1: 'default_pass = ...': a value in single quotes ends at the next one"),
    ("a = 1\n\ndefault_pass = 'it's'", "line 3: 'default_pass = ...': a value in single quotes ends"),
    ("heartbeat =", "line 1: 'heartbeat = ...': must be key = value; there is no value ('' is an empty one)"),
    ("heartbeat = # none", "there is no value"),
    ("heartbeat = ''", "heartbeat = '': must be a whole number"),
    ("default_permissions.read = (", "default_permissions.read = '(': must be a regular expression: missing )"),
    ("default_user_tags.administrator = no", "default_user_tags.administrator = 'no': must be true or false"),
    ("auth_mechanisms.1 = RABBIT-CR-DEMO", "auth_mechanisms.1 = 'RABBIT-CR-DEMO': nobody could log in"),
    ("ssl_options = some", "ssl_options = 'some': must be none"),
    (
        "listeners.tcp = 5672",
        "listeners.tcp = '5672': must be none; a listener has a name, such as listeners.tcp.default",
    ),
    ("web_mqtt.allow_origins = x", "must be none; an origin is web_mqtt.allow_origins.1"),
    (
        "listeners.tcp.1 = local:/run/x.sock:0\nlisteners.tcp = none\nstomp.listeners.tcp = none\n"
        "mqtt.listeners.tcp = none\nstream.listeners.tcp = none\nweb_mqtt.tcp.listener = none",
        "no listener is left that Warren could open",
    ),
]


@pytest.mark.parametrize(("text", "expected"), NOT_THERE)
def test_what_cannot_be_made_out_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert expected in str(caught.value)
    assert "swordfish" not in str(caught.value)


# Values in RabbitMQ's own terms


CONVERTED = [
    ("log.console.level = notice", "log_level", "info"),
    ("log.console.level = emergency", "log_level", "critical"),
    ("log.file.level = debug", "log_level", "debug"),
    ("log.file.level = <=notice", "log_level", "info"),
    ("log.console.level = error\nlog.file.level = debug", "log_level", "error"),
    ("handshake_timeout = infinity", "handshake_timeout_s", 3600),
    ("max_connections = 7", "connection_max", 7),
    ("max_channels_per_connection = 7", "channel_max", 7),
    ("mqtt.subscription_ttl = 90000", "mqtt_max_session_expiry_s", 90),
    ("mqtt.subscription_ttl = undefined", "mqtt_max_session_expiry_s", 0xFFFF_FFFF),
    ("disk_free_limit.absolute = 2Gi", "disk_free_limit_bytes", 2 * 2**30),
    ("disk_free_limit.absolute = 2G", "disk_free_limit_bytes", 2 * 10**9),
    ("disk_free_limit.absolute = 3mib", "disk_free_limit_bytes", 3 * 2**20),
    ("disk_free_limit.relative = 0.5", "disk_free_limit_bytes", total_memory_bytes() // 2),
    ("disk_free_limit.absolute = 7\ndisk_free_limit.relative = 0.5", "disk_free_limit_bytes", 7),
    ("vm_memory_high_watermark.absolute = 4k", "memory_high_watermark", Watermark(absolute_bytes=4000)),
    (
        "vm_memory_high_watermark.absolute = 4KB\nvm_memory_high_watermark.relative = 0.5",
        "memory_high_watermark",
        Watermark(absolute_bytes=4000),
    ),
    ("default_user_tags.administrator = false", "default_user_tags", frozenset()),
    ("default_user_tags.management = true\ndefault_user_tags.a\\.b = true", "default_user_tags", {"management", "a.b"}),
    ("default_permissions.configure = ''", "default_permissions_configure", ""),
    ("default_permissions.write = ^a\\z", "default_permissions_write", "^a\\z"),
    ("default_permissions.read = .*", "default_permissions_read", ".*"),
    ("auth_mechanisms.1 = PLAIN\nauth_mechanisms.2 = AMQPLAIN", "amqp_auth_mechanisms", {"PLAIN", "AMQPLAIN"}),
    ("auth_mechanisms.1 = EXTERNAL\nauth_mechanisms.2 = ANONYMOUS", "amqp_auth_mechanisms", {"EXTERNAL"}),
    ("ssl_options.ciphers.1 = A\nssl_options.ciphers.2 = B", "tls_ciphers", ("A", "B")),
    ("ssl_options.certfile = a\nssl_options = none", "tls_certificate_file", None),
]


@pytest.mark.parametrize(("text", "key", "value"), CONVERTED)
def test_values_in_rabbitmq_s_terms(tmp_path: Path, text: str, key: str, value: object) -> None:
    assert getattr(read(tmp_path, text), key) == value


# Where it listens


def test_that_it_would_listen_everywhere_on_rabbitmq_is_said(tmp_path: Path) -> None:
    said = (
        "rabbitmq.conf: it names no listeners.tcp: RabbitMQ would listen on all interfaces, port 5672; Warren listens "
    )
    assert said in read(tmp_path, "heartbeat = 10").warnings[0]
    assert said in read(tmp_path, "mqtt.listeners.tcp.1 = 1883").warnings[0]
    assert read(tmp_path, "listeners.tcp.default = 5672").warnings == ()
    assert read(tmp_path, "listeners.tcp = none").warnings == ()
    assert read(tmp_path, "heartbeat = 10", WARREN_LISTEN="amqp=*:5672").warnings == ()


def test_a_bare_port_is_every_address(tmp_path: Path) -> None:
    assert read(tmp_path, "listeners.tcp.default = 5672").listeners[:-2] == (Listener("amqp", "*", 5672),)


def test_unix_sockets_are_left_out(tmp_path: Path) -> None:
    config = read(tmp_path, "listeners.tcp.1 = local:/run/x.sock:0\nlisteners.tcp.2 = 5672")
    assert config.listeners[:-2] == (Listener("amqp", "*", 5672),)
    assert "listeners.tcp.1: ignored: Warren doesn't listen on Unix sockets" in config.warnings[0]
