"""Authentication back-ends as a rabbitmq.conf names them."""

from __future__ import annotations

from pathlib import Path

import pytest

from warren.gateway.authentication.settings.chain import AuthenticationSettings
from warren.gateway.authentication.settings.http import HttpBackEndSettings
from warren.gateway.authentication.settings.oauth2 import OAuth2Settings
from warren.gateway.configuration.config import Config, ConfigError
from warren.gateway.configuration.load import load_config


def load(directory: Path, text: str) -> Config:
    path = directory / "rabbitmq.conf"
    path.write_text(f"listeners.tcp.1 = 127.0.0.1:0\n{text}")
    return load_config(config_file=path, environment={}, directory=directory)


CHAINS = [
    ("auth_backends.1 = internal\nauth_backends.2 = http", ["internal", "http"]),
    ("auth_backends.2 = internal\nauth_backends.1 = rabbit_auth_backend_http", ["http", "internal"]),
    ("auth_backends.10 = internal\nauth_backends.9 = uaa", ["oauth2", "internal"]),
    ("auth_backends.1.authn = internal\nauth_backends.1.authz = http", ["internal/http"]),
    ("auth_backends.1 = http\nauth_backends.1.authz = internal", ["http/internal"]),
    ("auth_backends.1.authn = oauth", ["oauth2"]),
    ("auth_backends.1 = cache\nauth_cache.cached_backend = http", ["http"]),
    ("auth_backends.1 = rabbit_auth_backend_cache", ["internal"]),
    (
        "auth_backends.1 = cache\nauth_cache.cached_backend.authn = http\nauth_cache.cached_backend.authz = internal",
        ["http/internal"],
    ),
    ("auth_backends.1 = internal\nauth_backends.2 = rabbit_auth_backend_internal", ["internal"]),
    ("auth_backends.1 = ldap", ["ldap"]),
]


@pytest.mark.parametrize(("text", "steps"), CHAINS, ids=[text.replace("\n", "; ") for text, _ in CHAINS])
def test_who_is_asked(tmp_path: Path, text: str, steps: list[str]) -> None:
    config = load(tmp_path, text)
    assert [str(step) for step in config.section(AuthenticationSettings).steps] == steps
    assert config.remarks == ()


@pytest.mark.parametrize("name", ["HTTP", "rabbit_auth_backend_", "my-backend", "a/b"])
def test_what_names_no_back_end(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"auth_backends\.1"):
        load(tmp_path, f"auth_backends.1 = {name}")


def test_a_cached_back_end_that_nobody_asks_is_said(tmp_path: Path) -> None:
    (remark,) = load(tmp_path, "auth_backends.1 = http\nauth_cache.cached_backend = internal").remarks
    assert "auth_cache.cached_backend: ignored: auth_backends doesn't name cache" in str(remark)


def test_the_http_back_end_and_the_cache(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        """
        auth_backends.1 = http
        auth_http.http_method = post
        auth_http.user_path = https://auth.example/user
        auth_http.vhost_path = https://auth.example/vhost
        auth_http.resource_path = https://auth.example/resource
        auth_http.topic_path = https://auth.example/topic
        auth_http.request_timeout = 2500
        auth_http.connection_timeout = 1500
        auth_http.ssl_options.cacertfile = ca.pem
        auth_http.ssl_options.verify = verify_none
        auth_cache.cache_ttl = 30000
        auth_cache.cache_refusals = true
        """,
    )
    assert config.remarks == ()
    http = config.section(HttpBackEndSettings)
    assert (http.method, http.request_timeout_s, http.connection_timeout_s) == ("post", 2.5, 1.5)
    assert {http.user_path, http.vhost_path, http.resource_path, http.topic_path} == {
        f"https://auth.example/{name}" for name in ("user", "vhost", "resource", "topic")
    }
    assert (http.ca_file, http.verify) == (tmp_path / "ca.pem", "verify_none")
    kept = config.section(AuthenticationSettings)
    assert (kept.ttl_ms, kept.cache_refusals) == (30_000, True)


def test_the_oauth2_back_end(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        """
        auth_backends.1 = oauth2
        auth_oauth2.resource_server_id = rabbitmq
        auth_oauth2.scope_prefix = api://
        auth_oauth2.additional_scopes_key = roles permissions
        auth_oauth2.verify_aud = false
        auth_oauth2.default_key = one
        auth_oauth2.signing_keys.one = one.pem
        auth_oauth2.signing_keys.two\\.2 = /keys/two.pem
        auth_oauth2.jwks_url = https://issuer.example/keys
        auth_oauth2.algorithms.2 = ES256
        auth_oauth2.algorithms.1 = RS256
        auth_oauth2.preferred_username_claims.1 = user_name
        auth_oauth2.preferred_username_claims.2 = email
        auth_oauth2.scope_aliases.admin = tag:administrator read:*/*
        auth_oauth2.scope_aliases.2.alias = reader of all
        auth_oauth2.scope_aliases.2.scope = read:*/*
        """,
    )
    assert config.remarks == ()
    found = config.section(OAuth2Settings)
    assert (found.resource_server_id, found.scope_prefix) == ("rabbitmq", "api://")
    assert found.additional_scopes_key == "roles permissions"
    assert (found.verify_aud, found.default_key) == (False, "one")
    assert dict(found.signing_keys) == {"one": tmp_path / "one.pem", "two.2": Path("/keys/two.pem")}
    assert found.jwks_url == "https://issuer.example/keys"
    assert found.algorithms == ("RS256", "ES256")
    assert found.preferred_username_claims == ("user_name", "email")
    assert dict(found.scope_aliases) == {"admin": "tag:administrator read:*/*", "reader of all": "read:*/*"}


@pytest.mark.parametrize("algorithm", ["none", "None", "RS1024", ""])
def test_algorithms_that_cant_be_allowed(tmp_path: Path, algorithm: str) -> None:
    with pytest.raises(ConfigError, match=r"auth_oauth2\.algorithms"):
        load(tmp_path, f"auth_oauth2.algorithms.1 = {algorithm or 'HS'}")
