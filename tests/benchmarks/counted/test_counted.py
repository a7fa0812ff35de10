"""What a message takes, in instructions, against what it took when that was recorded last."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks.counted import records
from tests.benchmarks.counted.counting import Counted, count
from tests.benchmarks.counted.loads import LOADS
from tests.benchmarks.counted.program import form

COUNTED = Counted("interpreted", "3.11.2", 1_000_000, {"a": 2_000.0, "b": 500.0})
RECORDS = {"interpreted": {"3.11.2": {"a": 2.0, "b": 0.5}, "3.13.1": {"a": 1.0, "b": 0.25}}}


needs_valgrind = pytest.mark.skipif(
    shutil.which("valgrind") is None or platform.machine() != "x86_64",
    reason="valgrind isn't installed (Debian: valgrind), or this is no x86-64",
)


@pytest.fixture(scope="module")
def counted() -> Counted:
    return count()


@needs_valgrind
@pytest.mark.limits(seconds=300)
def test_no_load_takes_more_than_recorded(counted: Counted) -> None:
    assert records.too_much(counted, records.read()) == []


@needs_valgrind
@pytest.mark.limits(seconds=300)
def test_every_load_was_counted_in_the_form_that_is_here(counted: Counted) -> None:
    assert list(counted.loads) == list(LOADS)
    assert min(counted.loads.values()) > 1000
    assert counted.version == ".".join(map(str, sys.version_info[:3]))
    assert counted.form == form()


@pytest.mark.parametrize("versions", records.read().values(), ids=records.read().keys())
def test_every_load_is_recorded(versions: Mapping[str, Mapping[str, float]]) -> None:
    for version, recorded in versions.items():
        assert sorted(recorded) == sorted(LOADS), version


@pytest.mark.parametrize("name", LOADS)
def test_loads_deliver_everything(name: str, tmp_path: Path) -> None:
    load = LOADS[name](tmp_path)
    load.check(load.run([load.pieces(0), load.pieces(1)]), 2)
    with pytest.raises(AssertionError, match="deliveries instead of"):
        load.check([b""] if load.copies else [b"a body of 16 byt"], 1)


def with_loads(**loads: float) -> Counted:
    return replace(COUNTED, loads={**COUNTED.loads, **loads})


def test_as_recorded() -> None:
    assert records.too_much(COUNTED, RECORDS) == []
    assert records.too_much(with_loads(a=2_290.0), RECORDS) == []
    assert records.too_much(with_loads(a=100.0), RECORDS) == []


def test_a_sixth_more_is_too_much() -> None:
    (line,) = records.too_much(with_loads(a=2_340.0), RECORDS)
    assert line.startswith("a: +17% against the record of the interpreted form with Python 3.11.2; at most +15%.")


def test_a_slower_calibration_makes_up_for_it() -> None:
    assert records.too_much(replace(with_loads(a=2_340.0), calibration=1_100_000), RECORDS) == []


def test_a_load_without_a_record_is_named() -> None:
    assert records.too_much(with_loads(c=1.0), RECORDS) == [f"c: nothing is recorded: {records.RECORD_WITH}"]


@pytest.mark.parametrize(
    ("version", "expected"),
    [("3.11.2", "3.11.2"), ("3.11.9", "3.11.2"), ("3.13.0", "3.13.1"), ("3.14.0rc1", "3.13.1")],
)
def test_the_nearest_python_stands_in(version: str, expected: str) -> None:
    found, margin = records.nearest(RECORDS, "interpreted", version)
    assert found == expected
    assert margin == (records.MARGIN if version == expected else records.MARGIN_ELSEWHERE)


def test_a_form_without_a_record_is_an_error() -> None:
    with pytest.raises(LookupError, match="nothing is recorded for the compiled form"):
        records.too_much(replace(COUNTED, form="compiled"), RECORDS)


def test_what_is_recorded_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "records.json"
    file.write_text('{"compiled": {"3.12.0": {"a": 1.0}}, "interpreted": {"3.11.2": {"a": 9.0}}}')
    records.write(COUNTED, file)
    assert records.read(file) == {
        "compiled": {"3.12.0": {"a": 1.0}},
        "interpreted": {"3.11.2": {"a": 2.0, "b": 0.5}},
    }
