"""Takes the pictures of the management page in docs/screenshots/: `python -m tests.docs.screenshots [ROOM ...]`.

They are real: a broker with a small shop in it (shop.py), and the page in Chromium beside its clients.  Each room is
taken light, dark and on a phone.  With Debian's fonts-inter and fonts-jetbrains-mono installed it looks as
on a desktop; without, as Chromium finds fonts.
"""

from __future__ import annotations

import base64
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from tests.browser.devtools import browser
from tests.browser.management.operating import Api, enter, log_in
from tests.browser.page import Page, new_page
from tests.docs.page_screenshots import FONTS
from tests.docs.pages import ROOT
from tests.docs.shop import Shop, open_shop
from tests.support.warren_process import warren_process

FOLDER = ROOT / "docs" / "screenshots"

LISTEN = ("amqp=127.0.0.1:0", "mqtt=127.0.0.1:0", "stomp=127.0.0.1:0", "ws=127.0.0.1:15674", "http=127.0.0.1:15672")

OPTIONS = ("--set", "plugins=management,shovel,federation")

BASE = "http://127.0.0.1:15672/"

DESKTOP = (1200, 800)

PHONE = (390, 844)

QUALITY = 56
"""Of WebP: text stays sharp, and all pictures together stay below two mebibytes."""

Action = Callable[[Page], None]


def nothing(page: Page) -> None:
    """The room as it opens."""


def explain(page: Page) -> None:
    """A dry run of a publish."""
    page.fill("#main [name=exchange]", "shop")
    page.fill("#main [name=key]", "order.paid.express")
    page.click("#main form [type=submit]")
    page.wait_for("document.querySelector('.verdict')")
    page.evaluate("document.activeElement.blur()")


def examine(page: Page) -> None:
    """What the doctor says of the shop."""
    page.fill("#main [name=watch]", "1")
    page.fill("#main [name=patience]", "0")
    page.click("#main form [type=submit]")
    page.wait_for("document.querySelector('.verdict')")
    page.evaluate("document.activeElement.blur()")


def browse(page: Page) -> None:
    """The first messages of a queue."""
    page.click("#browse")
    page.wait_for("document.querySelector('.message')")


def live(page: Page) -> None:
    """The room's own page, loaded."""
    page.wait_for(
        "document.querySelector('iframe')?.contentDocument?.querySelector('#connection [name=password]')?.value"
    )


def rooms(shop: Shop) -> Mapping[str, tuple[Sequence[str], str, Action]]:
    """Each picture's room: the parts of its address, what stands behind them, and what is done there."""
    connection = shop.connection

    def tap(page: Page) -> None:
        """Messages come, and one is opened."""
        page.wait_for_text("#main", "Watching exchange shop.")
        shop.trade_a_second()
        page.wait_for("document.querySelectorAll('.tapped li').length > 3")
        page.evaluate("document.querySelector('.tapped summary').click()")
        page.wait_for("document.querySelector('.tapped .message')")

    def frames(page: Page) -> None:
        """Some frames have passed."""
        page.wait_for_text("#main", "None has passed")
        shop.trade_a_second()
        page.wait_for("document.querySelector('.frames li')")

    return {
        "overview": ((), "", nothing),
        "node": (("nodes", shop.api.get("/overview")["node"]), "", nothing),
        "connections": (("connections",), "", nothing),
        "connection": (("connections", connection), "", frames),
        "channels": (("channels",), "", nothing),
        "channel": (("channels", f"{connection} (1)"), "", nothing),
        "exchanges": (("exchanges",), "", nothing),
        "exchange": (("exchanges", "/", "shop"), "", nothing),
        "queues": (("queues",), "", nothing),
        "queue": (("queues", "/", "orders"), "", nothing),
        "queue_messages": (("queues", "/", "invoices"), "?tab=messages", browse),
        "explain": (("explain",), "", explain),
        "tap": (("tap",), "?vhost=%2F&exchange=shop", tap),
        "live": (("live",), "", live),
        "delayed": (("delayed",), "", nothing),
        "mqtt_sessions": (("mqtt", "sessions"), "", nothing),
        "mqtt_session": (("mqtt", "sessions", "/", "thermometer"), "", nothing),
        "mqtt_retained": (("mqtt", "retained"), "", nothing),
        "shovels": (("shovels",), "", nothing),
        "federation": (("federation",), "", nothing),
        "policies": (("policies",), "", nothing),
        "users": (("users",), "", nothing),
        "user": (("users", "packer"), "", nothing),
        "vhosts": (("vhosts",), "", nothing),
        "vhost": (("vhosts", "/"), "", nothing),
        "limits": (("limits",), "", nothing),
        "definitions": (("definitions",), "", nothing),
        "doctor": (("doctor",), "", examine),
        "plugins": (("plugins",), "", nothing),
    }


def main() -> None:
    """Write the pictures, all or those that are named."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        fonts = Path(name) / "fonts.conf"
        fonts.write_text(FONTS)
        with (
            warren_process(in_memory=True, listen=LISTEN, options=OPTIONS) as broker,
            browser(environment={"FONTCONFIG_FILE": str(fonts)} if has_fonts() else {}) as chromium,
            open_shop(broker, Api(BASE)) as shop,
            new_page(chromium) as page,
        ):
            take_login(page)
            log_in(page, BASE)
            shop.trade()
            for picture, (parts, query, action) in rooms(shop).items():
                if not sys.argv[1:] or picture in sys.argv[1:]:
                    take(page, picture, partial(enter, page, *parts, query=query), action)


def has_fonts() -> bool:
    """Whether the fonts are installed that a desktop would have."""
    return any(Path("/usr/share/fonts").rglob("Inter*"))


def take_login(page: Page) -> None:
    """The login; at an address of its own, as the same one again would load nothing."""
    page.open(f"{BASE}?login")
    page.wait_for("!document.querySelector('#gate').hidden")
    page.evaluate("document.activeElement.blur()")
    write(page, "login")


def take(page: Page, picture: str, go: Callable[[], None], action: Action) -> None:
    """A room in its three looks."""
    page.resize(*DESKTOP)
    page.prefer(prefers_color_scheme="light")
    go()
    page.wait_for(FILLED)
    action(page)
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=5, y=780)
    write(page, picture)


FILLED = (
    "document.querySelector('#main :is(.list tbody tr, .facts dd, form, iframe, .nothing:not([hidden]), .empty-room)')"
)
"""What the room is about has come."""


def write(page: Page, picture: str) -> None:
    for look, scheme, size in (("light", "light", DESKTOP), ("dark", "dark", DESKTOP), ("phone", "light", PHONE)):
        page.prefer(prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
        page.resize(*size, phone=size is PHONE)
        page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        found = page.call("Page.captureScreenshot", format="webp", quality=QUALITY)
        (FOLDER / f"{picture}_{look}.webp").write_bytes(base64.b64decode(found["data"]))


if __name__ == "__main__":
    main()
