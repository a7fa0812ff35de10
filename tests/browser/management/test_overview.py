"""The overview: figures that move, charts, alarms, the choice of colours and of how often it is looked."""

from __future__ import annotations

import re

from pika.adapters.blocking_connection import BlockingChannel

from tests.browser.management.operating import Api, choose, enter, fill, follow, press, submit
from tests.browser.page import Page
from tests.browser.test_layout import CONTRASTS
from tests.support.ctl import ctl
from tests.support.warren_process import WarrenProcess


def test_figures_move(page: Page, api: Api, amqp: BlockingChannel, name: str) -> None:
    amqp.queue_declare(name, durable=True)
    choose(page, "#refresh", "2000")
    figure = (
        "[...document.querySelectorAll('.tile')].find(e => e.innerText.includes('Connections')).firstChild.innerText"
    )
    page.wait_for(f"Number({figure}) >= 1")
    for _ in range(20):
        amqp.basic_publish("", name, b"x")
    page.wait_for("Number(document.querySelector('.legend b').innerText.replace(/,/g, '')) >= 20")
    page.wait_for("document.querySelectorAll('.chart-line').length >= 3")
    said = page.evaluate("document.querySelector('.chart-drawing').getAttribute('aria-label')")
    assert said.startswith("Messages in queues: Ready ")
    page.wait_for_text("#main", "amqp")
    page.wait_for_text("#main", "Churn")
    assert re.search(r"Connections\t[1-9]", page.text("[aria-label=Churn] tbody"))


def test_colours_are_chosen_and_remembered(page: Page, api: Api) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    page.prefer(prefers_color_scheme="light")
    light = page.evaluate(ground)
    choose(page, "#theme", "dark")
    dark = page.evaluate(ground)
    assert dark != light
    page.open(f"{api.base}?again")
    assert page.evaluate(ground) == dark
    choose(page, "#theme", "")
    assert page.evaluate(ground) == light
    page.prefer(prefers_color_scheme="dark")
    assert page.evaluate(ground) == dark


def test_pausing_asks_nothing(page: Page) -> None:
    choose(page, "#refresh", "0")
    page.evaluate(
        """window.waits = [];
        const real = setTimeout;
        window.setTimeout = (work, ms) => { waits.push(ms); return real(work, ms); };"""
    )
    enter(page, "queues")
    page.wait_for("document.querySelector('#main .count').innerText")
    assert page.evaluate("waits.filter((ms) => ms >= 1000 && ms <= 30000)") == []
    choose(page, "#refresh", "2000")
    page.wait_for("waits.includes(2000)")


def test_a_broker_that_is_away_is_said_to_be(page: Page, api: Api) -> None:
    page.expect("ERR_", "Failed to fetch")
    choose(page, "#refresh", "2000")
    page.call("Network.enable")
    page.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1)
    page.wait_for_text("#trouble", "be reached. Trying again.")
    page.call("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1)
    page.wait_for("document.querySelector('#trouble').innerText === ''")


def test_an_alarm_is_said_in_every_room(page: Page, managed: WarrenProcess) -> None:
    choose(page, "#refresh", "2000")
    enter(page, "queues")
    ctl(managed.data_directory, "set_vm_memory_high_watermark", "absolute", "1MiB")
    try:
        page.wait_for_text("#alarms[role=alert]", "Memory alarm: ")
        page.wait_for_text("#alarms", "Publishers are blocked.")
        enter(page)
        page.wait_for_text("#main [aria-label=Node]", "alarm")
        page.prefer(prefers_reduced_motion="reduce")
        assert page.evaluate(CONTRASTS) == []
    finally:
        ctl(managed.data_directory, "set_vm_memory_high_watermark", "0.9")
    page.wait_for("document.querySelector('#alarms').innerText === ''")
    page.wait_for_text("#main [aria-label=Node]", "running")


def test_the_node_has_a_room(page: Page, api: Api) -> None:
    page.expect("404")
    (node,) = api.get("/nodes")
    page.wait_for_text("#main [aria-label=Node]", node["name"])
    follow(page, node["name"])
    page.wait_for_text("#main [aria-label=Node]", "publishers wait from")
    page.wait_for_text("#main [aria-label=Memory].box:nth-child(2)", "Everything else")
    assert "management" in page.text("#main [aria-label='What it can do']")
    page.click("#main summary")
    assert "product_version" in page.text("#main details")
    enter(page, "nodes", "other@nowhere")
    page.wait_for_text("#main", "there is no node 'other@nowhere'")
    page.click("#main a.button")
    page.wait_for_text("#main h1", "Overview")


def test_the_cluster_is_renamed(page: Page, api: Api) -> None:
    before = api.get("/cluster-name")["name"]
    press(page, "Rename")
    fill(page, "name", "the burrow")
    submit(page)
    page.wait_for_text("#cluster", "the burrow")
    page.wait_for_text("#main", "the burrow")
    assert api.get("/cluster-name")["name"] == "the burrow"
    api.put("/cluster-name", {"name": before})
