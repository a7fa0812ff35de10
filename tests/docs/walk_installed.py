"""`pip install` and `npm install` for a test that follows a page: what is asked for has to be installed for the tests.

    python -m tests.docs.walk_installed pip install -q paho-mqtt

Nothing is fetched.  npm's packages are found in `node_modules` of the working directory then, as with npm.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

from tests.interop.clients import FOLDER

NODE_MODULES = FOLDER / "node" / "node_modules"

OWN = "warren-mq"
"""Which may be a working tree here."""


def install(program: str, packages: list[str]) -> None:
    """Raises PackageNotFoundError or FileNotFoundError for what isn't there."""
    for package in packages:
        if program == "npm":
            (NODE_MODULES / package / "package.json").stat()
        elif (name := re.match(r"[\w.-]+", package)) is not None and name[0] != OWN:
            metadata.version(name[0])
    if program == "npm":
        Path("node_modules").symlink_to(NODE_MODULES)


if __name__ == "__main__":
    _, program, command, *words = sys.argv
    if command != "install":
        raise SystemExit(f"{program} {command} isn't known here")
    install(program, [word for word in words if not word.startswith("-")])
