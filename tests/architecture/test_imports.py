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
    ("core/a.py", "import trio", "core may not import trio"),
    ("core/a.py", "import trio.lowlevel as low", "core may not import trio"),
    ("core/a.py", "from trio import Event", "core may not import trio"),
    ("core/a.py", "def f():\n    import asyncio", "core/a.py:2: core may not import asyncio"),
    ("core/a.py", "import json, threading", "core may not import threading"),
    ("core/a.py", "from time import monotonic", "core may not import time"),
    ("core/a.py", "from concurrent.futures import Future", "core may not import concurrent"),
    ("core/a.py", "async def f(): pass", "core may not wait: AsyncFunctionDef"),
    ("core/a.py", "class A:\n    async def f(self):\n        pass", "core/a.py:2: core may not wait"),
    ("core/a.py", "async def f():\n    async with a: pass", "AsyncWith"),
    ("core/a.py", "async def f():\n    async for b in a: pass", "AsyncFor"),
    ("core/a.py", "async def f():\n    await a", "Await"),
    ("core/a.py", "async def f():\n    return [b async for b in a]", "async comprehension"),
    ("core/a.py", "import datetime\ndatetime.datetime.now()", "core/a.py:2: core may not read a clock"),
    ("core/a.py", "from datetime import datetime\nclock = datetime.utcnow", "may not read a clock"),
    ("core/a.py", "from datetime import date\ndate.today()", "may not read a clock"),
    ("core/a.py", "__import__('trio')", "may not import by name"),
    ("core/a.py", "import importlib\nimportlib.import_module('trio')", "may not import by name"),
    ("core/a.py", "import adapters", "core may not import adapters"),
    ("core/a.py", "from adapters.amqp091 import frames", "core may not import adapters"),
    ("core/a.py", "import gateway.hub", "core may not import gateway"),
    ("core/a.py", "import plugins.shovel", "core may not import plugins"),
    ("core/a.py", "if TYPE_CHECKING:\n    from gateway.hub import Hub", "core may not import gateway"),
    ("core/queues/a.py", "from ...gateway import hub", "core may not import gateway"),
    ("adapters/amqp091/a.py", "import socket", "adapters may not import socket"),
    ("adapters/amqp091/a.py", "async def f(): pass", "adapters may not wait"),
    ("adapters/amqp091/a.py", "datetime.now()", "adapters may not read a clock"),
    ("adapters/amqp091/a.py", "from gateway import hub", "adapters may not import gateway"),
    ("adapters/amqp091/a.py", "from plugins import shovel", "adapters may not import plugins"),
    ("gateway/a.py", "import plugins", "gateway may not import plugins"),
    ("gateway/a.py", "from plugins.shovel import worker", "gateway may not import plugins"),
    ("plugins/shovel/a.py", "from gateway import hub", "not gateway.hub"),
    ("plugins/shovel/a.py", "import gateway", "not gateway"),
    ("plugins/shovel/a.py", "from gateway.plugins_loaded import b", "not gateway.plugins_loaded.b"),
    ("plugins/shovel/a.py", "from plugins import federation", "each other: plugins.federation"),
    ("plugins/shovel/a.py", "from plugins.federation.link import b", "each other: plugins.federation.link.b"),
    ("plugins/shovel/a.py", "from ..federation import link", "each other: plugins.federation.link"),
    ("plugins/shovel/__init__.py", "from ..federation import b", "each other: plugins.federation.b"),
    ("plugins/shovel.py", "from . import federation", "each other: plugins.federation"),
]


@pytest.mark.parametrize(("path", "source", "complaint"), REFUSED)
def test_each_rule_can_fail(path: str, source: str, complaint: str) -> None:
    assert any(complaint in text for text in violations(path, source)), violations(path, source)


@pytest.mark.parametrize("module", sorted(WAITING_MODULES))
@pytest.mark.parametrize("layer", ["core", "adapters"])
def test_core_and_adapters_import_nothing_that_waits(layer: str, module: str) -> None:
    assert violations(f"{layer}/a.py", f"import {module}") == [f"{layer}/a.py:1: {layer} may not import {module}"]
    assert violations("gateway/a.py", f"import {module}") == []


ALLOWED = [
    ("core/a.py", "from core.errors import BrokerError\nimport os, struct, sqlite3"),
    ("core/queues/a.py", "from . import base\nfrom ..errors import BrokerError"),
    ("core/a.py", "import datetime\ndatetime.datetime.fromtimestamp(0, datetime.timezone.utc)"),
    ("core/a.py", "from core import timers\nnow = self.now\nself.now()"),
    ("core/a.py", "import trio_like, timeit_of_ours"),
    ("adapters/amqp091/a.py", "from core.broker import Broker\nfrom adapters.amqp091 import frames"),
    ("gateway/a.py", "import trio, socket, time\nfrom adapters import amqp091\nasync def f(): await g()"),
    ("gateway/a.py", "import importlib\nimportlib.import_module(name)"),
    ("plugins/shovel/a.py", "import trio\nfrom core import broker\nfrom adapters.amqp091 import frames"),
    ("plugins/shovel/a.py", "from gateway import plugin\nfrom gateway.plugin import Plugin"),
    ("plugins/shovel/a.py", "from . import worker\nfrom plugins.shovel import link\nfrom .link import b"),
    ("plugins/shovel/deep/a.py", "from .. import worker\nfrom ..link import b"),
]


@pytest.mark.parametrize(("path", "source"), ALLOWED)
def test_what_the_rules_allow(path: str, source: str) -> None:
    assert violations(path, source) == []
