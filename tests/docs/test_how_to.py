"""The how-to pages are followed as a reader would: every file saved, every command typed, every line seen."""

from __future__ import annotations

import re
import socket
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.docs.pages import ROOT
from tests.docs.walk import steps
from tests.docs.walker import Walk, walk

HOW_TO = ROOT / "docs" / "how_to"

PAGES = sorted(page for page in HOW_TO.glob("*.md") if page.name != "README.md")

TIME_LIMIT_S = 240.0
"""For a whole page, which takes some seconds."""


READY_S = 30.0


def alerts(page: Walk) -> None:
    """Every metric that the alerts ask for is one that Warren has."""
    with urllib.request.urlopen(page.here("http://127.0.0.1:15692/metrics")) as answer:
        text = answer.read().decode()
    known = set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE))
    # These have no series before something has happened.
    known |= set(re.findall(r"`(warren_\w+)\{", (ROOT / "docs" / "metrics.md").read_text("utf-8")))
    asked = set(re.findall(r"\b(?:rabbitmq|warren|process)_\w+", (page.home / "warren_alerts.yml").read_text()))
    assert len(asked) >= 8
    assert asked - known == set()


def listening(program: str, port: int) -> Callable[[Walk], None]:
    """Wait until a proxy, if it is installed, accepts connections."""

    def wait(page: Walk) -> None:
        if program in page.missing:
            return
        give_up_at = time.monotonic() + READY_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", page.ports[port])).close()
            except OSError:
                assert time.monotonic() < give_up_at, f"{program} doesn't listen"
                time.sleep(0.01)
            else:
                return

    return wait


def retained(page: Walk) -> None:
    """Wait until the shovel has brought the message, if there is a Mosquitto to bring it from."""
    if "mosquitto" in page.missing:
        return
    come = Event()
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set("guest", "guest")

    def subscribe(
        found: mqtt.Client, data: object, flags: mqtt.ConnectFlags, reason: object, properties: object
    ) -> None:
        found.subscribe("devices/boiler/state", 1)

    client.on_connect = subscribe
    client.on_message = lambda *_: come.set()
    client.connect("127.0.0.1", page.ports[1883])
    client.loop_start()
    try:
        assert come.wait(READY_S), "the shovel brings nothing"
    finally:
        client.disconnect()
        client.loop_stop()


LOOKS: Mapping[str, Mapping[str, Callable[[Walk], None]]] = {
    "behind_a_proxy.md": {
        "haproxy listens": listening("haproxy", 1883),
        "nginx listens": listening("nginx", 8080),
        "caddy listens": listening("caddy", 8081),
    },
    "from_mosquitto.md": {"the retained message has come": retained},
    "monitoring.md": {"every metric of the alerts is there": alerts},
}
"""What is done where a page says `look`."""


@pytest.mark.limits(seconds=TIME_LIMIT_S)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_followed(page: Path, tmp_path: Path) -> None:
    with walk(page, tmp_path, LOOKS.get(page.name, {})) as walked:
        walked.run()
    if walked.missing:
        pytest.skip(f"all but what takes {', '.join(sorted(set(walked.missing)))}, which isn't installed")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_little_of_a_page_is_left_out(page: Path) -> None:
    """What a test can't run is the exception, and says why."""
    found = steps(page)
    assert len([step for step in found if "not run" in step.said]) <= max(1, len(found) // 2)
