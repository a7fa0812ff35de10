"""Logging in at an issuer of tokens, and out again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.management.conftest import LISTEN
from tests.browser.management.operating import Api, enter, press
from tests.browser.page import Page
from tests.support.token_issuer import TokenIssuer, token_issuer
from tests.support.warren_process import start_warren

SCOPES = "burrow.tag:administrator burrow.read:*/* burrow.write:*/* burrow.configure:*/*"


@pytest.fixture(scope="module")
def shared_issuer() -> Iterator[TokenIssuer]:
    with token_issuer(sub="alice", aud="burrow", scope=SCOPES) as running:
        yield running


@pytest.fixture
def issuer(shared_issuer: TokenIssuer) -> TokenIssuer:
    """As it was made, before each test."""
    shared_issuer.claims["scope"] = SCOPES
    shared_issuer.refuses = ""
    shared_issuer.expires_in_s = 600
    shared_issuer.grants.clear()
    shared_issuer.goodbyes.clear()
    return shared_issuer


@pytest.fixture(scope="module")
def base(shared_issuer: TokenIssuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker that takes its tokens."""
    options = {
        "plugins": "management",
        "auth_backends": "internal,oauth2",
        "auth_oauth2_resource_server_id": "burrow",
        "auth_oauth2_issuer": "",
        "auth_oauth2_jwks_url": f"{shared_issuer.url}/keys",
        "management_oauth_client_id": "the-page",
        "management_oauth_provider_url": shared_issuer.url,
    }
    settings = [word for name, value in options.items() if value for word in ("--set", f"{name}={value}")]
    running = start_warren(
        tmp_path_factory.mktemp("oauth"), data_directory=None, listen=(LISTEN[0], LISTEN[-1]), options=settings
    )
    try:
        yield f"http://127.0.0.1:{running.addresses['http'][1]}/"
    finally:
        running.stop()
    log = running.log.read_text()
    assert "Traceback" not in log, log


def go_to_issuer(tab: Page, base: str, fragment: str = "") -> None:
    tab.open(f"{base}{fragment}")
    tab.wait_for("document.querySelector('#log-in-elsewhere').checkVisibility()")
    tab.load_by(lambda: tab.click("#log-in-elsewhere"))


def test_a_login_and_what_comes_of_it(tab: Page, base: str, issuer: TokenIssuer) -> None:
    go_to_issuer(tab, base, "#/queues")
    tab.wait_for_text("#main h1", "Queues")
    assert (tab.text("#who"), tab.text("#tags")) == ("alice", "administrator")
    assert tab.evaluate("location.href") == f"{base}#/queues"
    (grant,) = issuer.grants
    assert (grant["client_id"], grant["redirect_uri"]) == ("the-page", base)
    press(tab, "Add a queue")
    tab.fill("dialog [name=name]", "of-alice")
    tab.click("dialog .form-buttons [type=submit]")
    tab.wait_for_text("#toasts", "of-alice is there")
    assert Api(base).get("/queues/%2F/of-alice")["name"] == "of-alice"
    tab.open(f"{base}?again#/users")
    tab.wait_for_text("#main h1", "Users")
    assert len(issuer.grants) == 1, "the tab still has the token"


def test_logging_out_is_told_to_the_issuer(tab: Page, base: str, issuer: TokenIssuer) -> None:
    go_to_issuer(tab, base)
    tab.wait_for_text("#main h1", "Overview")
    tab.load_by(lambda: tab.click("#log-out"))
    tab.wait_for("document.querySelector('#log-in-elsewhere')?.checkVisibility()")
    assert tab.evaluate("sessionStorage.length") == 0
    (goodbye,) = issuer.goodbyes
    assert (goodbye["client_id"], goodbye["post_logout_redirect_uri"]) == ("the-page", base)
    assert goodbye["id_token_hint"].count(".") == 2


def test_a_token_is_renewed_before_it_expires(tab: Page, base: str, issuer: TokenIssuer) -> None:
    issuer.expires_in_s = 30
    go_to_issuer(tab, base)
    tab.wait_for_text("#main h1", "Overview")
    tab.wait_for("JSON.parse(atob(JSON.parse(sessionStorage['warren.login']).token.split('.')[1])).jti === '2'")
    assert issuer.grants[1]["grant_type"] == "refresh_token"
    issuer.expires_in_s = 600
    enter(tab, "queues")
    tab.wait_for_text("#main h1", "Queues")


def test_what_the_issuer_refuses_is_said(tab: Page, base: str, issuer: TokenIssuer) -> None:
    issuer.refuses = "Alice is on holiday"
    go_to_issuer(tab, base)
    tab.wait_for_text("#login-error", "says: Alice is on holiday")
    assert tab.evaluate("location.href") == base
    assert issuer.grants == []


def test_a_token_without_a_tag(tab: Page, base: str, issuer: TokenIssuer) -> None:
    tab.expect("401")
    issuer.claims["scope"] = "burrow.read:*/*"
    go_to_issuer(tab, base)
    tab.wait_for_text("#login-error", "has no tag such as management")


def test_an_answer_that_nobody_asked_for(tab: Page, base: str, issuer: TokenIssuer) -> None:
    tab.open(f"{base}?code=x&state=y")
    tab.wait_for_text("#login-error", "nobody")
    assert tab.evaluate("location.search") == ""
    assert issuer.grants == []


def test_a_password_counts_beside_it(tab: Page, base: str) -> None:
    tab.open(base)
    tab.wait_for("!document.querySelector('#gate').hidden")
    tab.fill("#login [name=user]", "guest")
    tab.fill("#login [name=password]", "guest")
    tab.press("Enter")
    tab.wait_for_text("#who", "guest")


ANSWER = """{
  const real = fetch;
  window.fetch = async (address, options) => {
    const answer = await real(address, options);
    return String(address).endsWith('/auth')
      ? new Response(JSON.stringify({ ...await answer.json(), oauth_disable_basic_auth: true }))
      : answer;
  };
}"""


def test_where_passwords_dont_count_none_is_asked_for(tab: Page, base: str) -> None:
    tab.call("Page.addScriptToEvaluateOnNewDocument", source=ANSWER)
    tab.open(base)
    tab.wait_for("!document.querySelector('#gate').hidden")
    assert tab.focused() == "log-in-elsewhere"
    assert tab.evaluate("document.querySelector('#login [name=password]').checkVisibility()") is False
    assert tab.text("#login").strip().startswith("Log in at 127.0.0.1:")
