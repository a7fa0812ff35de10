"""Builds Warren's wheel for this platform, compiled, and tries it in a fresh environment.

    python -m tests.installation.wheels [--directory wheelhouse]

For the interpreter that runs it, which needs what tests/requirements.lock brings, and a C compiler.  Wheels for all
versions of Python, and for other machines (manylinux), are made by cibuildwheel (`pipx run cibuildwheel`), which
pyproject.toml configures, and which tries them with the same program.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

NAMES = (
    "pyproject.toml", "setup.py", "compiled-modules.toml", "MANIFEST.in", "README.md", "LICENSE",
    "src", "core", "adapters", "gateway", "plugins", "testing",
)  # fmt: skip
"""What a wheel is built of."""


def copy_sources(directory: Path) -> None:
    """A copy to build from, as setuptools builds beside its source; links stay links, what is compiled stays behind."""
    subprocess.run(["cp", "-a", *(str(REPOSITORY / name) for name in NAMES), str(directory)], check=True)
    for file in directory.rglob(f"*{sysconfig.get_config_var('EXT_SUFFIX')}"):
        file.unlink()


def build(directory: Path, *, modules: str = "", **environment: str) -> Path:
    """Build a wheel into a directory, without an index.  Returns the wheel.

    modules: what stands in for compiled-modules.toml.  environment: what else setup.py reads.
    """
    with tempfile.TemporaryDirectory() as copy:
        copy_sources(Path(copy))
        if modules:
            Path(copy, "compiled-modules.toml").write_text(modules, encoding="utf-8")
        command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
        subprocess.run(
            [*command, "-w", str(directory), copy],
            env={**os.environ, **environment},
            check=True,
        )
    return max(directory.glob("warren_mq-*.whl"), key=lambda wheel: wheel.stat().st_mtime_ns)


def is_for_one_platform(wheel: Path) -> bool:
    """By the tag in its name."""
    return not wheel.name.endswith("-none-any.whl")


def try_out(wheel: Path, *, form: str) -> None:
    """Install it into a fresh environment, with what it depends on from the index, and send a message through it."""
    with tempfile.TemporaryDirectory() as directory:
        environment = Path(directory, "environment")
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        python = str(environment / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "-q", str(wheel)], check=True)
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        program = str(Path(__file__).with_name("try_installed.py"))
        subprocess.run([python, program, "--form", form], cwd=directory, env=clean, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Builds Warren's compiled wheel for this platform, and tries it.")
    parser.add_argument("--directory", type=Path, default=REPOSITORY / "wheelhouse", help="where the wheel goes")
    directory = parser.parse_args().directory
    directory.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    wheel = build(directory, WARREN_COMPILE="1")
    print(f"{wheel} ({wheel.stat().st_size >> 10} KiB) in {time.monotonic() - began:.0f} s")
    if not is_for_one_platform(wheel):
        raise SystemExit("its tag says that it is for all platforms")
    try_out(wheel, form="compiled")


if __name__ == "__main__":
    main()
