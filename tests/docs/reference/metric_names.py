"""docs/reference/metric_names.md: every family of every page, as a broker writes them.

A broker with something in it is asked for each page, and what its pages are made of is noted on the way: families that
have no series at that moment are noted, too.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import pytest
import trio

from tests.docs.reference.markdown import cell, code, joined, table
from tests.plugins.metrics.scrape import open_metrics
from warren.core.clients.login_attempts import Source
from warren.core.cluster.figures import ClusterFigures, LinkFigures, ShardFigures
from warren.plugins.metrics.cluster import cluster_families
from warren.plugins.metrics.encoding import Encoding, Family, Series
from warren.plugins.metrics.groups import GROUPS
from warren.plugins.metrics.pages import (
    AGGREGATED,
    DETAILED,
    DETAILED_PREFIX,
    FAMILIES,
    MEMORY,
    OF_LOGINS,
    PER_OBJECT,
    PREFIX,
)

LABELS = {
    "rabbitmq_shovel_dynamic": ("status",),
    "rabbitmq_federation_links": ("status",),
    "warren_dead_letters_lost_total": ("cause",),
    "warren_limit_hits_total": ("limit",),
}
"""Of families that have no series in a broker that fares well."""

INTRODUCTION = """
# Names of metrics

Every family of the [metrics](../metrics.md), from the code. Behind them come those that every Python program of
Prometheus' library has, `process_…` and `python_…`. A label in brackets is there on `/metrics/per-object` alone,
where each object has a series of its own.
"""

OF_DETAILS = f"""
What is asked for by `?family=`. Names are those of `{PER_OBJECT}` with `{DETAILED_PREFIX}` in place of `{PREFIX}`,
but those of `rabbitmq_cluster_`.
"""


@dataclass
class Noted:
    """A family.  labels: seen in any of its series, but those of buckets."""

    kind: str
    about: str
    labels: dict[str, None] = field(default_factory=dict)


Page = dict[str, Noted]


def page() -> str:
    """The whole page."""
    pages = trio.run(_pages)
    of_cluster = _of_cluster()
    whole, objects = pages[AGGREGATED], pages[PER_OBJECT]
    both = {name: whole.get(name, noted) for name, noted in {**whole, **objects}.items()}
    single = {name: noted for name, noted in both.items() if objects.get(name, noted).labels == noted.labels}
    summed = {name: noted for name, noted in both.items() if name not in single or name not in whole}
    ours = [name for name in single if name in whole and not name.startswith(PREFIX)]
    details = []
    for group in (*FAMILIES, *OF_LOGINS):
        of_group = pages[f"{DETAILED}?{urlencode({'family': group})}"]
        names = ", ".join(code(name) for name in of_group if "_info" not in name)
        details.append((code(group), names))
    return joined(
        [
            INTRODUCTION.strip(),
            "## The broker as a whole",
            _table(single, whole, objects, [name for name in single if name in whole and name not in ours]),
            "## Names of Warren's own",
            _table(single, whole, objects, ours),
            "## Names of Warren's own in a cluster",
            _table(of_cluster, of_cluster, {}, of_cluster),
            f"## Objects: sums in `{AGGREGATED}`, a series for each in `{PER_OBJECT}`",
            _table(both, whole, objects, summed),
            f"## `{DETAILED}`",
            OF_DETAILS.strip(),
            table(("family", "names"), details),
            f"## `{MEMORY}`",
            _table(pages[MEMORY], pages[MEMORY], {}, [name for name in pages[MEMORY] if "_info" not in name]),
        ]
    )


def _table(found: Page, whole: Page, objects: Page, names: Iterable[str]) -> str:
    rows = []
    for name in names:
        noted = found[name]
        always = whole[name].labels if name in whole else {}
        more = [label for label in (objects[name].labels if name in objects else {}) if label not in always]
        shown = [code(label) for label in always] + [f"({code(label)})" for label in more]
        about = noted.about + ("" if name in whole else " No sum.")
        rows.append((code(name), noted.kind, " ".join(shown), cell(about)))
    return table(("name", "type", "labels", "what it says"), rows)


def _of_cluster() -> Page:
    """What a node of a cluster has besides."""
    shard = ShardFigures(0, "n1", True, 1, 0, 0.0, 1, 1, 0, 0, 0)
    link = LinkFigures("n2", "/", True, True, 1, 0)
    found: Page = {}
    for family in cluster_families(ClusterFigures(2, True, True, 0, 0, 0, [shard], [link])):
        noted = found[family.name] = Noted(family.kind, family.about)
        for each in family.series:
            noted.labels |= dict.fromkeys(each.labels if each is not None else ())
    return found


async def _pages() -> Mapping[str, Page]:
    """What each page is made of, by the path that it was asked by."""
    found: dict[str, Page] = {}
    asked = ""
    pieces = Encoding.pieces

    def noting(encoding: Encoding, family: Family) -> Iterator[bytes]:
        noted = found.setdefault(asked, {}).setdefault(family.name, Noted(family.kind, family.about))
        return pieces(encoding, family_with(family, _watched(family.series, noted)))

    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr(Encoding, "pieces", noting)
        options = {"plugins": ("metrics", "shovel", "federation"), "track_auth_attempt_source": True}
        async with open_metrics("amqp=127.0.0.1:0", directory=Path(directory), **options) as metrics:
            metrics.broker.login_attempts.count(Source("amqp091", "127.0.0.1", "guest"), succeeded=True)
            stream = await trio.open_tcp_stream(*metrics.embedded.address("amqp"))
            await stream.send_all(b"AMQP\0\0\x09\x01")
            await stream.receive_some()
            async with stream, metrics.embedded.connect() as client:
                await client.declare_queue("orders", durable=True)
                await client.publish("", "orders", b"three chairs")
                async with client.consume("orders"):
                    paths = [AGGREGATED, PER_OBJECT, MEMORY]
                    paths += [f"{DETAILED}?{urlencode({'family': name})}" for name in (*FAMILIES, *OF_LOGINS)]
                    for asked in paths:
                        await metrics.page(asked)
    for path, families in found.items():
        for name, noted in families.items():
            if not noted.labels:
                noted.labels |= dict.fromkeys(_known_labels(path, name))
    return found


def family_with(family: Family, series: Iterable[Series | None]) -> Family:
    """The same with these series."""
    return Family(family.name, family.kind, family.about, series)


def _watched(series: Iterable[Series | None], noted: Noted) -> Iterator[Series | None]:
    for each in series:
        if each is not None:
            noted.labels |= dict.fromkeys(label for label in each.labels if label != "le")
        yield each


def _known_labels(path: str, name: str) -> tuple[str, ...]:
    """Of a family that has no series at that moment, as far as it ever has labels."""
    if name in LABELS:
        return LABELS[name]
    if path in (AGGREGATED, MEMORY):
        return ()
    bare = name.removeprefix(DETAILED_PREFIX).removeprefix(PREFIX)
    groups = [group for group in GROUPS if any(measure.name == bare for measure in group.measures)]
    return tuple(label for label, _ in groups[0].labels) if groups else ()
