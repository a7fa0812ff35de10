"""The names of the commands of `warren`; any other first argument is a word of `warren ctl`."""

from __future__ import annotations

from typing import Final

COMMANDS: Final = (
    "serve",
    "ctl",
    "init",
    "check",
    "import",
    "user",
    "plugins",
    "tls",
    "store",
    "cluster",
    "install-shims",
    "completion",
    "man",
    "version",
)
"""In the order of the help."""
