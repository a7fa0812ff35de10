"""Metrics as text, a piece at a time: prometheus_client writes the format, and this cuts the work.

The library writes a registry as a whole.  Here it is given registries of one family and so many of its series; of the
pieces of a family the first keeps its head, the others lose theirs.  So names, escapes and numbers are the library's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final, Literal, NamedTuple

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

from warren.core.frozen import frozen

Kind = Literal["counter", "gauge", "unknown", "histogram"]

SERIES_PER_PIECE: Final = 300
"""Written at once: some five microseconds each."""

END_OF_PAGE: Final = b"# EOF\n"
"""What OpenMetrics ends with; the library writes it behind every piece."""

TOTAL: Final = "_total"


class Series(NamedTuple):
    """One line.  suffix: of its name, such as `_bucket`."""

    labels: dict[str, str]
    value: float
    suffix: str = ""


@frozen
class Family:
    """Series of one name.  name: of counters with `_total`."""

    name: str
    kind: Kind
    about: str
    series: Iterable[Series | None]
    """None where nothing is found in a while: others have their turn."""


@frozen
class Encoding:
    """One of the two formats.  write: a registry."""

    write: Callable[[Any], bytes]
    content_type: str

    @property
    def ends(self) -> bool:
        """Whether a page has an end of its own."""
        return "openmetrics" in self.content_type

    def pieces(self, family: Family) -> Iterator[bytes]:
        """The family's text; empty pieces where there is nothing to say for a while."""
        base = family.name.removesuffix(TOTAL) if family.kind == "counter" else family.name
        has_head = False
        series = iter(family.series)
        while some := list(islice(series, SERIES_PER_PIECE)):
            metric = Metric(base, family.about, family.kind)
            suffix = TOTAL if family.kind == "counter" else ""
            metric.samples = [Sample(base + suffix + each.suffix, each.labels, each.value) for each in some if each]
            if not metric.samples:
                yield b""
                continue
            text = self.whole(metric)
            yield text[_head_bytes(text) :] if has_head else text
            has_head = True

    def whole(self, metric: Metric) -> bytes:
        """The text of one of the library's own."""
        return self.write(_Registry(metric)).removesuffix(END_OF_PAGE)

    def end(self) -> bytes:
        """What stands behind the last family."""
        return END_OF_PAGE if self.ends else b""


class _Registry(NamedTuple):
    """What the library asks for the metrics."""

    metric: Metric

    def collect(self) -> Iterable[Metric]:
        return (self.metric,)


def encoding_for(accept: str) -> Encoding:
    """What the header Accept asks for: OpenMetrics 1.0 or Prometheus' text format."""
    return Encoding(*choose_encoder(accept))


def _head_bytes(text: bytes) -> int:
    """How long the comment lines at the beginning are."""
    end = 0
    while text.startswith(b"#", end):
        end = text.index(b"\n", end) + 1
    return end
