"""Twenty thousand messages as fast as the broker delivers: all are counted, and the page goes on answering."""

from __future__ import annotations

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.browser.conftest import Broker
from tests.browser.operating import log_in, select_message, subscribe
from tests.browser.page import Page

MESSAGES = 20_000

KEPT = 10_000
"""What the page keeps (page/data/feed.js)."""

PAUSE_MS_MAX = 2000
"""Longest time between two frames.  It is some 100 ms on two quiet cores, with broker and publisher on the same ones; a
page that made an element for each message would stand still for much longer than this."""

ELEMENTS_MAX = 2000
"""What the page consists of, messages included."""

WATCH = """
  window.longest = 0;
  let last = performance.now();
  const look = (now) => {
    window.longest = Math.max(window.longest, now - last);
    last = now;
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
"""


@pytest.mark.parametrize("protocol", ["stomp", "mqtt5"])
def test_a_flood(page: Page, broker: Broker, amqp: BlockingChannel, name: str, protocol: str) -> None:
    page.open(broker.url())
    log_in(page, protocol)
    subscribe(page, f"/topic/{name}" if protocol == "stomp" else name)
    page.evaluate(f"(() => {{ {WATCH} }})()")
    for number in range(MESSAGES):
        amqp.basic_publish("amq.topic", name, b'{"number": %d}' % number)
    page.wait_for_text("#count-messages", f"{MESSAGES:,}")
    page.wait_for_text("#subscriptions .badge", f"{MESSAGES:,}")
    page.wait_for_text("#messages", f'{{"number": {MESSAGES - 1}}}')
    assert page.evaluate("window.longest") < PAUSE_MS_MAX
    assert page.evaluate("document.querySelectorAll('*').length") < ELEMENTS_MAX
    assert int(page.evaluate("document.querySelector('#messages').getAttribute('aria-rowcount')")) == KEPT + 1
    page.press("m")
    page.evaluate("document.querySelector('#messages').focus()")
    page.press("Home")
    page.wait_for_text("#detail pre", f'"number": {MESSAGES - KEPT}')


def test_a_pause_holds_still_and_nothing_is_lost(page: Page, broker: Broker, amqp: BlockingChannel, name: str) -> None:
    page.open(broker.url())
    log_in(page)
    subscribe(page, f"/topic/{name}")
    amqp.basic_publish("amq.topic", name, b"first")
    select_message(page, "first")
    page.click("#pause")
    for number in range(50):
        amqp.basic_publish("amq.topic", name, f"number {number}".encode())
    page.wait_for_text("#held", "Paused · 50 new")
    assert "number" not in page.text("#messages")
    page.click("#pause")
    page.wait_for_text("#messages", "number 49")
    page.fill("#filter", "number 7")
    page.wait_for("document.querySelectorAll('#messages .canvas .row:not([hidden])').length === 1")
    page.fill("#filter", "nothing like it")
    page.wait_for_text("#empty", "Nothing matches the filter")
    page.fill("#filter", "")
    page.click("#clear")
    page.wait_for_text("#empty", "Waiting for messages")
    assert page.text("#count-messages") == "0"


def test_scrolling_up_stays_there(page: Page, broker: Broker, amqp: BlockingChannel, name: str) -> None:
    page.open(broker.url())
    log_in(page)
    subscribe(page, f"/topic/{name}")
    send(amqp, name, 0, 200)
    page.wait_for_text("#messages", "number 199")
    page.evaluate("document.querySelector('#messages').scrollTop = 0")
    page.wait_for("document.querySelector('#follow').ariaPressed === 'false'")
    send(amqp, name, 200, 300)
    page.wait_for_text("#count-messages", "300")
    page.wait_for_text("#messages", "number 0")
    page.click("#follow")
    page.wait_for_text("#messages", "number 299")


def send(amqp: BlockingChannel, routing_key: str, first: int, end: int) -> None:
    for number in range(first, end):
        amqp.basic_publish("amq.topic", routing_key, f"number {number}".encode())
