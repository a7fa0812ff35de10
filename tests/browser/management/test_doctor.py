"""The room that says what is wrong."""

from __future__ import annotations

from tests.browser.management.operating import Api, enter, fill, press
from tests.browser.management.test_looks import OVERHANG
from tests.browser.page import Page


def test_what_is_wrong_where_and_what_helps(page: Page, api: Api, name: str) -> None:
    queue = f"{name}-{'x' * 150}"
    api.put(f"/queues/%2F/{queue}", {"durable": True, "arguments": {"x-dead-letter-exchange": f"{name}-{'y' * 150}"}})
    enter(page, "doctor")
    fill(page, "watch", "0", "#main")
    fill(page, "patience", "0", "#main")
    press(page, "Examine")
    page.wait_for_text("#main", "Dead letter exchanges that don't exist")
    page.wait_for_text("#main", "channel.exchange_declare")
    links = "[...document.querySelectorAll('#main .places a')].map(each => each.textContent)"
    page.wait_for(f"{links}.includes('{queue}')")
    for width in (320, 1440):
        page.resize(width, 844, phone=width < 700)
        page.wait_for(f"innerWidth === {width}")
        assert page.evaluate(OVERHANG) == []
    api.ask("DELETE", f"/queues/%2F/{queue}")
