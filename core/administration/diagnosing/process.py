"""What may run out, and what has gone wrong already: memory, disk, files, certificates, alarms, damage."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Final

from warren.core.administration.diagnosing import catalogue
from warren.core.administration.diagnosing.finding import Place, Severity
from warren.core.administration.diagnosing.thresholds import (
    CERTIFICATE_DAYS,
    DESCRIPTORS_LEAST,
    DISK_NEARLY,
    NEARLY,
)
from warren.core.administration.diagnosing.words import mebibytes, moment, span

if TYPE_CHECKING:
    from warren.core.administration.diagnosing.examination import Examination
    from warren.core.administration.diagnosing.surroundings import Resources

DAY_MS: Final = 86_400_000


def examine_process(exam: Examination) -> Generator[None, None, None]:
    """All of it, which is little."""
    broker, surroundings = exam.broker, exam.surroundings
    for alarm in broker.alarms.raised():
        exam.report(catalogue.ALARM, Place("", "alarm", alarm, "it is raised"))
    for damage in broker.damage():
        exam.report(catalogue.DAMAGE, Place("", "store", "data", damage))
    for name, until_ms in surroundings.certificates.items():
        left_ms = until_ms - exam.now_ms
        if left_ms <= 0:
            place = Place("", "certificate", name, f"expired on {moment(until_ms)}")
            exam.report(catalogue.CERTIFICATE, place, Severity.ERROR)
        elif left_ms <= CERTIFICATE_DAYS * DAY_MS:
            place = Place("", "certificate", name, f"valid until {moment(until_ms)}, for {span(left_ms)}")
            exam.report(catalogue.CERTIFICATE, place)
    if surroundings.resources is not None:
        _examine_resources(exam, surroundings.resources)
    yield


def _examine_resources(exam: Examination, resources: Resources) -> None:
    raised = exam.broker.alarms.raised()
    used, limit = resources.memory_used, resources.memory_limit
    if limit and used >= limit * NEARLY and "memory" not in raised:
        detail = f"{mebibytes(used)} of {mebibytes(limit)}"
        exam.report(catalogue.MEMORY, Place("", "process", "memory", detail))
    free, least = resources.disk_free, resources.disk_free_limit
    if free is not None and least and free < least * DISK_NEARLY and "disk" not in raised:
        detail = f"{mebibytes(free)} free; publishers are held back below {mebibytes(least)}"
        exam.report(catalogue.DISK, Place("", "process", "disk", detail))
    files, most = resources.descriptors_used, resources.descriptors_max
    detail = f"{files:,} of {most:,}"
    if files >= most * NEARLY:
        exam.report(catalogue.DESCRIPTORS, Place("", "process", "files", detail))
    elif most < DESCRIPTORS_LEAST:
        exam.report(catalogue.LOW_DESCRIPTORS, Place("", "process", "files", detail))
