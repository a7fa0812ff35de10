"""docs/doctor.md, whose list of findings is made from the catalogue.

    python -m tests.docs.doctor_page

writes it anew between the two marks.
"""

from __future__ import annotations

from typing import Final

from tests.docs.pages import ROOT
from warren.core.administration.diagnosing.catalogue import FAULTS
from warren.core.administration.diagnosing.finding import Fault

PAGE: Final = ROOT / "docs" / "doctor.md"

BEGIN: Final = "<!-- findings: written by python -m tests.docs.doctor_page -->\n"
END: Final = "<!-- end of findings -->\n"


def page() -> str:
    """The page as it is to be."""
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{findings()}\n{END}{after}"


def findings() -> str:
    """A section for each."""
    return "\n".join(_section(fault) for fault in FAULTS)


def _section(fault: Fault) -> str:
    lines = [f"### {fault.title}", "", f"`{fault.code}`, {fault.severity.value}. {fault.why}", ""]
    return "\n".join([*lines, *(f"- {_plain(each)}" for each in fault.remedy), ""])


def _plain(text: str) -> str:
    """Text that Markdown takes for something else is code."""
    return text.replace("_", "\\_").replace("*", "\\*").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
