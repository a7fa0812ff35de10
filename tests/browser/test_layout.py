"""The page fits its window, from a phone to a large screen, and moves only for those who don't mind."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Broker
from tests.browser.operating import connect, log_in, publish, select_message, subscribe
from tests.browser.page import Page

OVERHANG = """(() => {
  const width = document.documentElement.clientWidth;
  const clipped = (each) => each.closest('.list, pre, .state-words, .card-note, .name, input, select');
  return [...document.querySelectorAll('body *')]
    .filter((each) => each.getClientRects().length && !clipped(each))
    .filter((each) => each.getBoundingClientRect().right > width + 0.5)
    .map((each) => each.outerHTML.slice(0, 80));
})()"""
"""What reaches beyond the right edge, but for what scrolls or is cut within its place."""


WIDTHS = [320, 390, 600, 860, 861, 1100, 1440, 2560]


def assert_fits(page: Page) -> None:
    for width in WIDTHS:
        page.resize(width, 844, phone=width < 700)
        page.wait_for(f"innerWidth === {width}")
        excess = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert (excess, page.evaluate(OVERHANG)) == (0, []), width


@pytest.mark.parametrize("protocol", ["stomp", "mqtt5"])
def test_no_sideways_scrolling(page: Page, broker: Broker, name: str, protocol: str) -> None:
    page.open(broker.url())
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    page.click(f"input[value={protocol}]")
    assert_fits(page)
    log_in(page, protocol)
    long_name = "-".join([name] * 4)
    destination = f"/topic/{long_name}" if protocol == "stomp" else long_name
    subscribe(page, destination)
    publish(page, destination, "x" * 400)
    select_message(page, "xxx")
    assert_fits(page)
    page.click("#tab-wire")
    page.wait_for_text("#wire", "xxx")
    assert_fits(page)
    page.click("#hang-up")
    connect(page, password="wrong")
    page.wait_for("document.querySelector('#problems').innerText")
    assert_fits(page)


def test_a_large_window_is_filled_and_does_not_scroll(page: Page, broker: Broker) -> None:
    page.resize(1440, 900)
    page.open(broker.url())
    assert page.evaluate("document.documentElement.scrollHeight") == 900
    bottom = page.evaluate("document.querySelector('#feed').getBoundingClientRect().bottom")
    assert 860 < bottom < 900


def test_dark_and_light(page: Page, broker: Broker) -> None:
    page.open(broker.url())
    colours = []
    for scheme in ("light", "dark"):
        page.prefer(prefers_color_scheme=scheme)
        colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(set(colours)) == 2


CONTRASTS = """(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const parse = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((each) => each / 255)
    .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4))
    .reduce((sum, each, index) => sum + each * [0.2126, 0.7152, 0.0722][index], 0);
  const ground = (each) => {
    const found = parse(getComputedStyle(each).backgroundColor);
    return found[3] > 200 || !each.parentElement ? found : ground(each.parentElement);
  };
  const bad = [];
  for (const each of document.querySelectorAll('body *')) {
    const hasText = [...each.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!hasText || !each.getClientRects().length || each.closest(':disabled')) continue;
    const [high, low] = [light(parse(getComputedStyle(each).color)), light(ground(each))].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) bad.push(`${ratio.toFixed(2)} ${each.outerHTML.slice(0, 70)}`);
  }
  return bad;
})()"""
"""Text whose contrast is less than WCAG's 4.5 to 1 (1.4.3)."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(page: Page, broker: Broker, name: str, scheme: str) -> None:
    page.prefer(prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
    page.open(broker.url())
    connect(page, password="wrong")
    page.wait_for("document.querySelector('#problems').innerText")
    page.wait_for("document.querySelector('#state').dataset.state === 'offline'")
    assert page.evaluate(CONTRASTS) == []
    log_in(page, "mqtt5")
    subscribe(page, name)
    publish(page, name, '{"a": 1}')
    select_message(page, name)
    assert page.evaluate(CONTRASTS) == []
    page.click("#tab-wire")
    page.wait_for_text("#wire", "PUBLISH")
    assert page.evaluate(CONTRASTS) == []
    page.click("#help")
    assert page.evaluate(CONTRASTS) == []


def test_nothing_moves_where_that_is_asked_for(page: Page, broker: Broker) -> None:
    page.prefer(prefers_reduced_motion="reduce")
    page.open(broker.url())
    page.evaluate("document.querySelector('#state').dataset.state = 'waiting'")
    assert page.evaluate("document.getAnimations().length") == 0
    page.prefer(prefers_reduced_motion="no-preference")
    page.wait_for("document.getAnimations().length > 0")
