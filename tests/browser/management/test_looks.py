"""Every room fits its window, has contrast and names for what can be operated, and is reached by the keyboard."""

from __future__ import annotations

import pytest

from tests.browser.management.operating import Api, choose, enter, press
from tests.browser.page import SHIFT, Page
from tests.browser.test_layout import CONTRASTS
from warren.gateway.facts import node_name

ROOMS = (
    (),
    ("nodes", node_name()),
    ("connections",),
    ("channels",),
    ("exchanges",),
    ("exchanges", "/", "amq.topic"),
    ("queues",),
    ("queues", "/", "looks"),
    ("explain",),
    ("tap",),
    ("live",),
    ("delayed",),
    ("mqtt", "sessions"),
    ("mqtt", "retained"),
    ("shovels",),
    ("federation",),
    ("policies",),
    ("users",),
    ("users", "guest"),
    ("vhosts",),
    ("vhosts", "/"),
    ("doctor",),
    ("limits",),
    ("definitions",),
    ("plugins",),
)

WIDTHS = (320, 390, 600, 860, 1100, 1440, 2560)

OVERHANG = """(() => {
  const width = document.documentElement.clientWidth;
  const clipped = (each) => each.closest('.table-scroll, .tabs, pre, .toasts, .skip, select');
  return [...document.querySelectorAll('body *')]
    .filter((each) => each.checkVisibility() && each.getClientRects().length && !clipped(each))
    .filter((each) => each.getBoundingClientRect().right > width + 0.5)
    .map((each) => each.outerHTML.slice(0, 90));
})()"""
"""What reaches beyond the right edge, but for what scrolls within its place."""

NAMELESS = """[...document.querySelectorAll('button, a, input, select, textarea, summary, [role=tab], svg[role=img]')]
  .filter((each) => each.checkVisibility() && !each.textContent.trim())
  .filter((each) => !each.labels?.length && !each.getAttribute('aria-label') && !each.getAttribute('aria-labelledby'))
  .map((each) => each.outerHTML.slice(0, 90))"""
"""What can be operated, and has no name that could be read out."""

FILLED = (
    "document.querySelector('#main :is(.list tbody tr, .facts dd, form, iframe, .nothing:not([hidden]), .empty-room)')"
    " && !document.querySelector('#trouble').innerText"
)


@pytest.fixture
def furnished(page: Page, api: Api) -> Page:
    """A tab, and long names in the lists."""
    api.put("/queues/%2F/looks", {"durable": True})
    api.put(f"/queues/%2F/looks-{'x' * 200}", {"durable": True})
    api.put(f"/exchanges/%2F/looks-{'y' * 200}", {"type": "topic"})
    api.ask("POST", "/bindings/%2F/e/amq.topic/q/looks", {"routing_key": "z" * 200})
    return page


@pytest.mark.parametrize("room", ROOMS, ids="/".join)
def test_a_room_fits_and_can_be_read(furnished: Page, room: tuple[str, ...]) -> None:
    page = furnished
    page.prefer(prefers_reduced_motion="reduce")
    enter(page, *room)
    page.wait_for(FILLED)
    page.evaluate("document.querySelectorAll('#main details').forEach(each => { each.open = true; })")
    for width in WIDTHS:
        page.resize(width, 844, phone=width < 700)
        page.wait_for(f"innerWidth === {width}")
        excess = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert (excess, page.evaluate(OVERHANG)) == (0, []), width
    for scheme in ("light", "dark"):
        page.prefer(prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
        assert page.evaluate(CONTRASTS) == []
    assert page.evaluate(NAMELESS) == []
    assert (
        page.evaluate("document.querySelectorAll('main').length - document.querySelectorAll('.gate main').length") == 1
    )
    assert page.evaluate("document.querySelectorAll('#main h1').length") == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_dialog_and_the_login_can_be_read(page: Page, scheme: str) -> None:
    page.prefer(prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
    page.resize(390, 844, phone=True)
    enter(page, "queues")
    press(page, "Add a queue")
    press(page, "x-message-ttl", "dialog")
    assert page.evaluate(CONTRASTS) == []
    assert page.evaluate(OVERHANG) == []
    assert page.evaluate(NAMELESS) == []
    page.press("Escape")
    page.wait_for("!document.querySelector('dialog')")
    page.click("#log-out")
    page.wait_for("!document.querySelector('#gate').hidden")
    assert page.evaluate(CONTRASTS) == []
    assert page.evaluate(NAMELESS) == []


def test_going_somewhere_takes_the_focus_along(page: Page) -> None:
    page.evaluate("document.querySelector('#rooms a[href=\"#/queues\"]').focus()")
    page.press("Enter")
    page.wait_for("document.querySelector('#main h1')?.innerText === 'Queues'")
    page.wait_for("document.activeElement.tagName === 'H1'")
    assert page.evaluate("document.title") == "Queues \u00b7 Warren"
    current = "document.querySelector('#rooms [aria-current=page]').innerText"
    assert page.evaluate(current) == "Queues"


def test_the_first_key_leads_past_the_navigation(page: Page, api: Api) -> None:
    page.open(f"{api.base}?again")
    page.wait_for("document.querySelector('#main h1')")
    page.press("Tab")
    assert page.focused() == "skip"
    page.press("Enter")
    assert page.focused() == "main"


def test_tabs_go_by_arrows(page: Page, api: Api) -> None:
    api.put("/queues/%2F/looks", {"durable": True})
    enter(page, "queues", "/", "looks")
    page.wait_for("document.querySelector('[role=tab]')")
    page.evaluate("document.querySelector('#tab-overview').focus()")
    page.press("ArrowRight")
    assert page.focused() == "tab-messages"
    assert page.evaluate("document.querySelector('#panel-messages').checkVisibility()") is True
    page.press("End")
    assert page.focused() == "tab-consumers"
    page.press("ArrowRight")
    assert page.focused() == "tab-overview"
    page.press("Tab", SHIFT)
    assert page.focused() != "tab-consumers"


def test_a_dialog_gives_the_focus_back(page: Page) -> None:
    enter(page, "queues")
    press(page, "Add a queue")
    assert page.evaluate("document.activeElement.closest('dialog') !== null") is True
    page.press("Escape")
    page.wait_for("!document.querySelector('dialog')")
    assert page.evaluate("document.activeElement.textContent") == "Add a queue"


def test_rows_keep_the_focus_while_figures_move(page: Page, api: Api, name: str) -> None:
    api.put(f"/queues/%2F/{name}", {"durable": True})
    enter(page, "queues")
    page.fill("#main .filter", name)
    page.wait_for("document.querySelectorAll('#main tbody tr').length === 1")
    page.evaluate("document.querySelector('#main tbody a').focus()")
    choose(page, "#refresh", "2000")
    page.evaluate("document.querySelector('#main tbody a').focus()")
    api.publish("", name, "x")
    page.wait_for("document.querySelector('#main tbody tr').innerText.includes('\\t1\\t')")
    assert page.evaluate("document.activeElement.innerText") == name


def test_the_navigation_of_a_phone(page: Page) -> None:
    page.resize(390, 844, phone=True)
    page.wait_for("innerWidth === 390")
    assert page.evaluate("document.querySelector('#rooms').checkVisibility()") is False
    page.click("#menu")
    assert page.evaluate("document.querySelector('#menu').getAttribute('aria-expanded')") == "true"
    page.press("Escape")
    page.wait_for("!document.querySelector('#rooms').checkVisibility()")
    page.click("#menu")
    page.click("#rooms a[href='#/users']")
    page.wait_for_text("#main h1", "Users")
    assert page.evaluate("document.querySelector('#rooms').checkVisibility()") is False
