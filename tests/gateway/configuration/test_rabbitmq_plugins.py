"""What a rabbitmq.conf says of the management and Prometheus plugins: listeners, CORS, TLS, while they are enabled."""

from __future__ import annotations

from pathlib import Path

import pytest

from warren.gateway.configuration.config import Config, ConfigError
from warren.gateway.configuration.load import load_config
from warren.gateway.network.settings import DEFAULT_LISTENERS
from warren.plugins.management.oauth_settings import OAuthSettings
from warren.plugins.management.settings import ManagementSettings
from warren.plugins.metrics.settings import MetricsSettings

BOTH = "management,metrics"

WITHOUT = {BOTH: "", "management": "-metrics", "metrics": "-management", "": "-management, -metrics"}
"""The key `plugins` for these, which are on unless it says otherwise."""


def load(directory: Path, text: str, plugins: str = BOTH, **environment: str) -> Config:
    path = directory / "rabbitmq.conf"
    path.write_text(text)
    variables = {"WARREN_PLUGINS": WITHOUT[plugins], **environment}
    return load_config(config_file=path, environment=variables, directory=directory)


def listeners(config: Config) -> list[str]:
    return [str(each) for each in config.listen]


AMQP = "listeners.tcp.1 = 127.0.0.1:5000\n"

LISTENERS = [
    ("management.tcp.port = 15000", ["http=*:15000"]),
    ("management.tcp.ip = 10.0.0.1", ["http=10.0.0.1:15672"]),
    ("management.tcp.port = 1\nmanagement.tcp.ip = ::1", ["http=[::1]:1"]),
    ("management.ssl.port = 15001\nmanagement.ssl.ip = 10.0.0.1", ["https=10.0.0.1:15001"]),
    ("management.tcp.port = 1\nmanagement.ssl.port = 2", ["http=*:1", "https=*:2"]),
    ("management.listener.port = 12345", ["http=*:12345"]),
    ("management.listener.port = 12345\nmanagement.listener.ssl = true", ["https=*:12345"]),
    ("management.listener.ip = 10.0.0.1\nmanagement.listener.ssl = false", ["http=10.0.0.1:15672"]),
    ("", ["http=localhost:15672?optional=true"]),
]


@pytest.mark.parametrize(("text", "wanted"), LISTENERS)
def test_where_the_management_api_listens(tmp_path: Path, text: str, wanted: list[str]) -> None:
    config = load(tmp_path, AMQP + text, "management")
    assert listeners(config) == ["amqp=127.0.0.1:5000", *wanted]
    assert config.remarks == ()


def test_beside_the_listeners_that_are_there_anyway(tmp_path: Path) -> None:
    config = load(tmp_path, "prometheus.tcp.port = 9419\nprometheus.tcp.ip = 0.0.0.0\n")
    others = [str(each) for each in DEFAULT_LISTENERS]
    assert listeners(config) == [*others, "http=localhost:15672?optional=true", "metrics=0.0.0.0:9419"]


def test_the_command_line_names_all_of_them(tmp_path: Path) -> None:
    config = load(tmp_path, f"{AMQP}management.tcp.port = 1", WARREN_LISTEN="amqp=127.0.0.1:2")
    assert listeners(config) == ["amqp=127.0.0.1:2"]


def test_with_a_certificate_there_are_two(tmp_path: Path) -> None:
    config = load(tmp_path, f"{AMQP}ssl_options.certfile = server.pem\nssl_options.keyfile = server.key", "metrics")
    assert listeners(config)[-2:] == [
        "metrics=localhost:15692?optional=true",
        "metricss=localhost:15691?optional=true",
    ]


def test_tls_of_their_own_counts_where_there_is_no_other(tmp_path: Path) -> None:
    own = "management.ssl.certfile = own.pem\nmanagement.ssl.keyfile = own.key\nmanagement.ssl.port = 15671\n"
    config = load(tmp_path, own)
    assert (config.tls_certificate_file, config.tls_key_file) == (tmp_path / "own.pem", tmp_path / "own.key")
    both = load(tmp_path, f"{own}ssl_options.certfile = server.pem\nssl_options.keyfile = own.key\n")
    assert both.tls_certificate_file == tmp_path / "server.pem"
    assert [str(each) for each in both.remarks if "management.ssl.certfile" in str(each)]
    without = load(tmp_path, own, "metrics")
    assert without.tls_certificate_file is None


def test_keys(tmp_path: Path) -> None:
    text = """
        management.cors.allow_origins.1 = https://a.example
        management.cors.allow_origins.2 = https://b.example
        management.path_prefix = mq
        management.cors.max_age = 60
        management.http.max_body_size = 2097152
        prometheus.return_per_object_metrics = true
    """
    config = load(tmp_path, AMQP + text)
    management = config.section(ManagementSettings)
    assert management.cors_allow_origins == ("https://a.example", "https://b.example")
    assert management.path_prefix == "/mq"
    assert (management.cors_max_age_s, management.body_bytes_max) == (60, 2_097_152)
    assert config.section(MetricsSettings).per_object
    assert config.remarks == ()
    none = load(tmp_path, f"{AMQP}management.cors.allow_origins = none")
    assert none.section(ManagementSettings).cors_allow_origins == ()


def test_what_is_no_origin_lets_nobody_in(tmp_path: Path) -> None:
    config = load(tmp_path, f"{AMQP}management.cors.allow_origins.1 = nowhere\nmanagement.cors.allow_origins.2 = *\n")
    assert config.section(ManagementSettings).cors_allow_origins == ("*",)
    (remark,) = config.remarks
    assert "management.cors.allow_origins.1 = 'nowhere': ignored" in str(remark)


def test_of_a_plugin_that_isnt_enabled_it_is_said(tmp_path: Path) -> None:
    text = f"{AMQP}management.tcp.port = 1\nmanagement.cors.max_age = 5\nprometheus.tcp.port = 2\n"
    config = load(tmp_path, text, "")
    assert listeners(config) == ["amqp=127.0.0.1:5000"]
    first, second = sorted(map(str, config.remarks))
    assert "management.tcp.port, management.cors.max_age: ignored: `plugins` takes `management` away" in first
    assert "prometheus.tcp.port: ignored: `plugins` takes `metrics` away" in second
    (remark,) = load(tmp_path, text, "management").remarks
    assert "`plugins` takes `metrics` away" in str(remark)


@pytest.mark.parametrize(
    "text",
    [
        "management.listener.ssl = perhaps",
        "management.tcp.port = many",
        "management.cors.allow_origins = https://a.example",
        "management.cors.max_age = -1",
        "management.path_prefix = /mq/../api",
        "management.http.max_body_size = small",
        "prometheus.return_per_object_metrics = perhaps",
    ],
)
def test_a_value_that_cant_be_ends_the_start(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        load(tmp_path, AMQP + text)


def test_what_is_ignored_is_said_as_loudly_as_it_matters(tmp_path: Path) -> None:
    text = "prometheus.authentication.enabled = true\nmanagement.ssl.versions.1 = x\nmanagement.tcp.idle_timeout = 1\n"
    said = [str(each) for each in load(tmp_path, AMQP + text).remarks]
    assert said[0].startswith("SECURITY: ")
    assert "prometheus.authentication.enabled" in said[0]
    assert len(said) == 3


OAUTH = """
management.oauth_enabled = true
management.oauth_client_id = page
management.oauth_provider_url = https://issuer.example
management.oauth_metadata_url = https://issuer.example/described
management.oauth_scopes = openid burrow
"""


def test_logging_in_at_an_issuer(tmp_path: Path) -> None:
    """With it, names and passwords are taken only where the file says so, as in RabbitMQ."""
    found = load(tmp_path, AMQP + OAUTH).section(OAuthSettings)
    assert found == OAuthSettings(
        "page", "https://issuer.example", "https://issuer.example/described", "openid burrow", False
    )
    for key in ("oauth_disable_basic_auth", "disable_basic_auth"):
        assert load(tmp_path, f"{AMQP}{OAUTH}management.{key} = false").section(OAuthSettings).basic
        assert not load(tmp_path, f"{AMQP}management.{key} = true").section(OAuthSettings).basic
    plain = load(tmp_path, AMQP).section(OAuthSettings)
    assert (plain.client_id, plain.basic) == ("", True)


def test_an_issuer_that_is_not_enabled(tmp_path: Path) -> None:
    config = load(tmp_path, AMQP + OAUTH.replace("true", "false"))
    assert config.section(OAuthSettings) == OAuthSettings()
    assert [str(each) for each in config.remarks if "management.oauth_client_id: ignored" in str(each)]


def test_an_issuer_that_is_neither(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"management\.oauth_enabled = 'yes': must be true or false"):
        load(tmp_path, f"{AMQP}management.oauth_enabled = yes")
