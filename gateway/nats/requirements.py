"""Whether a NATS server keeps what it confirms: its version, and what it tells of its configuration.

Since 2.15 one sync covers all replicas' appends of a moment; older servers are far too slow once they sync, and have
known ways of losing what they confirmed.  `sync_interval: always` makes a server sync before it confirms; what it says
otherwise is that it does so every two minutes.  A server tells that to a user of its system account alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from warren.gateway.nats.calls import Call, Reply
from warren.gateway.nats.errors import NatsProtocolError, UnfitServer
from warren.gateway.nats.jetstream import StreamInfo

VERSION_LEAST: Final = (2, 15)

REPLICAS_LEAST: Final = 3
"""With fewer, one server that is lost takes what was confirmed along, or nothing is confirmed while it is away."""

PAYLOAD_BYTES_LEAST: Final = 1 << 20
"""What every server takes unless it was told otherwise."""

UNSEEN_SYNC: Final = (
    "whether the NATS servers sync before they confirm (sync_interval: always in their jetstream block) can't be seen "
    "without a user of their system account: with the default a power failure loses what was confirmed"
)


def parse_version(text: str) -> tuple[int, ...]:
    """2.15.1 as numbers, without what stands behind a dash.  Raises UnfitServer where it is no version."""
    numbers = text.lstrip("v").partition("-")[0].split(".")
    if not all(each.isascii() and each.isdigit() for each in numbers):
        raise UnfitServer(f"{text!r} is no version of a NATS server")
    return tuple(int(each) for each in numbers)


def check_server(info: Mapping[str, object], where: str) -> None:
    """Look at the INFO of a server.  where: its address, for people.  Raises UnfitServer, with words."""
    version = str(info.get("version", ""))
    least = ".".join(map(str, VERSION_LEAST))
    if parse_version(version) < VERSION_LEAST:
        raise UnfitServer(
            f"{where} is NATS {version}, and a cluster needs {least} or newer: older ones can't sync each write at a "
            "useful speed; upgrade it"
        )
    if info.get("jetstream") is not True:
        raise UnfitServer(
            f"{where} runs without JetStream; add a jetstream block with a store_dir to its configuration"
        )
    payload = info.get("max_payload")
    if not isinstance(payload, int) or payload < PAYLOAD_BYTES_LEAST:
        raise UnfitServer(
            f"{where} takes messages of {payload} octets; set max_payload to {PAYLOAD_BYTES_LEAST} or more"
        )


def check_stream(info: StreamInfo, *, replicas: int = REPLICAS_LEAST) -> None:
    """Look at how a stream is kept.  Raises UnfitServer, with words."""
    config = info.config
    if config.get("storage") != "file":
        raise UnfitServer(f"the stream {info.name} is kept in memory; it has to be in files")
    if config.get("num_replicas", 1) < replicas:
        raise UnfitServer(f"the stream {info.name} has {config.get('num_replicas', 1)} replicas; it needs {replicas}")
    if config.get("retention") != "limits" or config.get("discard") != "new":
        raise UnfitServer(f"the stream {info.name} may drop messages by itself; it needs retention limits, discard new")
    for name in ("max_msgs", "max_msgs_per_subject"):
        if config.get(name, -1) > 0:
            raise UnfitServer(f"the stream {info.name} has a limit of {name}; it must have none")
    if config.get("max_age", 0):
        raise UnfitServer(f"the stream {info.name} drops messages by age (max_age); it must not")
    if config.get("persist_mode", "default") not in ("default", ""):
        raise UnfitServer(f"the stream {info.name} confirms before it writes (persist_mode); it must not")


def server_settings() -> Call[Mapping[str, Any]]:
    """Ask one server how its JetStream is configured; only a user of the system account is answered."""
    return Call("$SYS.REQ.SERVER.PING.JSZ", b'{"config":true}', _settings)


def check_settings(found: Mapping[str, Any]) -> None:
    """Look at what `server_settings` gave.  Raises UnfitServer, with words."""
    server, data = found.get("server"), found.get("data")
    name = server.get("name", "?") if isinstance(server, dict) else "?"
    config = data.get("config") if isinstance(data, dict) else None
    if not isinstance(config, dict):
        raise UnfitServer(f"the NATS server {name} runs without JetStream")
    if config.get("sync_always") is not True:
        raise UnfitServer(
            f"the NATS server {name} confirms what it hasn't synced: a power failure loses it. Write sync_interval: "
            "always into its jetstream block"
        )


def _settings(replies: Sequence[Reply]) -> Mapping[str, Any]:
    try:
        found = json.loads(replies[0].payload)
    except (ValueError, RecursionError) as error:
        raise NatsProtocolError("an answer about JetStream's settings that isn't JSON") from error
    if not isinstance(found, dict):
        raise NatsProtocolError("an answer about JetStream's settings that is no JSON object")
    return found
