"""Which form of Warren's modules is imported, and what is said of it; and that compiled ones fail as readably."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import traceback
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from tests.support.ctl import ctl
from tests.support.warren_process import PYTHON_PATH, warren_process
from warren import forms
from warren.core.errors import MalformedField
from warren.core.messages import field_table
from warren.gateway.configuration.load import load_config
from warren.gateway.version import WARREN_VERSION, form

COMPILED = EXTENSION_SUFFIXES[0]


def checkout(directory: Path) -> Path:
    """A package with one compiled module, in a checkout; it was built at the second 2,000."""
    package = directory / "src" / "warren"
    for folder in forms.FOLDERS:
        (package / folder / "room").mkdir(parents=True)
    (directory / "compiled-modules.toml").touch()
    (package / "core" / "room" / f"queue{COMPILED}").touch()
    for source in ("core/room/queue.py", "core/room/other.py"):
        (package / source).touch()
        os.utime(package / source, (1_000, 1_000))
    library = package.parent / forms.LIBRARY
    library.touch()
    os.utime(library, (2_000, 2_000))
    return package


def test_what_is_older_than_its_compiled_form_has_not_changed(tmp_path: Path) -> None:
    package = checkout(tmp_path)
    os.utime(package / "core/room/other.py", (3_000, 3_000))
    assert forms.changed_since(package) == ""


def test_a_source_that_is_newer_has_changed(tmp_path: Path) -> None:
    package = checkout(tmp_path)
    os.utime(package / "core/room/queue.py", (3_000, 3_000))
    assert forms.changed_since(package) == "core/room/queue.py"


def test_so_has_one_that_is_gone(tmp_path: Path) -> None:
    package = checkout(tmp_path)
    (package / "core/room/queue.py").unlink()
    assert forms.changed_since(package) == "core/room/queue.py"


@pytest.mark.parametrize("missing", ["compiled-modules.toml", f"src/{forms.LIBRARY}"])
def test_nothing_is_compared_in_an_installation_or_where_nothing_is_compiled(tmp_path: Path, missing: str) -> None:
    package = checkout(tmp_path)
    os.utime(package / "core/room/queue.py", (3_000, 3_000))
    (tmp_path / missing).unlink()
    assert forms.changed_since(package) == ""


def test_the_note_of_the_installation_is_the_reason(tmp_path: Path) -> None:
    package = checkout(tmp_path)
    (package / forms.NOTE).write_text("there was no C compiler\n")
    assert forms.noted(package) == "there was no C compiler"
    (package / forms.NOTE).unlink()
    assert forms.noted(package) == ""


def said(*arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": PYTHON_PATH, **environment},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout + done.stderr


GIVING_BACK = """\
import sys
import warren.core.broker
from warren.core.messages.field_table import decode_table, encode_table
from warren.forms import LIBRARY, give_back

def code_kib():
    total, is_code = 0, False
    for line in open("/proc/self/smaps"):
        first, *others = line.split()
        if not first.endswith(":"):
            is_code = line.strip().endswith(LIBRARY) and others[0] == "r-xp"
        elif is_code and first == "Rss:":
            total += int(others[0])
    return total

before = code_kib()
give_back()
after = code_kib()
import warren.adapters.mqtt.reading
assert decode_table(encode_table({"a": 1, "b": "c"}), 0)[0] == {"a": 1, "b": "c"}
print(before, after)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and Linux alone takes pages back")
def test_what_only_an_import_needs_is_not_kept_in_memory() -> None:
    before_kib, after_kib = map(int, said("-c", GIVING_BACK).split())
    if form() == "compiled":
        assert after_kib < before_kib / 4
    else:
        assert before_kib == after_kib == 0


def test_sources_alone_are_imported_where_that_is_asked_for() -> None:
    program = "import warren.core.queues.classic.queue as found; print(found.__file__)"
    found = said("-c", program, WARREN_FORM="interpreted")
    assert found.endswith("core/queues/classic/queue.py\n")
    assert "interpreted: WARREN_FORM asks for it)" in said("-m", "warren", "version", WARREN_FORM="interpreted")


@pytest.mark.parametrize("asked", ["", "interpreted"])
def test_the_ready_line_and_the_status_say_which_form_runs(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARREN_FORM", asked)
    expected = "interpreted" if asked else json.loads(said("-c", FORM_AS_JSON, WARREN_FORM=""))
    with warren_process() as broker:
        assert f"Warren {WARREN_VERSION} ({expected}" in broker.log.read_text()
        assert json.loads(ctl(broker.data_directory, "status", "--formatter", "json"))["form"] == expected
        assert f"{WARREN_VERSION} ({expected})" in ctl(broker.data_directory, "status")


FORM_AS_JSON = "import json; from warren.gateway.version import form; print(json.dumps(form()))"


def test_its_variables_are_no_keys(tmp_path: Path) -> None:
    environment = {"WARREN_FORM": "interpreted", "WARREN_COMPILE": "0", "WARREN_IN_MEMORY": "true"}
    assert load_config(environment=environment, directory=tmp_path).in_memory


def test_a_traceback_names_file_line_and_function() -> None:
    with pytest.raises(MalformedField) as caught:
        field_table.decode_table_body(b"\x01a?")
    last = traceback.extract_tb(caught.tb)[-1]
    source = Path(forms.__file__).parent / "core/messages/field_table.py"
    assert last.filename.endswith("core/messages/field_table.py")
    functions = {
        node.name: range(node.lineno, (node.end_lineno or 0) + 1)
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.FunctionDef)
    }
    assert last.lineno in functions[last.name]
