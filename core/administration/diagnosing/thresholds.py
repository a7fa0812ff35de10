"""From where on something counts as a fault: so that what any healthy broker has isn't one."""

from __future__ import annotations

from typing import Final

PATIENCE_DEFAULT_S: Final = 600
"""What has been so for less, such as a message that isn't acknowledged, is taken for work that is under way."""

BACKLOG_LEAST: Final = 1000
"""Messages; a shorter queue that grows is a burst."""

GROWTH_LEAST: Final = 10
"""Messages that have to be more at the second look: fewer come and go in any busy queue."""

HOARD_LEAST: Final = 10_000
"""Unacknowledged messages of one channel that are many, however long it has had them."""

BRIEF_CONNECTIONS_LEAST: Final = 50
BRIEF_CHANNELS_LEAST: Final = 50
BRIEF_QUEUES_LEAST: Final = 100
"""In ten minutes at most (core/brief.py): programs that start, and health checks, make fewer."""

BRIEF_CHANNELS_SHARE: Final = 0.5
"""Of a connection's channels: those of a program that opens one for each message are nearly all."""

POLLS_LEAST: Final = 1000
"""Polls of a queue, half of which found nothing, so that it isn't looked at now and then, but waited for by asking."""

ABSENT_SESSIONS_LEAST: Final = 100
"""Sessions of clients that have been away for longer than patience, if they are more than the connected ones."""

CERTIFICATE_DAYS: Final = 30

NEARLY: Final = 0.8
"""The share of memory or descriptors from which on there is little left."""

DISK_NEARLY: Final = 1.5
"""Free space below so many times the limit is near it."""

DESCRIPTORS_LEAST: Final = 4096
"""A broker whose process may open fewer files is full with fewer connections than anybody expects."""

SAMPLE_MESSAGES: Final = 1000
"""Messages of a queue that are looked at for whether they are persistent."""
