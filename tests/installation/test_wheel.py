"""What an installation puts into an environment: the package `warren`, the command, and nothing that another project
could call its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.installation.wheels import build, copy_sources, is_for_one_platform
from tests.support.warren_process import REPOSITORY
from warren import forms

TIME_LIMIT_S = 240.0

pytestmark = pytest.mark.limits(seconds=3 * TIME_LIMIT_S)

FOLDERS = ("core", "adapters", "gateway", "plugins", "testing")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that pip builds of this tree, without an index."""
    pytest.importorskip("wheel", reason="pip can't build packages here without an index")
    return build(tmp_path_factory.mktemp("wheel"), WARREN_COMPILE="0")


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
    assert not is_for_one_platform(wheel)


def test_everything_of_the_folders_is_in_it(wheel: Path) -> None:
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


def test_pytest_finds_the_plugin(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(warren_broker):\n    assert warren_broker.queues() == []\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", ".", "-q"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False,
    )  # fmt: skip
    assert "1 passed" in done.stdout, done.stdout + done.stderr


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


def test_without_a_compiler_the_wheel_says_why_it_is_interpreted(tmp_path: Path) -> None:
    pytest.importorskip("wheel", reason="pip can't build packages here without an index")
    wheel = build(tmp_path, WARREN_COMPILE="auto", CC="no-such-compiler")
    assert not is_for_one_platform(wheel)
    with ZipFile(wheel) as archive:
        note = archive.read(f"warren/{forms.NOTE}").decode()
    assert note == "there was no C compiler (looked for no-such-compiler) when it was installed\n"


def test_asked_for_without_a_compiler_it_fails(tmp_path: Path) -> None:
    pytest.importorskip("wheel", reason="pip can't build packages here without an index")
    with pytest.raises(subprocess.CalledProcessError):
        build(tmp_path, WARREN_COMPILE="1", CC="no-such-compiler")


def test_a_wheel_without_a_compiled_form_has_no_note(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        assert f"warren/{forms.NOTE}" not in archive.namelist()


def test_the_package_of_sources_has_what_builds_it(tmp_path: Path) -> None:
    copy_sources(tmp_path)
    command = [sys.executable, "setup.py", "-q", "sdist", "--dist-dir", "packed"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=TIME_LIMIT_S)
    (packed,) = (tmp_path / "packed").iterdir()
    with tarfile.open(packed) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert {"setup.py", "compiled-modules.toml", "pyproject.toml"} <= held
    assert "src/warren/core/broker.py" in held


def test_an_installed_warren_is_tried_as_a_wheel_is(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("try_installed.py"), "--form", "interpreted"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False,
    )  # fmt: skip
    assert done.stdout.endswith("a message went through it\n"), done.stderr


FEW = '[compiled]\n"core" = ["broker", "deadlines"]\n"core/streams" = ["bloom"]\n'
"""Enough to see that compiled modules are built, packed, found and run; all of them take minutes."""


def test_a_compiled_wheel_is_for_one_platform_and_runs(tmp_path: Path) -> None:
    pytest.importorskip("wheel", reason="pip can't build packages here without an index")
    wheel = build(tmp_path / "wheels", modules=FEW, WARREN_COMPILE="1")
    assert is_for_one_platform(wheel)
    with ZipFile(wheel) as archive:
        libraries = sorted(
            name.partition(".")[0] for name in archive.namelist() if name.endswith(EXTENSION_SUFFIXES[0])
        )
    assert libraries == [
        "warren/core/broker", "warren/core/deadlines", "warren/core/streams/bloom", "warren__mypyc",
    ]  # fmt: skip
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        "--target",
        str(tmp_path / "at"),
    ]
    subprocess.run([*command, str(wheel)], check=True, timeout=TIME_LIMIT_S)
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("try_installed.py"), "--form", "compiled"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path / "at"), "WARREN_FORM": ""},
        capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False,
    )  # fmt: skip
    assert done.stdout.endswith("a message went through it\n"), done.stderr
