"""The management page's modules that need no page, tested by Node's own test runner."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.interop.clients import need, run
from warren.adapters.websocket.page_files import FOLDER as LIVE_FOLDER
from warren.plugins.management.page_files import FOLDER

MODULES = Path(__file__).parent / "modules"


def test_the_modules(tmp_path: Path) -> None:
    """They lie as they are served: the other page below this one."""
    node = shutil.which("node") or ""
    need(bool(node), "Node.js")
    shutil.copytree(FOLDER, tmp_path / "page")
    shutil.copytree(LIVE_FOLDER, tmp_path / "page" / "live")
    shutil.copytree(MODULES, tmp_path / "modules")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    files = [str(path) for path in sorted((tmp_path / "modules").glob("*.test.js"))]
    output = run([node, "--test", "--test-reporter=tap", *files]).decode()
    assert "\n# fail 0\n" in output
    assert "\n# skipped 0\n" in output
