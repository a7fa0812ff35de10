"""Queue types, and what consumers, unacknowledged messages and dead letters need of them.

The built-in types are imported here, so that they are registered wherever queues are declared.
"""

from warren.core.queues import deduplicating, priority, quorum  # noqa: F401  # each registers itself
from warren.core.queues.classic import queue  # noqa: F401  # the same
from warren.core.queues.stream import queue as stream_queue  # noqa: F401  # the same
