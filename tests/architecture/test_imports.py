"""The import rules hold in every source file, and each rule can fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.import_rules import LAYERS, WAITING_MODULES, violations

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("layer", LAYERS)
def test_the_layer_keeps_the_rules(layer: str) -> None:
    paths = sorted((ROOT / layer).rglob("*.py"))
    assert paths, f"no source files found under {layer}/"
    broken = [text for path in paths for text in violations(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))]
    assert not broken, "\n".join(broken)


REFUSED = [
    # path, source, part of the complaint
    ("core/broker.py", "import trio", "core may not import trio"),
    ("core/broker.py", "import trio.lowlevel as low", "core may not import trio"),
    ("core/broker.py", "from trio import Event", "core may not import trio"),
    ("core/broker.py", "def f():\n    import asyncio", "core/broker.py:2: core may not import asyncio"),
    ("core/broker.py", "import json, threading", "core may not import threading"),
    ("core/broker.py", "from time import monotonic", "core may not import time"),
    ("core/broker.py", "from concurrent.futures import Future", "core may not import concurrent"),
    ("core/broker.py", "async def f(): pass", "core may not wait: AsyncFunctionDef"),
    ("core/broker.py", "class A:\n    async def f(self):\n        pass", "core/broker.py:2: core may not wait"),
    ("core/broker.py", "async def f():\n    async with a: pass", "AsyncWith"),
    ("core/broker.py", "async def f():\n    async for b in a: pass", "AsyncFor"),
    ("core/broker.py", "async def f():\n    await a", "Await"),
    ("core/broker.py", "async def f():\n    return [b async for b in a]", "async comprehension"),
    ("core/broker.py", "import datetime\ndatetime.datetime.now()", "core/broker.py:2: core may not read a clock"),
    ("core/broker.py", "from datetime import datetime\nclock = datetime.utcnow", "may not read a clock"),
    ("core/broker.py", "from datetime import date\ndate.today()", "may not read a clock"),
    ("core/broker.py", "__import__('trio')", "may not import by name"),
    ("core/broker.py", "import importlib\nimportlib.import_module('trio')", "may not import by name"),
    ("core/broker.py", "import warren.adapters", "core may not import adapters"),
    ("core/broker.py", "from warren.adapters.amqp091 import frames", "core may not import adapters"),
    ("core/broker.py", "import warren.gateway.hub", "core may not import gateway"),
    ("core/broker.py", "import warren.plugins.shovel", "core may not import plugins"),
    (
        "core/broker.py",
        "if TYPE_CHECKING:\n    from warren.gateway.hub import Hub",
        "core may not import gateway",
    ),
    ("core/queues/a.py", "from ...gateway import hub", "core may not import gateway"),
    ("adapters/amqp091/a.py", "import socket", "adapters may not import socket"),
    ("adapters/amqp091/a.py", "async def f(): pass", "adapters may not wait"),
    ("adapters/amqp091/a.py", "datetime.now()", "adapters may not read a clock"),
    ("adapters/amqp091/a.py", "from warren.gateway import hub", "adapters may not import gateway"),
    ("adapters/amqp091/a.py", "from warren.plugins import shovel", "adapters may not import plugins"),
    ("gateway/__init__.py", "import warren.plugins", "gateway may not import plugins"),
    ("gateway/__init__.py", "from warren.plugins.shovel import worker", "gateway may not import plugins"),
    ("gateway/__init__.py", "from warren.testing import chores", "gateway may not import testing"),
    ("plugins/shovel/a.py", "from warren.testing import chores", "plugins may not import testing.chores"),
    ("plugins/shovel/a.py", "from warren.gateway import hub", "not gateway.hub"),
    ("plugins/shovel/a.py", "import warren.gateway", "not gateway"),
    ("plugins/shovel/a.py", "from warren.gateway.plugins_loaded import b", "not gateway.plugins_loaded.b"),
    ("plugins/shovel/a.py", "from warren.plugins import federation", "each other: plugins.federation"),
    ("plugins/shovel/a.py", "from warren.plugins.federation.link import b", "each other: plugins.federation.link.b"),
    ("plugins/shovel/a.py", "from ..federation import link", "each other: plugins.federation.link"),
    ("plugins/shovel/__init__.py", "from ..federation import b", "each other: plugins.federation.b"),
    ("plugins/shovel.py", "from . import federation", "each other: plugins.federation"),
    ("plugins/bridging/a.py", "from warren.plugins.shovel import worker", "each other: plugins.shovel.worker"),
]


@pytest.mark.parametrize(("path", "source", "complaint"), REFUSED)
def test_each_rule_can_fail(path: str, source: str, complaint: str) -> None:
    assert any(complaint in text for text in violations(path, source)), violations(path, source)


@pytest.mark.parametrize("module", sorted(WAITING_MODULES))
@pytest.mark.parametrize("layer", ["core", "adapters"])
def test_core_and_adapters_import_nothing_that_waits(layer: str, module: str) -> None:
    path = {"core": "core/broker.py", "adapters": "adapters/stomp/session.py"}[layer]
    assert violations(path, f"import {module}") == [f"{path}:1: {layer} may not import {module}"]
    assert violations("gateway/network/hub.py", f"import {module}") == []


ALLOWED = [
    ("core/queues/base.py", "if TYPE_CHECKING:\n    from warren.core.routing.vhost import VirtualHost"),
    ("adapters/mqtt/a.py", "from warren.adapters.mqtt.codec import packets\nfrom warren.adapters.mqtt import settings"),
    ("core/broker.py", "from warren.core.errors import BrokerError\nimport os, struct, sqlite3"),
    ("core/queues/a.py", "from . import base\nfrom ..errors import BrokerError"),
    ("core/broker.py", "import datetime\ndatetime.datetime.fromtimestamp(0, datetime.timezone.utc)"),
    ("core/broker.py", "from warren.core import deadlines\nnow = self.now\nself.now()"),
    ("core/broker.py", "import trio_like, timeit_of_ours"),
    ("adapters/amqp091/a.py", "from warren.core.broker import Broker\nfrom warren.adapters.amqp091 import frames"),
    ("gateway/__init__.py", "import trio, socket, time\nfrom warren.adapters import amqp091\nasync def f(): await g()"),
    ("gateway/__init__.py", "import importlib\nimportlib.import_module(name)"),
    ("plugins/shovel/a.py", "import trio\nfrom warren.core import broker\nfrom warren.adapters.amqp091 import frames"),
    ("plugins/shovel/a.py", "from warren.gateway import plugin\nfrom warren.gateway.plugin import Plugin"),
    ("plugins/shovel/a.py", "from . import worker\nfrom warren.plugins.shovel import link\nfrom .link import b"),
    ("plugins/shovel/deep/a.py", "from .. import worker\nfrom ..link import b"),
    ("plugins/shovel/a.py", "from warren.plugins.bridging.pump import Pump"),
]


@pytest.mark.parametrize(("path", "source"), ALLOWED)
def test_what_the_rules_allow(path: str, source: str) -> None:
    assert violations(path, source) == []
