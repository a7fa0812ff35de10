"""Trace contexts as text: what is one, and what isn't (W3C Trace Context, 3.2)."""

from __future__ import annotations

import pytest

from warren.plugins.otel.context import TraceContext, parsed

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


def test_a_context_is_read_and_written() -> None:
    found = parsed(f"00-{TRACE}-{SPAN}-01", "a=1")
    assert found == TraceContext(int(TRACE, 16), int(SPAN, 16), 1, "a=1")
    assert found.is_sampled
    assert found.traceparent == f"00-{TRACE}-{SPAN}-01"


def test_versions_to_come_are_read_as_far_as_they_are_known() -> None:
    found = parsed(f"01-{TRACE}-{SPAN}-ff-more")
    assert found is not None
    assert found.traceparent == f"00-{TRACE}-{SPAN}-03"


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "traceparent",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f" 00-{TRACE}-{SPAN}-01",
    ],
)
def test_anything_else_is_none(wrong: str) -> None:
    assert parsed(wrong) is None
