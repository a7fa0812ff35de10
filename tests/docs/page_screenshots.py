"""Takes the pictures of the page in docs/: `python -m tests.docs.page_screenshots`.

They are real: a broker that AMQP clients publish to, and the page in Chromium beside them.  With Debian's fonts-inter
and fonts-jetbrains-mono installed it looks as on a desktop; without, as Chromium finds fonts.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel

from tests.browser.devtools import browser
from tests.browser.page import Page, new_page
from tests.docs.pages import ROOT
from tests.support.warren_process import warren_process

DOCS = ROOT / "docs"

DESKTOP = (1440, 900)

PHONE = (390, 844)

FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>/usr/share/fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
  <alias binding="same"><family>system-ui</family><prefer><family>Inter</family></prefer></alias>
  <alias binding="same"><family>sans-serif</family><prefer><family>Inter</family></prefer></alias>
  <alias binding="same"><family>ui-monospace</family><prefer><family>JetBrains Mono</family></prefer></alias>
  <alias binding="same"><family>monospace</family><prefer><family>JetBrains Mono</family></prefer></alias>
</fontconfig>
"""
"""What a desktop's fontconfig says about the families that the page asks for."""

SECONDS = 24
"""How long messages arrive before the picture, for a line of rates."""


def main() -> None:
    """Write the pictures."""
    with tempfile.TemporaryDirectory() as name:
        fonts = Path(name) / "fonts.conf"
        fonts.write_text(FONTS)
        with (
            warren_process(in_memory=True, listen=("amqp=127.0.0.1:0", "ws=127.0.0.1:15674")) as broker,
            browser(environment={"FONTCONFIG_FILE": str(fonts)}) as chromium,
            channel(broker.amqp_port) as amqp,
        ):
            with new_page(chromium) as page:
                (DOCS / "page.png").write_bytes(desktop(page, amqp))
            with new_page(chromium) as page:
                (DOCS / "page_phone.png").write_bytes(phone(page, amqp))


@contextmanager
def channel(port: int) -> Iterator[BlockingChannel]:
    """A pika channel."""
    with pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port)) as connection:
        yield connection.channel()


def desktop(page: Page, amqp: BlockingChannel) -> bytes:
    """STOMP, light, with a message selected."""
    page.resize(*DESKTOP)
    page.prefer(prefers_color_scheme="light")
    page.open("http://127.0.0.1:15674/")
    connect(page)
    subscribe(page, "/topic/orders.#")
    subscribe(page, "/topic/sensors.*.temperature")
    page.evaluate("document.querySelector('#subscribe [name=mode]').value = 'client-individual'")
    subscribe(page, "/queue/invoices")
    live(page, amqp)
    page.fill("#publish input[name=destination]", "/topic/orders.new")
    page.fill("#publish-body", '{"order": 4711, "item": "burrow lamp", "count": 2}')
    page.press("Enter", 2)
    page.wait_for_text("#publish-result", "RECEIPT")
    select(page, "/queue/invoices")
    return page.screenshot()


def phone(page: Page, amqp: BlockingChannel) -> bytes:
    """MQTT, dark, narrow."""
    page.resize(*PHONE, phone=True, scale=2)
    page.prefer(prefers_color_scheme="dark")
    page.open("http://127.0.0.1:15674/")
    page.click("input[value=mqtt5]")
    connect(page)
    subscribe(page, "orders/#")
    subscribe(page, "sensors/+/temperature")
    live(page, amqp)
    page.evaluate("document.activeElement.blur(); document.querySelector('#feed').scrollIntoView()")
    page.wait_for("document.querySelector('#messages .canvas .row')")
    return page.screenshot()


def connect(page: Page) -> None:
    page.click("#connect")
    page.wait_for_text("#state", "Connected")


def subscribe(page: Page, destination: str) -> None:
    page.fill("#subscribe input[name=destination]", destination)
    page.press("Enter")
    page.wait_for("!document.querySelector('#subscriptions li:not([data-status=active])')")


def select(page: Page, destination: str) -> None:
    """Select the newest message in sight that came from there, and take mouse and focus away."""
    page.evaluate(
        f"""[...document.querySelectorAll('#messages .canvas .row:not([hidden])')]
          .filter((row) => row.querySelector('.destination').textContent === {json.dumps(destination)})
          .sort((one, other) => one.getAttribute('aria-rowindex') - other.getAttribute('aria-rowindex'))
          .at(-1).click()"""
    )
    page.evaluate("document.activeElement.blur()")
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=5, y=70)


def live(page: Page, amqp: BlockingChannel) -> None:
    """Messages of a small shop for some seconds, more in some than in others."""
    chance = random.Random(7)
    for _ in range(SECONDS):
        for _ in range(chance.choice((3, 6, 9, 14, 22))):
            routing_key, body, properties = message(chance)
            exchange = "" if routing_key == "invoices" else "amq.topic"
            amqp.basic_publish(exchange, routing_key, body, pika.BasicProperties(**properties))
            amqp.connection.sleep(chance.uniform(0.01, 0.09))
        amqp.connection.sleep(0.3)
    page.wait_for("document.querySelectorAll('#messages .canvas .row:not([hidden])').length > 8")


def message(chance: random.Random) -> tuple[str, bytes, Mapping[str, Any]]:
    """A routing key, a body and properties."""
    number = chance.randrange(1000, 9999)
    match chance.randrange(8):
        case 0:
            order = {"order": number, "item": chance.choice(("carrot box", "hay 5 kg", "burrow lamp")), "count": 2}
            headers = {"shop": chance.choice(("north", "south"))}
            return (
                f"orders.{chance.choice(('new', 'paid'))}",
                as_json(order),
                {"content_type": "application/json", "headers": headers},
            )
        case 1:
            return "orders.shipped", f"Parcel {number} left the house".encode(), {"content_type": "text/plain"}
        case 2:
            invoice = {
                "invoice": number,
                "lines": [{"item": "hay 5 kg", "count": 2, "price": "12.90"}],
                "total": "25.80",
                "paid": False,
            }
            return (
                "invoices",
                as_json(invoice),
                {"content_type": "application/json", "correlation_id": f"c-{number}", "delivery_mode": 2},
            )
        case 3:
            return "sensors.tunnel.temperature", chance.randbytes(12), {"content_type": "application/octet-stream"}
        case _:
            place = chance.choice(("tunnel", "nest", "entrance"))
            reading = {"celsius": round(chance.uniform(11, 24), 1), "battery": chance.randrange(60, 100)}
            return f"sensors.{place}.temperature", as_json(reading), {"content_type": "application/json"}


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


if __name__ == "__main__":
    main()
