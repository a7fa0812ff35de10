"""Every "spec A.3" in code and tests names a section of docs/spec that is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

SPEC = ROOT / "docs" / "spec"

FOLDERS = ("core", "adapters", "gateway", "plugins", "testing", "tests", "examples")

REFERENCE = r"[A-Z](?:\.\d+)*"

CITATION = re.compile(rf"\bspec ({REFERENCE}\b(?:(?:, | and | to |; ){REFERENCE}\b)*)")

CITATIONS_MIN = 100
"""Fewer would mean that the pattern has stopped finding them."""


def cited(text: str) -> Iterator[str]:
    """The references of each citation: `A.3` and `G` of "spec A.3, G"."""
    joined = re.sub(r"\s*\n\s*(?:# )?", " ", text)
    for found in CITATION.findall(joined):
        yield from re.findall(REFERENCE, found)


def sections(folder: Path) -> set[str]:
    """Everything that may be cited: files (`A`), their sections (`A.3`), and items of numbered lists (`A.3.7`)."""
    known = set()
    for page in folder.glob("[A-Z]-*.md"):
        here = page.name[0]
        known.add(here)
        for line in page.read_text("utf-8").splitlines():
            if heading := re.match(r"## ([A-Z]\.\d+) ", line):
                here = heading[1]
                known.add(here)
            elif item := re.match(r"(\d+)\. ", line):
                known.add(f"{here}.{item[1]}")
    return known


def test_citations_resolve() -> None:
    known = sections(SPEC)
    count = 0
    broken = []
    for path in (path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))):
        if path == Path(__file__):
            continue
        for reference in cited(path.read_text("utf-8")):
            count += 1
            if reference not in known:
                broken.append(f"{path.relative_to(ROOT)}: spec {reference}")
    assert not broken, "\n".join(broken)
    assert count >= CITATIONS_MIN


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("as there (spec A.7)", ["A.7"]),
        ("(spec G, A.3.7, A.4)", ["G", "A.3.7", "A.4"]),
        ("(spec A.4 to A.7; RFC 1)", ["A.4", "A.7"]),
        ("(spec\n    A.5) and spec Z.99", ["A.5", "Z.99"]),
        ("the spec A client reads", ["A"]),
        ("a specification", []),
    ],
)
def test_what_counts_as_a_citation(text: str, expected: list[str]) -> None:
    assert list(cited(text)) == expected


def test_unknown_sections_are_not_known() -> None:
    known = sections(SPEC)
    assert {"A.3", "A.3.13", "B.9", "F.8", "G"} <= known
    assert not {"A.3.14", "A.99", "Z", "B.9.1"} & known
