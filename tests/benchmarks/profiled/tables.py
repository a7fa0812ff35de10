"""Profiles to Markdown: where the time of a message goes, by module, by function, and as `perf` sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.benchmarks.profiled.measure import Profile
from tests.benchmarks.report import row

MODULES_MAX = 12
FUNCTIONS_MAX = 12
PARTS_MAX = 10

SHARE_LEAST = 0.01
"""What takes less of every profile is summed up."""


def tables(title: str, profiles: Mapping[str, Profile]) -> str:
    """profiles: by the name of the Warren."""
    lines = [f"**{title}**: " + ", ".join(f"{name} {each.cpu_us:.2f} µs" for name, each in profiles.items()), ""]
    modules = [_by_module(each) for each in profiles.values()]
    functions = [_by_function(each) for each in profiles.values()]
    for heading, shares, most in (
        ("module", modules, MODULES_MAX),
        ("function", functions, FUNCTIONS_MAX),
        ("part, as perf sees it", [each.parts for each in profiles.values()], PARTS_MAX),
    ):
        if any(shares):
            lines += [*_table(heading, list(profiles), shares, [each.cpu_us for each in profiles.values()], most), ""]
    return "\n".join(lines)


def _by_module(profile: Profile) -> Mapping[str, float]:
    counts: dict[str, int] = {}
    for (module, _), count in profile.functions.items():
        name = module.removeprefix("warren.")
        counts[name] = counts.get(name, 0) + count
    return _shares(counts)


def _by_function(profile: Profile) -> Mapping[str, float]:
    named = {(module.removeprefix("warren."), name): count for (module, name), count in profile.functions.items()}
    return _shares({f"{module}: {name}": count for (module, name), count in named.items()})


def _shares(counts: Mapping[str, int]) -> Mapping[str, float]:
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items()}


def _table(
    heading: str, names: Sequence[str], shares: Sequence[Mapping[str, float]], cpu_us: Sequence[float], most: int
) -> list[str]:
    weight = {
        each: max(share.get(each, 0.0) for share in shares) for each in {key for share in shares for key in share}
    }
    shown = [each for each in sorted(weight, key=lambda key: (-weight[key], key)) if weight[each] >= SHARE_LEAST][:most]
    lines = [
        row([heading, *(column for name in names for column in (f"{name}: share", "µs/message"))]),
        "|---|" + "---:|" * (2 * len(names)),
    ]
    for each in shown:
        lines.append(row([each, *_cells([share.get(each, 0.0) for share in shares], cpu_us)]))
    rest = [sum(share.values()) - sum(share.get(each, 0.0) for each in shown) for share in shares]
    return [*lines, row(["all else", *_cells(rest, cpu_us)])]


def _cells(shares: Sequence[float], cpu_us: Sequence[float]) -> list[str]:
    cells = []
    for share, each in zip(shares, cpu_us, strict=True):
        cells += [f"{max(share, 0.0):.0%}", f"{max(share, 0.0) * each:.2f}"]
    return cells
