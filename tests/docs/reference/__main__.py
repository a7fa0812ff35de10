"""Writes the pages of docs/reference that are made from the code, or those that are named.

    python -m tests.docs.reference [NAME ...]
    python -m tests.docs.reference --stale

The second writes nothing, and prints the names of pages that would change. Either is for a process of its own: what
tests register in theirs doesn't belong to a page.
"""

from __future__ import annotations

import sys

from tests.docs import part_pages
from tests.docs.reference.pages import MAKERS, made, path_of

if sys.argv[1:] == ["--stale"]:
    for name in MAKERS:
        path = path_of(name)
        if not path.is_file() or path.read_text("utf-8") != made(name):
            print(name)
else:
    for name in sys.argv[1:] or MAKERS:
        path_of(name).write_text(made(name), "utf-8")
    part_pages.refresh()
