"""What the API says of logging in at an issuer of tokens, and what the page may ask there."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.plugins.management.api import GUEST, open_api, refusal
from tests.support.tokens import rsa_key
from warren.gateway.configuration.catalogue import KEYS
from warren.plugins.management.oauth_settings import URL_SYNTAX, url

UNCHANGED = {"enable_uaa": False, "uaa_client_id": "", "uaa_location": ""}


async def test_nothing_is_offered_by_default() -> None:
    async with open_api() as api:
        assert await api.get("/auth", auth=None) == {"oauth_enabled": False, **UNCHANGED}
        policy = (await api.http.get("/")).headers["content-security-policy"]
        assert "connect-src 'self';" in policy


async def test_what_is_offered() -> None:
    async with open_api(
        management_oauth_client_id="the-page",
        management_oauth_provider_url="https://issuer.example.org:8443/realms/burrow/",
        management_oauth_metadata_url="https://other.example.org/described",
        management_oauth_scopes="openid burrow",
    ) as api:
        assert await api.get("/auth", auth=None) == {
            "oauth_enabled": True,
            "oauth_disable_basic_auth": False,
            "oauth_client_id": "the-page",
            "oauth_provider_url": "https://issuer.example.org:8443/realms/burrow/",
            "oauth_metadata_url": "https://other.example.org/described",
            "oauth_scopes": "openid burrow",
            **UNCHANGED,
        }
        page, live = [(await api.http.get(path)).headers["content-security-policy"] for path in ("/", "/live/")]
        assert "connect-src 'self' https://issuer.example.org:8443 https://other.example.org;" in page
        assert "example.org" not in live


async def test_the_issuer_of_tokens_is_where_one_logs_in() -> None:
    async with open_api(management_oauth_client_id="p", auth_oauth2_issuer="https://issuer.example.org/a/") as api:
        found = await api.get("/auth", auth=None)
        assert found["oauth_provider_url"] == "https://issuer.example.org/a/"
        assert found["oauth_metadata_url"] == "https://issuer.example.org/a/.well-known/openid-configuration"


async def test_an_issuer_that_is_no_address_offers_nothing() -> None:
    async with open_api(management_oauth_client_id="the-page", auth_oauth2_issuer="uaa; script-src *") as api:
        assert (await api.get("/auth", auth=None))["oauth_enabled"] is False
        assert "uaa" not in (await api.http.get("/")).headers["content-security-policy"]


async def test_names_and_passwords_arent_taken(tmp_path: Path) -> None:
    key = rsa_key()
    async with open_api(
        management_oauth_client_id="the-page",
        management_oauth_provider_url="https://issuer.example.org",
        management_basic_auth=False,
        auth_oauth2_resource_server_id="burrow",
        auth_oauth2_signing_keys=(("rsa", key.write(tmp_path)),),
        auth_oauth2_require_exp=False,
        auth_backends=KEYS["auth_backends"].parse(["oauth2", "internal"]),
    ) as api:
        assert (await api.get("/auth", auth=None))["oauth_disable_basic_auth"] is True
        token = key.sign({"sub": "alice", "aud": "burrow", "scope": "burrow.tag:management"})
        as_password = base64.b64encode(f":{token}".encode()).decode()
        for header in (None, "Basic Z3Vlc3Q6Z3Vlc3Q=", f"Basic {as_password}"):
            headers = {} if header is None else {"authorization": header}
            answer = await api.ask("GET", "/whoami", auth=None, headers=headers)
            assert "management_basic_auth" in refusal(answer, 401, "not_authorised")
        answer = await api.ask("POST", "/login", {"username": "guest", "password": "guest"}, auth=None)
        assert "management_basic_auth" in refusal(answer, 401, "not_authorised")
        assert (await api.get("/whoami", auth=None, headers={"authorization": f"Bearer {token}"}))["name"] == "alice"


async def test_both_count_beside_each_other() -> None:
    async with open_api(
        management_oauth_client_id="the-page", management_oauth_provider_url="https://issuer.example.org"
    ) as api:
        assert (await api.get("/whoami", auth=GUEST))["name"] == "guest"


@pytest.mark.parametrize(
    "text",
    [
        "issuer",
        "ftp://issuer",
        "https://",
        "https://a b",
        "https://a;b/",
        "https://a'/",
        "https://u:p@a/",
        "https://é/",
        5,
    ],
)
def test_what_is_no_address(text: object) -> None:
    with pytest.raises(ValueError, match=URL_SYNTAX):
        url(text)


@pytest.mark.parametrize("text", ["", "http://a", "https://a.example:1/x?y=z", "http://[::1]:8/", "https://a/;'"])
def test_addresses(text: str) -> None:
    assert url(text) == text
