"""docs/tracing.md: its example does what it says, and it names every key, attribute, counter and operation."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields

from tests.docs.pages import ROOT, blocks
from tests.support.otlp_collector import Seen, collector
from tests.support.warren_process import PYTHON_PATH, warren_process
from warren.gateway.plugin import keys_of
from warren.plugins.otel.settings import SAMPLERS, OtelSettings

PAGE = ROOT / "docs" / "tracing.md"
TEXT = PAGE.read_text("utf-8")

TRACE = "0af7651916cd43dd8448eb211c80319c"

TIME_LIMIT_S = 60.0


def _tree(spans: list[Seen], parent: str, depth: int = 0) -> list[str]:
    found: list[str] = []
    for span in spans:
        if span.parent == parent:
            found += ["  " * depth + span.name, *_tree(spans, span.id, depth + 1)]
    return found


def test_the_example() -> None:
    (program,) = blocks(PAGE, "python")
    (expected,) = blocks(PAGE, "text")
    with collector() as spans:
        settings = ["plugins=otel", f"otel_endpoint={spans.url}", "otel_delay_s=0.05"]
        options = [each for setting in settings for each in ("--set", setting)]
        with warren_process(in_memory=True, options=options) as process:
            host, port = process.addresses["amqp"]
            for _ in range(100):  # the plugin starts beside the broker
                done = subprocess.run(
                    [sys.executable, "-c", f"HOST, PORT = {host!r}, {port}\n{program}"],
                    env={"PYTHONPATH": PYTHON_PATH},
                    capture_output=True,
                    text=True,
                    timeout=TIME_LIMIT_S,
                    check=False,
                )
                assert done.returncode == 0, done.stderr
                assert done.stdout.startswith("b'one' 00-")
                if "ack orders" in {span.name for span in list(spans.spans)}:
                    break
            spans.trace(TRACE, "ack orders")
        of_trace = [span for span in spans.spans if span.trace == TRACE]
    first = next(span for span in of_trace if span.name == "publish orders")
    below = [first, *_below(of_trace, first.id)]
    assert _tree(below, "b7ad6b7169203331") == expected.splitlines()


def _below(spans: list[Seen], parent: str) -> list[Seen]:
    found: list[Seen] = []
    for span in spans:
        if span.parent == parent:
            found += [span, *_below(spans, span.id)]
    return found


def test_the_keys() -> None:
    told = dict(re.findall(r"^\| `(otel_\w+)` \| (\S+) \|", TEXT, re.MULTILINE))
    keys = {key.name: key.default for key in keys_of(OtelSettings)}
    assert set(told) == set(keys)
    assert len(keys) == len(fields(OtelSettings))
    for name, default in keys.items():
        assert told[name].strip("`") == (str(default) if default not in ("", ()) else "empty"), name
    assert all(f"`{each}`" in TEXT for each in SAMPLERS)


def test_the_attributes() -> None:
    told = set(re.findall(r"`((?:messaging|warren|network|user|error)\.[\w.]+)`", TEXT))
    told |= {"warren.dead_letter." + each for each in ("taken", "reason", "queue")}
    written = set()
    for name in ("describing", "observer", "exporting"):
        source = (ROOT / "plugins" / "otel" / f"{name}.py").read_text("utf-8")
        written |= set(re.findall(r'"((?:messaging|warren|network|user|error)\.[\w.]+)"', source))
    assert told == written


def test_the_counters() -> None:
    source = (ROOT / "plugins" / "otel" / "plugin.py").read_text("utf-8")
    counters = re.findall(r'^            "(\w+)": self\.', source, re.MULTILINE)
    assert counters
    assert [name for name in counters if f"| `{name}` |" not in TEXT] == []
