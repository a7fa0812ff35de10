"""What an installation puts into an environment: the package `warren`, the command, and nothing that another project
could call its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.warren_process import REPOSITORY

TIME_LIMIT_S = 240.0

pytestmark = pytest.mark.limits(seconds=3 * TIME_LIMIT_S)

FOLDERS = ("core", "adapters", "gateway", "plugins")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that pip builds of this tree, without an index."""
    pytest.importorskip("wheel", reason="pip can't build packages here without an index")
    directory = tmp_path_factory.mktemp("wheel")
    source = directory / "source"
    source.mkdir()
    # A copy, because setuptools builds beside its source; links stay links.
    names = ["pyproject.toml", "setup.py", "compiled-modules.toml", "README.md", "src", *FOLDERS]
    subprocess.run(["cp", "-a", *(str(REPOSITORY / name) for name in names), str(source)], check=True, timeout=60)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "-w", str(directory), str(source)], check=True, timeout=TIME_LIMIT_S)
    (built,) = directory.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that the wheel was installed into."""
    target = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", str(target)]
    subprocess.run([*command, str(wheel)], check=True, timeout=TIME_LIMIT_S)
    return target


def test_nothing_but_warren(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
    assert {name for name in tops if not name.endswith(".dist-info")} == {"warren"}


def test_everything_of_the_four_folders_is_in_it(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        held = set(archive.namelist())
    sources = [
        path.relative_to(REPOSITORY).as_posix() for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*.py")
    ]
    assert sources
    assert [source for source in sources if f"warren/{source}" not in held] == []
    assert "warren/py.typed" in held
    for page in ("adapters/websocket/page", "plugins/management/page"):
        files = [path for path in (REPOSITORY / page).rglob("*") if path.is_file()]
        assert files
        assert [path for path in files if f"warren/{path.relative_to(REPOSITORY).as_posix()}" not in held] == []


def test_a_project_with_folders_of_the_same_names(installed: Path, tmp_path: Path) -> None:
    for folder in FOLDERS:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").write_text("raise RuntimeError('a module of the project was imported')\n")
    program = (
        "import trio\n"
        "from warren.gateway import open_broker\n"
        "async def main():\n"
        "    async with open_broker() as broker:\n"
        "        print(broker.url().partition(':')[0])\n"
        "trio.run(main)\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{installed}"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("amqp\n", "")


def test_the_command(installed: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [installed / "bin" / "warren", "version"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=True,
    )  # fmt: skip
    assert done.stdout.strip()
