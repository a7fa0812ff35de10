"""What one does on the page, with the mouse, in words: connect, subscribe, publish."""

from __future__ import annotations

from tests.browser.page import CONTROL, Page

SELECT_PROTOCOL = "#connection input[value={}]"


def connect(page: Page, protocol: str = "stomp", *, user: str = "guest", password: str = "guest") -> None:
    """Choose the protocol, type the login, press Connect; doesn't wait for what comes of it."""
    page.click(SELECT_PROTOCOL.format(protocol))
    page.fill("#connection [name=user]", user)
    page.fill("#connection [name=password]", password)
    page.click("#connect")


def wait_for_state(page: Page, state: str) -> None:
    """Wait for offline, connecting, online or waiting."""
    page.wait_for(f"document.querySelector('#state').dataset.state === '{state}'")


def log_in(page: Page, protocol: str = "stomp") -> None:
    """Connect as guest, and wait until that is done."""
    connect(page, protocol)
    wait_for_state(page, "online")


def subscribe(page: Page, destination: str, mode: str = "") -> None:
    """Subscribe and wait until the broker has confirmed it.  mode: of acknowledgement, or a QoS."""
    if mode:
        choice = "qos" if mode.isdigit() else "mode"
        page.evaluate(f"document.querySelector('#subscribe [name={choice}]').value = '{mode}'")
    page.fill("#subscribe [name=destination]", destination)
    page.click("#subscribe [type=submit]")
    active = "[...document.querySelectorAll('#subscriptions [data-status=active] .name')]"
    page.wait_for(f"{active}.some(each => each.innerText === '{destination}')")


def publish(page: Page, destination: str, body: str) -> str:
    """Publish and wait for the broker's answer, which is returned."""
    page.evaluate("document.querySelector('#publish-result').textContent = ''")
    page.fill("#publish [name=destination]", destination)
    page.fill("#publish-body", body)
    page.press("Enter", CONTROL)
    return str(page.wait_for("document.querySelector('#publish-result').innerText"))


def select_message(page: Page, text: str) -> str:
    """Click on the message in sight that shows this text; what is then said about it."""
    rows = "[...document.querySelectorAll('#messages .canvas .row:not([hidden])')]"
    row = f"{rows}.find(each => each.innerText.includes('{text}'))"
    page.wait_for(row)
    page.evaluate(f"{row}.click()")
    page.wait_for("!document.querySelector('#detail').hidden")
    return page.text("#detail")
