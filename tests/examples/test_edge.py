"""examples/edge: a device goes on publishing while the centre is gone, and everything arrives, in order."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples.programs import EXAMPLES, Programs, interruptible_children
from tests.support.ports import free_ports
from tests.support.warren_process import WarrenProcess, start_warren

CONFIGURATION = EXAMPLES / "edge" / "edge.toml"


class Centre:
    """The centre's broker, which can be killed and comes back on the same port."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir()
        (self._port,) = free_ports(1)
        self.broker: WarrenProcess = self._start()

    def _start(self) -> WarrenProcess:
        listen = (f"amqp=127.0.0.1:{self._port}",)
        return start_warren(self._directory, data_directory=self._directory / "data", listen=listen)

    def kill(self) -> None:
        self.broker.kill()

    def start_again(self) -> None:
        self.broker = self._start()


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    started = Centre(tmp_path / "centre")
    yield started
    started.kill()


@pytest.fixture
def edge(request: pytest.FixtureRequest, centre: Centre, tmp_path: Path) -> Iterator[WarrenProcess]:
    """A broker with the example's own configuration, but for the ports, and for what a test's parameter changes."""
    shovels = tomllib.loads(CONFIGURATION.read_text())["shovel"]["static"]
    shovels["centre"] |= getattr(request, "param", {})
    shovels["centre"]["dest-uri"] = f"amqp://guest:guest@127.0.0.1:{centre.broker.amqp_port}"
    directory = tmp_path / "edge"
    directory.mkdir()
    broker = start_warren(
        directory,
        data_directory=directory / "data",
        listen=("mqtt=127.0.0.1:0", "amqp=127.0.0.1:0"),
        options=("--config", str(CONFIGURATION), "--set", f"shovel_static={json.dumps(shovels)}"),
    )
    yield broker
    broker.kill()


@pytest.fixture
def programs(edge: WarrenProcess, centre: Centre, tmp_path: Path) -> Iterator[Programs]:
    here = "guest:guest@127.0.0.1"
    with interruptible_children():
        started = Programs(
            f"amqp://{here}:{centre.broker.amqp_port}", tmp_path, "", f"mqtt://{here}:{edge.addresses['mqtt'][1]}"
        )
        try:
            yield started
        finally:
            started.end()


def test_readings_wait_at_the_edge_while_the_centre_is_gone(programs: Programs, centre: Centre) -> None:
    assert programs.run("edge/device", "boiler", "20") == ["boiler reported 20 readings"]
    printed = programs.start("edge/centre")
    printed.wait_for("boiler: 20")
    centre.kill()
    assert programs.run("edge/device", "boiler", "30", "--first", "21") == ["boiler reported 30 readings"]
    centre.start_again()
    again = programs.start("edge/centre")
    again.wait_for("boiler: 50")
    numbers = [int(line.split()[1]) for line in printed.lines() + again.lines() if line.startswith("boiler: ")]
    assert list(dict.fromkeys(numbers)) == list(range(1, 51))
    assert again.interrupt()[-1] == "stopped"


@pytest.mark.parametrize("edge", [{"confirm-upstream": True}], indirect=True)
def test_a_device_that_wants_the_centres_word_waits_for_it(programs: Programs, centre: Centre) -> None:
    assert programs.run("edge/device", "boiler", "5") == ["boiler reported 5 readings"]
    centre.kill()
    waiting = programs.start("edge/device", "boiler", "5", "--first", "6")
    centre.start_again()
    waiting.wait_for("boiler reported 5 readings")
    printed = programs.start("edge/centre")
    printed.wait_for("boiler: 10")
    numbers = [int(line.split()[1]) for line in printed.lines() if line.startswith("boiler: ")]
    assert list(dict.fromkeys(numbers)) == list(range(1, 11))
    assert printed.interrupt()[-1] == "stopped"
