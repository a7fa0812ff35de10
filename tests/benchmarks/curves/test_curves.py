"""Every curve at small sizes, and what is drawn and written of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks.client import LoadError
from tests.benchmarks.curves import run
from tests.benchmarks.curves.draw import draw
from tests.benchmarks.curves.points import CURVES, Curve
from tests.benchmarks.figures import Figures
from tests.benchmarks.servers import Peer, Server, peers
from tests.benchmarks.targets import CPU, RATE
from tests.support.warren_process import REPOSITORY

MESSAGES = 1_000

POINT = {RATE: 200_000.0, CPU: 1.5, "p50 ms": 0.25, "p99 ms": 2.0}


@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES.keys())
def test_a_curve_has_all_figures(curve: Curve) -> None:
    with peers()["warren"].start(None, curve.protocol) as server:
        figures = curve.measure(server, 3, MESSAGES)
    assert set(run.FIGURES) <= set(figures)


def test_what_waits_is_in_the_queue_while_others_pass() -> None:
    with peers()["warren"].start(None, "amqp") as server:
        assert CURVES["depth"].measure(server, 20_000, 5_000)[RATE] > 0


def test_a_picture_is_the_same_for_the_same_points(tmp_path: Path) -> None:
    points = {"warren": {1: POINT, 10: {**POINT, CPU: 1.75}}, "rabbitmq": {1: POINT}}
    pictures = []
    for name in ("a.svg", "b.svg"):
        draw(CURVES["queues"], points, tmp_path / name)
        pictures.append((tmp_path / name).read_text("utf-8"))
    assert pictures[0] == pictures[1]
    for text in ("one channel publishes to many queues in turn", "warren, p99", "rabbitmq", "ms until delivered"):
        assert text in pictures[0]
    draw(CURVES["queues"], {"warren": {1: POINT}}, tmp_path / "c.svg")
    assert (tmp_path / "c.svg").read_text("utf-8") != pictures[0]


@contextmanager
def nowhere(parent: Path | None, protocol: str) -> Iterator[Server]:
    yield Server(0, 0, 0.0)


def test_tables_and_failures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(server: Server, size: int, messages: int) -> Figures:
        if size == 10:
            raise LoadError("it broke")
        return {**POINT, RATE: float(size * messages)}

    curve = replace(CURVES["queues"], measure=measure)
    monkeypatch.setattr(run, "CURVES", {"queues": curve})
    text, failed = run.run_curves([], [Peer("warren", "", True, nowhere)], 500, 100, None, tmp_path)
    lines = text.splitlines()
    assert failed == 1
    assert "| queues | messages/s | broker CPU µs/message | p50 ms | p99 ms |" in lines
    assert "| 1 | 500 | 1.50 | 0.25 | 2.00 |" in lines
    assert "| 100 | 50,000 | 1.50 | 0.25 | 2.00 |" in lines
    assert "queues, warren, 10 FAILED: it broke" in lines
    assert "1,000" not in text
    assert "![one channel publishes to many queues in turn](curves/queues.svg)" in lines
    assert (tmp_path / "queues.svg").exists()
    assert "it broke" in capsys.readouterr().err


def test_there_is_a_picture_of_every_curve() -> None:
    of_clusters = "cluster"  # which tests.benchmarks.cluster draws
    drawn = sorted(path.stem for path in (REPOSITORY / "docs" / "curves").glob("*.svg"))
    assert drawn == sorted([*CURVES, of_clusters])
