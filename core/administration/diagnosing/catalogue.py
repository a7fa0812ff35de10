"""Every sort of fault: what it is called, how bad it is, why it matters, what helps; docs/doctor.md has the same."""

from __future__ import annotations

from typing import Final

from warren.core.administration.diagnosing.finding import Fault, Severity

_NOTICE, _WARNING, _ERROR = Severity.NOTICE, Severity.WARNING, Severity.ERROR

NO_PREFETCH: Final = Fault(
    "no-prefetch",
    _WARNING,
    "Consumers without a prefetch limit",
    "The broker sends such a consumer the whole queue at once. What it holds is in the broker's memory until it is "
    "acknowledged, other consumers of the queue get nothing of it, and all of it is delivered again when it fails.",
    (
        "AMQP: channel.basic_qos(prefetch_count=100) before basic_consume; 1 where each message takes long",
        "STOMP: the header prefetch-count:100 in SUBSCRIBE",
    ),
)

AUTOMATIC_ACK: Final = Fault(
    "automatic-ack",
    _NOTICE,
    "Consumers of durable queues that acknowledge nothing",
    "A message counts as done as soon as it is sent. What the consumer hasn't worked off when it fails is lost, "
    "although the queue is durable; and nothing slows the broker down when the consumer can't keep up.",
    (
        "AMQP: basic_consume(..., auto_ack=False), and basic_ack once a message is worked off",
        "STOMP: ack:client-individual in SUBSCRIBE, and an ACK for each message",
        "it is right where a lost message does no harm",
    ),
)

SHARED_CONNECTION: Final = Fault(
    "publishes-and-consumes",
    _NOTICE,
    "Connections that publish and consume",
    "While memory or disk is short, publishes are held back, and a connection on which many wait isn't read any more: "
    "acknowledgements on it are stuck behind them, just when they would free what is short. RabbitMQ stops reading "
    "such a connection at its first publish. A consumer on a connection of its own goes on.",
    ("open two connections, one to publish and one to consume",),
)

CONNECTION_CHURN: Final = Fault(
    "connection-churn",
    _WARNING,
    "Programs that connect for a few messages at a time",
    "A connection costs a TCP handshake, a login and, with TLS, a signature: hundreds of times what a message costs. "
    "It also uses up ports of the client's machine, which stay taken for a minute.",
    (
        "keep one connection open for as long as the program runs, and publish on it",
        "where programs live for one message each (PHP, CGI): a proxy that keeps connections, or the HTTP API",
    ),
)

CHANNEL_CHURN: Final = Fault(
    "channel-churn",
    _WARNING,
    "Connections that open a channel for each message",
    "Opening and closing a channel are two round trips, each as dear as many messages, and what the broker remembers "
    "of a channel to publish quickly goes with it.",
    ("keep a channel open in each thread that publishes, and open another one when an error has closed it",),
)

QUEUE_CHURN: Final = Fault(
    "queue-churn",
    _WARNING,
    "Queues that are made and deleted all the time",
    "Each queue that comes or goes makes the broker find all routes of its virtual host anew, for all publishers; "
    "durable ones are synced to disk twice.",
    (
        "for answers to requests: one reply queue for each client, told apart by correlation_id",
        "or none at all: consume from amq.rabbitmq.reply-to without acknowledgements, and publish with it as reply_to",
    ),
)

POLLING: Final = Fault(
    "polling",
    _NOTICE,
    "Queues that are polled instead of consumed",
    "basic.get takes a round trip for each message, or for the news that there is none. A consumer is sent messages as "
    "they come, many at a time.",
    ("basic_consume with basic_qos(prefetch_count=1) gets one message at a time, too, and without asking",),
)

UNREAD: Final = Fault(
    "unread-queue",
    _WARNING,
    "Queues with messages that nobody reads",
    "They keep what comes in for nobody, and fill memory and disk in the end.",
    (
        "start its consumer, or delete it: warren delete_queue QUEUE",
        "where it may stay unread, bound it, as with the command at each",
    ),
)

GROWING: Final = Fault(
    "growing-queue",
    _WARNING,
    "Queues without bounds that grow",
    "More comes in than is worked off, and nothing stops it before memory or disk are short, which stops all "
    "publishers.",
    (
        "more consumers, or quicker ones: warren list_consumers shows those that there are",
        "bound it, as with the command at each: overflow drop-head drops the oldest, reject-publish tells publishers",
    ),
)

UNBOUNDED_STREAM: Final = Fault(
    "unbounded-stream",
    _NOTICE,
    "Streams that keep everything for ever",
    "What was read stays in a stream, so that one without a retention grows until the disk is full.",
    ("give it a retention, as with the command at each",),
)

OLD_UNACKED: Final = Fault(
    "old-unacked",
    _WARNING,
    "Messages that are out for long without being acknowledged",
    "Somebody has them who may never acknowledge them: an acknowledgement that is missing on a path of errors, or a "
    "program that hangs. They stay in memory, and nobody else gets them before the connection ends.",
    (
        "acknowledge on all paths: basic_ack when it is done, basic_nack(requeue=...) when it failed",
        "see who holds them: warren list_channels name messages_unacknowledged consumer_count",
        "give them back to their queue: warren close_connection CONNECTION 'holds messages'",
    ),
)

HOARD: Final = Fault(
    "many-unacked",
    _NOTICE,
    "Channels with very many unacknowledged messages",
    "All of them are in the broker's memory, and in the client's, and come again when the connection ends.",
    ("a smaller prefetch: a few times what is worked off in a round trip to the broker is enough",),
)

TRANSIENT_MESSAGES: Final = Fault(
    "transient-messages",
    _NOTICE,
    "Transient messages in durable queues",
    "The queue outlives a restart of the broker, these messages don't.",
    (
        "AMQP: BasicProperties(delivery_mode=2); STOMP: persistent:true; AMQP 1.0: durable=True in the header",
        "it is right where a lost message does no harm: transient ones are quicker",
    ),
)

PERSISTENT_IN_TRANSIENT: Final = Fault(
    "persistent-in-transient-queue",
    _WARNING,
    "Persistent messages in queues that aren't durable",
    "The publisher asks for messages that outlive a restart of the broker. The queue doesn't outlive it, and goes with "
    "all of them.",
    ("delete the queue and declare it with durable=True, or publish with delivery_mode=1 if it is meant so",),
)

PERSISTENT_IN_PASSING: Final = Fault(
    "persistent-in-passing-queue",
    _NOTICE,
    "Persistent messages in exclusive or auto-delete queues",
    "An exclusive queue goes with its connection, an auto-delete one with its last consumer, and what is in it goes, "
    "too, persistent or not.",
    (
        "a queue whose messages matter is durable, and neither exclusive nor auto-delete; x-expires removes unused "
        "ones",
        "answers to requests are better published with delivery_mode=1",
    ),
)

TRANSIENT_QUEUE: Final = Fault(
    "transient-queue",
    _NOTICE,
    "Queues for everybody that aren't durable",
    "They and their bindings are gone after a restart of the broker, until some program declares them again; what is "
    "published before that goes nowhere. RabbitMQ means to do without such queues.",
    ("durable=True, with x-expires if it is to go by itself; or exclusive=True if it is one connection's",),
)

TRANSIENT_BINDING: Final = Fault(
    "transient-binding",
    _WARNING,
    "Durable queues bound to exchanges that aren't durable",
    "After a restart of the broker the queue is there and the exchange isn't, nor is the binding: publishing fails "
    "with 404 until a program declares the exchange again, and then nothing reaches the queue.",
    ("delete the exchange, declare it with durable=True, and bind again",),
)

UNROUTABLE: Final = Fault(
    "unroutable",
    _WARNING,
    "Messages that go nowhere",
    "They were published and dropped, since nothing was bound with their routing key, and the publisher wasn't told: "
    "confirms are for dropped messages, too.",
    (
        "see why: warren explain EXCHANGE KEY",
        "bind a queue, or have them kept somewhere: alternate-exchange, by the exchange's argument or a policy",
        "have them come back to the publisher: basic_publish(..., mandatory=True)",
    ),
)

NO_DEAD_LETTER_EXCHANGE: Final = Fault(
    "no-dead-letter-exchange",
    _WARNING,
    "Dead letter exchanges that don't exist",
    "What is rejected, expires or is dropped is lost, although it was to be kept.",
    ("declare it, as told at each, and bind a queue to it",),
)

LOST_DEAD_LETTERS: Final = Fault(
    "dead-letters-lost",
    _WARNING,
    "Dead letters that go nowhere",
    "What is rejected, expires or is dropped goes to an exchange that leads to no queue, and is lost.",
    (
        "bind a queue to the exchange with the routing key that dead letters have: x-dead-letter-routing-key, or else "
        "their own",
    ),
)

NO_ALTERNATE_EXCHANGE: Final = Fault(
    "no-alternate-exchange",
    _WARNING,
    "Alternate exchanges that don't exist",
    "What an exchange leads nowhere is dropped, although it was to go on.",
    ("declare it, as told at each, and bind a queue to it",),
)

UNAVAILABLE_QUEUE: Final = Fault(
    "unavailable-queue",
    _ERROR,
    "Queues whose type isn't there",
    "Nobody can use them: they refuse messages, and keep what they have until the plugin with their type is back.",
    ("enable the plugin, and start the broker again: warren plugins list",),
)

POLICY_WITHOUT_MATCH: Final = Fault(
    "policy-without-match",
    _NOTICE,
    "Policies that match nothing",
    "Its pattern is found in no name of a queue or exchange that it applies to: a slip of the pen, or nothing is there "
    "yet.",
    ("compare its pattern with warren list_queues name policy, and see --apply-to",),
)

SHADOWED_POLICY: Final = Fault(
    "shadowed-policy",
    _NOTICE,
    "Policies that others take precedence of",
    "To each queue or exchange one policy applies, the one with the highest priority; they aren't merged. This one "
    "never applies.",
    (
        "a higher priority, or both definitions in one policy: warren set_policy --priority NUMBER NAME PATTERN "
        "DEFINITION",
    ),
)

DEFAULT_PASSWORD: Final = Fault(
    "default-password",
    _WARNING,
    "Users with passwords that everybody knows",
    "Programs that look for open brokers try these first.",
    ("warren change_password USER",),
)

DEFAULT_PASSWORD_LOCAL: Final = Fault(
    "default-password-on-loopback",
    _NOTICE,
    "Users with passwords that everybody knows, from this machine only",
    "Whoever has an account or a program on the broker's machine can log in, which is right for developing.",
    ("for production: warren add_user NAME, warren set_user_tags NAME administrator, then warren delete_user guest",),
)

PLAIN_LISTENER: Final = Fault(
    "listener-without-tls",
    _WARNING,
    "Listeners without TLS that other machines reach",
    "Passwords and messages go over the network as they are.",
    (
        "listen with TLS, as amqps, mqtts, stomps, wss, https: warren serve --listen amqps=HOST:5671; docs/tls.md",
        "it is right where a proxy or tunnel that encrypts stands in front: then listen on its address alone",
    ),
)

CERTIFICATE: Final = Fault(
    "certificate-expiring",
    _WARNING,
    "Certificates that expire",
    "Clients that verify the broker refuse to connect from then on.",
    ("put a new one in its place, and kill -HUP the broker: it is taken without a restart",),
)

NO_HEARTBEAT: Final = Fault(
    "no-heartbeat",
    _NOTICE,
    "Connections without heartbeats",
    "When such a peer vanishes (power, network, a firewall that forgets), nobody notices: its messages stay "
    "unacknowledged, and its exclusive queues and consumers in place. Firewalls also cut what is silent.",
    ("AMQP: heartbeat=60 in the client, not 0; STOMP: heart-beat:10000,10000 in CONNECT; MQTT: a keep alive of 60",),
)

ABSENT_SESSIONS: Final = Fault(
    "absent-mqtt-sessions",
    _WARNING,
    "MQTT sessions that pile up",
    "Clients that connect with a new client identifier each time, and ask for a session that stays, leave one each "
    "time: each goes on collecting what it has subscribed to.",
    (
        "a client identifier that stays the same, or clean_start with a session expiry of 0",
        "let sessions end that nobody comes back for: mqtt_max_session_expiry_s in the configuration",
        "end one: warren delete_mqtt_session CLIENT_ID",
    ),
)

BACKLOGGED_SESSION: Final = Fault(
    "backlogged-mqtt-session",
    _NOTICE,
    "MQTT sessions that collect for clients that are away",
    "Messages of QoS 1 and 2 wait for a client that hasn't been there for long; when its queue is full, publishers are "
    "refused.",
    (
        "end it if it doesn't come back: warren delete_mqtt_session CLIENT_ID",
        "a shorter session expiry in the client, or mqtt_max_session_expiry_s in the configuration",
    ),
)

ALARM: Final = Fault(
    "alarm",
    _ERROR,
    "Alarms that hold publishers back",
    "Nobody can publish until it is over; consumers go on.",
    (
        "memory, disk: work off or purge what waits, and see warren status",
        "damage: see warren status, and docs/storage.md",
    ),
)

MEMORY: Final = Fault(
    "memory-near-limit",
    _WARNING,
    "Memory near its limit",
    "Above the limit all publishers are held back.",
    (
        "see what uses it: warren status, warren list_queues name messages message_bytes_ram",
        "warren set_vm_memory_high_watermark absolute SIZE, where the machine has more",
    ),
)

DISK: Final = Fault(
    "disk-near-limit",
    _WARNING,
    "Little free space on the disk",
    "Below the limit all publishers are held back.",
    ("make room, or lower the limit: warren set_disk_free_limit SIZE",),
)

DESCRIPTORS: Final = Fault(
    "descriptors-near-limit",
    _WARNING,
    "Nearly as many open files as the process may have",
    "Each connection takes one; when there are none left, nobody else can connect.",
    ("a higher limit: LimitNOFILE=65536 in the systemd unit, or ulimit -n in the shell that starts it",),
)

LOW_DESCRIPTORS: Final = Fault(
    "low-descriptor-limit",
    _NOTICE,
    "A low limit of open files",
    "Each connection takes one; when there are none left, nobody else can connect.",
    ("a higher limit: LimitNOFILE=65536 in the systemd unit, or ulimit -n in the shell that starts it",),
)

DAMAGE: Final = Fault(
    "damage",
    _ERROR,
    "Damage on the disk",
    "Something couldn't be read and is kept apart; the rest is served.",
    ("see docs/storage.md for what can be done; warren list_quarantined; then look at the disk",),
)

FAULTS: Final = tuple(each for each in vars().copy().values() if isinstance(each, Fault))
"""All of them, in this order."""
