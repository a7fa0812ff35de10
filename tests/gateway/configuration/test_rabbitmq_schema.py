"""Every key that RabbitMQ knows: applied, ignored with a remark on what that means, or what Warren does anyway.

`rabbitmq_schema.txt` has them all, with every kind of value: a valid line never refuses the start.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from warren.gateway.configuration.catalogue import known_key, plugin_keys
from warren.gateway.configuration.given import Given, Remark, Weight
from warren.gateway.configuration.rabbitmq_conf.ignored import IGNORED, ignored_names
from warren.gateway.configuration.rabbitmq_conf.reader import read_rabbitmq_conf

OF_PLUGINS = plugin_keys(["management", "metrics"])

SCHEMA = Path(__file__).parent / "rabbitmq_schema.txt"

NOTHING_TO_DO = {
    "management.cors.allow_origins",
    "management.listener.ssl",
    "management.oauth_enabled",
    "definitions.hashing.algorithm",
    "exchange_types.local_random.enabled",
    "log.console",
    "log.exchange",
    "log.file",
    "log.journald",
    "log.syslog",
    "proxy_protocol",
    "mqtt.proxy_protocol",
    "queue_types.classic.enabled",
    "queue_types.quorum.enabled",
    "queue_types.stream.enabled",
    "ssl_allow_poodle_attack",
    "ssl_options",
    "ssl_options.client_renegotiation",
    "ssl_options.crl_check",
    "ssl_options.fail_if_no_peer_cert",
    "stomp.proxy_protocol",
    "web_mqtt.allow_origins",
    "web_mqtt.proxy_protocol",
    "web_stomp.allow_origins",
    "web_stomp.proxy_protocol",
}
"""With one of their values, these say what is so anyway."""

LOCAL_ONLY = "listens on localhost only"


def rows() -> list[tuple[str, list[str]]]:
    lines = [line for line in SCHEMA.read_text().splitlines() if not line.startswith("#")]
    return [(key, values.split(" | ")) for key, _, values in (line.partition(" = ") for line in lines)]


def read(text: str) -> tuple[list[Given], list[Remark]]:
    settings, remarks = read_rabbitmq_conf(text, Path("/etc/rabbitmq/rabbitmq.conf"), {})
    return settings, [remark for remark in remarks if LOCAL_ONLY not in remark.text]


def test_the_schema_is_all_there() -> None:
    keys = [key for key, _ in rows()]
    assert len(keys) == len(set(keys)) == 1140
    assert {key.partition(".")[0] for key in keys} >= {"auth_ldap", "cluster_formation", "log", "mqtt", "prometheus"}


def test_every_valid_line_is_applied_or_remarked_on() -> None:
    silent = set()
    for key, values in rows():
        for value in values:
            settings, remarks = read(f"{key} = {value}\n")
            for given in settings:
                found = known_key(given.key) or OF_PLUGINS.get(given.key)
                assert found is not None, given
                found.parse(given.value)
            assert not [remark for remark in remarks if "has such a key" in remark.text], key
            assert all(key in remark.text for remark in remarks), (key, remarks)
            if not settings and not remarks:
                silent.add(key)
    assert silent == NOTHING_TO_DO


def test_all_of_them_in_one_file() -> None:
    alone = {"listeners.tcp", "listeners.ssl", "stomp.listeners.tcp", "stomp.listeners.ssl", "mqtt.listeners.tcp"}
    alone |= {"mqtt.listeners.ssl", "web_mqtt.tcp.listener", "web_mqtt.ssl.listener", "web_stomp.tcp.listener"}
    text = "\n".join(f"{key} = {values[0]}" for key, values in rows() if key not in alone)
    settings, remarks = read(text)
    assert len(settings) > 60
    assert len(remarks) < 60, "one remark for all keys of a kind"
    assert [remark.weight for remark in remarks] == sorted((remark.weight for remark in remarks), reverse=True)


def test_what_is_listed_as_ignored_is_a_key_of_rabbitmq() -> None:
    keys = {key for key, _ in rows()}
    families = {key.rsplit(".", count)[0] for key in keys for count in range(1, key.count(".") + 1)}
    assert [name for name in ignored_names() if name not in keys | families] == []
    listed = [name for each in IGNORED for name in each.names]
    assert len(set(listed)) == len(listed), "each is listed once"


SECURITY = [
    ("auth_ldap.servers.1 = ldap.example", "no LDAP directory is asked"),
    ("http_dispatch.auth_backends.1 = http", "go through auth_backends"),
    ("auth_http.ssl_options.crl_check = peer", "revoked certificates of the back-end http are accepted"),
    ("auth_oauth2.https.depth = 2", "revoked certificates of the issuer are accepted"),
    ("auth_oauth2.scope_pattern_syntax = regex", "scopes have wildcards"),
    ("credential_validator.min_length = 30", "passwords of any length"),
    ("default_users.bob.password = x", "no such user is made"),
    ("default_limits.vhosts.1.max_connections = 1", "no limits"),
    ("default_policies.operator.a.max_length = 1", "no limits and operator policies"),
    ("ssl_options.crl_check = peer", "revoked certificates are accepted"),
    ("ssl_options.depth = 2", "chains of any length"),
    ("ssl_options.cacerts.1 = MII", "read from files only"),
    ("ssl_options.fail_if_no_peer_cert = true", "aren't asked for a certificate without"),
    ("trust_store.directory = /certificates", "only the authorities"),
    ("mqtt.ssl_cert_client_id_from = distinguished_name", "any client id"),
    ("queue_types.quorum.enabled = false", "the type stays available"),
]


@pytest.mark.parametrize(("text", "meaning"), SECURITY, ids=[text for text, _ in SECURITY])
def test_what_would_have_kept_somebody_out_is_said_loudly(text: str, meaning: str) -> None:
    _, (remark,) = read(text)
    assert remark.weight is Weight.SECURITY
    assert meaning in str(remark)
    assert str(remark).startswith("SECURITY: /etc/rabbitmq/rabbitmq.conf: ")


@pytest.mark.parametrize(
    "text",
    [
        "auth_backends.1 = internal\nauth_backends.2 = rabbit_auth_backend_internal",
        "password_hashing_module = rabbit_password_hashing_sha256",
        "definitions.import_backend = local_filesystem",
        "definitions.import_backend = rabbit_definitions_import_local_filesystem",
        "log.console = true\nlog.file = false",
    ],
)
def test_what_is_so_anyway_is_nothing_to_say(text: str) -> None:
    assert read(text) == ([], [])


UNKNOWN = [
    ("heartbeet = 10", "; did you mean heartbeat?"),
    ("listeners.tpc.default = 5672", "; did you mean listeners.tcp.default"),
    ("listener.tcp.default = 5672", "; did you mean listeners.tcp.default"),
    ("loopback_user.guest = false", "; did you mean loopback_users.guest"),
    ("ssl_options.verfiy = verify_peer", "; did you mean ssl_options.verify"),
    ("mqtt.alow_anonymous = false", "; did you mean mqtt.allow_anonymous"),
    ("vm_memory_high_watermark.realtive = 0.4", "; did you mean vm_memory_high_watermark.relative"),
    ("collect_statistic = none", "; did you mean collect_statistics"),
    ("motd_file.x = 1", "; did you mean motd_file"),
    ("frobnicate = 1", "; look for it in docs/rabbitmq.md"),
]


@pytest.mark.parametrize(("text", "advice"), UNKNOWN)
def test_what_nobody_knows_is_named_with_what_may_have_been_meant(text: str, advice: str) -> None:
    settings, (remark,) = read(text)
    assert settings == []
    assert remark.weight is Weight.WARNING
    assert f"{text.partition(' =')[0]}: ignored: neither Warren nor RabbitMQ has such a key{advice}" in remark.text
