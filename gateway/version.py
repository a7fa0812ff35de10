"""Warren's own version and form, for `warren version`, `warren status` and the start-up line."""

from __future__ import annotations

from importlib.util import find_spec

from warren.forms import why_interpreted

WARREN_VERSION = "0.1.0"
"""The same as in pyproject.toml (a test compares them); a constant, as reading the metadata takes time."""


def form() -> str:
    """How the modules that messages pass run in this process: `compiled` (by mypyc, see setup.py) or `interpreted`."""
    found = find_spec("warren.core.broker")
    return "interpreted" if found is None or str(found.origin).endswith(".py") else "compiled"


def form_and_reason() -> str:
    """The form, and why it isn't the compiled one, where that is known."""
    return f"{form()}: {why}" if (why := why_interpreted()) else form()


def described() -> str:
    """For a line in a log: `Warren 0.1.0 (compiled)`."""
    return f"Warren {WARREN_VERSION} ({form_and_reason()})"
