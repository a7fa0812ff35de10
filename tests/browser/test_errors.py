"""What goes wrong is said, in the protocol's own words, and the page stays usable."""

from __future__ import annotations

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.browser.conftest import Broker
from tests.browser.operating import connect, log_in, publish, select_message, subscribe, wait_for_state
from tests.browser.page import Page
from tests.support.ports import free_ports

REFUSALS = {
    "stomp": "ERROR Bad CONNECT: Access refused for user 'guest'",
    "mqtt5": "CONNACK 0x86 Bad User Name or Password",
    "mqtt4": "CONNACK 4 Bad user name or password",
}


@pytest.mark.parametrize("protocol", REFUSALS)
def test_a_wrong_password(page: Page, broker: Broker, protocol: str) -> None:
    page.open(broker.url())
    connect(page, protocol, password="wrong")
    page.wait_for_text("#problems", REFUSALS[protocol])
    wait_for_state(page, "offline")
    log_in(page, protocol)
    assert page.text("#problems") == ""


def test_nobody_listens(page: Page, broker: Broker) -> None:
    (port,) = free_ports(1)
    page.open(broker.url())
    page.fill("#connection [name=url]", f"ws://127.0.0.1:{port}/ws")
    page.click("#connect")
    page.wait_for_text("#problems", f"No WebSocket connection to ws://127.0.0.1:{port}/ws")
    wait_for_state(page, "offline")
    page.expect("ERR_CONNECTION_REFUSED")


def test_a_url_that_is_none(page: Page, broker: Broker) -> None:
    page.open(broker.url())
    page.fill("#connection [name=url]", "gopher://x")
    page.click("#connect")
    page.wait_for("document.querySelector('#problems').innerText")
    wait_for_state(page, "offline")


def test_a_broken_destination(page: Page, broker: Broker) -> None:
    page.open(broker.url())
    log_in(page)
    assert "ERROR Unknown destination" in publish(page, "/nowhere/x", "x")
    assert page.evaluate("document.querySelector('#publish-result').dataset.ok") == "false"
    assert "RECEIPT" in publish(page, "/topic/x", "x")


def test_a_refused_subscription(page: Page, broker: Broker) -> None:
    page.open(broker.url())
    log_in(page, "mqtt5")
    page.fill("#subscribe [name=destination]", "$queue/nobody-declared-this")
    page.click("#subscribe [type=submit]")
    page.wait_for("document.querySelector('#subscriptions [data-status=failed]')")
    assert "SUBACK 0x8" in page.text("#subscriptions .note")
    subscribe(page, "fine")


def test_what_cannot_be_sent_is_said_at_the_form(page: Page, broker: Broker) -> None:
    page.open(broker.url())
    assert "Not connected" in publish(page, "/topic/x", "x")
    log_in(page)
    page.click("#publish input[value=hex]")
    assert "no hexadecimal digit" in publish(page, "/topic/x", "xyz")
    page.click("#publish .more summary")
    page.fill("#publish [name=headers]", "no colon here")
    assert "write it as “name: value”" in publish(page, "/topic/x", "00")


@pytest.mark.parametrize("protocol", ["stomp", "mqtt5"])
def test_what_arrives_is_never_read_as_html(
    page: Page, broker: Broker, amqp: BlockingChannel, name: str, protocol: str
) -> None:
    page.open(broker.url())
    log_in(page, protocol)
    subscribe(page, f"/topic/{name}.#" if protocol == "stomp" else f"{name}/#")
    attack = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>"
    amqp.basic_publish("amq.topic", f"{name}.{attack}", attack.encode())
    assert attack in select_message(page, "onerror")
    page.click("#tab-wire")
    page.wait_for_text("#wire", "onerror")
    assert page.evaluate("document.title") == "Warren"
    assert page.evaluate("document.querySelectorAll('#feed img, #feed script').length") == 1


def test_a_long_problem_is_cut(page: Page, broker: Broker) -> None:
    page.open(broker.url())
    page.evaluate(
        """import('/views/problems.js').then(({ Problems }) => {
          new Problems(document.querySelector('#problems')).add('x'.repeat(1_000_000));
        })"""
    )
    assert page.text("#problems p") == "x" * 1000 + "…"


def test_the_password_is_neither_logged_nor_kept(page: Page, broker: Broker) -> None:
    page.open(broker.url())
    for protocol in ("stomp", "mqtt5"):
        connect(page, protocol, password="top-secret-word")
        page.wait_for_text("#problems", REFUSALS[protocol])
        wait_for_state(page, "offline")
    page.click("#tab-wire")
    for number in range(4):
        page.evaluate(f"document.querySelectorAll('#wire .canvas .row')[{number}].click()")
        assert "top-secret" not in page.text()
    page.click("#share")
    assert "secret" not in page.evaluate("location.href + JSON.stringify(localStorage)")
