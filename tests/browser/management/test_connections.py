"""Connections and channels: who they are, what they do, closing with a reason."""

from __future__ import annotations

import pika
import pytest
from pika.adapters.blocking_connection import BlockingConnection

from tests.browser.management.operating import Api, choose, confirm, enter, fill, follow, log_in, press, wait_for_row
from tests.browser.page import Page
from tests.support.warren_process import WarrenProcess


def connect(managed: WarrenProcess, name: str) -> BlockingConnection:
    properties = {"connection_name": name}
    return BlockingConnection(pika.ConnectionParameters("127.0.0.1", managed.amqp_port, client_properties=properties))


def address_of(api: Api, name: str) -> str:
    return next(str(each["name"]) for each in api.get("/connections") if each["user_provided_name"] == name)


def test_a_connection_and_its_channel(page: Page, api: Api, managed: WarrenProcess, name: str) -> None:
    api.put(f"/queues/%2F/{name}")
    with connect(managed, name) as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=9)
        channel.basic_consume(name, lambda *_: None)
        channel.confirm_delivery()
        enter(page, "connections")
        assert "AMQP 0-9-1" in wait_for_row(page, name)
        follow(page, address_of(api, name))
        page.wait_for_text("#main", "The client says")
        page.wait_for_text("#main", "Pika Python Client Library")
        page.wait_for_text("#main", "confirms")
        address = address_of(api, name)
        enter(page, "channels", f"{address} (1)")
        page.wait_for_text("#main", "Prefetch of each consumer")
        row = wait_for_row(page, name)
        assert "\t9\t" in row
        enter(page, "channels")
        assert "confirms" in wait_for_row(page, f"{address} (1)")


def test_the_last_frames_of_a_connection(page: Page, api: Api, managed: WarrenProcess, name: str) -> None:
    with connect(managed, name) as connection:
        channel = connection.channel()
        choose(page, "#refresh", "2000")
        enter(page, "connections", address_of(api, name))
        page.wait_for_text("#main", "None has passed since one looks.")
        channel.queue_declare(name, exclusive=True)
        page.wait_for_text(".frames .in", "queue.declare")
        page.wait_for_text(".frames .out", "queue.declare-ok")
        assert name in page.text(".frames")
        with pytest.raises(pika.exceptions.ChannelClosedByBroker):
            channel.queue_declare(f"{name}-missing", passive=True)
        page.wait_for_text("#main .alarm", f"{name}-missing")


def test_frames_of_somebody_else_take_a_tag(tab: Page, api: Api, managed: WarrenProcess, name: str) -> None:
    tab.expect("401")
    api.put(f"/users/{name}", {"password": "secret", "tags": "monitoring"})
    with connect(managed, name):
        log_in(tab, api.base, "connections", address_of(api, name), user=name, password="secret")
        tab.wait_for_text("#main", "needs the tag administrator")
        assert "The client says" in tab.text("#main")
        assert tab.text("#trouble") == ""


def test_closing_tells_the_client_why(page: Page, api: Api, managed: WarrenProcess, name: str) -> None:
    connection = connect(managed, name)
    enter(page, "connections", address_of(api, name))
    press(page, "Close it")
    fill(page, "reason", "the cellar is flooded")
    confirm(page, "Close it")
    page.wait_for_text("#main h1", "Connections")
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker, match="the cellar is flooded"):
        connection.process_data_events(time_limit=30)


def test_a_connection_that_ends_is_said_to_be_gone(page: Page, api: Api, managed: WarrenProcess, name: str) -> None:
    connection = connect(managed, name)
    enter(page, "connections", address_of(api, name))
    page.wait_for_text("#main", "The client says")
    connection.close()
    page.evaluate("document.querySelector('#refresh').value = '2000'")
    page.evaluate("document.querySelector('#refresh').dispatchEvent(new Event('change'))")
    page.wait_for_text("#main", "Back to the list")
