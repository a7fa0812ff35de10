"""Builds Warren: pyproject.toml says what it is, this file compiles its hot modules where that can be done.

The modules that a message passes are compiled by mypyc, from the same files that Python runs; `compiled-modules.toml`
lists them.  What isn't compiled runs as it is, somewhat slower and with the same results.

    WARREN_COMPILE=1    compile, and fail if that can't be done: --no-build-isolation, with mypy installed
    WARREN_COMPILE=0    don't, and remove what an earlier build left in the tree
    (not set)           don't, for now: not all tests have been seen to pass with compiled modules yet
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
SOURCES = Path("src/warren")
LIST = "compiled-modules.toml"
GENERATED = Path("build/mypyc")


class CannotCompile(Exception):
    """Why the modules run as they are."""


def listed() -> list[str]:
    """The files of all modules that are compiled, from the root of the tree."""
    with (ROOT / LIST).open("rb") as file:
        rooms = tomllib.load(file)["compiled"]
    return [str(SOURCES / room / f"{name}.py") for room, names in rooms.items() for name in names]


def extensions() -> list[Extension]:
    """What mypyc makes of them.  Raises CannotCompile."""
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if sys.implementation.name != "cpython":
        raise CannotCompile(f"{sys.implementation.name} is no CPython")
    if os.name != "nt" and shutil.which(compiler) is None:
        raise CannotCompile(f"there is no C compiler (looked for {compiler})")
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        raise CannotCompile("Python's C headers are not installed (Debian: python3-dev)")
    try:
        from mypyc.build import mypycify
    except ImportError:
        raise CannotCompile("mypyc is not installed (pip install mypy)") from None
    arguments = ["--config-file", str(ROOT / "pyproject.toml"), "--follow-imports=silent", *listed()]
    built: list[Extension] = mypycify(
        arguments, multi_file=True, opt_level="2", debug_level="0", target_dir=str(GENERATED), group_name="warren"
    )
    return built


class ParallelBuild(build_ext):
    """Compiles C files side by side: there is one for each module, and one more by which Python finds it."""

    def build_extensions(self) -> None:
        compile_some = self.compiler.compile
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:

            def compile_side_by_side(sources: list[str], *arguments: object, **options: object) -> list[str]:
                one_each = pool.map(lambda source: compile_some([source], *arguments, **options), sources)
                return [name for names in one_each for name in names]

            self.compiler.compile = compile_side_by_side
            large = [each for each in self.extensions if len(each.sources) > 1]
            for extension in large:
                self.build_extension(extension)
            self.compiler.compile = compile_some
            list(pool.map(self.build_extension, [each for each in self.extensions if each not in large]))


def remove_compiled() -> None:
    """What an earlier build for this Python left in the tree would be imported instead of the sources."""
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    for folder in [ROOT / "src", *(ROOT / name for name in ("core", "adapters", "gateway", "plugins"))]:
        for file in folder.rglob(f"*{suffix}"):
            file.unlink()


def compiled() -> list[Extension]:
    """The extensions to build: none where that is not wanted."""
    if os.environ.get("WARREN_COMPILE", "0") == "0":
        remove_compiled()
        return []
    try:
        return extensions()
    except CannotCompile as problem:
        sys.exit(f"WARREN_COMPILE=1: {problem}")


setup(ext_modules=compiled(), cmdclass={"build_ext": ParallelBuild})
