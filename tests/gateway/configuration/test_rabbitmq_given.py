"""A rabbitmq.conf before its values are looked at: what is given to which key, under which name, and what is said."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from warren.gateway.configuration.config import ConfigError
from warren.gateway.configuration.given import Remark, Weight
from warren.gateway.configuration.rabbitmq_conf.reader import read_rabbitmq_conf

FAMILIES = [
    ("loopback_users = none", "loopback_users", "loopback_users", []),
    ("loopback_users.guest = false", "loopback_users.guest", "loopback_users", []),
    (
        "loopback_users = none\nloopback_users.b = true\nloopback_users.a = true\nloopback_users.c = no",
        "loopback_users, loopback_users.b, loopback_users.a, loopback_users.c",
        "loopback_users",
        ["a", "b"],
    ),
    (
        "web_mqtt.allow_origins.1 = b\nweb_stomp.allow_origins.x = a",
        "web_stomp.allow_origins.x, web_mqtt.allow_origins.1",
        "websocket_allow_origins",
        ["a", "b"],
    ),
    ("anonymous_login_user = none", "anonymous_login_user", "mqtt_allow_anonymous", "false"),
    ("anonymous_login_user = device", "anonymous_login_user", "mqtt_default_user", "device"),
    (
        "auth_mechanisms.1 = EXTERNAL\nauth_mechanisms.2 = ANONYMOUS\nauth_mechanisms.x = PLAIN",
        "auth_mechanisms.1, auth_mechanisms.2, auth_mechanisms.x",
        "amqp_auth_mechanisms",
        ["EXTERNAL", "PLAIN"],
    ),
    (
        "default_user_tags.b = true\ndefault_user_tags.c = false\ndefault_user_tags.a = true",
        "default_user_tags.b, default_user_tags.c, default_user_tags.a",
        "default_user_tags",
        ["b", "a"],
    ),
    ("disk_free_limit.relative = much", "disk_free_limit.relative", "disk_free_limit_bytes", "much"),
    ("mqtt.subscription_ttl = 1s", "mqtt.subscription_ttl", "mqtt_max_session_expiry_s", "1s"),
]


@pytest.mark.parametrize(("text", "written", "key", "value"), FAMILIES)
def test_errors_would_name_what_was_written(tmp_path: Path, text: str, written: str, key: str, value: object) -> None:
    settings, _ = read_rabbitmq_conf(text, tmp_path / "rabbitmq.conf", {})
    found = [(given.written, given.value) for given in settings if given.key == key]
    assert found == [(written, value)]


OUTDONE = [
    ("vm_memory_high_watermark.absolute = 1", "vm_memory_high_watermark.relative = 0.5"),
    ("disk_free_limit.absolute = 1", "disk_free_limit.relative = 0.5"),
    ("log.console.level = error", "log.default.level = debug"),
    ("log.console.level = error", "log.file.level = debug"),
    ("log.console.level = error", "log.level = debug"),
    ("log.default.level = error", "log.file.level = debug"),
]


@pytest.mark.parametrize(("counts", "outdone"), OUTDONE)
def test_what_counts_before_another(tmp_path: Path, counts: str, outdone: str) -> None:
    """Wherever it stands; alone, the other counts, too, for the same key."""
    path = tmp_path / "rabbitmq.conf"
    of_one, of_other, *of_both = (
        [(each.written, each.key) for each in read_rabbitmq_conf(text, path, {})[0]]
        for text in (counts, outdone, f"{counts}\n{outdone}", f"{outdone}\n{counts}")
    )
    assert of_both == [of_one, of_one]
    assert [key for _, key in of_other] == [key for _, key in of_one] != []


def test_a_mechanism_that_is_not_spoken_is_said(tmp_path: Path) -> None:
    path = tmp_path / "rabbitmq.conf"
    text = "auth_mechanisms.1 = ANONYMOUS\nauth_mechanisms.2 = PLAIN\nlisteners.tcp = none"
    _, remarks = read_rabbitmq_conf(text, path, {})
    said = "auth_mechanisms.1: ignored: there is no mechanism ANONYMOUS, only PLAIN, AMQPLAIN, EXTERNAL"
    assert remarks == [Remark(Weight.WARNING, f"{path}: {said}")]


OFFERED = """
listeners.tcp.default stomp.listeners.tcp.default mqtt.listeners.tcp.default
listeners.ssl.default stomp.listeners.ssl.default mqtt.listeners.ssl.default
web_stomp.tcp.port web_stomp.tcp.ip web_stomp.ssl.port web_stomp.ssl.ip
web_mqtt.tcp.port web_mqtt.tcp.ip web_mqtt.ssl.port web_mqtt.ssl.ip
proxy_protocol stomp.proxy_protocol mqtt.proxy_protocol web_stomp.proxy_protocol web_mqtt.proxy_protocol
ssl_options.certfile ssl_options.keyfile ssl_options.cacertfile ssl_options.password ssl_options.verify
ssl_options.fail_if_no_peer_cert ssl_options.versions.1 ssl_options.ciphers.1 ssl_cert_login_from
loopback_users.guest anonymous_login_user web_stomp.allow_origins.1 web_mqtt.allow_origins.1
auth_mechanisms.1 default_user_tags.administrator disk_free_limit.relative mqtt.subscription_ttl heartbeat
"""
"""Of each way in which keys are read, or ignored."""


@pytest.mark.parametrize("name", OFFERED.split())
def test_what_is_nearly_right_is_offered(tmp_path: Path, name: str) -> None:
    written = f"{name[:-1]}_{name[-1]}.x"
    _, remarks = read_rabbitmq_conf(f"{written} = 1", tmp_path / "rabbitmq.conf", {})
    (said,) = [remark.text for remark in remarks if f"{written}: ignored" in remark.text]
    assert f"did you mean {name} or" in said or f"did you mean {name}?" in said


def test_two_names_are_offered_at_most(tmp_path: Path) -> None:
    _, remarks = read_rabbitmq_conf("listeners.tcp.defaul.x = 1", tmp_path / "rabbitmq.conf", {})
    (said,) = [remark.text for remark in remarks if "listeners.tcp.defaul.x" in remark.text]
    assert said.count(" or ") == 1
    assert "did you mean listeners.tcp.default or " in said


NOT_NEEDED = (
    "SECURITY: {path}: ssl_options.fail_if_no_peer_cert: ignored: clients aren't asked for a certificate without "
    "ssl_options.verify = verify_peer"
)
TLS_KEYS: list[tuple[str, list[tuple[str, str, object]], list[str]]] = [
    ("ssl_options.verify = verify_none", [("ssl_options.verify", "tls_verify", "none")], []),
    ("ssl_options.verify = verify_peer", [("ssl_options.verify", "tls_verify", "optional")], []),
    (
        "ssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = true",
        [("ssl_options.verify", "tls_verify", "required")],
        [],
    ),
    (
        "ssl_options.verify = verify_none\nssl_options.fail_if_no_peer_cert = true",
        [("ssl_options.verify", "tls_verify", "none")],
        [NOT_NEEDED],
    ),
    ("ssl_options.fail_if_no_peer_cert = false", [], []),
    ("ssl_options.versions.1 = tlsv1.2", [("ssl_options.versions", "tls_versions", ["1.2"])], []),
    (
        "ssl_options.certfile = a\nweb_mqtt.ssl.certfile = b\nweb_stomp.ssl.certfile = a",
        [("ssl_options.certfile", "tls_certificate_file", "a")],
        ["{path}: web_mqtt.ssl.certfile: ignored: all listeners have the same TLS, that of ssl_options.certfile"],
    ),
    (
        "web_mqtt.ssl.password = c\nweb_stomp.ssl.password = b\nssl_options.password = a",
        [("ssl_options.password", "tls_key_password", "a")],
        [
            "{path}: web_stomp.ssl.password, web_mqtt.ssl.password: ignored: all listeners have the same TLS, that of "
            "ssl_options.password"
        ],
    ),
    (
        "ssl_options.ciphers.1 = A\nssl_options.ciphers.x = B",
        [("ssl_options.ciphers", "tls_ciphers", ["A", "B"])],
        [],
    ),
]


OLD = "{path}: ssl_options.versions.1, ssl_options.versions.2: only 1.3 of these are spoken; others aren't safe"
TLS_KEYS += [
    (
        f"ssl_options.versions.1 = {version}\nssl_options.versions.2 = tlsv1.3",
        [("ssl_options.versions", "tls_versions", ["1.3"])],
        [OLD],
    )
    for version in ("tlsv1", "tlsv1.1", "sslv3")
]


@pytest.mark.parametrize(("text", "given", "said"), TLS_KEYS)
def test_what_is_made_of_tls_s_keys(
    tmp_path: Path, text: str, given: list[tuple[str, str, object]], said: list[str]
) -> None:
    path = tmp_path / "rabbitmq.conf"
    settings, remarks = read_rabbitmq_conf(f"listeners.tcp = none\n{text}", path, {})
    assert [(each.written, each.key, each.value) for each in settings if each.key.startswith("tls_")] == given
    assert [str(each) for each in remarks if "ssl_options" in each.text] == [each.format(path=path) for each in said]


STREAM = "stream=localhost:5552"
WEB = ("ws=localhost:15674", "ws=localhost:15675")
LISTENERS = [
    ("proxy_protocol = false", None, []),
    (
        "stomp.proxy_protocol = true",
        "stomp.proxy_protocol",
        ["amqp=localhost:5672", "stomp=localhost:61613?proxy_protocol=true", "mqtt=localhost:1883", STREAM, *WEB],
    ),
    (
        "web_mqtt.proxy_protocol = true\nproxy_protocol = optional\nweb_stomp.proxy_protocol = false",
        "proxy_protocol, web_mqtt.proxy_protocol",
        [
            "amqp=localhost:5672?proxy_protocol=optional",
            *("stomp=localhost:61613", "mqtt=localhost:1883", STREAM, "ws=localhost:15674"),
            "ws=localhost:15675?proxy_protocol=true",
        ],
    ),
    (
        "mqtt.listeners.tcp = none\nweb_mqtt.tcp.listener = none\nssl_options.certfile = c\nstomp.listeners.ssl = none",
        "listeners",
        [
            *("amqp=localhost:5672", "stomp=localhost:61613", STREAM, "amqps=localhost:5671"),
            *("mqtts=localhost:8883", "streams=localhost:5551", "wss=localhost:15673", "wss=localhost:15676"),
        ],
    ),
    (
        "mqtt.listeners.ssl.b = 10.0.0.1:1\nproxy_protocol = true\nmqtt.listeners.ssl.a = [::1]:2",
        "mqtt.listeners.ssl.b, mqtt.listeners.ssl.a",
        ["amqp=localhost:5672?proxy_protocol=true", "mqtts=10.0.0.1:1", "mqtts=[::1]:2"],
    ),
    (
        "listeners.tcp = none\nweb_mqtt.tcp.ip = 10.0.0.1\nweb_mqtt.ssl.ip = ::1\n"
        "web_stomp.tcp.ip = a\nweb_stomp.ssl.port = 3",
        "web_stomp.tcp.ip, web_stomp.ssl.port, web_mqtt.tcp.ip, web_mqtt.ssl.ip",
        ["ws=a:15674", "wss=*:3", "ws=10.0.0.1:15675", "wss=[::1]:15676"],
    ),
    (
        "listeners.tcp = none\nweb_mqtt.tcp.listener = ::1:1\nweb_mqtt.proxy_protocol = true\n"
        "web_stomp.port = 2\nweb_stomp.tcp.ip = a",
        "web_stomp.port, web_stomp.tcp.ip, web_mqtt.tcp.listener",
        ["ws=a:2", "ws=[::1]:1?proxy_protocol=true"],
    ),
]


@pytest.mark.parametrize(("text", "written", "listen"), LISTENERS)
def test_where_it_listens_then(tmp_path: Path, text: str, written: str | None, listen: list[str]) -> None:
    settings, _ = read_rabbitmq_conf(text, tmp_path / "rabbitmq.conf", {})
    found = [(each.written, each.value) for each in settings if each.key == "listen"]
    assert found == ([] if written is None else [(written, listen)])


def test_nowhere_is_refused(tmp_path: Path) -> None:
    fronts = ("", "stomp.", "mqtt.", "stream.")
    none = [f"{front}listeners.tcp = none" for front in fronts] + ["web_stomp.tcp.listener = none"]
    with pytest.raises(ConfigError) as raised:
        read_rabbitmq_conf("\n".join(none), tmp_path / "rabbitmq.conf", {})
    assert str(raised.value) == (
        f"{tmp_path / 'rabbitmq.conf'}: no listener is left that Warren could open; name one, such as "
        "listeners.tcp.default = 5672"
    )


def test_weights_are_levels_of_the_log() -> None:
    assert [Weight.NOTE, Weight.WARNING, Weight.SECURITY] == [logging.INFO, logging.WARNING, logging.ERROR]
    assert (str(Remark(Weight.SECURITY, "x")), str(Remark(Weight.WARNING, "x"))) == ("SECURITY: x", "x")
