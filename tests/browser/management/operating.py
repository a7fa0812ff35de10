"""What one does on the management page, with mouse and keyboard, in words; and the API beside it."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tests.browser.page import Page

ANSWER_LIMIT_S = 60.0

CLICKS_MAX = 10


@dataclass(frozen=True)
class Api:
    """The management API, as guest.  base: the page's URL, with a slash at its end."""

    base: str

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """What is answered, parsed."""
        login = base64.b64encode(b"guest:guest").decode()
        content = None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Basic {login}"}
        request = urllib.request.Request(f"{self.base}api{path}", content, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_LIMIT_S) as response:
                answer = response.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from None
        return json.loads(answer) if answer else None

    def get(self, path: str) -> Any:
        """GET."""
        return self.ask("GET", path)

    def put(self, path: str, body: object = None) -> None:
        """PUT."""
        self.ask("PUT", path, {} if body is None else body)

    def publish(self, exchange: str, routing_key: str, payload: str, vhost: str = "/", **properties: object) -> None:
        """Publish a text."""
        self.ask(
            "POST",
            f"/exchanges/{part(vhost)}/{part(exchange or 'amq.default')}/publish",
            {"routing_key": routing_key, "payload": payload, "payload_encoding": "string", "properties": properties},
        )


def part(name: str) -> str:
    """A name in a path."""
    return quote(name, safe="")


def room_address(base: str, *parts: str, query: str = "") -> str:
    """The address of a room."""
    return f"{base}#/{'/'.join(map(part, parts))}{query}"


def log_in(page: Page, base: str, *parts: str, user: str = "guest", password: str = "guest") -> None:
    """Open a room, log in, and wait until it is there."""
    page.open(room_address(base, *parts))
    page.wait_for("!document.querySelector('#gate').hidden")
    page.fill("#login [name=user]", user)
    page.fill("#login [name=password]", password)
    page.click("#log-in")
    page.wait_for("!document.querySelector('#shell').hidden && document.querySelector('#main h1')")


def enter(page: Page, *parts: str, query: str = "") -> None:
    """Go to another room, as a link does, and wait until its heading is there."""
    page.evaluate("document.querySelector('#main .room')?.setAttribute('data-old', '')")
    address = json.dumps(f"#/{'/'.join(map(part, parts))}{query}")
    anew = "dispatchEvent(new Event('hashchange'))"
    page.evaluate(f"location.hash === {address} ? {anew} : location.hash = {address}")
    page.wait_for("document.querySelector('#main .room:not([data-old]) h1')")


def button(text: str, within: str = "#main") -> str:
    """JavaScript: the button in sight that says this."""
    selector = json.dumps(", ".join(f"{within} {each}" for each in ("button", "a.button", "summary")))
    return (
        f"[...document.querySelectorAll({selector})]"
        f".find(each => each.checkVisibility() && each.textContent.trim() === {json.dumps(text)})"
    )


def press(page: Page, text: str, within: str = "#main") -> None:
    """Click on a button that says this, once it is there and may be pressed."""
    click(page, button(text, within))


def click(page: Page, element: str) -> None:
    """Click on what an expression gives, once it is there and may be pressed.

    What an answer brings may move it away under the mouse; then it is tried again, as somebody would.
    """
    for _ in range(CLICKS_MAX):
        page.wait_for(f"({element}) && !({element}).disabled")
        page.evaluate(
            f"""(found => {{
              document.querySelector('[data-aim]')?.removeAttribute('data-aim');
              found.setAttribute('data-aim', '');
              window.hit = false;
              found.addEventListener('click', () => {{ window.hit = true; }}, {{ once: true }});
            }})({element})"""
        )
        page.click("[data-aim]")
        if page.evaluate("window.hit"):
            return
    raise AssertionError(f"it can't be clicked on: {element}")


def follow(page: Page, text: str, within: str = "#main") -> None:
    """Follow a link that says this."""
    links = f"[...document.querySelectorAll({json.dumps(f'{within} a')})]"
    page.wait_for(f"{links}.find(each => each.textContent.trim() === {json.dumps(text)})")
    page.evaluate(f"{links}.find(each => each.textContent.trim() === {json.dumps(text)}).click()")


def fill(page: Page, name: str, text: str, within: str = "dialog") -> None:
    """Put text into a field of a form."""
    page.wait_for(f"document.querySelector({json.dumps(f'{within} [name={name}]')})")
    page.fill(f"{within} [name={name}]", text)


def choose(page: Page, selector: str, value: str) -> None:
    """Choose an option."""
    page.wait_for(f"document.querySelector({json.dumps(selector)})")
    page.evaluate(
        f"""(field => {{
          field.value = {json.dumps(value)};
          field.dispatchEvent(new Event('change', {{ bubbles: true }}));
        }})(document.querySelector({json.dumps(selector)}))"""
    )


def submit(page: Page, within: str = "dialog") -> None:
    """Send a form; wait until a dialog has closed."""
    page.click(f"{within} .form-buttons button[type=submit]")
    if within == "dialog":
        page.wait_for("!document.querySelector('dialog')")


def confirm(page: Page, text: str) -> None:
    """Press the button of a dialog that asks first, and wait until it has closed."""
    press(page, text, "dialog")
    page.wait_for("!document.querySelector('dialog')")


def wait_for_row(page: Page, text: str, within: str = "#main") -> str:
    """Wait for a row of a list that shows this; what it shows, cells with tabs between."""
    rows = f"[...document.querySelectorAll({json.dumps(f'{within} tbody tr')})]"
    row = f"{rows}.find(each => each.innerText.includes({json.dumps(text)}))"
    page.wait_for(row)
    return str(page.evaluate(f"{row}.innerText"))
