"""The data files of packets that are wrong: `codec/malformed/*.toml`.

Keys of a packet: `name`; `level`, the connection's version (0 before CONNECT); `bytes` in hexadecimal; what it is
refused with: `error` (malformed or violation), `reason_code` and `clause`.  Sometimes `packet_bytes_max`; `sender`, who
sent it, where that is what is wrong; `connect_level`, the version in which a refused CONNECT is answered.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "codec" / "malformed"

Case = dict[str, Any]


def cases(folder: Path = FOLDER, *, of_servers: bool = True) -> list[Any]:
    """Every packet of a folder's files as a pytest parameter; `of_servers`: those too that a server sends wrongly."""
    found = []
    for path in sorted(folder.glob("*.toml")):
        for case in tomllib.loads(path.read_text("utf-8"))["packet"]:
            if of_servers or case.get("sender") != "server":
                found.append(pytest.param(case, id=f"{path.stem}-{case['level']}-{case['name']}"))
    return found


def packet_bytes(case: Case) -> bytes:
    """The packet."""
    return bytes.fromhex(case["bytes"])
