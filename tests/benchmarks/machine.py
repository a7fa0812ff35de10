"""The machine that the figures belong to, as far as it matters for them."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def machine_facts(data_directory: Path) -> dict[str, str]:
    """Name to value, for the head of a report.  data_directory: where the brokers' stores are put."""
    return {
        "CPU": f"{_field('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores",
        "memory": f"{int(_field('/proc/meminfo', 'MemTotal').split()[0]) / (1 << 20):.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "file system of the stores": _file_system(data_directory.resolve()),
        "load average before": " ".join(f"{each:.2f}" for each in os.getloadavg()),
    }


def _field(file: str, name: str) -> str:
    """The value of the first `name: value` line of a file in /proc."""
    for line in Path(file).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"


def _file_system(path: Path) -> str:
    """The type of the file system that holds `path`: fdatasync costs nothing on one in memory."""
    best, kind = Path("/"), "unknown"
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mount_point, mounted_kind, *_ = line.split()
        if path.is_relative_to(mount_point) and len(mount_point) >= len(str(best)):
            best, kind = Path(mount_point), mounted_kind
    return kind
