"""The tutorials are followed as a reader would: every file saved, every command typed, every line seen."""

from __future__ import annotations

import shlex
from pathlib import Path
from shutil import which

import pytest

from tests.browser.devtools import browser, find_chromium
from tests.browser.page import new_page
from tests.docs.pages import ROOT
from tests.docs.walk import INTERRUPT, Step
from tests.docs.walk_installed import NODE_MODULES
from tests.docs.walker import Walk, walk
from tests.interop.clients import need
from tests.support.child import stop
from tests.support.rabbitmq import killed_and_started, rabbitmq, rabbitmq_available

STOP_GRACE_S = 20.0

TUTORIALS = ROOT / "docs" / "tutorials"

TIME_LIMIT_S = 240.0
"""For a whole page, which takes up to half a minute."""


@pytest.mark.limits(seconds=TIME_LIMIT_S)
def test_a_device_that_speaks_mqtt(tmp_path: Path) -> None:
    def board(page: Walk) -> None:
        """The program for MicroPython, with a stand-in for its MQTT library."""
        lines = ["connected: a new session", "...", "reported: 60.0 C", "...", "reported: 61.0 C"]
        page.follow("board", f"PYTHONPATH={ROOT / 'tests' / 'docs'} python main.py", lines)

    with walk(TUTORIALS / "mqtt_device.md", tmp_path, {"the board": board}) as page:
        page.run()


@pytest.mark.limits(seconds=TIME_LIMIT_S)
def test_stomp_typed_by_hand(tmp_path: Path) -> None:
    need(which("telnet") is not None, "telnet")
    with walk(TUTORIALS / "stomp_by_hand.md", tmp_path) as page:
        page.run()


@pytest.mark.limits(seconds=TIME_LIMIT_S)
def test_a_page_in_the_browser(tmp_path: Path) -> None:
    need(find_chromium() is not None, "chromium")
    need((NODE_MODULES / "@stomp" / "stompjs").is_dir(), "@stomp/stompjs (npm ci --prefix tests/interop/node)")
    with browser() as running, new_page(running) as tab:
        # What the browser writes of a connection that fails, and of an icon that isn't there.
        tab.expect("WebSocket connection to", "favicon")

        def connected(page: Walk) -> None:
            if tab.evaluate("location.href") == "about:blank":
                tab.open(page.here("http://127.0.0.1:8000/"))
            tab.wait_for_text("#state", "connected")

        def reading(page: Walk) -> None:
            tab.wait_for_text("#readings", "boiler: 61.5 C")

        def command(page: Walk) -> None:
            tab.click("#command button")
            tab.wait_for_text("#command output", "boiler will be told: burn low")

        def away(page: Walk) -> None:
            tab.wait_for_text("#state", "away")

        looks = {
            "the page is connected": connected,
            "the page shows the reading": reading,
            "the command is sent": command,
            "the page says away": away,
        }
        with walk(TUTORIALS / "browser_page.md", tmp_path, looks) as page:
            page.run()
        assert tab.complaints() == []


@pytest.mark.limits(seconds=TIME_LIMIT_S)
def test_an_edge_that_keeps_what_the_centre_misses(tmp_path: Path) -> None:
    with walk(TUTORIALS / "edge.md", tmp_path) as page:
        page.run()


CENTRE = {
    "vhosts": [{"name": "/"}],
    "users": [
        {"name": "guest", "password": "guest", "tags": "administrator"},
        {"name": "edge", "password": "far-away", "tags": ""},
    ],
    "permissions": [
        {"user": "guest", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"},
        {"user": "edge", "vhost": "/", "configure": "^readings$", "write": r"^amq\.default$", "read": ""},
    ],
}


@pytest.mark.limits(seconds=TIME_LIMIT_S)
def test_an_edge_whose_centre_is_rabbitmq(tmp_path: Path) -> None:
    """The same page; what is typed in the centre's terminals is done to RabbitMQ."""
    need(rabbitmq_available(), "rabbitmq-server")
    with rabbitmq(definitions=CENTRE, parent=tmp_path) as node:
        nodes = [node]

        def centre(step: Step) -> None:
            if step.parts[0].typed == INTERRUPT:
                stop(nodes[-1].process, STOP_GRACE_S)
            elif nodes[-1].process.poll() is not None:
                nodes.append(killed_and_started(nodes[-1]))

        def administration(step: Step) -> None:
            rights = shlex.split(step.parts[1].typed or "")[3:]
            assert rights == ["edge", *list(CENTRE["permissions"][1].values())[2:]]

        instead = {"centre": centre, "administration": administration}
        with walk(TUTORIALS / "edge.md", tmp_path, instead=instead) as page:
            page.ports[5672] = node.amqp_port
            try:
                page.run()
            finally:
                stop(nodes[-1].process, 0)
