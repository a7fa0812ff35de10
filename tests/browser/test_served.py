"""How the broker serves the page: whole, by itself, and under a policy that lets in nothing else."""

from __future__ import annotations

import re
import urllib.request

import pytest

from tests.browser.conftest import Broker
from tests.browser.operating import log_in, publish, subscribe
from tests.browser.page import Page
from warren.adapters.websocket.page_files import FOLDER

FILES = [path for path in sorted(FOLDER.rglob("*")) if path.is_file()]


def test_the_policy(broker: Broker) -> None:
    with urllib.request.urlopen(broker.url()) as response:
        policy = response.headers["Content-Security-Policy"]
    directives = dict(each.strip().partition(" ")[::2] for each in policy.split(";"))
    assert directives["default-src"] in ("'self'", "'none'")
    assert {directives.get(name, "'self'") for name in ("script-src", "style-src")} == {"'self'"}
    assert sorted(directives["connect-src"].split()) == ["'self'", "ws:", "wss:"]
    assert "unsafe" not in policy


def test_the_policy_is_enforced(page: Page, broker: Broker) -> None:
    """The test that the others rely on: a violation is a complaint."""
    page.open(broker.url())
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'document.title = 1'}))"
    )
    page.evaluate("document.querySelector('h1').setAttribute('style', 'color: red')")
    assert page.evaluate("document.title") == "Warren"
    assert len([each for each in page.complaints() if "CSP" in each]) == 2
    page.expect("CSP", "Content Security Policy")


def test_everything_comes_from_the_broker(page: Page, broker: Broker) -> None:
    page.open(broker.url())
    loaded = page.evaluate("performance.getEntriesByType('resource').map(each => each.name)")
    assert len(loaded) > 20
    assert [each for each in loaded if not each.startswith(broker.url())] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(FOLDER).as_posix())
def test_no_file_names_another_server(path: object) -> None:
    text = path.read_text()  # type: ignore[attr-defined]
    addresses = set(re.findall(r"https?://[^\s'\"`)]+", text))
    allowed = ("http://www.w3.org/2000/svg", "https://stomp.github.io/")
    assert [each for each in addresses if not each.startswith(allowed)] == []


def test_no_file_is_long() -> None:
    long = [path.name for path in FILES if path.suffix == ".js" and len(path.read_text().splitlines()) > 400]
    assert long == []


def test_settings_are_remembered(page: Page, broker: Broker, name: str) -> None:
    page.open(broker.url())
    log_in(page, "mqtt5")
    subscribe(page, f"{name}/#", "2")
    publish(page, f"{name}/a", "x")
    page.click("#hang-up")
    page.open(f"{broker.url()}?again")
    assert page.evaluate("document.querySelector('#connection input[value=mqtt5]').checked") is True
    assert f"{name}/#" in page.text("#subscriptions")
    assert page.evaluate("document.querySelector('#publish [name=destination]').value") == f"{name}/a"
    assert page.evaluate("document.querySelector('#subscribe-label').innerText") == "Topic filter"
    assert page.evaluate("document.querySelector('#publish [name=persistent]').offsetParent") is None


@pytest.mark.parametrize("url", ["ws://", "ws://[", "nonsense", ""])
def test_a_remembered_url_that_is_none_is_forgotten(page: Page, broker: Broker, url: str) -> None:
    page.open(broker.url())
    page.fill("#connection [name=url]", url)
    page.evaluate("document.querySelector('#connection [name=url]').blur()")
    page.open(f"{broker.url()}?again")
    own = f"{broker.url().replace('http', 'ws')}ws"
    assert page.evaluate("document.querySelector('#connection [name=url]').value") == own
    log_in(page)


@pytest.mark.parametrize("protocol", ["constructor", "__proto__", "gopher", ""])
def test_a_link_with_a_protocol_that_is_none(page: Page, broker: Broker, protocol: str) -> None:
    page.open(f"{broker.url()}#protocol={protocol}&user=guest&subscribe=auto+/topic/x")
    assert page.text("#subscriptions .name") == "/topic/x"
    log_in(page)


def test_a_link_brings_the_settings(page: Page, broker: Broker) -> None:
    page.open(f"{broker.url()}#protocol=mqtt5&user=somebody&vhost=shop&subscribe=2+orders/%23&publish=orders/new")
    fields = "['user', 'vhost', 'url'].map(each => document.querySelector(`#connection [name=${each}]`).value)"
    assert page.evaluate(fields) == ["somebody", "shop", f"{broker.url().replace('http', 'ws')}ws"]
    assert page.text("#subscriptions .name") == "orders/#"
    assert page.text("#state") == "Not connected"
    page.open(f"{broker.url()}?2#url=ws://elsewhere.example/ws")
    assert "elsewhere" not in page.evaluate("document.querySelector('#connection [name=url]').value")
