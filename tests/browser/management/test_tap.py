"""The live tap: messages are shown as they come, and stay where they are."""

from __future__ import annotations

import json

from tests.browser.management.operating import Api, choose, enter, fill, follow, press
from tests.browser.page import Page

STATE = "[...document.querySelectorAll('#main [role=status]')].map(each => each.innerText).join()"


def wait_for_state(page: Page, text: str) -> None:
    page.wait_for(f"({STATE}).includes({json.dumps(text)})")


def rows(page: Page) -> list[str]:
    """What the lines show, newest first."""
    found = page.evaluate("[...document.querySelectorAll('.tapped li')].map(each => each.innerText)")
    assert isinstance(found, list)
    return found


def test_a_queue_is_watched_and_keeps_its_messages(page: Page, api: Api, name: str) -> None:
    api.put(f"/queues/%2F/{name}")
    enter(page, "queues", "/", name)
    follow(page, "Watch")
    wait_for_state(page, f"Watching queue {name}.")
    for number in range(2):
        api.publish("", name, json.dumps({"number": number}), content_type="application/json")
    page.wait_for("document.querySelectorAll('.tapped li').length === 2")
    assert '{"number": 1}' in rows(page)[0]
    page.evaluate("document.querySelector('.tapped summary').focus()")
    page.press("Enter")
    page.wait_for_text(".tapped .message", "application/json")
    assert page.text("#main .count") == "2"
    press(page, "Stop")
    wait_for_state(page, "Stopped.")
    press(page, "Clear")
    page.wait_for("document.querySelectorAll('.tapped li').length === 0")
    assert api.get(f"/queues/%2F/{name}")["messages"] == 2
    press(page, "Watch")
    wait_for_state(page, f"Watching queue {name}.")
    api.ask("DELETE", f"/queues/%2F/{name}")
    wait_for_state(page, "It has ended: what was looked at is gone.")


def test_an_exchange_with_a_pattern_and_conditions(page: Page, api: Api, name: str) -> None:
    api.put(f"/exchanges/%2F/{name}", {"type": "fanout"})
    enter(page, "tap")
    choose(page, "#main [name=kind]", "exchange")
    fill(page, "exchange", name, "#main")
    fill(page, "pattern", "order.*", "#main")
    fill(page, "body", "lamp", "#main")
    press(page, "header.type")
    page.type("book")
    press(page, "Watch")
    wait_for_state(page, f"Watching exchange {name}.")
    for key, body, kind in (
        ("invoice.1", "a lamp", "book"),
        ("order.1", "a box", "book"),
        ("order.2", "a lamp", "film"),
        ("order.3", "a lamp", "book"),
    ):
        api.publish(name, key, body, headers={"type": kind})
    page.wait_for("document.querySelectorAll('.tapped li').length")
    assert [each for each in rows(page) if f"{name} \u2192 order.3" not in each] == []


def test_topics_of_mqtt(page: Page, api: Api, name: str) -> None:
    enter(page, "tap")
    choose(page, "#main [name=kind]", "topics")
    fill(page, "topics", f"{name}/+/temperature", "#main")
    press(page, "Watch")
    wait_for_state(page, f"Watching topics {name}/+/temperature.")
    api.publish("amq.topic", f"{name}.nest.humidity", "80")
    api.publish("amq.topic", f"{name}.nest.temperature", "21")
    page.wait_for("document.querySelectorAll('.tapped li').length")
    assert [f"{name}.nest.temperature" in each for each in rows(page)] == [True]


def test_what_cant_be_watched_is_said(page: Page, name: str) -> None:
    page.expect("404")
    enter(page, "tap")
    fill(page, "queue", name, "#main")
    press(page, "Watch")
    page.wait_for_text("#main .form-error", f"no queue '{name}'")
    choose(page, "#main [name=kind]", "topics")
    press(page, "Watch")
    page.wait_for_text("#main .form-error", "Topic filter")
    assert page.focused() == "topics"


def test_names_are_suggested(page: Page, api: Api, name: str) -> None:
    api.put(f"/queues/%2F/{name}")
    enter(page, "tap")
    page.evaluate("document.querySelector('#main [name=queue]').focus()")
    page.wait_for(f"document.querySelector('#main datalist option[value={json.dumps(name)}]')")
