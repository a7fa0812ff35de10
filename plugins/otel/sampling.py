"""Which messages are traced, by the rules of OpenTelemetry's built-in samplers (Trace SDK, "Built-in samplers").

It is decided for each publish, so it is a comparison of numbers, without the contexts and results that the library's
samplers want as objects.  Which traces are in a ratio is the library's rule, so that programs with the same ratio
agree.
"""

from __future__ import annotations

from random import getrandbits
from typing import Final

from warren.plugins.otel.context import SAMPLED, TraceContext

PARENT_BASED: Final = "parentbased_"
RATIO: Final = "traceidratio"

_TRACE_BITS: Final = 128
_SPAN_BITS: Final = 64

_COMPARED: Final = 2**64 - 1
"""The part of a trace id that is compared with the ratio, as its lower half is random everywhere."""


def new_id(bits: int) -> int:
    """A random one that isn't 0, which would be none."""
    return getrandbits(bits) or 1


class Sampling:
    """sampler: one of `settings.SAMPLERS`.  ratio: for those that take a part."""

    def __init__(self, sampler: str, ratio: float) -> None:
        chosen = sampler.removeprefix(PARENT_BASED)
        self._follows_parent = chosen != sampler
        self._bound = round({RATIO: ratio, "always_on": 1.0, "always_off": 0.0}[chosen] * (_COMPARED + 1))

    def begun(self, parent: TraceContext | None) -> TraceContext | None:
        """The context of a span below `parent`, or of the first of a new trace; None if it isn't to be recorded."""
        if parent is None:
            trace_id, flags, state = new_id(_TRACE_BITS), SAMPLED, ""
        else:
            trace_id, flags, state = parent.trace_id, parent.flags | SAMPLED, parent.state
        if self._follows_parent and parent is not None:
            if not parent.is_sampled:
                return None
        elif trace_id & _COMPARED >= self._bound:
            return None
        return TraceContext(trace_id, new_id(_SPAN_BITS), flags, state)


def below(parent: TraceContext) -> TraceContext:
    """The context of a further span of the same trace."""
    return TraceContext(parent.trace_id, new_id(_SPAN_BITS), parent.flags, parent.state)
