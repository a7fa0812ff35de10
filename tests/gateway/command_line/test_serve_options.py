"""The options of `warren serve` that are read without typer: the same as with it, or not at all."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest
import typer

from tests.support.warren_process import PYTHON_PATH
from warren.gateway.command_line import commands, serve
from warren.gateway.command_line.serve_options import ServeOptions, read_options

PLAIN = [
    [],
    ["--in-memory"],
    ["--data-dir", "a", "--data-dir=b"],
    ["--listen", "amqp=127.0.0.1:0", "--listen=mqtt=[::1]:0", "--in-memory"],
    ["--listen-only", "amqp=127.0.0.1:0", "--listen-only=mqtt=[::1]:0"],
    ["--config", "warren.toml", "--ready-file", "ready", "--log-level=debug"],
    ["--set", "plugins=shovel", "--set=a=b=c"],
    ["--log-format", "json", "--log-format=text"],
]

OTHERS = [
    ["--help"],
    ["--data-dir"],
    ["--data-dir", "--in-memory"],
    ["--data-dir="],
    ["--in-memory=yes"],
    ["--data", "a"],
    ["--no-such", "a"],
    ["--", "a"],
    ["a"],
    ["-h"],
]


@pytest.mark.parametrize("arguments", PLAIN, ids=" ".join)
def test_plain_options_are_read_as_typer_reads_them(arguments: list[str]) -> None:
    command = typer.main.get_command(commands.app).commands["serve"]  # type: ignore[attr-defined]
    by_typer = command.make_context("serve", list(arguments)).params
    assert read_options(arguments) == {name: value for name, value in by_typer.items() if value}


@pytest.mark.parametrize("arguments", OTHERS, ids=" ".join)
def test_what_is_not_plain_is_left_to_typer(arguments: list[str]) -> None:
    assert read_options(arguments) is None


def test_no_option_is_forgotten() -> None:
    options = set(ServeOptions.__annotations__)
    assert options == set(inspect.signature(commands.serve).parameters)
    assert options == set(inspect.signature(serve.run_with).parameters)


def test_a_start_imports_no_typer() -> None:
    program = (
        "import sys; from warren.gateway.command_line import main, serve; serve.run = lambda *_: None; "
        "code = main.run(['serve', '--in-memory', '--listen-only', 'amqp=127.0.0.1:0']); "
        "print(code, [each for each in sys.modules if each in ('typer', 'click', 'pydantic')])"
    )
    environment = {"PYTHONPATH": PYTHON_PATH}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "0 []\n"
