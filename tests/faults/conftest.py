"""Brokers whose disk and clock go wrong on request (faults.c)."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.durability.broker import Starter


class Faults:
    """What goes wrong in brokers that are started with `environment`; nothing at first."""

    def __init__(self, library: Path, directory: Path) -> None:
        self._directory = directory
        directory.mkdir()
        self.environment: Mapping[str, str] = {"LD_PRELOAD": str(library), "FAULTS": str(directory)}

    def begin(self, name: str, text: str = "") -> None:
        """From now on.  text: what the paths of the files have in them, or the clock's error in seconds."""
        made = self._directory / f".{name}"
        made.write_text(text)
        made.rename(self._directory / name)

    def end(self, name: str) -> None:
        """Not any more."""
        (self._directory / name).unlink()

    def is_holding(self) -> bool:
        """Whether a sync waits for the end of `hold-sync`."""
        return (self._directory / "held-sync").exists()


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled library."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    made = tmp_path_factory.mktemp("faults") / "faults.so"
    source = Path(__file__).with_name("faults.c")
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", str(made), str(source), "-ldl"], check=True)
    return made


@pytest.fixture
def faults(library: Path, tmp_path: Path) -> Faults:
    return Faults(library, tmp_path / "faults")


@pytest.fixture
def starter(tmp_path: Path) -> Iterator[Starter]:
    """Starts brokers on tmp_path/data.  None may have written a traceback."""
    made = Starter(tmp_path)
    try:
        yield made
    finally:
        made.stop_all()
    assert "Traceback" not in made.log
