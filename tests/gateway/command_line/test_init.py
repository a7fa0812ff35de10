"""`warren init`: a file that changes nothing, with every key in it as it can be written."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.warren_process import PYTHON_PATH
from warren.gateway.command_line.main import run
from warren.gateway.command_line.starting_file import EXAMPLES, text
from warren.gateway.configuration.catalogue import KEYS, plugin_keys
from warren.gateway.configuration.load import load_config
from warren.gateway.configuration.plugins import PLUGINS

ALL = {**plugin_keys(PLUGINS), **KEYS}
KEY = re.compile(r"^#(\w+ = .*)$", re.MULTILINE)


def test_it_says_nothing(tmp_path: Path) -> None:
    file = tmp_path / "warren.toml"
    assert run(["init", str(file)]) == 0
    without = load_config(environment={}, directory=tmp_path / "elsewhere")
    found = load_config(config_file=file, environment={}, directory=tmp_path)
    assert found.file == file
    assert found.values == without.values


def test_every_key_is_in_it_once() -> None:
    assert sorted(line.partition(" ")[0] for line in KEY.findall(text())) == sorted(ALL)


@pytest.mark.parametrize("line", KEY.findall(text()), ids=lambda line: line.partition(" ")[0])
def test_a_key_can_be_written_so(line: str) -> None:
    ((name, value),) = tomllib.loads(line).items()
    parsed = ALL[name].parse(value)
    if name not in EXAMPLES and ALL[name].default not in (None, ""):
        assert parsed == ALL[name].default


def test_what_is_there_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "warren.toml"
    file.write_text("heartbeat_s = 7\n")
    assert run(["init", str(file)]) == 78
    assert "is there already; --force replaces it" in capsys.readouterr().err
    assert file.read_text() == "heartbeat_s = 7\n"
    assert run(["init", str(file), "--force"]) == 0
    assert "#heartbeat_s = " in file.read_text()
    assert run(["init", str(tmp_path / "no" / "such")]) == 78


def test_a_stranger_s_first_steps(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "warren"]
    environment = {"PYTHONPATH": PYTHON_PATH, "XDG_DATA_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    for words in (["init"], ["check"]):
        found = subprocess.run([*program, *words], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert found.returncode == 0, found.stderr
    assert f"{tmp_path / 'warren.toml'}: a broker would start with it" in found.stdout
