"""Messages where they are: in queues, held by exchanges, retained; and where one would go."""

from __future__ import annotations

import json
from collections.abc import Callable

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from pika.adapters.blocking_connection import BlockingChannel

from tests.browser.management.operating import (
    Api,
    button,
    choose,
    click,
    confirm,
    enter,
    fill,
    follow,
    press,
    submit,
    wait_for_row,
)
from tests.browser.management.test_administration import in_row
from tests.browser.management.test_looks import NAMELESS, OVERHANG
from tests.browser.page import Page
from tests.support.warren_process import WarrenProcess

WAIT_S = 60.0


def test_browsing_takes_nothing(page: Page, api: Api, name: str) -> None:
    api.put(f"/queues/%2F/{name}", {"durable": True})
    for number in range(25):
        api.publish("", name, json.dumps({"number": number}), content_type="application/json")
    enter(page, "queues", "/", name, query="?tab=messages")
    press(page, "Browse")
    page.wait_for("document.querySelectorAll('.message').length === 20")
    assert '"number": 0' in page.text(".message")
    press(page, "Later")
    page.wait_for("document.querySelectorAll('.message').length === 5")
    assert '"number": 20' in page.text(".message")
    assert page.evaluate(f"({button('Later')}).disabled") is True
    press(page, "Earlier")
    page.wait_for("document.querySelectorAll('.message').length === 20")
    assert '"number": 0' in page.text(".message")
    assert api.get(f"/queues/%2F/{name}")["messages"] == 25


def test_what_consumers_hold_is_browsed(page: Page, api: Api, amqp: BlockingChannel, name: str) -> None:
    api.put(f"/queues/%2F/{name}", {"durable": True})
    for number in range(3):
        api.publish("", name, f"body {number}")
    amqp.basic_qos(prefetch_count=2)
    amqp.basic_consume(name, lambda *_: None, consumer_tag=f"tag-{name}")
    enter(page, "queues", "/", name, query="?tab=messages")
    choose(page, "#panel-messages [name=state]", "unacknowledged")
    press(page, "Browse")
    page.wait_for("document.querySelectorAll('.message').length === 2")
    shown = page.text("#panel-messages .messages")
    assert [part for part in ("body 0", "body 1", f"tag-{name}", "Held by") if part not in shown] == []
    choose(page, "#panel-messages [name=state]", "ready")
    press(page, "Browse")
    page.wait_for_text("#panel-messages .messages", "body 2")
    assert api.get(f"/queues/%2F/{name}")["messages"] == 3


def test_moving(page: Page, api: Api, name: str) -> None:
    page.expect("404")
    for end in ("from", "to"):
        api.put(f"/queues/%2F/{name}-{end}", {"durable": True})
    for number in range(3):
        api.publish("", f"{name}-from", str(number))
    enter(page, "queues", "/", f"{name}-from")
    press(page, "Move messages")
    fill(page, "target", f"{name}-nowhere")
    click(page, "document.querySelector('dialog .form-buttons [type=submit]')")
    page.wait_for_text("dialog .form-error", "nowhere")
    fill(page, "target", f"{name}-to")
    fill(page, "count", "2")
    submit(page)
    page.wait_for_text("#toasts", "2 messages are moved.")
    assert [api.get(f"/queues/%2F/{name}-{end}")["messages"] for end in ("from", "to")] == [1, 2]


def test_where_a_message_would_go(page: Page, api: Api, name: str) -> None:
    api.put(f"/exchanges/%2F/{name}", {"type": "topic"})
    for queue, key in (("yes", "order.*"), ("no", "invoice.*")):
        api.put(f"/queues/%2F/{name}-{queue}", {"durable": True})
        api.ask("POST", f"/bindings/%2F/e/{name}/q/{name}-{queue}", {"routing_key": key})
    enter(page, "explain")
    fill(page, "exchange", name, "#main")
    fill(page, "key", "order.new", "#main")
    press(page, "Explain")
    page.wait_for_text(".verdict", f"{name}-yes")
    steps = page.text(".steps")
    assert "order.*" in steps
    assert f"{name}-no" in steps
    assert "takes it" in page.text("#main")
    fill(page, "key", "nothing", "#main")
    press(page, "Explain")
    page.wait_for("[...document.querySelectorAll('#main .tag')].some(each => each.innerText === 'unroutable')")
    assert api.get(f"/queues/%2F/{name}-yes")["messages"] == 0
    follow(page, "Open the exchange")
    page.wait_for_text("#main h1", name)


def test_an_unknown_user_is_said_to_be(page: Page, name: str) -> None:
    page.expect("40")
    enter(page, "explain")
    fill(page, "user", name, "#main")
    press(page, "Explain")
    page.wait_for_text("#main .form-error", name)


def test_delayed_messages_are_cancelled(page: Page, api: Api, name: str) -> None:
    api.put(f"/exchanges/%2F/{name}", {"type": "x-delayed-message", "arguments": {"x-delayed-type": "fanout"}})
    for number in range(2):
        api.publish(name, f"key-{number}", "x", headers={"x-delay": 3_600_000 + number})
    enter(page, "delayed")
    assert "59 min" in wait_for_row(page, "key-0")
    click(page, in_row("key-0", "Cancel"))
    press(page, "Cancel", "dialog .form-buttons")
    page.wait_for("!document.querySelector('dialog')")
    assert len(api.get("/delayed/%2F")["items"]) == 2
    click(page, in_row("key-0", "Cancel"))
    confirm(page, "Delete")
    page.wait_for_text("#toasts", "Deleted")
    assert [each["routing_key"] for each in api.get("/delayed/%2F")["items"]] == ["key-1"]
    api.ask("DELETE", f"/exchanges/%2F/{name}")


def thermometer(managed: WarrenProcess, name: str, publish: Callable[[mqtt.Client], None]) -> None:
    """An MQTT client that has been there, with a session that is kept."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, name, clean_session=False)
    client.username_pw_set("guest", "guest")
    client.connect("127.0.0.1", managed.addresses["mqtt"][1])
    client.loop_start()
    try:
        publish(client)
    finally:
        client.disconnect()
        client.loop_stop()


def test_an_mqtt_session(page: Page, api: Api, managed: WarrenProcess, name: str) -> None:
    def subscribe(client: mqtt.Client) -> None:
        client.publish(f"{name}/hello", "x", 1).wait_for_publish(WAIT_S)
        client.subscribe(f"{name}/+/set", 1)
        client.publish(f"{name}/hello", "x", 1).wait_for_publish(WAIT_S)

    thermometer(managed, name, subscribe)
    enter(page, "mqtt", "sessions")
    assert "away" in wait_for_row(page, name)
    follow(page, name)
    page.wait_for_text("#main", f"{name}/+/set")
    api.publish("amq.topic", f"{name}.nest.set", "21", delivery_mode=2)
    choose(page, "#refresh", "2000")
    page.wait_for("[...document.querySelectorAll('.facts > div')].some(e => e.innerText === 'Waiting\\n1')")
    press(page, "End the session")
    confirm(page, "Delete")
    page.wait_for_text("#main h1", "MQTT sessions")
    assert name not in [each["client_id"] for each in api.get("/mqtt/sessions")]


def test_retained_messages(page: Page, api: Api, managed: WarrenProcess, name: str) -> None:
    def publish(client: mqtt.Client) -> None:
        for place in ("nest", "tunnel"):
            client.publish(f"{name}/{place}/temperature", '{"celsius": 20}', 1, retain=True).wait_for_publish(WAIT_S)

    thermometer(managed, name, publish)
    enter(page, "mqtt", "retained")
    fill(page, "filter", f"{name}/+/temperature", "#main")
    press(page, "Search")
    page.wait_for("document.querySelectorAll('#main tbody tr').length === 2")
    assert '"celsius": 20' in wait_for_row(page, "nest")
    click(page, in_row("nest", "Change"))
    fill(page, "payload", '{"celsius": 25}')
    submit(page)
    page.wait_for_text("#main tbody", '"celsius": 25')
    topic = f"{name}%2Fnest%2Ftemperature"
    assert api.get(f"/mqtt/retained/%2F/{topic}")["payload"] == '{"celsius": 25}'
    fill(page, "search", "tunnel", "#main")
    press(page, "Search")
    page.wait_for("document.querySelectorAll('#main tbody tr').length === 1")
    click(page, in_row("tunnel", "Delete"))
    confirm(page, "Delete")
    page.wait_for_text("#main .nothing", "No retained message has such a topic.")
    assert api.get(f"/mqtt/retained/%2F?search={name}")["total"] == 1
    for field in ("filter", "search"):
        fill(page, field, "", "#main")
    fill(page, "search", name, "#main")
    press(page, "Search")
    page.wait_for("document.querySelectorAll('#main tbody tr').length === 1")
    press(page, "Add a retained message")
    fill(page, "topic", f"{name}/new tunnel")
    fill(page, "payload", "hello")
    submit(page)
    assert "hello" in wait_for_row(page, f"{name}/new tunnel")


def test_a_topic_filter_that_is_none(page: Page) -> None:
    page.expect("400")
    enter(page, "mqtt", "retained")
    fill(page, "filter", "a/#/b", "#main")
    press(page, "Search")
    page.wait_for(
        "document.querySelector('#trouble').innerText || document.querySelector('#main .form-error').innerText"
    )


def test_the_page_of_the_websocket_listeners_is_a_room(page: Page, managed: WarrenProcess, name: str) -> None:
    enter(page, "live")
    inner = "document.querySelector('iframe').contentDocument"
    page.wait_for(f"document.querySelector('iframe') && {inner}?.querySelector('#connection [name=url]')?.value")
    port = managed.addresses["ws"][1]
    url = page.evaluate(f"{inner}.querySelector('#connection [name=url]').value")
    assert url == f"ws://127.0.0.1:{port}/ws"
    page.evaluate(f"{inner}.querySelector('#connect').click()")
    page.wait_for(f"{inner}.querySelector('#state').dataset.state === 'online'")
    choose(page, "#theme", "dark")
    assert page.evaluate(f"{inner}.documentElement.dataset.theme") == "dark"
    own = page.evaluate("document.querySelector('#main .hint a').href")
    assert own == f"http://127.0.0.1:{port}/"
    page.open(own)
    page.wait_for_text("h1", "Warren")


def shown_offsets(page: Page) -> list[str]:
    found: list[str] = page.evaluate("[...document.querySelectorAll('.message h3')].map(each => each.innerText)")
    return found


def test_a_stream_is_read_from_any_place(page: Page, api: Api, name: str) -> None:
    page.expect("400")
    api.put(f"/queues/%2F/{name}", {"durable": True, "arguments": {"x-queue-type": "stream"}})
    for number in range(50):
        api.publish("", name, json.dumps({"number": number}), content_type="application/json", headers={"n": number})
    enter(page, "queues", "/", name, query="?tab=messages")
    press(page, "Show")
    page.wait_for_text("#panel-messages", "Shown: 30 to 49; offsets 0 to 49 are kept (50).")
    assert len(shown_offsets(page)) == 20
    choose(page, "#panel-messages [name=from]", "offset")
    fill(page, "offset", "5", "#panel-messages")
    press(page, "Show")
    page.wait_for_text("#panel-messages", "Shown: 5 to 24")
    first = page.text(".message")
    assert [part for part in ("Offset 5", "Stored", "application/json", '"number": 5') if part not in first] == []
    press(page, "Later")
    page.wait_for_text("#panel-messages", "Shown: 25 to 44")
    press(page, "Later")
    page.wait_for_text("#panel-messages", "Shown: 45 to 49")
    press(page, "Later")
    page.wait_for_text("#panel-messages", "Nothing is there yet")
    press(page, "Earlier")
    page.wait_for_text("#panel-messages", "Shown: 30 to 49")
    for begin in (10, 0):
        press(page, "Earlier")
        page.wait_for_text("#panel-messages", f"Shown: {begin} to {begin + 19 if begin else 9}")
    assert page.evaluate(f"({button('Earlier')}).disabled") is True
    choose(page, "#panel-messages [name=bodies]", "hex")
    page.wait_for_text(".message pre", "7b 22 6e")
    choose(page, "#panel-messages [name=bodies]", "text")
    page.wait_for_text(".message pre", '{"number": 0}')
    choose(page, "#panel-messages [name=from]", "time")
    press(page, "Show")
    page.wait_for_text("#panel-messages .form-error", "Say which time.")
    page.evaluate("document.querySelector('#panel-messages [name=time]').value = '2020-01-01T00:00:30'")
    press(page, "Show")
    page.wait_for_text("#panel-messages", "Shown: 0 to 19")
    choose(page, "#panel-messages [name=from]", "age")
    fill(page, "age", "soon", "#panel-messages")
    press(page, "Show")
    page.wait_for_text("#panel-messages .form-error", "x-stream-offset")
    fill(page, "age", "1h", "#panel-messages")
    press(page, "Show")
    page.wait_for("!document.querySelector('#panel-messages .form-error').innerText")
    assert api.get(f"/queues/%2F/{name}")["messages"] == 50
    for width in (320, 390, 1100):
        page.resize(width, 844, phone=width < 700)
        page.wait_for(f"innerWidth === {width}")
        assert (page.evaluate(OVERHANG), page.evaluate(NAMELESS)) == ([], []), width
