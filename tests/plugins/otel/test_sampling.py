"""Which messages are traced: as OpenTelemetry's own samplers decide."""

from __future__ import annotations

import random

import pytest
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

from warren.plugins.otel.context import TraceContext
from warren.plugins.otel.sampling import Sampling, below


@pytest.mark.parametrize("ratio", [0.0, 0.001, 0.25, 0.5, 0.999, 1.0])
def test_a_ratio_takes_the_traces_that_the_library_takes(ratio: float) -> None:
    own, library = Sampling("traceidratio", ratio), TraceIdRatioBased(ratio)
    ids = random.Random(1)
    for _ in range(500):
        trace_id = ids.getrandbits(128) or 1
        wanted = library.should_sample(None, trace_id, "name").decision.name == "RECORD_AND_SAMPLE"
        assert (own.begun(TraceContext(trace_id, 1, 0)) is not None) == wanted


@pytest.mark.parametrize(
    ("sampler", "of_a_sampled_parent", "of_another", "of_none"),
    [
        ("parentbased_traceidratio", True, False, True),
        ("parentbased_always_on", True, False, True),
        ("parentbased_always_off", True, False, False),
        ("traceidratio", True, True, True),
        ("always_on", True, True, True),
        ("always_off", False, False, False),
    ],
)
def test_whose_word_counts(sampler: str, of_a_sampled_parent: bool, of_another: bool, of_none: bool) -> None:
    sampling = Sampling(sampler, 1.0)
    parents = [TraceContext(7, 1, 1), TraceContext(7, 1, 0), None]
    assert [sampling.begun(each) is not None for each in parents] == [of_a_sampled_parent, of_another, of_none]


def test_what_is_below_a_span_is_of_its_trace() -> None:
    parent = TraceContext(7, 1, 3, "a=1")
    begun = Sampling("always_on", 1.0).begun(parent)
    assert begun is not None
    assert (begun.trace_id, begun.flags, begun.state) == (7, 3, "a=1")
    further = below(begun)
    assert (further.trace_id, further.flags, further.state) == (7, 3, "a=1")
    assert len({parent.span_id, begun.span_id, further.span_id}) == 3
