"""The example plugin, of another package: all of the interface, and nothing but the interface, is enough for it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from trio.testing import wait_all_tasks_blocked

from tests.architecture.import_rules import violations
from tests.gateway.plugins.running import ask, becomes, host_of, running
from tests.support.child import ChildError
from tests.support.installing import install_by_hand, install_by_pip
from tests.support.warren_process import PYTHON_PATH, REPOSITORY, start_warren
from warren.core.administration.parameters import clear_parameter, set_parameter
from warren.core.errors import PreconditionFailed
from warren.core.policies.policy import POLICY, policy_from_value
from warren.core.storage.definitions.store import JSON

EXAMPLE = REPOSITORY / "examples" / "audit_plugin"

TIME_LIMIT_S = 60.0

AUDIT = {"exchange": "amq.topic", "routing_key": "orders.#"}


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The example, installed where this process finds it."""
    directory = tmp_path / "packages"
    directory.mkdir()
    install_by_hand(EXAMPLE, directory)
    monkeypatch.syspath_prepend(directory)
    yield directory
    sys.modules.pop("audit_plugin", None)


async def get(app: Any, path: str) -> bytes:
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await app({"type": "http", "path": path, "root_path": ""}, receive, send)
    assert sent[0]["status"] == 200
    return b"".join(message.get("body", b"") for message in sent)


async def test_every_door(packages: Path) -> None:
    async with running("audit", audit_keep=2) as server, server.clients.connect("guest", "/", "shop") as shop:
        broker = server.broker
        with pytest.raises(PreconditionFailed, match="an audit is an object"):
            set_parameter(broker, "/", "audit", "orders", 5)
        set_parameter(broker, "/", "audit", "orders", AUDIT)
        await wait_all_tasks_blocked()
        for number in range(3):
            await shop.publish("amq.topic", "orders.new", b"%d" % number, mandatory=True)
        await shop.publish("amq.topic", "sport", b"nobody's")
        await becomes(lambda: host_of(server).counters()["audit"]["messages"] == 3)
        await wait_all_tasks_blocked()
        browsed, _ = await shop.browse("audit")
        assert [each.message.body for each in browsed] == [b"1", b"2"], "the latest two"
        assert (await ask(server, "audit_report"))["rows"] == [{"exchange": "amq.topic", "messages": 3}]
        mount = host_of(server).mounts.find("/audit")
        assert mount is not None
        assert json.loads(await get(mount.app, "/audit")) == {"amq.topic": 3}
        clear_parameter(broker, "/", "audit", "orders")
        await wait_all_tasks_blocked()
        await shop.publish("amq.topic", "orders.new", b"after")
        await wait_all_tasks_blocked()
        assert host_of(server).counters()["audit"] == {"messages": 3}


async def test_its_queue_type_obeys_its_policy_key(packages: Path) -> None:
    async with running("audit") as server, server.clients.connect(None, "/", "") as client:
        value: JSON = {"pattern": "^ring$", "apply-to": "queues", "definition": {"ring-size": 1}}
        server.broker.policies.set(server.broker.vhost("/"), policy_from_value(POLICY, "small", value))
        await client.declare_queue("ring", arguments={"x-queue-type": "ring"})
        for body in (b"1", b"2"):
            await client.publish("", "ring", body)
        browsed, _ = await client.browse("ring")
        assert [each.message.body for each in browsed] == [b"2"]


def test_it_uses_nothing_of_gateway_but_the_interface() -> None:
    source = (EXAMPLE / "audit_plugin.py").read_text()
    assert violations("plugins/audit/__init__.py", source) == []
    imported = {node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)}
    assert "warren.gateway.plugin" in imported


def test_it_is_short() -> None:
    assert len((EXAMPLE / "audit_plugin.py").read_text().splitlines()) < 170


@pytest.mark.parametrize("install", [install_by_hand, install_by_pip])
def test_as_an_installation_of_its_own(tmp_path: Path, install: Callable[[Path, Path], None]) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    install(EXAMPLE, packages)
    data = tmp_path / "data"
    environment = {"PYTHONPATH": f"{PYTHON_PATH}:{packages}", "WARREN_PLUGINS": "audit", "WARREN_AUDIT_KEEP": "7"}
    broker = start_warren(tmp_path, data_directory=data, environment=environment)

    def ctl(*words: str) -> str:
        # The client knows nothing of the plugin; the broker tells it.
        done = subprocess.run(
            [sys.executable, "-m", "warren", "ctl", "--data-dir", str(data), *words],
            env={"PYTHONPATH": PYTHON_PATH},
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    try:
        assert "audit\trunning\t0" in ctl("list_plugins")
        ctl("set_parameter", "audit", "orders", json.dumps(AUDIT))
        assert ctl("audit_report") == "Listing audits ...\n"
        assert "audit_report" in ctl("list_plugin_words")
        assert '"audit_keep": 7' in ctl("environment", "--formatter", "json").replace('":7', '": 7')
    finally:
        assert broker.stop() == 0
    log = broker.log.read_text()
    assert "auditing on Warren" in log
    assert "Traceback" not in log


def test_an_unknown_plugin_refuses_the_start(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    install_by_hand(EXAMPLE, packages)
    with pytest.raises(ChildError, match=r"'adit' is none; did you mean audit\?") as raised:
        start_warren(
            tmp_path,
            data_directory=None,
            environment={"PYTHONPATH": f"{PYTHON_PATH}:{packages}", "WARREN_PLUGINS": "adit"},
        )
    assert "Traceback" not in str(raised.value)


FAILING = """
from warren.gateway.plugin import Context, Plugin


class Audit(Plugin):
    name = "audit"

    async def start(self, context: Context) -> None:
        raise BaseExceptionGroup("all at once", [SystemExit(1), KeyboardInterrupt()])
"""


def test_a_failing_plugin_in_a_real_process(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    install_by_hand(EXAMPLE, packages)
    (packages / "audit_plugin.py").write_text(FAILING)
    environment = {"PYTHONPATH": f"{PYTHON_PATH}:{packages}", "WARREN_PLUGINS": "audit"}
    broker = start_warren(tmp_path, data_directory=None, environment=environment)
    assert broker.stop() == 0
    log = broker.log.read_text()
    assert "it failed: SystemExit: 1; KeyboardInterrupt" in log
    assert "it is started again in" in log


HANGING = """
import trio
from warren.gateway.plugin import Context, Plugin


class Audit(Plugin):
    name = "audit"

    async def start(self, context: Context) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()
"""


def test_a_plugin_that_never_ends_does_not_keep_the_process(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    install_by_hand(EXAMPLE, packages)
    (packages / "audit_plugin.py").write_text(HANGING)
    environment = {"PYTHONPATH": f"{PYTHON_PATH}:{packages}", "WARREN_PLUGINS": "audit"}
    broker = start_warren(tmp_path, data_directory=tmp_path / "data", environment=environment)
    assert broker.stop() == 70
    log = broker.log.read_text()
    assert "it was asked to stop 5 s ago and hasn't" in log
    assert "ending the process though these plugins don't end: audit" in log
