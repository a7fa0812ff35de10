"""What one does with queues: look, add, publish, get, browse, bind, purge, delete."""

from __future__ import annotations

import json

from pika.adapters.blocking_connection import BlockingChannel

from tests.browser.management.operating import (
    Api,
    button,
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


def filter_by(page: Page, text: str) -> None:
    page.fill("#main .filter", text)
    page.wait_for(f"document.querySelector('#main .filter').value === {json.dumps(text)}")


def test_adding_with_a_type_and_arguments(page: Page, api: Api, name: str) -> None:
    enter(page, "queues")
    press(page, "Add a queue")
    assert page.wait_for("document.querySelector('dialog').matches(':modal')")
    fill(page, "name", name)
    choose(page, "dialog [name=type]", "quorum")
    press(page, "x-max-length", "dialog")
    page.type("12")
    press(page, "Add a row", "dialog")
    page.type("x-note")
    page.press("Tab")
    page.press("Tab")
    page.type("mine")
    submit(page)
    page.wait_for_text("#toasts", f"Queue {name} is there.")
    found = api.get(f"/queues/%2F/{name}")
    assert (found["type"], found["durable"]) == ("quorum", True)
    assert found["arguments"] == {"x-max-length": 12, "x-note": "mine", "x-queue-type": "quorum"}
    filter_by(page, name)
    assert "quorum" in wait_for_row(page, name)


def test_what_the_api_refuses_is_said_in_the_form(page: Page, api: Api, name: str) -> None:
    page.expect("400")
    enter(page, "queues")
    press(page, "Add a queue")
    submit_again = "document.querySelector('dialog .form-buttons [type=submit]')"
    click(page, submit_again)
    page.wait_for_text("dialog .form-error", "Name")
    assert page.focused() == "name"
    fill(page, "name", name)
    press(page, "x-max-length", "dialog")
    page.type("many")
    click(page, submit_again)
    page.wait_for_text("dialog .form-error", "x-max-length must be a number")
    page.fill("dialog .table-value", "-1")
    click(page, submit_again)
    page.wait_for("document.querySelector('dialog .form-error').innerText.includes('max-length')")
    page.press("Escape")
    page.wait_for("!document.querySelector('dialog')")
    assert name not in [each["name"] for each in api.get("/queues")]


def test_publishing_and_getting(page: Page, api: Api, name: str) -> None:
    api.put(f"/queues/%2F/{name}")
    enter(page, "queues", "/", name)
    press(page, "Publish")
    fill(page, "payload", '{"order": 1}', "#main")
    press(page, "content_type")
    press(page, "Add a header")
    page.type("shop")
    page.press("Tab")
    page.press("Tab")
    page.type("north")
    click(page, "document.querySelector('#panel-publish [type=submit]')")
    page.wait_for_text("#panel-publish .form-done", "a queue has taken it")
    press(page, "Messages")
    click(page, "document.querySelector('#panel-messages form [type=submit]')")
    page.wait_for("document.querySelector('#panel-messages form + .messages .message')")
    shown = page.text("#panel-messages form + .messages")
    assert "application/json" in shown
    assert "north" in shown
    assert '"order": 1' in shown
    assert api.get(f"/queues/%2F/{name}")["messages"] == 1
    choose(page, "#panel-messages [name=ackmode]", "ack_requeue_false")
    click(page, "document.querySelector('#panel-messages form [type=submit]')")
    page.wait_for_text("#panel-messages form + .messages", "redelivered")
    assert api.get(f"/queues/%2F/{name}")["messages"] == 0


def test_a_stream_is_browsed_and_offers_no_taking(page: Page, api: Api, name: str) -> None:
    enter(page, "queues")
    press(page, "Add a queue")
    fill(page, "name", name)
    choose(page, "dialog [name=type]", "stream")
    press(page, "x-max-age", "dialog")
    page.type("7D")
    click(page, "document.querySelector('dialog [type=submit]')")
    page.wait_for("!document.querySelector('dialog')")
    assert api.get(f"/queues/%2F/{name}")["arguments"] == {"x-queue-type": "stream", "x-max-age": "7D"}
    api.publish("", name, "something happened")
    enter(page, "queues", "/", name)
    page.wait_for_text("#panel-overview", "Last offset")
    actions = "[...document.querySelectorAll('#main .heading-actions > *')].map(each => each.innerText)"
    assert page.evaluate(actions) == ["Delete"]
    press(page, "Messages")
    page.click("#browse")
    page.wait_for_text("#panel-messages .messages", "something happened")
    assert "basic.get and queue.purge are refused" in page.text("#panel-messages")
    assert page.evaluate("document.querySelector('#panel-messages [name=ackmode]')") is None
    assert page.evaluate("document.querySelector('#panel-messages [name=state]')") is None


def test_bindings_are_added_and_removed(page: Page, api: Api, name: str) -> None:
    api.put(f"/queues/%2F/{name}")
    enter(page, "queues", "/", name, query="?tab=bindings")
    fill(page, "source", "amq.topic", "#main")
    fill(page, "key", "a.*.b", "#main")
    click(page, "document.querySelector('#panel-bindings form [type=submit]')")
    assert "a.*.b" in wait_for_row(page, "amq.topic")
    press(page, "Unbind")
    confirm(page, "Unbind")
    page.wait_for_text("#toasts", "The binding is gone.")
    assert [each["source"] for each in api.get(f"/queues/%2F/{name}/bindings")] == [""]


def test_consumers_are_shown(page: Page, amqp: BlockingChannel, name: str) -> None:
    amqp.queue_declare(name)
    amqp.basic_qos(prefetch_count=7)
    amqp.basic_consume(name, lambda *_: None, consumer_tag=f"tag-{name}")
    enter(page, "queues", "/", name)
    press(page, "Consumers")
    row = wait_for_row(page, f"tag-{name}", "#panel-consumers")
    assert "\t7\t" in row
    assert page.evaluate("location.hash").endswith("?tab=consumers")


def test_purging_and_deleting(page: Page, api: Api, name: str) -> None:
    api.put(f"/queues/%2F/{name}")
    api.publish("", name, "x")
    enter(page, "queues", "/", name)
    press(page, "Purge")
    confirm(page, "Purge")
    page.wait_for_text("#toasts", "is purged")
    assert api.get(f"/queues/%2F/{name}")["messages"] == 0
    press(page, "Delete")
    page.press("Escape")
    page.wait_for("!document.querySelector('dialog')")
    press(page, "Delete")
    confirm(page, "Delete")
    page.wait_for_text("#main h1", "Queues")
    assert name not in [each["name"] for each in api.get("/queues")]


def test_a_deletion_that_is_refused_says_why(page: Page, api: Api, name: str) -> None:
    page.expect("400")
    api.put(f"/queues/%2F/{name}")
    api.publish("", name, "x")
    enter(page, "queues", "/", name)
    press(page, "Delete")
    page.click("dialog [name=if-empty]")
    press(page, "Delete", "dialog")
    page.wait_for_text("dialog .form-error", "not empty")
    page.press("Escape")
    page.wait_for(button("Purge"))


def test_filter_pages_and_columns(page: Page, api: Api, name: str) -> None:
    for number in range(60):
        api.put(f"/queues/%2F/{part(f'{name}-{number:02}')}")
    api.put(f"/queues/%2F/{part(f'{name}.other')}")
    enter(page, "queues")
    filter_by(page, f"{name}-")
    # There are two pages before the filter counts, too, and when it does it begins with the first.
    page.wait_for("document.querySelector('#main .count').innerText.startsWith('60 of ')")
    page.wait_for_text("#main .pager", "Page 1 of 2")
    assert page.evaluate("document.querySelectorAll('#main tbody tr').length") == 50
    press(page, "Next")
    page.wait_for_text("#main .pager", "Page 2 of 2")
    page.wait_for("document.querySelectorAll('#main tbody tr').length === 10")
    filter_by(page, f"^{name}-[12]5$")
    page.wait_for_text("#main .nothing", "Nothing has such a name.")
    page.click("#main .table-bar .check input")
    page.wait_for("document.querySelectorAll('#main tbody tr').length === 2")
    assert "2 of" in page.text("#main .count")
    press(page, "Columns")
    page.click("#main [data-column=memory]")
    page.wait_for("[...document.querySelectorAll('#main th')].some(each => each.innerText === 'Memory')")
    enter(page, "queues")
    page.wait_for("[...document.querySelectorAll('#main th')].some(each => each.innerText === 'Memory')")


def test_sorting(page: Page, api: Api, name: str) -> None:
    for number in range(3):
        api.put(f"/queues/%2F/{name}-{number}")
        for _ in range(number):
            api.publish("", f"{name}-{number}", "x")
    enter(page, "queues")
    filter_by(page, f"{name}-")
    page.wait_for("document.querySelectorAll('#main tbody tr').length === 3")
    page.click("#main [data-sort=messages]")
    first = "document.querySelector('#main tbody tr').innerText"
    page.wait_for(f"{first}.startsWith({json.dumps(f'{name}-2')})")
    assert page.evaluate("document.querySelector('#main [aria-sort]').getAttribute('aria-sort')") == "descending"
    page.click("#main [data-sort=messages]")
    page.wait_for(f"{first}.startsWith({json.dumps(f'{name}-0')})")


def test_a_regular_expression_that_is_none(page: Page) -> None:
    page.expect("400")
    enter(page, "queues")
    page.click("#main .table-bar .check input")
    filter_by(page, "(")
    page.wait_for("document.querySelector('#main .table-bar .form-error').innerText")


def test_no_script_runs_from_a_name(page: Page, api: Api) -> None:
    name = '"><img src=x onerror="document.title=1"><script>document.title=2</script>'
    api.put(f"/queues/%2F/{part(name)}")
    enter(page, "queues")
    filter_by(page, "onerror")
    page.wait_for_text("#main tbody", "<script>")
    enter(page, "queues", "/", name)
    assert page.text("#main h1") == name
    assert page.evaluate("document.querySelectorAll('#main img, #main script').length") == 0
    press(page, "Delete")
    page.wait_for_text("dialog h2", "<script>")
    confirm(page, "Delete")
    page.wait_for_text("#toasts", "<script>")
    assert page.evaluate("document.title").endswith("Warren")
