"""A lost connection comes back by itself, with its subscriptions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pika
import pytest

from tests.browser.conftest import Broker
from tests.browser.devtools import Browser
from tests.browser.operating import log_in, select_message, subscribe, wait_for_state
from tests.browser.page import Page, new_page
from tests.support.ports import free_ports

Restart = Callable[[], Broker]


@pytest.fixture
def brokers(start: Callable[..., Broker], tmp_path: Path) -> Iterator[tuple[Broker, Restart]]:
    """A broker, and what starts it anew at the same addresses after its end."""
    data = tmp_path / "data"
    names = ("amqp", "ws", "wss")
    listen = [f"{name}=127.0.0.1:{port}" for name, port in zip(names, free_ports(len(names)), strict=True)]
    running = [start(tmp_path, *listen, data_directory=data)]

    def restart() -> Broker:
        running.append(start(tmp_path, *listen, data_directory=data))
        return running[-1]

    yield running[0], restart
    for each in running:
        each.process.stop()


def stop_retrying(page: Page) -> None:
    """From now on the page does nothing by itself that is due in a second or later, as its first retry is.

    However long a broker takes to start, the button is still there to be clicked.
    """
    page.evaluate(
        """(() => {
          const original = window.setTimeout.bind(window);
          window.setTimeout = (what, delay = 0, ...rest) => (delay < 1000 ? original(what, delay, ...rest) : 0);
        })()"""
    )


def send(broker: Broker, routing_key: str, body: bytes) -> None:
    with pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", broker.process.amqp_port)) as connection:
        connection.channel().basic_publish("amq.topic", routing_key, body)


@pytest.mark.parametrize("protocol", ["stomp", "mqtt5"])
@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_after_a_restart(page: Page, brokers: tuple[Broker, Restart], protocol: str, scheme: str) -> None:
    broker, restart = brokers
    page.open(broker.url(scheme))
    log_in(page, protocol)
    subscribe(page, "/topic/news" if protocol == "stomp" else "news")
    send(broker, "news", b"before")
    select_message(page, "before")
    stop_retrying(page)
    broker.process.kill()
    wait_for_state(page, "waiting")
    page.wait_for_text("#problems", "WebSocket closed: 1006")
    page.wait_for_text("#countdown", "retry in")
    again = restart()
    page.click("#retry")
    page.wait_for("document.querySelector('#subscriptions [data-status=active]')")
    send(again, "news", b"after")
    select_message(page, "after")
    assert page.text("#problems") == ""
    page.expect("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_CONNECTION_CLOSED", "failed")


def test_by_itself(page: Page, brokers: tuple[Broker, Restart]) -> None:
    broker, restart = brokers
    page.open(broker.url())
    log_in(page)
    assert broker.process.stop() == 0
    wait_for_state(page, "waiting")
    restart()
    wait_for_state(page, "online")
    page.expect("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "failed")


def test_not_when_it_is_switched_off(page: Page, brokers: tuple[Broker, Restart]) -> None:
    broker, _ = brokers
    page.open(broker.url())
    page.click("#connection [name=reconnects]")
    log_in(page)
    broker.process.kill()
    wait_for_state(page, "offline")
    page.wait_for_text("#problems", "WebSocket closed")


def test_not_when_another_client_has_taken_over(chromium: Browser, page: Page, broker: Broker, name: str) -> None:
    """Two pages with one client identifier don't throw each other out for ever."""
    page.open(broker.url())
    log_in_as(page, name)
    with new_page(chromium) as other:
        other.open(broker.url())
        log_in_as(other, name)
        page.wait_for_text("#problems", "DISCONNECT 0x8E Session taken over")
        wait_for_state(page, "offline")
        assert other.text("#state-text") == "Connected"


def log_in_as(page: Page, client_identifier: str) -> None:
    page.click("#connection input[value=mqtt5]")
    page.click("#connection .more summary")
    page.fill("#connection [name=clientId]", client_identifier)
    page.click("#connect")
    wait_for_state(page, "online")
