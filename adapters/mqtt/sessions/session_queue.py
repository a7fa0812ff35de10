"""The queue behind an MQTT session: a classic queue that bounds what waits for a slow or absent client.

What was published with QoS 0 isn't kept for a client that is away, and for one that is too slow only up to a bound
(MQTT allows both): what came last goes, as much as is too much.  Trimming happens at the end of a batch, when the
client has had its chance, and looks at no message twice: what was published until `_seen_until` has been let in.  That
much of QoS 0 is never farther from the head than the bound, so little has to be looked at when the client goes.

Retained messages that a new subscription is given come by a cursor (feeding.py), and aren't trimmed.

Of all messages together, some more may wait, and then the queue is full until a tenth of them are gone.  While it is,
it refuses messages of QoS 1 and 2, and who published them is told so, if there is a way.  Only then is the queue
guarded, so that publishing costs nothing before; the batch in which it becomes full is still taken.  Policies may set
other bounds.

The queue of a shared subscription is one, too.  `share` has it choose among its members (sharing.py).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final

from warren.adapters.mqtt.sessions.headers import RETAINED_FOR
from warren.adapters.mqtt.sessions.place import world_of
from warren.adapters.mqtt.sessions.publishing import topic_of_message
from warren.adapters.mqtt.sessions.sharing import POLICY_KEY, make_chooser
from warren.core.compiled import mypyc_attr
from warren.core.queues.argument import CONSUMER_ARGUMENTS
from warren.core.queues.base import Admission
from warren.core.queues.classic.contents import trim, trim_head
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.queues.deaths import MAXLEN

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.feeding import RetainedFeed
    from warren.adapters.mqtt.sessions.settings import QueueLimits
    from warren.core.messages.message import Message
    from warren.core.queues.argument import Argument
    from warren.core.queues.outlook import Outlook
    from warren.core.storage.definitions.store import JSON

_log = logging.getLogger("warren.queue")

RETURNED_MAX: Final = 65_535
"""What comes back to a queue gets before messages of QoS 0: at most what one client has under way (MQTT 5 2.2.1)."""


@mypyc_attr(allow_interpreted_subclasses=True)
class MqttQueue(ClassicQueue):
    """See the head of this file.  is_full: no message is taken.  strategy: a group's; empty for a session's own.
    world: the MQTT side of its broker.  feed: what still brings retained messages; None for nothing.  has_session: it
    is a session's own, and client_id says whose.
    """

    __slots__ = ("_has_tidied", "_seen_until", "client_id", "feed", "has_session", "is_full", "strategy", "world")

    type_name = "mqtt"

    policy_type: ClassVar[str] = "classic"

    consumer_arguments: ClassVar[tuple[Argument, ...]] = CONSUMER_ARGUMENTS
    """A session gets everything; so does who else consumes from it."""

    wildcards_skip: ClassVar[str] = "$"
    """Topics that begin so are found by name alone (MQTT-4.7.2-1)."""

    def prepare(self) -> None:
        self._seen_until = 0
        self._has_tidied = False
        self.feed: RetainedFeed | None = None
        self.has_session = False
        self.client_id = ""
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
        return self.is_full or self.feed is not None or super().guarded

    def admit(self, message: Message) -> Admission:
        """Refuse a message while the queue is full, or as policies say; one that is retained before it comes first."""
        if not self.is_full:
            if self.feed is not None:
                self.feed.hand_over(topic_of_message(self.world.names, message))
            return super().admit(message)
        self.turned_away(1)
        return Admission.REFUSE if message.properties.persistent else Admission.DROP

    def outlook(self, message: Message) -> Outlook:
        found = super().outlook(message)
        if self.is_full:
            found.admission = Admission.REFUSE if message.properties.persistent else Admission.DROP
            found.notes.append("it is full (mqtt_max_queued_messages), and would not take the message")
        elif not self.consumers and not message.properties.persistent and not self.strategy:
            found.notes.append("its client is away, and what isn't persistent (QoS 0) isn't kept for it")
        return found

    @property
    def whose(self) -> str:
        if self.strategy:
            return "the members of a shared subscription of MQTT"
        who = f"MQTT client '{self.client_id}'"
        return who if self.consumers else f"{who}, who is away"

    def reserve(self, message: Message) -> Admission | None:
        """While it is full, it takes none; what retained messages come before one isn't known beforehand."""
        if self.is_full:
            return Admission.REFUSE if message.properties.persistent else Admission.DROP
        return super().reserve(message) if self.feed is None else None

    def turned_away(self, count: int) -> None:
        if self.is_full:
            self.world.dropped += count
            self.vhost.broker.limit_hits.count("mqtt_max_queued_messages", count)

    def drain(self) -> None:
        before_bytes = self.ready_bytes
        super().drain()
        world = self.world
        world.publish_bytes_sent += before_bytes - self.ready_bytes
        if self.entries and not self.is_cut:
            limits = world.limits
            if not self.consumers or len(self.entries) > limits.qos_0_messages or self.ready_bytes > limits.qos_0_bytes:
                self._trim(limits)
            self._seen_until = self.vhost.broker.sequence
            if not self.is_full and limits.messages and len(self.entries) >= limits.messages:
                self._set_full(True)
        if self.is_full and len(self.entries) <= world.limits.messages * 9 // 10:
            self._set_full(False)
        if self.feed is not None:
            self.feed.look()

    def insert(self, messages: list[Message]) -> None:
        """Messages whose sequences, which ascend, say where they belong."""
        self.backlogs[0].merge_within(messages)
        self.ready_bytes += sum(message.body_size for message in messages)
        self.mark_dirty()

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
        """Drop messages of QoS 0: what is too much of them, the newest first; all where there is no client."""
        if not self.consumers:
            if not self._has_tidied:
                self._has_tidied = True
                self.world.dropped += trim_head(self, limits.qos_0_messages + RETURNED_MAX, is_kept)
            self.world.dropped += trim(self, self._seen_until, is_kept, lambda: False)
            return
        self._has_tidied = False

        def fits() -> bool:
            return len(self.entries) <= limits.qos_0_messages and self.ready_bytes <= limits.qos_0_bytes

        dropped = trim(self, self._seen_until, is_kept_for_slow, fits)
        self.world.dropped += dropped
        too_many = len(self.entries) >= limits.qos_0_messages
        self.vhost.broker.limit_hits.warn(
            "mqtt_max_queued_qos_0_messages" if too_many else "mqtt_max_queued_qos_0_bytes",
            self.name,
            _log,
            "%s: its client is too slow: %d messages of %d bytes wait, and further ones of QoS 0 are dropped (%s)",
            self.description,
            len(self.entries),
            self.ready_bytes,
            "mqtt_max_queued_qos_0_messages, mqtt_max_queued_qos_0_bytes",
            times=dropped,
        )


def is_kept(message: Message) -> bool:
    """True for what waits for a client that is away."""
    return message.properties.persistent


def is_kept_for_slow(message: Message) -> bool:
    """True for what waits for a slow client however much that is: QoS 1 and 2, and what the cursors bring."""
    properties = message.properties
    return properties.persistent or (properties.has_headers and RETAINED_FOR in (properties.headers or {}))
