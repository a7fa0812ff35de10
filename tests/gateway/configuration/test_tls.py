"""Listeners with TLS and PROXY headers, and the keys of TLS, in every way they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from warren.core.configuration.values import CertificateFiles
from warren.gateway.configuration.config import Config, ConfigError
from warren.gateway.configuration.load import load_config
from warren.gateway.network.addresses import Listener
from warren.gateway.network.settings import DEFAULT_LISTENERS

ADMINISTRATION = ("http=localhost:15672?optional=true", "metrics=localhost:15692?optional=true")
"""Where the plugins listen that are on by default, whatever the other protocols do."""

ADMINISTRATION_OVER_TLS_TOO = (
    "http=localhost:15672?optional=true",
    "https=localhost:15671?optional=true",
    "metrics=localhost:15692?optional=true",
    "metricss=localhost:15691?optional=true",
)


def load(tmp_path: Path, toml: str = "", **environment: str) -> Config:
    (tmp_path / "warren.toml").write_text(toml)
    return load_config(environment={"WARREN_IN_MEMORY": "true", **environment}, directory=tmp_path)


@pytest.mark.parametrize(
    ("written", "listener"),
    [
        ("amqp=127.0.0.1:5672", Listener("amqp", "127.0.0.1", 5672)),
        ("amqps=localhost:5671", Listener("amqp", "localhost", 5671, tls=True)),
        ("stomps=[::1]:61614", Listener("stomp", "::1", 61614, tls=True)),
        ("mqtts=0.0.0.0:8883", Listener("mqtt", "0.0.0.0", 8883, tls=True)),
        ("ws=localhost:15674", Listener("ws", "localhost", 15674)),
        ("wss=localhost:15673", Listener("ws", "localhost", 15673, tls=True)),
        ("auto=0.0.0.0:5000", Listener("auto", "0.0.0.0", 5000)),
        ("autos=0.0.0.0:5000", Listener("auto", "0.0.0.0", 5000, tls=True)),
        ("amqp=0.0.0.0:1?proxy_protocol=true", Listener("amqp", "0.0.0.0", 1, proxy_protocol=True)),
        ("mqtts=[::]:1?proxy_protocol=yes", Listener("mqtt", "::", 1, tls=True, proxy_protocol=True)),
        ("amqp=0.0.0.0:1?proxy_protocol=false", Listener("amqp", "0.0.0.0", 1)),
        ("http=[::1]:1?optional=true", Listener("http", "::1", 1, optional=True)),
        (
            "amqps=[::1]:1?optional=yes&proxy_protocol=on",
            Listener("amqp", "::1", 1, tls=True, proxy_protocol=True, optional=True),
        ),
    ],
)
def test_listeners(tmp_path: Path, written: str, listener: Listener) -> None:
    config = load(tmp_path, WARREN_LISTEN=written)
    assert config.listeners == (listener,)
    assert load(tmp_path, WARREN_LISTEN=str(listener)).listeners == (listener,)


@pytest.mark.parametrize(
    "written",
    [
        "amqpss=127.0.0.1:1",
        "s=127.0.0.1:1",
        "autoss=127.0.0.1:1",
        "carrier-pigeon=127.0.0.1:1",
        "amqp=127.0.0.1:1?proxy_protocol",
        "amqp=127.0.0.1:1?proxy_protocol=perhaps",
        "amqp=127.0.0.1:1?proxy=true",
        "amqp=127.0.0.1:1?proxy_protocol=true&",
        "amqp=127.0.0.1:1?optional=perhaps",
        "amqp?proxy_protocol=true=127.0.0.1:1",
        "auto=127.0.0.1:1,auto=127.0.0.1:1?proxy_protocol=true",
    ],
)
def test_listeners_that_are_none(tmp_path: Path, written: str) -> None:
    with pytest.raises(ConfigError, match=r"WARREN_LISTEN = .*: must be"):
        load(tmp_path, WARREN_LISTEN=written)


def test_with_a_certificate_the_default_listeners_are_there_over_tls_too(tmp_path: Path) -> None:
    assert load(tmp_path).listeners[: len(DEFAULT_LISTENERS)] == DEFAULT_LISTENERS
    assert [str(listener) for listener in load(tmp_path).listeners[len(DEFAULT_LISTENERS) :]] == [*ADMINISTRATION]
    config = load(tmp_path, WARREN_TLS_CERTIFICATE_FILE="server.pem")
    assert [str(listener) for listener in config.listeners] == [
        "amqp=localhost:5672",
        "stomp=localhost:61613",
        "mqtt=localhost:1883",
        "stream=localhost:5552",
        "ws=localhost:15674",
        "ws=localhost:15675",
        "amqps=localhost:5671",
        "stomps=localhost:61614",
        "mqtts=localhost:8883",
        "streams=localhost:5551",
        "wss=localhost:15673",
        "wss=localhost:15676",
        *ADMINISTRATION_OVER_TLS_TOO,
    ]


def test_named_listeners_are_all_there_are(tmp_path: Path) -> None:
    config = load(tmp_path, WARREN_TLS_CERTIFICATE_FILE="server.pem", WARREN_LISTEN="amqp=localhost:5672")
    assert config.listeners == (Listener("amqp", "localhost", 5672),)


def test_every_key(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        """
        tls_certificate_file = "server.pem"
        tls_key_file = "/etc/keys/server.key"
        tls_key_password = "secret"
        tls_server_name_certificates = ["a.pem:/keys/a.key", "b.pem"]
        tls_ca_file = "ca.pem"
        tls_verify = "required"
        tls_versions = ["1.3"]
        tls_handshake_timeout_s = 2.5
        tls_certificate_login_from = "subject_alternative_name"
        tls_certificate_login_san_type = "email"
        tls_certificate_login_san_index = 1
        stomp_certificate_login = true

        [mqtt]
        certificate_login = true
        """,
    )
    assert config.tls_certificate_file == tmp_path / "server.pem"
    assert config.tls_key_file == Path("/etc/keys/server.key")
    assert config.tls_key_password == "secret"
    assert config.tls_server_name_certificates == (
        CertificateFiles(tmp_path / "a.pem", Path("/keys/a.key")),
        CertificateFiles(tmp_path / "b.pem"),
    )
    assert config.tls_ca_file == tmp_path / "ca.pem"
    assert config.tls_verify == "required"
    assert config.tls_versions == {"1.3"}
    assert config.tls_handshake_timeout_s == 2.5
    assert config.tls_certificate_login_from == "subject_alternative_name"
    assert config.tls_certificate_login_san_type == "email"
    assert config.tls_certificate_login_san_index == 1
    assert config.stomp_certificate_login
    assert config.mqtt_certificate_login


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("tls_verify", '"yes"', "one of none, optional, required"),
        ("tls_versions", '["1.1"]', "one or more of 1.2, 1.3"),
        ("tls_versions", "[]", "one or more of 1.2, 1.3"),
        ("tls_server_name_certificates", '["a:b:c"]', "CERTIFICATE_FILE:KEY_FILE"),
        ("tls_server_name_certificates", '[":b"]', "CERTIFICATE_FILE:KEY_FILE"),
        ("tls_certificate_login_from", '"serial"', "one of distinguished_name"),
        ("tls_certificate_login_san_type", '"x400"', "one of dns, ip, email, uri, other_name"),
        ("tls_handshake_timeout_s", "0", "a number of seconds from 0.1"),
        ("tls_certificate_file", '""', "the name of a file"),
    ],
)
def test_values_that_are_not_allowed(tmp_path: Path, key: str, value: str, allowed: str) -> None:
    with pytest.raises(ConfigError, match=f"{key} = .*must be .*{allowed}"):
        load(tmp_path, f"{key} = {value}")


def test_the_password_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, "tls_key_password = 12345")
    assert "12345" not in str(raised.value)


# rabbitmq.conf


def read(tmp_path: Path, text: str) -> Config:
    (tmp_path / "rabbitmq.conf").write_text(text)
    environment = {"RABBITMQ_CONFIG_FILE": "rabbitmq.conf", "WARREN_IN_MEMORY": "true"}
    return load_config(environment=environment, directory=tmp_path)


RABBITMQ_TLS = """
listeners.tcp = none
listeners.ssl.default = 5671
ssl_options.cacertfile = /etc/ca.pem
ssl_options.certfile   = server.pem
ssl_options.keyfile    = server.key
ssl_options.password   = secret
ssl_options.verify     = verify_peer
ssl_options.fail_if_no_peer_cert = true
ssl_options.versions.1 = tlsv1.3
ssl_options.versions.2 = tlsv1.2
ssl_options.versions.3 = tlsv1.1
ssl_options.honor_cipher_order = true
ssl_handshake_timeout = 2500
ssl_cert_login_from = subject_alt_name
ssl_cert_login_san_type = email
ssl_cert_login_san_index = 1
stomp.listeners.ssl.1 = 127.0.0.1:61614
stomp.listeners.tcp.1 = 61613
stomp.ssl_cert_login = true
mqtt.listeners.ssl.default = 8883
mqtt.ssl_cert_login = true
"""


def test_rabbitmq_s_keys_of_tls(tmp_path: Path) -> None:
    config = read(tmp_path, RABBITMQ_TLS)
    assert [str(listener) for listener in config.listeners] == [
        "amqps=*:5671",
        "stomp=*:61613",
        "stomps=127.0.0.1:61614",
        "mqtts=*:8883",
        *ADMINISTRATION_OVER_TLS_TOO,
    ]
    assert config.tls_certificate_file == tmp_path / "server.pem"
    assert config.tls_key_file == tmp_path / "server.key"
    assert config.tls_key_password == "secret"
    assert config.tls_ca_file == Path("/etc/ca.pem")
    assert config.tls_verify == "required"
    assert config.tls_versions == {"1.2", "1.3"}
    assert config.tls_handshake_timeout_s == 2.5
    assert config.tls_certificate_login_from == "subject_alternative_name"
    assert config.tls_certificate_login_san_type == "email"
    assert config.tls_certificate_login_san_index == 1
    assert config.stomp_certificate_login
    assert config.mqtt_certificate_login
    assert [str(remark).split(": ")[1] for remark in config.remarks] == [
        "ssl_options.versions.1, ssl_options.versions.2, ssl_options.versions.3",
        "ssl_options.honor_cipher_order",
    ]


@pytest.mark.parametrize(
    ("text", "listeners"),
    [
        ("listeners.ssl.default = 5671", ["amqp=localhost:5672", "amqps=*:5671"]),
        ("listeners.tcp = none\nlisteners.ssl.default = 5671", ["amqps=*:5671"]),
        ("listeners.ssl.1 = 5671\nlisteners.ssl = none\nlisteners.tcp.1 = 5673", ["amqp=*:5673"]),
        (
            "proxy_protocol = true",
            [
                "amqp=localhost:5672?proxy_protocol=true",
                "stomp=localhost:61613",
                "mqtt=localhost:1883",
                "stream=localhost:5552",
                "ws=localhost:15674",
                "ws=localhost:15675",
            ],
        ),
        (
            "mqtt.proxy_protocol = true\nweb_stomp.proxy_protocol = true\nproxy_protocol = false",
            [
                "amqp=localhost:5672",
                "stomp=localhost:61613",
                "mqtt=localhost:1883?proxy_protocol=true",
                "stream=localhost:5552",
                "ws=localhost:15674?proxy_protocol=true",
                "ws=localhost:15675",
            ],
        ),
        (
            "stomp.listeners.tcp = none\nlisteners.tcp = none\nweb_mqtt.tcp.listener = none",
            ["mqtt=localhost:1883", "stream=localhost:5552"],
        ),
        (
            "listeners.tcp = none\nlisteners.ssl = none\nssl_options.certfile = a.pem\nssl_options.keyfile = a.key",
            [
                "stomp=localhost:61613",
                "mqtt=localhost:1883",
                "stream=localhost:5552",
                "ws=localhost:15674",
                "ws=localhost:15675",
                "stomps=localhost:61614",
                "mqtts=localhost:8883",
                "streams=localhost:5551",
                "wss=localhost:15673",
                "wss=localhost:15676",
            ],
        ),
        ("listeners.tcp = none\nlisteners.tcp.1 = 5672\nmqtt.listeners.tcp.1 = 1883", ["mqtt=*:1883"]),
        ("web_mqtt.tcp.listener = 10.0.0.1:81\nlisteners.tcp.1 = 5672", ["amqp=*:5672", "ws=10.0.0.1:81"]),
        ("web_stomp.port = 81\nlisteners.tcp.1 = 5672", ["amqp=*:5672", "ws=*:81"]),
        ("web_stomp.ssl.ip = ::1\nlisteners.tcp.1 = 5672", ["amqp=*:5672", "wss=[::1]:15673"]),
        (
            "proxy_protocol = true\nlisteners.tcp.1 = 5673\nmqtt.listeners.tcp.1 = 1883",
            ["amqp=*:5673?proxy_protocol=true", "mqtt=*:1883"],
        ),
        (
            "mqtt.proxy_protocol = true\nmqtt.listeners.ssl.1 = ::1:8883",
            ["amqp=localhost:5672", "mqtts=[::1]:8883?proxy_protocol=true"],
        ),
        (
            "web_stomp.tcp.port = 15674\nweb_mqtt.tcp.port = 15675\nweb_mqtt.tcp.ip = 127.0.0.1",
            ["amqp=localhost:5672", "ws=*:15674", "ws=127.0.0.1:15675"],
        ),
        (
            "web_mqtt.ssl.port = 15676\nweb_mqtt.proxy_protocol = true\nlisteners.tcp = none",
            ["wss=*:15676?proxy_protocol=true"],
        ),
    ],
)
def test_rabbitmq_s_listeners(tmp_path: Path, text: str, listeners: list[str]) -> None:
    config = read(tmp_path, text)
    administration = ADMINISTRATION_OVER_TLS_TOO if config.tls_certificate_file else ADMINISTRATION
    assert [str(listener) for listener in config.listeners] == [*listeners, *administration]
    assert [text for text in config.warnings if "listens on localhost only" not in text] == []


@pytest.mark.parametrize(
    ("text", "verify"),
    [
        ("ssl_options.verify = verify_none\nssl_options.fail_if_no_peer_cert = true", "none"),
        ("ssl_options.verify = verify_peer", "optional"),
        ("ssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = false", "optional"),
        ("ssl_options.fail_if_no_peer_cert = false", "none"),
    ],
)
def test_rabbitmq_s_verify(tmp_path: Path, text: str, verify: str) -> None:
    assert read(tmp_path, text).tls_verify == verify


def test_certificates_of_the_web_plugins(tmp_path: Path) -> None:
    config = read(tmp_path, "web_mqtt.ssl.certfile = web.pem\nweb_mqtt.ssl.keyfile = web.key\nweb_mqtt.ssl.port = 1")
    assert config.tls_certificate_file == tmp_path / "web.pem"
    assert config.tls_key_file == tmp_path / "web.key"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("ssl_options.verify = verify", "must be verify_peer or verify_none"),
        ("ssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = yes", "must be true or false"),
        ("ssl_options.versions.1 = tls1.2", "must be one of tlsv1.2, tlsv1.3"),
        ("ssl_options.versions.1 = tlsv1.1", "others aren't safe"),
        ("ssl_cert_login_from = serial", "must be one of distinguished_name"),
        ("proxy_protocol = maybe", "must be true or false"),
        ("listeners.ssl.1 = x", "must be"),
    ],
)
def test_rabbitmq_s_values_that_are_not_allowed(tmp_path: Path, text: str, error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        read(tmp_path, text)
