"""What SASL and Tune settled between a client and the broker."""

from __future__ import annotations


class Agreed:
    """frame_bytes_max: the largest frame that either side sends; 0 for no limit.  heartbeat_s: seconds, 0 for none.

    properties: what the client says of itself.  delivers_v2: it takes Deliver of version 2.
    """

    __slots__ = ("delivers_v2", "frame_bytes_max", "heartbeat_s", "mechanism", "properties")

    def __init__(self, frame_bytes_max: int) -> None:
        self.mechanism = ""
        self.frame_bytes_max = frame_bytes_max
        self.heartbeat_s = 0
        self.properties: dict[str, str] = {}
        self.delivers_v2 = False

    @property
    def client_name(self) -> str:
        """What the client calls its connection; empty where it doesn't say."""
        return self.properties.get("connection_name", "")
