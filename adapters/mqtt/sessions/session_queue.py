"""The queue behind an MQTT session: a classic queue that bounds what waits for a slow or absent client.

What was published with QoS 0 isn't kept for a client that is away, and for one that is too slow only up to a bound
(MQTT allows both).  Trimming happens at the end of a batch, when the client has had its chance, and looks at no message
twice: `_kept` counts those at the head that were looked at before.

Of all messages together, some more may wait, and then the queue is full until a tenth of them are gone.  While it is,
it refuses messages of QoS 1 and 2, and who published them is told so, if there is a way.  Only then is the queue
guarded, so that publishing costs nothing before; the batch in which it becomes full is still taken.  Policies may set
other bounds.

The queue of a shared subscription is one, too.  `share` has it choose among its members (sharing.py).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from warren.adapters.mqtt.sessions.place import world_of
from warren.adapters.mqtt.sessions.sharing import POLICY_KEY, make_chooser
from warren.core.queues.base import Admission
from warren.core.queues.classic.contents import trim
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.queues.deaths import MAXLEN

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.settings import QueueLimits
    from warren.core.messages.message import Message
    from warren.core.storage.definitions.store import JSON

_log = logging.getLogger("warren.queue")


class MqttQueue(ClassicQueue):
    """See the head of this file.  is_full: no message is taken.  strategy: a group's; empty for a session's own.
    world: the MQTT side of its broker.
    """

    __slots__ = ("_kept", "is_full", "strategy", "world")

    type_name = "mqtt"

    policy_type: ClassVar[str] = "classic"

    wildcards_skip: ClassVar[str] = "$"
    """Topics that begin so are found by name alone (MQTT-4.7.2-1)."""

    def prepare(self) -> None:
        self._kept = 0
        self.is_full = False
        self.strategy = ""
        self.world = world_of(self.vhost.broker)
        super().prepare()

    def share(self) -> None:
        """It is a group's: its members get messages as its policy says, or else as the whole broker does it."""
        wanted = str(self.effective_policy.get(POLICY_KEY, self.world.shared_strategy))
        if wanted != self.strategy:
            self.strategy = wanted
            self.use_chooser(make_chooser(wanted, self.world.names))

    def apply_policy(
        self, effective: Mapping[str, JSON], policy_name: str | None, operator_policy_name: str | None
    ) -> None:
        super().apply_policy(effective, policy_name, operator_policy_name)
        if self.strategy:
            self.share()

    @property
    def guarded(self) -> bool:
        return self.is_full or super().guarded

    def admit(self, message: Message) -> Admission:
        """Refuse a message while the queue is full, or as policies say."""
        if not self.is_full:
            return super().admit(message)
        self.world.dropped += 1
        return Admission.REFUSE if message.properties.persistent else Admission.DROP

    def drain(self) -> None:
        before_bytes = self.ready_bytes
        super().drain()
        world = self.world
        world.publish_bytes_sent += before_bytes - self.ready_bytes
        if self.entries:
            limits = world.limits
            if not self.consumers or len(self.entries) > limits.qos_0_messages or self.ready_bytes > limits.qos_0_bytes:
                self._trim(limits)
            if not self.is_full and limits.messages and len(self.entries) >= limits.messages:
                self._set_full(True)
        if self.is_full and len(self.entries) <= world.limits.messages * 9 // 10:
            self._set_full(False)

    def _set_full(self, is_full: bool) -> None:
        """What publishers remember of their ways to here isn't valid any more."""
        if is_full:
            _log.warning(
                "%s is full: %d messages wait for the client; until a tenth of them are gone, further ones are refused "
                "or dropped (mqtt_max_queued_messages)",
                self.description,
                len(self.entries),
            )
        self.is_full = is_full
        self.vhost.changed()

    def bury(self, message: Message, reason: str) -> None:
        """Count what a policy's bounds drop."""
        if reason == MAXLEN:
            self.world.dropped += 1
        super().bury(message, reason)

    def _trim(self, limits: QueueLimits) -> None:
        """Drop messages of QoS 0 from the tail, the newest first."""
        kept = min(self._kept, len(self.entries))
        if self.consumers and self.ready_bytes <= limits.qos_0_bytes:
            kept = max(kept, limits.qos_0_messages)
        self.world.dropped += trim(self, kept, lambda message: message.properties.persistent)
        self._kept = len(self.entries)
