"""How often and how long the broker's one thread was held, so that nobody else was served meanwhile.

Who measures is the gateway (gateway/network/stall_watch.py); this is what listings and metrics show of it.
"""

from __future__ import annotations


class Stalls:
    """Of one broker.

    count: how often since the start.  total_s, longest_s: how long, together and at most, in seconds.  longest_by: who
    held it then, in words; empty while nobody has.
    """

    __slots__ = ("count", "longest_by", "longest_s", "total_s")

    def __init__(self) -> None:
        self.count = 0
        self.total_s = 0.0
        self.longest_s = 0.0
        self.longest_by = ""

    def note(self, seconds: float, who: str) -> None:
        """Once more, for so long."""
        self.count += 1
        self.total_s += seconds
        if seconds > self.longest_s:
            self.longest_s, self.longest_by = seconds, who
