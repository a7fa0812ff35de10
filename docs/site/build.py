"""One build of the site, and what it found wrong."""

from __future__ import annotations

import io
import re
import shutil
import tempfile
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

ROOT = Path(__file__).resolve().parents[2]

_COLOUR = re.compile(r"\x1b\[[\d;]*m")

CONFIGURATION = Path(__file__).resolve().parent


def build(folder: Path, source: Path = ROOT) -> list[str]:
    """Build all pages into a folder, which is emptied before.

    Every build starts anew: pages of files that are linked to are made from what was read in the same run.
    Returns the warnings, a line each.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    warnings = io.StringIO()
    with tempfile.TemporaryDirectory() as kept, docutils_namespace(), patch_docutils(str(CONFIGURATION)):
        application = Sphinx(
            srcdir=source,
            confdir=CONFIGURATION,
            outdir=folder,
            doctreedir=kept,
            buildername="html",
            status=None,
            warning=warnings,
            freshenv=True,
        )
        application.build(force_all=True)
    return [line for line in _COLOUR.sub("", warnings.getvalue()).splitlines() if line.strip()]
