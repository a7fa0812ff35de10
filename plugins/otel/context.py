"""The W3C trace context of a message, as text and taken apart (W3C Trace Context, 3.2 and 3.3)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"
"""Names of the two fields, in every protocol."""

SAMPLED: Final = 0x01

RANDOM: Final = 0x02
"""The trace id is random (W3C Trace Context Level 2, 3.2.2.5.2)."""

_FORM: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")

_INVALID_VERSION: Final = "ff"
_VERSION: Final = "00"


class TraceContext(NamedTuple):
    """One span, as others refer to it.  state: the tracestate, as text; empty for none."""

    trace_id: int
    span_id: int
    flags: int
    state: str = ""

    @property
    def is_sampled(self) -> bool:
        """Whether its span is recorded."""
        return bool(self.flags & SAMPLED)

    @property
    def traceparent(self) -> str:
        """As the field of that name."""
        return f"{_VERSION}-{self.trace_id:032x}-{self.span_id:016x}-{self.flags:02x}"


def parsed(traceparent: str, state: str = "") -> TraceContext | None:
    """The context of these fields; None for a traceparent that isn't one, which is as good as none (4.3).

    Of versions to come, what version 00 has is read (4.2).
    """
    found = _FORM.fullmatch(traceparent)
    if found is None:
        return None
    version, trace, span, flags, rest = found.groups()
    if version == _INVALID_VERSION or (version == _VERSION and rest):
        return None
    trace_id, span_id = int(trace, 16), int(span, 16)
    if not trace_id or not span_id:
        return None
    return TraceContext(trace_id, span_id, int(flags, 16) & (SAMPLED | RANDOM), state)
