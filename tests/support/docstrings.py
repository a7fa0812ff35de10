"""Docstrings of modules as they stand in the source: compiled modules have none."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import warren


def module_docstring(name: str) -> str:
    """That of a module of Warren's, such as `warren.core.broker`, without its indentation; empty if it has none."""
    parts = name.split(".")[1:]
    source = Path(warren.__file__).parent.joinpath(*parts)
    source = source / "__init__.py" if source.is_dir() else source.with_name(f"{source.name}.py")
    return inspect.cleandoc(ast.get_docstring(ast.parse(source.read_text("utf-8"))) or "")
