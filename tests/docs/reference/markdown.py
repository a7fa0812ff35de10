"""Markdown from texts that weren't written as Markdown: what means something to it is escaped, outside of backticks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_CODE = re.compile(r"(`[^`\n]*`)")

_MEANINGFUL = re.compile(r"([\\*<\[\]])")


def prose(text: str) -> str:
    """A text as a paragraph has it: on one line, with everything literal but what stands in backticks."""
    parts = _CODE.split(" ".join(text.split()))
    return "".join(part if at % 2 else _MEANINGFUL.sub(r"\\\1", part) for at, part in enumerate(parts))


def cell(text: str) -> str:
    """The same in a table."""
    return prose(text).replace("|", "\\|")


def code(text: str) -> str:
    """A literal, also in a table; nothing for nothing."""
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}".replace("|", "\\|") if text else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, whose cells are Markdown already; nothing without rows."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head), *lines])


def fenced(language: str, text: str) -> str:
    """A block of code."""
    return f"```{language}\n{text}\n```"


def joined(parts: Iterable[str]) -> str:
    """Paragraphs with an empty line between; empty ones are left out."""
    return "\n\n".join(part for part in parts if part)
