"""The whole page by keyboard alone: no test here uses the mouse, or sets the focus by other means than keys."""

from __future__ import annotations

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.browser.conftest import Broker
from tests.browser.operating import wait_for_state
from tests.browser.page import CONTROL, SHIFT, Page

STOPS_MAX = 60
"""More presses of Tab than the page has places to stop at."""


PLACE = """(({ activeElement: { form, id, name, parentElement, innerText } }) =>
  id || (name ? `${form.id} ${name}` : `${parentElement.id} ${innerText}`))(document)"""
"""A name for what has the focus."""


def tab_to(page: Page, place: str) -> None:
    """Press Tab until what has this name or id has the focus; where it stops on its way must be seen to have it."""
    for _ in range(STOPS_MAX):
        page.press("Tab")
        if page.focused() == place:
            return
    raise AssertionError(f"Tab doesn't lead to {place}")


def has_ring(page: Page) -> bool:
    """Whether the focus is to be seen."""
    return bool(
        page.evaluate(
            """(() => {
              const focused = document.activeElement;
              const shown = focused.matches('.choice input') ? focused.nextElementSibling : focused;
              return focused.matches(':focus-visible') && getComputedStyle(shown).outlineStyle !== 'none';
            })()"""
        )
    )


@pytest.mark.parametrize("protocol", ["stomp", "mqtt5"])
def test_connecting_subscribing_and_publishing(page: Page, broker: Broker, name: str, protocol: str) -> None:
    page.open(broker.url())
    tab_to(page, "protocol")
    if protocol == "mqtt5":
        page.press("ArrowRight")
    tab_to(page, "password")
    page.type("guest")
    page.press("Enter")
    wait_for_state(page, "online")
    page.wait_for("document.activeElement.name === 'destination'")
    destination = f"/topic/{name}" if protocol == "stomp" else name
    page.type(destination)
    page.press("Enter")
    page.wait_for("document.querySelector('#subscriptions [data-status=active]')")
    tab_to(page, "destination")
    page.type(destination)
    tab_to(page, "body")
    page.type("by keyboard")
    page.press("Enter", CONTROL)
    page.wait_for_text("#messages", "by keyboard")
    assert page.evaluate("document.querySelector('#publish-result').dataset.ok") == "true"
    tab_to(page, "messages")
    page.press("Home")
    page.wait_for_text("#detail", "by keyboard")
    page.press("Escape")
    page.wait_for("document.querySelector('#detail').hidden")
    assert page.focused() == "messages"
    page.press("c")
    wait_for_state(page, "offline")


def test_every_stop_is_seen_and_none_is_a_trap(page: Page, broker: Broker) -> None:
    page.open(broker.url())
    forward = stops(page, 0)
    assert "connect" in forward
    assert "messages" in forward
    assert len(set(forward)) > 15
    assert set(stops(page, SHIFT)) == set(forward)


def stops(page: Page, modifiers: int) -> list[str]:
    """Where Tab stops on its way around the page."""
    found: list[str] = []
    for _ in range(STOPS_MAX):
        page.press("Tab", modifiers)
        if page.evaluate("document.activeElement === document.body"):
            return found
        assert has_ring(page), page.focused()
        found.append(str(page.evaluate(PLACE)))
    raise AssertionError(f"Tab doesn't come around: {found}")


def test_shortcuts(page: Page, broker: Broker) -> None:
    page.open(broker.url())
    page.press("c")
    wait_for_state(page, "online")
    page.press("Tab", SHIFT)
    for key, place in {"p": "destination", "/": "filter"}.items():
        page.evaluate("document.activeElement.blur()")
        page.press(key)
        assert page.focused() == place
    page.type("p/c")
    assert page.evaluate("document.querySelector('#filter').value") == "p/c"
    page.evaluate("document.activeElement.blur()")
    page.press("w")
    assert page.focused() == "wire"
    page.press("k")
    assert page.evaluate("document.querySelector('#pause').ariaPressed") == "true"
    page.press("m")
    assert page.evaluate("document.querySelector('#pause').ariaPressed") == "false"
    page.press("?", SHIFT)
    assert page.evaluate("document.querySelector('#help-dialog').open") is True
    page.press("Escape")
    page.wait_for("!document.querySelector('#help-dialog').open")


def test_single_letters_can_be_switched_off(page: Page, broker: Broker) -> None:
    page.open(broker.url())
    page.press("?", SHIFT)
    page.click("#single-keys")
    page.press("Escape")
    page.wait_for("!document.querySelector('#help-dialog').open")
    page.evaluate("document.activeElement.blur()")
    page.press("c")
    page.press("/")
    assert page.evaluate("[document.querySelector('#state').dataset.state, document.activeElement.tagName]") == [
        "offline",
        "BODY",
    ]


def test_arrows_move_through_the_list(page: Page, broker: Broker, amqp: BlockingChannel, name: str) -> None:
    page.open(f"{broker.url()}#subscribe=auto+/topic/{name}")
    page.press("c")
    page.wait_for("document.querySelector('#subscriptions [data-status=active]')")
    for number in range(200):
        amqp.basic_publish("amq.topic", name, f"number {number}".encode())
    page.wait_for_text("#count-messages", "200")
    page.evaluate("document.activeElement.blur()")
    page.press("m")
    for key, number in [("ArrowUp", 199), ("ArrowUp", 198), ("Home", 0), ("ArrowDown", 1), ("End", 199)]:
        page.press(key)
        page.wait_for_text("#detail pre", f"number {number}")
        active = "document.getElementById(document.querySelector('#messages').getAttribute('aria-activedescendant'))"
        page.wait_for(f"{active}?.innerText.includes('number {number}')")
        bottom = page.evaluate(f"{active}.getBoundingClientRect().bottom")
        assert 0 < bottom <= page.evaluate("document.querySelector('#messages').getBoundingClientRect().bottom") + 1


def test_every_control_has_a_name(page: Page, broker: Broker) -> None:
    """What a screen reader says, by the browser's own reckoning."""
    page.open(broker.url())
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    tree = page.call("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "textbox", "searchbox", "combobox", "checkbox", "radio", "spinbutton", "tab", "grid", "dialog"}
    controls = [node for node in tree if not node.get("ignored") and node["role"].get("value") in roles]
    assert len(controls) > 25
    assert [node for node in controls if not node["name"].get("value")] == []


def test_the_state_is_announced(page: Page, broker: Broker) -> None:
    page.open(broker.url())
    page.evaluate("document.activeElement.blur()")
    page.press("c")
    wait_for_state(page, "online")
    assert "Connected" in page.text("[role=status]")
    assert page.evaluate("document.querySelector('#problems').getAttribute('role')") == "alert"
