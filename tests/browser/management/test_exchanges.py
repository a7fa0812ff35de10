"""What one does with exchanges: look at the drawing, add, bind, publish, delete."""

from __future__ import annotations

from tests.browser.management.operating import (
    Api,
    choose,
    click,
    confirm,
    enter,
    fill,
    part,
    press,
    submit,
    wait_for_row,
)
from tests.browser.page import Page


def test_adding_binding_publishing_deleting(page: Page, api: Api, name: str) -> None:
    api.put(f"/queues/%2F/{name}")
    enter(page, "exchanges")
    press(page, "Add an exchange")
    fill(page, "name", name)
    choose(page, "dialog [name=type]", "topic")
    submit(page)
    page.wait_for_text("#toasts", f"Exchange {name} is there.")
    assert api.get(f"/exchanges/%2F/{name}")["type"] == "topic"
    enter(page, "exchanges", "/", name)
    press(page, "Bindings")
    fill(page, "destination", name, "#panel-bindings")
    fill(page, "key", "order.*", "#panel-bindings")
    click(page, "document.querySelector('#panel-bindings form [type=submit]')")
    assert "order.*" in wait_for_row(page, name, "#panel-bindings")
    press(page, "Publish")
    fill(page, "key", "order.new", "#panel-publish")
    fill(page, "payload", "hello", "#panel-publish")
    click(page, "document.querySelector('#panel-publish [type=submit]')")
    page.wait_for_text("#panel-publish .form-done", "a queue has taken it")
    fill(page, "key", "nothing", "#panel-publish")
    click(page, "document.querySelector('#panel-publish [type=submit]')")
    page.wait_for_text("#panel-publish .form-done", "it reached no queue")
    press(page, "Delete")
    confirm(page, "Delete")
    page.wait_for_text("#main h1", "Exchanges")
    assert name not in [each["name"] for each in api.get("/exchanges")]


def test_the_drawing_of_bindings(page: Page, api: Api, name: str) -> None:
    odd = f"{name} <i>&"
    api.put(f"/exchanges/%2F/{part(odd)}", {"type": "topic"})
    for number in range(3):
        api.put(f"/queues/%2F/{name}-{number}")
        api.ask("POST", f"/bindings/%2F/e/{part(odd)}/q/{name}-{number}", {"routing_key": f"key.{number}"})
    api.ask("POST", f"/bindings/%2F/e/amq.topic/e/{part(odd)}", {"routing_key": "shop.#"})
    enter(page, "exchanges", "/", odd)
    page.wait_for("document.querySelectorAll('.graph-node').length === 5")
    keys = page.evaluate("[...document.querySelectorAll('.graph-key')].map(each => each.textContent)")
    assert sorted(keys) == ["key.0", "key.1", "key.2", "shop.#"]
    said = page.evaluate("document.querySelector('.graph').getAttribute('aria-label')")
    assert said.startswith(f"{odd} feeds {name}-0")
    assert said.endswith("it is fed by amq.topic.")
    page.evaluate(f"document.querySelector('.graph a[href$={name}-1]').dispatchEvent(new MouseEvent('click'))")
    page.wait_for_text("#main h1", f"{name}-1")


def test_very_many_bindings_are_counted(page: Page, api: Api, name: str) -> None:
    api.put(f"/exchanges/%2F/{name}", {"type": "fanout"})
    for number in range(20):
        api.put(f"/queues/%2F/{name}-{number}")
        api.ask("POST", f"/bindings/%2F/e/{name}/q/{name}-{number}", {})
    enter(page, "exchanges", "/", name)
    page.wait_for_text("#panel-overview", "And 6 more")
    press(page, "Bindings")
    page.wait_for("document.querySelectorAll('#panel-bindings tbody tr').length === 20")


def test_the_default_exchange_has_a_room(page: Page, api: Api, name: str) -> None:
    api.put(f"/queues/%2F/{name}")
    enter(page, "exchanges", "/", "amq.default")
    assert page.text("#main h1") == "Default exchange"
    actions = "[...document.querySelectorAll('#main .heading-actions > *')].map(each => each.innerText)"
    assert page.evaluate(actions) == ["Where would it go?"]


def test_on_a_phone_the_drawing_shows_where_messages_go(page: Page, api: Api, name: str) -> None:
    api.put(f"/exchanges/%2F/{name}", {"type": "topic"})
    api.put(f"/queues/%2F/{name}")
    api.ask("POST", f"/bindings/%2F/e/{name}/q/{name}", {"routing_key": "order.#"})
    page.resize(390, 844, phone=True)
    enter(page, "exchanges", "/", name)
    page.wait_for("document.querySelectorAll('.graph .graph-node').length === 2")
    nodes = "[...document.querySelectorAll('.graph .graph-node')]"
    assert page.evaluate(f"{nodes}.filter(each => each.getBoundingClientRect().right > innerWidth).length") == 0


def test_on_a_phone_what_feeds_the_exchange_is_to_the_left(page: Page, api: Api, name: str) -> None:
    """Also on one that is turned."""
    api.put(f"/exchanges/%2F/{name}", {"type": "topic"})
    api.put(f"/queues/%2F/{name}")
    api.ask("POST", f"/bindings/%2F/e/{name}/q/{name}", {"routing_key": "order.#"})
    api.ask("POST", f"/bindings/%2F/e/amq.topic/e/{name}", {"routing_key": "web.#"})
    page.resize(844, 390, phone=True)
    enter(page, "exchanges", "/", name)
    page.wait_for("document.querySelectorAll('.graph .graph-node').length === 3")
    wide = int(page.evaluate("document.querySelector('.graph').width.baseVal.value"))
    page.resize(390, 844, phone=True)
    page.wait_for(f"document.querySelector('.graph').width.baseVal.value < {wide}")
    page.wait_for("document.querySelector('.table-scroll:has(.graph)').scrollLeft > 0")
    for each in (".self", ":not(.self):not(.exchange)"):
        box = f"document.querySelector('.graph-node{each} rect').getBoundingClientRect()"
        assert page.evaluate(f"{box}.left >= 0 && {box}.right <= innerWidth"), each
