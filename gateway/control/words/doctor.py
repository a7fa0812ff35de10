"""The word that says what is wrong with how the broker is used and set up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import Answer, Control, RefusedError, Request, verdict
from warren.gateway.control.word import VHOST, Option, word

if TYPE_CHECKING:
    from warren.core.administration.diagnosing.finding import Finding, Place, Report

WATCH: Final = Option("watch", "SECONDS")
PATIENCE: Final = Option("patience", "SECONDS")
STRICT: Final = Option("strict")

SHOWN_MAX: Final = 5
"""Places of a finding in the text; --formatter json has more."""


@word(
    "",
    "what is wrong with how the broker is used and set up, why, and what helps; exit code 1 if anything is",
    "Examining the broker on {directory} ...",
    options=(VHOST, WATCH, PATIENCE, STRICT),
    example="--watch 10 --patience 3600",
)
async def doctor(control: Control, request: Request) -> Answer:
    """Warren's own: of all virtual hosts, unless -p names one.  It looks twice, `--watch` seconds apart."""
    import trio

    from warren.core.administration import operations
    from warren.core.administration.diagnosing.surroundings import Surroundings
    from warren.gateway.listening import listeners
    from warren.gateway.turns import in_turns

    rules = operations.doctor
    watch_s = _seconds(request, WATCH, rules.WATCH_S_DEFAULT, rules.WATCH_S_MAX)
    patience_s = _seconds(request, PATIENCE, rules.PATIENCE_DEFAULT_S, rules.PATIENCE_S_MAX)
    given = request.options.get(VHOST.name)
    vhost = None if given is None else str(given)
    earlier = None
    if watch_s:
        earlier = await in_turns(operations.doctor.look(control.broker, vhost, control.server.now_ms))
        await trio.sleep(watch_s)
    if not control.server.running:
        raise RefusedError("the broker application was stopped meanwhile", codes.UNAVAILABLE)
    surroundings = Surroundings(
        list(listeners(control.server.listening)),
        {name: int(until.timestamp() * 1000) for name, until in control.server.certificates.items()},
        control.server.resources(),
    )
    steps = operations.doctor.examine(
        control.broker,
        surroundings,
        patience_ms=int(patience_s * 1000),
        earlier=earlier,
        vhost=vhost,
        now_ms=control.server.now_ms,
    )
    report = await in_turns(steps)
    is_well = report.is_healthy and not (report.findings and request.options.get(STRICT.name))
    exit_code = codes.OK if is_well else codes.FOUND
    return verdict(report.described(), "\n".join(_text(report)), exit_code)


def _seconds(request: Request, option: Option, default: float, most: float) -> float:
    given = str(request.options.get(option.name, default))
    try:
        found = float(given)
    except ValueError:
        found = -1.0
    if not 0 <= found <= most:
        raise RefusedError(f"{option.flag} is from 0 to {most:g} seconds, not '{given}'", codes.USAGE)
    return found


def _text(report: Report) -> list[str]:
    lines: list[str] = []
    for finding in report.findings:
        lines += [*_finding_text(finding), ""]
    seen = ", ".join(f"{name.replace('_', ' ')}: {count}" for name, count in report.looked_at.items())
    return [*lines, f"{_summary(report)}; looked at {seen or 'nothing'}"]


def _summary(report: Report) -> str:
    counts: dict[str, int] = {}
    for each in report.findings:
        counts[each.severity.value] = counts.get(each.severity.value, 0) + 1
    return ", ".join(f"{count} {name}{'s' if count > 1 else ''}" for name, count in counts.items()) or "nothing found"


def _finding_text(finding: Finding) -> list[str]:
    shown = finding.places[:SHOWN_MAX]
    lines = [f"{finding.severity.value.upper()}: {finding.title} ({finding.code})"]
    for place in shown:
        lines.append(f"  - {_place_text(place)}")
        if place.remedy:
            lines.append(f"      {_printable(place.remedy)}")
    if finding.count > len(shown):
        lines.append(f"  and {finding.count - len(shown)} more")
    return [*lines, f"  Why: {finding.why}", *(f"  Do:  {each}" for each in finding.remedy)]


def _place_text(place: Place) -> str:
    name = f" '{place.name}'" if place.name else ""
    where = f" in '{place.vhost}'" if place.vhost else ""
    return _printable(f"{place.kind}{name}{where}: {place.detail}")


def _printable(text: str) -> str:
    """Names come from clients and may hold anything; a terminal is to see text alone."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)
