"""Writes docs/rabbitmq_ignored.md: its tables, one per weight, follow from what is declared.

    python -m tests.docs.rabbitmq_ignored_page

What stands above the first table's heading is written by hand and left as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.docs.pages import ROOT
from warren.gateway.configuration.given import Weight
from warren.gateway.configuration.rabbitmq_conf.ignored import IGNORED, Ignored

PAGE: Final = ROOT / "docs" / "rabbitmq_ignored.md"

HEADINGS: Final = {
    Weight.SECURITY: "Errors that begin with SECURITY",
    Weight.WARNING: "Warnings",
    Weight.NOTE: "Notes",
}


def refreshed(page: str) -> str:
    """The page as it should be."""
    introduction = page.partition("\n## ")[0].rstrip("\n")
    return "\n\n".join([introduction, *(_section(weight, heading) for weight, heading in HEADINGS.items())]) + "\n"


def _section(weight: Weight, heading: str) -> str:
    rows = [_row(each) for each in IGNORED if each.weight is weight]
    return "\n".join([f"## {heading}", "", "| keys | ignored, which means |", "|---|---|", *rows])


def _row(ignored: Ignored) -> str:
    return f"| {', '.join(f'`{name}`' for name in ignored.names)} | {ignored.meaning} |"


def refresh(path: Path = PAGE) -> None:
    """Write the page as it should be."""
    path.write_text(refreshed(path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    refresh()
