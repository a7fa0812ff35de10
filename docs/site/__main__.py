"""Builds the site; any warning is an error.

    python -m docs.site [FOLDER] [--source REPOSITORY]

It comes into FOLDER, by default build/site, and needs no server: FOLDER/index.html opens from the disk.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from docs.site.build import ROOT, build


def main() -> int:
    """Build into the folder that was named; the result is the program's exit status."""
    parser = argparse.ArgumentParser(prog="python -m docs.site", description="Build the documentation as a site.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build" / "site", help="emptied, then filled")
    parser.add_argument("--source", type=Path, default=ROOT, help="the repository whose pages are built")
    arguments = parser.parse_args()
    warnings = build(arguments.folder, arguments.source)
    for warning in warnings:
        print(warning, file=sys.stderr)
    if warnings:
        return 1
    print(arguments.folder / "index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
