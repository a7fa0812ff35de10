"""docs/limits.md: what refuses or drops anything, and what doesn't; `python -m tests.docs.limits_page` writes it.

`ACTING` are the limits that do something to somebody, each with its key, or the reason why there is none, with who is
told, and with the name that it is counted under (core/limit_hits.py).  `QUIET` are the numbers that look like limits
and refuse nothing, by what they are instead.  A constant that is in neither fails tests/docs/test_limits_page.py: who
adds one decides, and writes it down.

Longer than 400 lines because it is one table.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

from tests.docs.limits_in_source import Constant, constants

PAGE: Final = Path(__file__).parents[2] / "docs" / "limits.md"


class Acting(NamedTuple):
    """One limit.  counted: its name in `warren list_limit_hits`; empty where there is no broker to count in yet, or the
    one who asked is told and nothing of a client's is lost.  constants: where it, or its default, is in the source.
    """

    what: str
    constants: tuple[str, ...]
    effect: str
    key: str
    told: str
    counted: str


class Quiet(NamedTuple):
    """Numbers of one kind that refuse and drop nothing."""

    title: str
    about: str
    constants: tuple[str, ...]


CONNECTION_LOG: Final = "the connection's line in the log names it"

ACTING: Final = (
    # Messages that don't get where they should
    Acting(
        "levels of an MQTT client's topic filters together, beyond the first 100 of each",
        ("adapters.mqtt.sessions.settings.DEEP_LEVELS_MAX", "adapters.mqtt.sessions.subscription.LEVELS_FREE"),
        "the filter is refused",
        "`mqtt_max_deep_filter_levels`",
        "MQTT 5: 0x97, quota exceeded; MQTT 3.1.1: 0x80; the log",
        "mqtt_max_deep_filter_levels",
    ),
    Acting(
        "publishes and SUBSCRIBEs without permission, of one MQTT client in a minute",
        ("adapters.mqtt.settings.REFUSALS_PER_MINUTE_MAX", "adapters.mqtt.answers.REFUSALS_COUNTED_MS"),
        "the client is disconnected",
        "`mqtt_refusals_per_minute_max`",
        f"MQTT 5: 0x87, not authorized; {CONNECTION_LOG}",
        "mqtt_refusals_per_minute_max",
    ),
    Acting(
        "topics with a retained message, per virtual host",
        ("adapters.mqtt.sessions.settings.RETAINED_MAX",),
        "a message to a further topic is delivered, but not retained; one that is there can be replaced",
        "`mqtt_max_retained_messages`",
        "MQTT 5, QoS 1 and 2: 0x97, quota exceeded; MQTT 3.1 and 3.1.1 get their PUBACK or PUBREC, and QoS 0 has no "
        "answer, so the log says it, and for whom, once a minute",
        "mqtt_max_retained_messages",
    ),
    Acting(
        "bytes of all retained messages, per virtual host",
        (
            "adapters.mqtt.sessions.settings.RETAINED_BYTES_MAX",
            "adapters.mqtt.sessions.retained.LEVELS_FREE",
            "adapters.mqtt.sessions.retained.LEVEL_BYTES",
        ),
        "as above; topics of more than 100 levels count as what those take",
        "`mqtt_max_retained_bytes`",
        "as above",
        "mqtt_max_retained_bytes",
    ),
    Acting(
        "definitions on a disk that is full, retained messages among them",
        ("core.storage.definitions.room.PAGES_PER_CHANGE",),
        "what would be kept is refused, or not retained (storage.md)",
        "none: the alarm of `disk_free_limit_bytes` comes before",
        "AMQP: 406; STOMP: ERROR; MQTT 5: 0x97; the log, of the alarm and of what isn't retained",
        "disk_free_limit_bytes",
    ),
    Acting(
        "messages that wait for an MQTT client",
        ("adapters.mqtt.sessions.settings.QUEUED_MAX",),
        "until a tenth of them are gone, QoS 1 and 2 are refused, QoS 0 is dropped",
        "`mqtt_max_queued_messages`",
        "MQTT 5: 0x97; MQTT 3 goes on; the log when it begins; `$SYS/broker/publish/messages/dropped`",
        "mqtt_max_queued_messages",
    ),
    Acting(
        "messages that wait for a slow MQTT client before QoS 0 is dropped",
        ("adapters.mqtt.sessions.settings.QUEUED_QOS_0_MAX",),
        "further ones of QoS 0 are dropped, the last first; what waits stays",
        "`mqtt_max_queued_qos_0_messages`",
        "QoS 0 has no answer; the log, once a minute for each client; `$SYS/broker/publish/messages/dropped`",
        "mqtt_max_queued_qos_0_messages",
    ),
    Acting(
        "the same in bytes of their bodies",
        ("adapters.mqtt.sessions.settings.QUEUED_QOS_0_BYTES_MAX",),
        "as above",
        "`mqtt_max_queued_qos_0_bytes`",
        "as above",
        "mqtt_max_queued_qos_0_bytes",
    ),
    Acting(
        "the largest packet that an MQTT client takes (its Maximum Packet Size)",
        (),
        "a larger message isn't sent to it, but counts as delivered (MQTT-3.1.2-25); it is a dead letter "
        "where a policy says so",
        "the client's own",
        "the log, once a minute for each client; `$SYS/broker/publish/messages/dropped`",
        "maximum packet size",
    ),
    Acting(
        "bytes of an MQTT message's user properties, correlation data and response topic that become AMQP headers",
        ("adapters.mqtt.properties.HEADER_BYTES_MAX",),
        "AMQP and STOMP clients don't see those beyond; MQTT 5 clients get all",
        "none: AMQP clients can't take properties in pieces, and mostly allow 128 KiB for them",
        "the log, once a minute for each client",
        "bytes of user properties",
    ),
    Acting(
        "deliveries in vain of a message of a quorum queue",
        ("core.queues.quorum.DELIVERY_LIMIT_DEFAULT",),
        "the message is a dead letter, or is dropped where there is no dead letter exchange",
        "none: argument `x-delivery-limit` or policy `delivery-limit`, per queue, -1 for none",
        "the log, once a minute for each queue, if it is dropped",
        "x-delivery-limit",
    ),
    Acting(
        "history that an x-recent-history exchange keeps",
        (
            "core.exchanges.recent_history.LENGTH_DEFAULT",
            "core.exchanges.recent_history.LENGTH_MAX",
        ),
        "the oldest message is forgotten; a longer history is refused when the exchange is declared",
        "none: argument `x-recent-history-length`, per exchange",
        "406, precondition failed, for an argument out of bounds; forgetting is what it is there for",
        "values of arguments",
    ),
    # Who isn't let in, or not further
    Acting(
        "connections of the broker",
        (),
        "the login is refused",
        "`connection_max`",
        "AMQP 530, STOMP ERROR, MQTT CONNACK; the log",
        "connection_max",
    ),
    Acting(
        "connections of a virtual host, or of a user",
        (),
        "the login is refused",
        "none: `set_vhost_limits`, `set_user_limits`",
        "as above",
        "max-connections",
    ),
    Acting(
        "channels of a user",
        (),
        "the channel is refused",
        "none: `set_user_limits`",
        "530; the log",
        "max-channels",
    ),
    Acting(
        "channels of the broker",
        (),
        "the channel is refused",
        "`channel_max_per_node`",
        "530; the log",
        "channel_max_per_node",
    ),
    Acting(
        "consumers of a channel",
        (),
        "the consumer is refused",
        "`consumer_max_per_channel`",
        "530; the log",
        "consumer_max_per_channel",
    ),
    Acting(
        "queues of a virtual host",
        (),
        "the declaration is refused",
        "none: `set_vhost_limits`",
        "406; the log",
        "max-queues",
    ),
    Acting("queues of the broker", (), "the same", "`cluster_queue_limit`", "406; the log", "cluster_queue_limit"),
    Acting(
        "exchanges of the broker", (), "the same", "`cluster_exchange_limit`", "406; the log", "cluster_exchange_limit"
    ),
    Acting("virtual hosts of the broker", (), "it isn't added", "`vhost_max`", "who asked", "vhost_max"),
    Acting(
        "open files of the process",
        ("gateway.network.listeners.DESCRIPTORS_RESERVED",),
        "new connections wait in the kernel until others have gone",
        "none: `ulimit -n`; 64 of them are kept for the broker's own files",
        "the log, once a minute for each listener",
        "open files",
    ),
    Acting(
        "connections that the kernel keeps waiting for a listener",
        ("gateway.network.listeners.BACKLOG",),
        "the kernel drops further ones, and clients try again",
        "none: the system cuts it to its own limit (`net.core.somaxconn`)",
        "nobody can be; the kernel counts them (`nstat -az TcpExtListenOverflows`)",
        "",
    ),
    Acting(
        "refused logins that wait for their answer",
        (
            "core.clients.refused_logins.DELAY_DEFAULT_MS",
            "core.clients.refused_logins.WAITING_MAX_DEFAULT",
        ),
        "the one that has waited longest is answered at once",
        "`refused_logins_max`, `refused_login_delay_s`",
        "as every refused login; the log, once a minute",
        "refused_logins_max",
    ),
    Acting(
        "connections of a listener that a plugin serves, while no such plugin runs",
        ("adapters.streams.desk.WAITING_MAX", "adapters.streams.desk.WAIT_MS"),
        "the one that has waited longest is closed, and any after the time",
        "none: enable a plugin that serves the listener",
        "the log",
        "",
    ),
    Acting(
        "seconds that a reader of an answer over HTTP is behind 64 KiB/s, when another one needs its place",
        ("gateway.plugins.serving.PATIENCE_S",),
        "the slowest reader is cut off; where nobody is that slow, the new request is answered with 503",
        "none: the plugins' keys say how many connections and bytes there may be (docs/management.md, docs/metrics.md)",
        "the log; HTTP: 503 with Retry-After",
        "",
    ),
    # What is too large
    Acting(
        "bytes of a message",
        ("adapters.amqp091.client.channel.CONTENT_BYTES_MAX",),
        "it is refused: AMQP ends the channel, STOMP the connection",
        "`max_message_bytes`; what other brokers send to Warren may have 512 MiB, the most that the key takes",
        f"406, ERROR; {CONNECTION_LOG}",
        "max_message_bytes",
    ),
    Acting(
        "bytes of an AMQP frame",
        (
            "adapters.amqp091.codec.constants.FRAME_MAX_INITIAL_BYTES",
            "adapters.amqp091.codec.constants.FRAME_MAX_DEFAULT_BYTES",
        ),
        "the connection ends",
        "`frame_max`, and what the client agreed on",
        f"501; {CONNECTION_LOG}",
        "frame_max",
    ),
    Acting(
        "bytes of unfinished messages on the channels of one AMQP connection, in largest messages",
        ("adapters.amqp091.unfinished.UNFINISHED_MESSAGES_MAX",),
        "the connection ends",
        "none of its own: it follows `max_message_bytes`",
        f"506; {CONNECTION_LOG}",
        "unfinished messages",
    ),
    Acting(
        "channels of an AMQP connection",
        ("adapters.amqp091.codec.constants.CHANNEL_MAX_DEFAULT",),
        "the connection ends",
        "`channel_max`, and what the client agreed on",
        f"530; {CONNECTION_LOG}",
        "channel_max",
    ),
    Acting(
        "bytes of an MQTT packet",
        (),
        "the connection ends",
        "`mqtt_max_packet_bytes`, told to MQTT 5 clients",
        f"MQTT 5: 0x95; {CONNECTION_LOG}",
        "mqtt_max_packet_bytes",
    ),
    Acting(
        "bytes of a frame, a packet or a WebSocket message of who has not logged in",
        (
            "adapters.stomp.codec.limits.FRAME_BYTES_MAX_BEFORE_LOGIN",
            "adapters.mqtt.settings.PACKET_BYTES_MAX_BEFORE_LOGIN",
            "adapters.websocket.settings.MESSAGE_BYTES_MAX_BEFORE_LOGIN",
        ),
        "the connection ends",
        "none: no login is so long, and who has not logged in is given no memory",
        CONNECTION_LOG,
        "bytes before login",
    ),
    Acting(
        "bytes of a STOMP frame",
        (
            "adapters.stomp.codec.limits.FRAME_BYTES_MAX",
            "adapters.stomp.codec.limits.BODY_BYTES_MAX",
        ),
        "the connection ends",
        "`stomp_max_frame_bytes`, `max_message_bytes`",
        f"ERROR; {CONNECTION_LOG}",
        "max_message_bytes",
    ),
    Acting(
        "headers of a STOMP frame",
        ("adapters.stomp.codec.limits.HEADERS_MAX",),
        "the connection ends",
        "none: RabbitMQ's number, and clients rely on no more",
        f"ERROR; {CONNECTION_LOG}",
        "headers of a STOMP frame",
    ),
    Acting(
        "bytes of a STOMP header's name or value, and of a command",
        (
            "adapters.stomp.codec.limits.HEADER_BYTES_MAX",
            "adapters.stomp.codec.limits.COMMAND_BYTES_MAX",
        ),
        "the connection ends",
        "none: data belongs into the body",
        f"ERROR; {CONNECTION_LOG}",
        "bytes of a STOMP header",
    ),
    Acting(
        "open transactions of a STOMP connection",
        ("adapters.stomp.settings.TRANSACTIONS_MAX",),
        "BEGIN is refused",
        "none: RabbitMQ has no bound, clients use one or two",
        "ERROR; the log",
        "transactions of a STOMP connection",
    ),
    Acting(
        "frames of a STOMP transaction",
        ("adapters.stomp.settings.ACTIONS_MAX",),
        "the frame is refused",
        "none: what is in a transaction is in memory; its bytes are bounded by the frames'",
        "ERROR; the log",
        "frames of a STOMP transaction",
    ),
    Acting(
        "bytes of a WebSocket message",
        (),
        "the WebSocket is closed",
        "none of its own: it follows the protocol's largest frame or packet",
        f"close code 1009; {CONNECTION_LOG}",
        "bytes of a WebSocket message",
    ),
    Acting(
        "questions that wait for an authentication back-end",
        ("gateway.authentication.asking.QUESTIONS_WAITING_MAX",),
        "the login, or the command, is refused",
        "none: each is of a connection that waits; `auth_http_connections_max` is how many are asked at a time",
        "as any refusal; the log",
        "questions to an authentication back-end",
    ),
    Acting(
        "what an authentication back-end, or a token's issuer, answers: bytes, and seconds",
        (
            "gateway.authentication.http.ANSWER_BYTES_MAX",
            "gateway.authentication.oauth2.back_end.KEYS_BYTES_MAX",
            "gateway.authentication.oauth2.back_end.FETCH_TIMEOUT_S",
            "gateway.authentication.oauth2.keys.KEYS_MAX",
        ),
        "the login, or the command, is refused; further keys aren't looked at",
        "`auth_http_request_timeout_s`, `auth_http_connection_timeout_s`; the rest is far above what any has to say",
        "as any refusal; the log",
        "",
    ),
    Acting(
        "what a token holds: bytes, scopes, words in the path to a claim, the year it expires, the key's bits",
        (
            "gateway.authentication.oauth2.back_end.TOKEN_BYTES_MAX",
            "gateway.authentication.oauth2.claims.SCOPES_MAX",
            "gateway.authentication.oauth2.claims.DEPTH_MAX",
            "gateway.authentication.oauth2.claims.TIME_MAX_S",
            "gateway.authentication.oauth2.keys.RSA_BITS_LEAST",
        ),
        "the token is refused; a path's further words aren't followed",
        "none: what issuers make is far below, and shorter keys aren't safe",
        "as a wrong password; the log",
        "",
    ),
    Acting(
        "bytes of an HTTP request's headers",
        ("adapters.websocket.http_stage.HEAD_BYTES_MAX",),
        "the request is refused",
        "none: what browsers send is far below",
        "431",
        "bytes of HTTP headers",
    ),
    Acting(
        "bytes of an HTTP request's body",
        ("adapters.websocket.http_stage.BODY_BYTES_MAX",),
        "the request is refused",
        "none: nothing here takes a body",
        "the answer says that there is no use for one",
        "bytes of an HTTP body",
    ),
    Acting(
        "bytes of a TLS handshake",
        ("gateway.tls.stage.HANDSHAKE_BYTES_MAX",),
        "the connection ends",
        "none: no chain of certificates that OpenSSL takes is longer",
        CONNECTION_LOG,
        "bytes of a TLS handshake",
    ),
    Acting(
        "bytes of a PROXY header",
        ("adapters.proxy_protocol.header.V1_BYTES_MAX", "adapters.proxy_protocol.header.V2_BYTES_MAX"),
        "the connection ends",
        "none: the protocol's own, and room for a certificate in it",
        CONNECTION_LOG,
        "bytes of a PROXY header",
    ),
    Acting(
        "characters that the values of `{client_id}` and other variables add to a permission's expression",
        ("core.access.patterns.VALUES_CHARACTERS_MAX",),
        "the expression counts as not found, so it is refused",
        "none: everybody waits while it is compiled, and identifiers are shorter",
        "who asked, as for everything that is refused; the log, whenever it has happened twice as often",
        "values in a permission",
    ),
    Acting(
        "iterations of a password hash of Mosquitto's",
        ("core.access.mosquitto_passwords.ITERATIONS_MAX",),
        "nothing is imported",
        "none: everybody waits while a login hashes",
        "who imports",
        "",
    ),
    Acting(
        "levels of field tables and JSON arguments within each other",
        ("core.messages.field_table.NESTING_MAX", "core.administration.definitions_json.field_values.NESTING_MAX"),
        "the message, or the definition, is refused",
        "none: RabbitMQ's clients write one or two",
        f"502, 406; {CONNECTION_LOG}",
        "nesting of values",
    ),
    Acting(
        "bytes of a definitions file, of a configuration, of a certificate; files that include each other",
        (
            "core.administration.definitions_json.reading.DEFINITIONS_BYTES_MAX",
            "gateway.control.protocol.CONTENT_BYTES_MAX",
            "gateway.configuration.sources.FILE_BYTES_MAX",
            "gateway.tls.files.FILE_BYTES_MAX",
            "gateway.configuration.rabbitmq_conf.syntax.FILE_BYTES_MAX",
            "gateway.configuration.rabbitmq_conf.syntax.INCLUDES_MAX",
        ),
        "the file is refused",
        "none: a larger one is a mistake in its name",
        "who starts the broker, or imports",
        "bytes of a definitions file",
    ),
    Acting(
        "a request to the control socket: bytes, arguments, messages that it asks for, how long it may take",
        (
            "gateway.control.protocol.REQUEST_BYTES_MAX",
            "gateway.control.protocol._PATH_BYTES_MAX",
            "gateway.control.word.ARGUMENTS_MAX",
            "gateway.control.words.browse.COUNT_MAX",
            "gateway.command_line.top.TIMEOUT_S",
            "core.administration.tails.TAILS_MAX",
            "gateway.control.words.tail.KEPT_S",
            "gateway.control.words.tail.WAIT_S",
            "gateway.command_line.tail.READ_TIMEOUT_S",
            "adapters.session.tap.WATCH_S_MAX",
            "gateway.control.words.connections._SECONDS_DIGITS_MAX",
            "adapters.mqtt.sessions.operations.retained.KEPT_MAX",
            "core.administration.operations.delayed.PAGED_MAX",
            "gateway.control.words.mqtt.COUNT_MAX",
            "gateway.control.words.mqtt._COUNT_DIGITS_MAX",
            "gateway.control.words.queues._COUNT_DIGITS_MAX",
            "adapters.mqtt.sessions.operations.topic_names.TOPIC_BYTES_MAX",
            "gateway.control.words.browse._DIGITS_MAX",
            "gateway.control.words.delayed.COUNT_MAX",
            "gateway.control.words.delayed._COUNT_DIGITS_MAX",
            "gateway.control.words.quarantine._NUMBER_DIGITS_MAX",
            "gateway.control.server.REQUEST_TIMEOUT_S",
            "gateway.control.words.diagnostics.CONNECT_TIMEOUT_S",
            "gateway.control.server.ANSWER_TIMEOUT_S",
            "gateway.control.server.BACKLOG",
            "gateway.command_line.ctl_options.TIMEOUT_DEFAULT_S",
            "gateway.command_line.waiting.TIMEOUT_DEFAULT_S",
            "core.administration.operations.certificates._DIGITS_MAX",
        ),
        "the command fails",
        "none: `--timeout` for how long `warren ctl` waits",
        "who typed it",
        "",
    ),
    Acting(
        "values of arguments and policies: times of more than ten years, priorities, weights, sizes",
        (
            "core.queues.argument.DURATION_MS_MAX",
            "core.messages.checks.EXPIRATION_MS_MAX",
            "core.exchanges.duplicates.LIMIT_MAX",
            "core.exchanges.consistent_hash.WEIGHT_MAX",
            "core.queues.classic.rules.PRIORITY_MAX",
            "core.policies.policy.PRIORITY_MAX",
            "core.policies.settings.SEGMENT_BYTES_MAX",
            "core.clients.limits.LIMIT_MAX",
            "core.declaring.queues.NAME_PREFIX_BYTES_MAX",
            "core.configuration.values._LIMIT_MAX",
            "core.exchanges.delaying.headers.TIME_MS_MAX",
        ),
        "the declaration, the message or the key is refused; a delay beyond all times is the latest time",
        "none: these are RabbitMQ's bounds, or typing mistakes beyond",
        "406, or who starts the broker",
        "values of arguments",
    ),
    Acting(
        "the work of a pattern: size, groups within groups, steps of a match",
        (
            "core.patterns.expression.RE2_WORK_MAX",
            "core.patterns.expression.RE2_MEMORY_BYTES",
            "core.patterns.pcre.DEPTH_MAX",
            "core.patterns.program.INSTRUCTIONS_MAX",
            "core.patterns.re2_text.REPEATS_MAX",
            "core.patterns.stepping.STEPS_MAX",
            "core.administration.listing.selecting.MATCH_STEPS_MAX",
        ),
        "the pattern is refused where it is set; a match that takes longer is none, so that nothing is allowed by it",
        "none: one question of one client must not hold up everybody",
        "who sets it; the log",
        "work of a pattern",
    ),
    # Who is too slow
    Acting(
        "bytes of replies that a peer leaves unread",
        ("core.clients.outbox.UNREAD_BYTES_MAX",),
        "its commands wait, and if it reads nothing for `unread_timeout_s`, it is cut off",
        "none of its own: a pipelining client that reads late is far below",
        "the log",
        "unread replies",
    ),
    Acting(
        "a peer that reads nothing, heartbeats or not, while something waits for it",
        (),
        "it is cut off with a reset; what it held unacknowledged goes back",
        "`unread_timeout_s`",
        "the log",
        "unread_timeout_s",
    ),
    Acting(
        "an acknowledgement",
        ("core.settings.TIMEOUT_DEFAULT_MS",),
        "the channel, or the connection, ends, and the message goes back to its queue",
        "`consumer_timeout_ms`, argument `x-consumer-timeout`",
        "406; the log, once a minute for each channel or session",
        "consumer_timeout_ms",
    ),
    Acting(
        "another broker's answer to what a shovel or a federation asks of it",
        ("gateway.peers.peer.ANSWER_S",),
        "the connection to it ends, and is tried again; what it hasn't confirmed comes again",
        "none: a broker that is there answers long before",
        "the status names the question, the log, too",
        "",
    ),
    Acting(
        "a goodbye: close-ok, a WebSocket's Close, the peer's FIN, clients when the broker stops",
        (
            "adapters.amqp091.connection.CLOSE_OK_WAIT_MS",
            "adapters.websocket.stage.CLOSE_MS",
            "gateway.network.link.LINGER_MS",
            "gateway.network.link.LINGER_BYTES_MAX",
            "gateway.process.runner.GOODBYE_S",
            "gateway.process.runner.SILENT_S",
            "gateway.peers.peer.LEAVE_S",
            "gateway.plugins.supervised.STOP_S",
        ),
        "the socket is closed without it, or the task cancelled",
        "none: nothing that was confirmed rests on it",
        "nobody: the connection is over already; what the stop of the broker doesn't wait for isn't counted",
        "goodbyes",
    ),
    Acting(
        "a handshake: AMQP's up to connection.open, a PROXY header, first bytes, an HTTP request, what follows it",
        (),
        "the connection ends",
        "`handshake_timeout_s`",
        f"HTTP: 408; {CONNECTION_LOG}",
        "handshake_timeout_s",
    ),
    Acting(
        "a TLS handshake",
        (),
        "the connection ends",
        "`tls_handshake_timeout_s`",
        CONNECTION_LOG,
        "tls_handshake_timeout_s",
    ),
    Acting(
        "a login by MQTT", (), "the connection ends", "`mqtt_login_timeout_s`", CONNECTION_LOG, "mqtt_login_timeout_s"
    ),
    Acting(
        "a login by STOMP, typed by a person or not",
        ("adapters.stomp.session.TYPING_TIMEOUT_MS",),
        "the connection ends",
        "`stomp_login_timeout_s`; a person who reads first what to type has two minutes, or that if it is longer",
        f"ERROR; {CONNECTION_LOG}",
        "stomp_login_timeout_s",
    ),
    Acting(
        "an HTTP connection without a further request",
        ("adapters.websocket.http_stage.KEPT_MS",),
        "the connection ends",
        "none: HTTP clients expect it, and connect again",
        CONNECTION_LOG,
        "idle HTTP connections",
    ),
    Acting(
        "a WebSocket that is silent, and doesn't answer a ping",
        (),
        "the connection ends",
        "`websocket_idle_timeout_s`",
        CONNECTION_LOG,
        "websocket_idle_timeout_s",
    ),
    Acting(
        "a peer that has promised heart-beats, or a keep-alive, and is silent",
        (),
        "the connection ends",
        "none of its own: what was agreed with the client",
        f"STOMP: ERROR; MQTT 5: 0x8D; {CONNECTION_LOG}",
        "missed heart-beats",
    ),
    Acting(
        "a STOMP broker that says nothing of a message it has taken: how long that is waited for, twice",
        ("adapters.stomp.client.sending.SILENT_MS",),
        "the message counts as refused, and is sent again later",
        "none: confirms of a slow disk take a few seconds",
        "`shovel_status`",
        "",
    ),
    Acting(
        "what a STOMP broker may send to a link: a body, a frame, an ERROR's text",
        (
            "adapters.stomp.client.connection.ERROR_CHARACTERS_MAX",
            "adapters.stomp.client.connection.INTERVAL_DIGITS_MAX",
            "adapters.stomp.client.connection.OWN_HEADERS_MAX",
        ),
        "the connection is given up; of a text, the beginning is told",
        "none: the protocol's own limits (stomp.md)",
        "the log; `shovel_status`",
        "",
    ),
    Acting(
        "what an HTTP service may send to a shovel: the head of an answer, an event, a time to wait",
        (
            "adapters.http.client.exchange.HEAD_BYTES_MAX",
            "adapters.http.client.event_stream.EVENT_BYTES_MAX",
            "adapters.http.client.event_stream.RETRY_DIGITS_MAX",
        ),
        "the connection is given up; a longer time to wait isn't read",
        "none: as much as a message may have, and more than services send",
        "the log; `shovel_status`",
        "",
    ),
    # AMQP 1.0
    Acting(
        "sessions of an AMQP 1.0 connection",
        ("adapters.amqp10.settings.SESSIONS_MAX",),
        "the connection is closed",
        "`amqp10_sessions_max`",
        f"amqp:connection:framing-error; {CONNECTION_LOG}",
        "amqp10_sessions_max",
    ),
    Acting(
        "links of an AMQP 1.0 session",
        ("adapters.amqp10.settings.LINKS_MAX",),
        "the connection is closed",
        "`amqp10_links_max`",
        f"amqp:not-allowed; {CONNECTION_LOG}",
        "amqp10_links_max",
    ),
    Acting(
        "messages of an AMQP 1.0 publisher that aren't safe yet",
        ("adapters.amqp10.settings.LINK_CREDIT",),
        "it has no credit for more; one that sends all the same loses the link",
        "`amqp10_link_credit`",
        "amqp:link:transfer-limit-exceeded; the log",
        "amqp10_link_credit",
    ),
    Acting(
        "transfers of an AMQP 1.0 session between two flows of the broker's",
        ("adapters.amqp10.amqp_session.INCOMING_WINDOW",),
        "the session ends",
        "none: the protocol's own window, as RabbitMQ's",
        "amqp:session:window-violation; the log",
        "",
    ),
    Acting(
        "bytes of an AMQP 1.0 frame",
        ("adapters.amqp10.settings.FRAME_BYTES_MAX",),
        "the connection is closed; larger messages come in several frames",
        "`amqp10_frame_max`; until open 512, as the specification says",
        f"amqp:connection:framing-error; {CONNECTION_LOG}",
        "frames of amqp10",
    ),
    Acting(
        "values within one in AMQP 1.0",
        ("adapters.amqp10.codec.decoding.VALUES_MAX",),
        "the link, or the connection, ends",
        "none: a frame of the usual size holds hardly more",
        "amqp:decode-error; the log",
        "values in amqp10",
    ),
    Acting(
        "values within each other in AMQP 1.0",
        ("adapters.amqp10.codec.decoding.NESTING_MAX",),
        "the link, or the connection, ends",
        "none: the protocol's own types need five",
        "amqp:decode-error; the log",
        "nesting in amqp10",
    ),
    Acting(
        "bytes of each section in front of the body of an AMQP 1.0 message",
        ("adapters.amqp10.codec.sections.SECTION_BYTES_MAX",),
        "the link ends",
        "none: as much as all properties of a message have in AMQP 0-9-1",
        "amqp:decode-error; the log",
        "",
    ),
    Acting(
        "how often an AMQP 1.0 client may want to hear something",
        (),
        "the connection is closed",
        "none: more than ten times in a second is no sign of life any more",
        f"amqp:not-allowed; {CONNECTION_LOG}",
        "",
    ),
    Acting(
        "open transactions of an AMQP 1.0 connection",
        ("adapters.amqp10.transactions.TRANSACTIONS_MAX",),
        "the coordinator's link ends",
        "none: clients have one for a session",
        "amqp:resource-limit-exceeded; the log",
        "transactions of amqp10",
    ),
    Acting(
        "publishes and settlements of an AMQP 1.0 transaction",
        ("adapters.amqp10.transactions.ACTIONS_MAX",),
        "it can only be rolled back",
        "none: what can be done in one turn, as in STOMP",
        "amqp:resource-limit-exceeded; the discharge is rejected",
        "actions of amqp10 transactions",
    ),
    Acting(
        "answers to management requests over AMQP 1.0 that wait for credit",
        ("adapters.amqp10.management.ANSWERS_MAX",),
        "the link ends",
        "none: who asks is to listen",
        "amqp:invalid-field; the log",
        "",
    ),
    Acting(
        "bindings of an exchange that are looked through for a management request over AMQP 1.0",
        ("adapters.amqp10.management_requests.BINDINGS_MAX",),
        "the request is refused",
        "none: that is some milliseconds; the HTTP API lists any number",
        "400",
        "",
    ),
    Acting(
        "a link to another broker: how long it may take to connect",
        ("adapters.peers.uri.CONNECTION_TIMEOUT_DEFAULT_MS", "adapters.peers.uri.CONNECTION_TIMEOUT_MS_MAX"),
        "the try fails, and is made again later",
        "none: `connection_timeout` in the URI",
        "the log; `shovel_status`",
        "",
    ),
)

QUIET: Final = (
    Quiet(
        "Done in slices",
        "So much is done before others have a turn; then it goes on.",
        (
            "core.administration.operations.delayed.READ_AT_ONCE",
            "core.rechecks.USERS_PER_SLICE",
            "core.queues.weight.WEIGHED_PER_SLICE",
            "core.administration.operations.queues.BROWSED_AT_ONCE",
            "core.administration.operations.quarantine.MOVED_AT_ONCE",
            "core.administration.operations.quarantine.SETTLED_AT_ONCE",
            "core.declaring.lost_bindings.MADE_AT_ONCE",
            "adapters.mqtt.sessions.leaving.LEFT_PER_SLICE",
            "core.administration.definitions_json.exporting.OBJECTS_PER_SLICE",
            "core.counters.QUEUES_PER_SLICE",
            "gateway.control.words.cluster.QUEUES_PER_SLICE",
            "gateway.memory_breakdown.QUEUES_PER_SLICE",
            "core.broker.ROUNDS_MAX",
            "core.clients.outbox.RESUMED_AT_ONCE",
            "adapters.session.shared_turns.FREE_MAX",
            "adapters.session.shared_turns.THINNED_PER_SLICE",
            "adapters.session.shared_turns.LOOKED_AT_MAX",
            "core.exchanges.recent_history.DELIVERED_PER_SLICE",
            "core.chores.LET_GO_PER_SLICE",
            "core.declaring.queues.CONSUMERS_AT_ONCE",
            "core.declaring.queues.DELETED_PER_SLICE",
            "core.queues.classic.consumer_ring.FEW",
            "core.broker.DELIVERIES_PER_TURN",
            "core.queues.classic.plain.ONE_BY_ONE_PER_DRAIN",
            "core.broker.DEADLINES_PER_TURN",
            "core.queues.classic.burials.WORK_PER_TURN",
            "core.queues.classic.burials.OVERDUE_MAX",
            "core.queues.classic.contents.SETTLED_AT_ONCE",
            "core.queues.withheld.ANSWERED_AT_ONCE",
            "core.queues.classic.placing.MOVED_PER_SLICE",
            "core.queues.returning.RETURNED_PER_SLICE",
            "core.storage.disk.encoder.ENCODED_PER_SLICE",
            "adapters.session.deliveries.LOOKED_AT_PER_SLICE",
            "adapters.mqtt.sessions.traffic.LOOKED_AT_PER_SLICE",
            "core.routing.staging.STAGED_PER_SLICE",
            "core.routing.staging.TRACED_PER_SLICE",
            "adapters.amqp091.long_commit.RETURNED_PER_SLICE",
            "adapters.session.deliveries.DISCARDED_AT_ONCE",
            "adapters.amqp091.long_commit.FORGOTTEN_PER_SLICE",
            "core.routing.staging.TRIES",
            "adapters.amqp091.transaction.CHECKED_PER_SLICE",
            "adapters.stomp.transaction.WORK_COUNTED_MAX",
            "core.declaring.bindings.ROWS_ONE_BY_ONE_MAX",
            "core.declaring.departures.AT_ONCE_MAX",
            "core.access.users.PERMISSIONS_PER_SLICE",
            "core.administration.parameters.CLEARED_PER_SLICE",
            "core.administration.vhost_deletion.WORK_PER_SLICE",
            "adapters.mqtt.sessions.leaving.ENDED_PER_SLICE",
            "adapters.mqtt.sessions.retained.LET_GO_PER_SLICE",
            "core.declaring.departures.LEAVE_PER_SLICE",
            "core.declaring.exchanges.EMPTIED_PER_SLICE",
            "core.storage.definitions.deletions.ROWS_PER_SLICE",
            "core.storage.definitions.deletions.NAMES_PER_SLICE",
            "core.policies.table.OBJECTS_AT_ONCE",
            "core.withdrawals.SESSIONS_PER_SLICE",
            "core.withdrawals.CLOSED_PER_SLICE",
            "core.withdrawals.QUEUES_PER_SLICE",
            "core.withdrawals.ASKED_PER_SLICE",
            "core.withdrawals.REMOVED_PER_SLICE",
            "adapters.mqtt.sessions.rights.SESSIONS_PER_SLICE",
            "adapters.mqtt.sessions.rights.PASSED_PER_SLICE",
            "adapters.mqtt.sessions.rights.SUBSCRIPTIONS_PER_SLICE",
            "core.exchanges.delaying.messages.BATCH_MESSAGES_MAX",
            "core.exchanges.delaying.messages.BATCH_BYTES_MAX",
            "core.exchanges.delaying.messages.LOADED_AT_ONCE",
            "core.queues.browse.SCANNED_MAX",
            "gateway.control.words.tail.TAKEN_AT_ONCE",
            "adapters.session.tap.CUT_AT_ONCE",
            "adapters.session.tap.UNCUT_BYTES_MAX",
            "adapters.mqtt.sessions.operations.retained.CHECKED_PER_SLICE",
            "adapters.mqtt.sessions.operations.retained.WALKED_PER_SLICE",
            "core.administration.operations.moving.MOVED_BYTES_PER_SLICE",
            "core.administration.operations.moving.MOVED_PER_SLICE",
            "core.administration.operations.queues.BROWSED_BYTES_AT_ONCE",
            "core.administration.operations.queues.OUTSTANDING_LOOKED_AT",
            "core.administration.operations.queues.PAGE_BYTES_MAX",
            "core.administration.explaining.bindings.LOOKED_AT_MAX",
            "core.administration.explaining.bindings.SLICE_WORK",
            "core.administration.explaining.explain.QUEUES_PER_SLICE",
            "core.exchanges.reasons.STEPS_MAX",
            "core.queues.classic.turns_of_classes.URGENT_IN_A_ROW",
            "core.queues.quorum.RETRIES_AT_ONCE",
            "core.patterns.stepping.COMPARED_PER_STEP",
            "core.administration.listing.selecting.LINEAR_CELLS",
            "core.administration.listing.selecting.STEPPING_CELLS",
            "adapters.mqtt.codec.wire_subscribe.FILTERS_PER_SLICE",
            "adapters.mqtt.consumer.SKIPPED_AT_ONCE",
            "adapters.mqtt.reading.SLICE_BYTES",
            "adapters.mqtt.sessions.feeding.AHEAD_MESSAGES",
            "adapters.mqtt.sessions.feeding.AHEAD_BYTES",
            "adapters.mqtt.sessions.feeding.SLICE_WORK",
            "adapters.mqtt.subscribing.FILTERS_PER_SLICE",
            "adapters.mqtt.subscriptions.BEGUN_AT_ONCE",
            "adapters.mqtt.subscribing.LEVELS_PER_FILTER",
            "adapters.mqtt.subscribing.SHORT_BYTES_MAX",
            "adapters.session.ration.COMMANDS_PER_TURN",
            "adapters.session.ration.QUICK_PER_COMMAND",
            "adapters.websocket.frame_reader.TURN_BYTES_MAX",
            "adapters.websocket.frame_reader.TURN_COMMON_FRAMES_MAX",
            "adapters.websocket.frames.RUN_BYTES",
            "adapters.websocket.frame_reader.TURN_FRAMES_MAX",
            "gateway.control.protocol.ROWS_AT_ONCE",
            "gateway.network.link.READ_BYTES_MAX",
            "gateway.network.listeners.ACCEPTS_MAX",
            "gateway.peers.http.READ_BYTES_MAX",
            "gateway.peers.peer.READ_BYTES_MAX",
            "gateway.tls.turns.TURN_NS",
        ),
    ),
    Quiet(
        "Kept back until there is room",
        "Nothing is lost: who sends waits, by TCP.",
        (
            "core.clients.outbox.HIGH_WATER_BYTES",
            "adapters.session.held.HELD_BYTES_MAX",
            "adapters.streams.session.RECEIVED_BYTES_MAX",
            "adapters.websocket.http_stage.ANSWERS_WAIT_BYTES",
            "adapters.mqtt.holding_back.LOOKED_INTO_BYTES_MAX",
            "adapters.mqtt.sessions.session_queue.RETURNED_MAX",
            "gateway.peers.peer.OUTGOING_BYTES_MAX",
            "gateway.peers.peer.UNTAKEN_BYTES_MAX",
            "adapters.mqtt.client.connection.WINDOW_UNTOLD",
            "adapters.stomp.client.sending.WINDOW_MAX",
        ),
    ),
    Quiet(
        "Remembered to be quicker",
        "What is forgotten is looked up again.",
        (
            "core.access.answers.SIZE_MAX_DEFAULT",
            "core.access.answers.TRIED_MAX",
            "core.access.patterns.COMPILED_MAX",
            "core.access.patterns.COMPILED_CHARACTERS_MAX",
            "core.access.patterns.ANSWERS_MAX",
            "core.access.patterns.ANSWERS_CHARACTERS_MAX",
            "core.access.permissions.ANSWERS_MAX",
            "core.exchanges.hash_slots.TRIES_MAX",
            "core.rates.WATCHED_MAX",
            "core.routing.vhost.ROUTES_MAX",
            "core.rationed_log.KEYS_MAX",
            "core.queues.ack_timeout.NOTES_MAX",
            "core.storage.disk.reader.OPEN_FILES_MAX",
            "adapters.amqp091.client.channel.ADDRESSES_MAX",
            "adapters.amqp091.client.connection.PROPERTY_LISTS_MAX",
            "adapters.amqp091.client.connection.PROPERTY_LIST_BYTES_MAX",
            "adapters.amqp091.consumer.ADDRESSES_MAX",
            "adapters.amqp091.handlers.publish.KNOWN_PUBLISHES_MAX",
            "adapters.amqp091.known_properties.PROPERTY_LISTS_MAX",
            "adapters.amqp091.known_properties.PROPERTY_LIST_BYTES_MAX",
            "adapters.direct.session.CHECKED_MAX",
            "adapters.amqp10.publishing_link.CHECKED_MAX",
            "adapters.amqp10.publishing_link.KNOWN_HEAD_BYTES_MAX",
            "adapters.mqtt.consumer.ADDRESSES_MAX",
            "adapters.mqtt.inflow.KNOWN_TOPICS_MAX",
            "adapters.mqtt.settings.KNOWN_TOPIC_BYTES_MAX",
            "adapters.mqtt.sessions.sharing.TOPICS_MAX",
            "adapters.stomp.destinations.PARSED_MAX",
            "adapters.stomp.known_sends.KNOWN_SENDS_MAX",
            "adapters.stomp.known_sends.KNOWN_HEAD_BYTES_MAX",
            "adapters.stomp.subscription.ADDRESSES_MAX",
            "gateway.process.log._TRACEBACKS_MAX",
        ),
    ),
    Quiet(
        "Shown in part",
        "Texts for people end here.",
        (
            "gateway.authentication.http.SHOWN_MAX",
            "core.patterns.expression.SHOWN_MAX",
            "adapters.amqp10.conditions._DESCRIPTION_CHARACTERS_MAX",
            "core.administration.operations.activity.QUEUES_MAX",
            "core.administration.tails.ROW_MESSAGES_MAX",
            "core.administration.tails.ROW_BYTES_MAX",
            "adapters.amqp091.frame_words.SHOWN_CHARACTERS_MAX",
            "adapters.mqtt.frame_words.SHOWN_CHARACTERS_MAX",
            "adapters.session.tap.FRAMES_MAX",
            "adapters.session.tap.HEAD_BYTES",
            "adapters.stomp.frame_words.SHOWN_CHARACTERS_MAX",
            "core.clients.troubles.KEPT_MAX",
            "core.clients.login_attempts.SOURCES_MAX",
            "adapters.websocket.management.METHOD_BYTES_MAX",
            "core.clients.login_attempts.USER_CHARACTERS_MAX",
            "core.queues.weight.WALKED_MAX",
            "core.clients.troubles.TEXT_CHARACTERS_MAX",
            "core.exchanges.reasons.SHOWN_CHARACTERS_MAX",
            "core.exchanges.reasons.NAMED_MAX",
            "core.administration.explaining.bindings.SHOWN_MAX",
            "core.administration.explaining.queues.SHOWN_MAX",
            "core.administration.explaining.queues.DEAD_LETTER_QUEUES_SHOWN_MAX",
            "core.administration.explaining.explain.QUEUES_SHOWN_MAX",
            "core.administration.explaining.explain.KEYS_SHOWN_MAX",
            "gateway.control.words.explain.SHOWN_MAX",
            "core.storage.definitions.salvage.NAMES_TOLD_MAX",
            "adapters.mqtt.answers.REASON_CHARACTERS_MAX",
            "adapters.mqtt.subscribing.REFUSALS_NAMED_MAX",
            "adapters.amqp091.frame_errors.SNIPPET_BYTES",
            "adapters.stomp.codec.errors.QUOTED_MAX",
            "adapters.websocket.stage.REASON_BYTES_MAX",
            "gateway.process.data_directory._HOLDER_BYTES_MAX",
            "gateway.process.log.MESSAGE_CHARACTERS_MAX",
            "gateway.command_line.output._UNLIMITED_COLUMNS",
            "gateway.control.words.delayed._YEAR_9999_MS",
        ),
    ),
    Quiet(
        "Intervals",
        "How often something is looked at, or tried again.",
        (
            "core.access.answers.TTL_DEFAULT_MS",
            "core.rechecks.INTERVAL_LEAST_MS",
            "gateway.authentication.http_client.IDLE_S_MAX",
            "gateway.authentication.oauth2.keys.FETCH_PAUSE_S",
            "gateway.authentication.oauth2.keys.KEYS_S_MAX",
            "core.queues.ack_timeout.INTERVAL_MAX_MS",
            "gateway.command_line.top.INTERVAL_DEFAULT_S",
            "gateway.command_line.top.INTERVAL_MIN_S",
            "core.queues.ack_timeout.INTERVAL_MIN_MS",
            "core.queues.ack_timeout.INTERVALS_PER_TIMEOUT",
            "core.queues.classic.restart.READ_AGAIN_MS",
            "core.queues.quorum.RETRY_MS",
            "core.rates.SAMPLE_MS",
            "core.rates.UNWATCHED_MS",
            "core.rationed_log.EVERY_MS",
            "adapters.amqp091.client.uri.HEARTBEAT_DEFAULT_S",
            "adapters.mqtt.client.uri.KEEP_ALIVE_DEFAULT_S",
            "adapters.stomp.client.uri.HEARTBEAT_DEFAULT_S",
            "gateway.peers.peer.IDLE_LOOK_S",
            "gateway.peers.streams.KEEPALIVE_EVERY_S",
            "gateway.peers.streams.KEEPALIVE_IDLE_S",
            "gateway.peers.peer.SHORTEST_WAIT_S",
            "adapters.amqp091.codec.constants.HEARTBEAT_DEFAULT_S",
            "adapters.session.liveness.SILENT_LOOKS_MAX",
            "adapters.mqtt.sessions.traffic.TICK_MS",
            "adapters.mqtt.subscriptions.TRIED_AGAIN_MS",
            "adapters.mqtt.sessions.traffic._MINUTE_MS",
            "gateway.authentication.http_client._MS_PER_S",
            "core.administration.operations.certificates.DAY_MS",
            "gateway.command_line.ctl._POLL_S",
            "gateway.command_line.waiting.POLL_S",
            "gateway.command_line.ctl._HELP_TIMEOUT_S",
            "gateway.network.hub.POLL_INTERVAL_S",
            "gateway.network.listeners.PORT_ATTEMPTS_MAX",
            "gateway.network.listeners.RETRY_MS",
            "gateway.network.listeners.TELL_AGAIN_MS",
            "gateway.plugins.pauses.FIRST_S",
            "gateway.plugins.pauses.LONGEST_S",
            "gateway.plugins.pauses.RECOVERED_AFTER_S",
            "gateway.process.commit.FULL_RETRY_S",
            "gateway.process.resources.CHECK_INTERVAL_S",
            "gateway.process.resources.MEMORY_PER_READ_BYTE",
            "gateway.process.resources.WRITTEN_PER_READ_BYTE",
            "gateway.process.resources.STEP_BYTES_MIN",
            "gateway.process.resources.STEP_BYTES_MAX",
            "gateway.process.runner.COMPACTION_PAUSE_S",
            "gateway.tls.contexts.CHECK_INTERVAL_MS",
            "adapters.amqp10.settings.IDLE_TIMEOUT_S",
        ),
    ),
    Quiet(
        "Sizes of what the broker keeps for itself",
        "Budgets and thresholds of memory and files.",
        (
            "gateway.peers.http.LEFTOVER_BYTES_MAX",
            "adapters.amqp10.opening.FRAME_BYTES_SENT_MAX",
            "core.deadlines.COMPACTION_MIN",
            "core.exchanges.hash_slots.HOLES_MAX",
            "adapters.mqtt.sessions.retained.GAPS_MIN",
            "core.exchanges.delaying.messages.STALE_MIN",
            "core.exchanges.delaying.tickets.RUN_TICKETS_MAX",
            "core.messages.deduplication.FINGERPRINT_CHARACTERS_MAX",
            "core.settings.BACKLOG_BYTES_MAX",
            "core.storage.definitions.checksums.PUT_RIGHT_BYTES_MAX",
            "core.storage.definitions.sound_rows.PUT_RIGHT_MAX",
            "core.storage.disk.engine.SEGMENT_BYTES_MAX",
            "core.storage.disk.owners.STALE_LINES_MAX",
            "core.storage.disk.reader.STRETCH_BYTES_MAX",
            "core.storage.disk.reader.GAP_BYTES_MAX",
            "adapters.mqtt.sessions.feeding.SLOT_BITS",
            "adapters.mqtt.sessions.subscription_rows.ROW_SUBSCRIPTIONS_MAX",
            "adapters.websocket.deflate.COMPRESSED_BYTES_MIN",
            "adapters.websocket.frame_reader.WAITED_FOR_BYTES_MAX",
            "adapters.websocket.frames._WORDS_MAX",
        ),
    ),
)

HEAD: Final = """# Limits

What refuses, drops or ends something, with its default, its key or the reason why there is none, and who is told.
`warren list_limit_hits` shows how often each has done so since the start, under the name in the last column; log lines
about one limit and one client come once a minute at most, with how many were left out.

A limit that a user sets on a queue, an exchange or a message (a length, a TTL, a number of seen messages) does what it
is set for, and is counted in that queue's statistics.

"""

QUIET_HEAD: Final = """
## What refuses nothing

Other numbers in the source that look like limits, and what they are. (What formats and protocols can hold is left out:
larger values can't be written down, and who tries is told as the protocol says.)
"""


def formats(found: dict[str, Constant], known: frozenset[str]) -> list[str]:
    """The constants of files that hold formats, which needn't be decided about one by one."""
    return [name for name in found if name not in known and is_format(name)]


def is_format(name: str) -> bool:
    """True for what a specification or an integer's width says."""
    module, _, constant = name.rpartition(".")
    if BOUND_OF_A_KEY.search(constant):
        return True
    return module in FORMAT_MODULES or name in FORMAT_CONSTANTS or constant in FORMAT_NAMES


BOUND_OF_A_KEY: Final = re.compile(r"MOST|LEAST")
"""The least and the most that a key or a format takes: docs/configuration.md has it; who starts the broker is told."""

FORMAT_MODULES: Final = frozenset(
    {
        "adapters.mqtt.codec.decode",
        "adapters.mqtt.codec.properties",
        "adapters.mqtt.codec.publish",
        "adapters.mqtt.codec.reason_codes",
        "adapters.mqtt.codec.versions",
        "adapters.mqtt.codec.wire_connect",
        "adapters.mqtt.codec.wire_subscribe",
        "adapters.mqtt.codec.writer",
        "adapters.amqp091.client.frame_loop",
        "adapters.amqp091.client.handshake",
        "adapters.amqp091.frame_loop",
        "core.storage.definitions.page_file",
        "core.storage.definitions.wal_file",
        "core.storage.disk.records",
    }
)

FORMAT_NAMES: Final = frozenset(
    {"INTEGER_MAX", "NAME_BYTES_MAX", "SHORT_STRING_BYTES_MAX", "PACKET_ID_MAX", "SALT_BYTES", "QOS_MAX", "DIGITS_MAX"}
)

FORMAT_CONSTANTS: Final = frozenset(
    {
        "adapters.amqp10.amqp_session.IDS",
        "adapters.amqp10.publishing_link.SHORT_BYTES_MAX",
        "adapters.amqp10.outcomes._IDS",
        "adapters.amqp10.outgoing_link._IDS",
        "adapters.amqp10.outgoing_link.HEAD_BYTES",
        "adapters.amqp10.codec.decoding._CHARACTER_MAX",
        "adapters.amqp10.codec.encoding._SMALL_SIZE_MAX",
        "core.exchanges.delaying.headers._INT32_MAX",
        "core.messages.field_names._SIGNED_INT_MAX",
        "gateway.configuration.rabbitmq_conf.reader._FOR_EVER_S",
        "core.messages.address.KEY_BYTES_MAX",
        "adapters.amqp091.frame_words.HEADER_BYTES",
        "core.patterns.pcre._REPEAT_MAX",
        "core.patterns.pcre._BYTE_MAX",
        "core.queues.consumer.UNLIMITED_CREDIT",
        "core.queues.deaths.COUNT_MAX",
        "adapters.amqp091.client.channel.HEADER_BYTES",
        "adapters.mqtt.client.connection.RECEIVE_MAXIMUM_MAX",
        "adapters.mqtt.client.sending.IDENTIFIERS_MAX",
        "adapters.mqtt.outflow.ALIAS_BYTES",
        "adapters.mqtt.properties.SHORT_BYTES_MAX",
        "adapters.mqtt.properties.TEXT_CHARACTERS_MAX",
        "adapters.mqtt.properties.DATA_BYTES_MAX",
        "adapters.mqtt.properties.EXPIRY_S_MAX",
        "adapters.mqtt.publishing.NO_PROPERTIES_BYTES_MAX",
        "adapters.mqtt.sessions.outgoing.WAITING",
        "adapters.mqtt.sessions.publishing.CUT_BYTES_MIN",
        "adapters.mqtt.settings.KEEP_ALIVE_MAX_S",
        "adapters.mqtt.subscribing.QUEUE_QOS_MAX",
        "adapters.stomp.adapter._FIRST_PRINTABLE",
        "adapters.stomp.adapter._LAST_PRINTABLE",
        "adapters.stomp.codec.limits.NUMBER_DIGITS_MAX",
        "adapters.stomp.codec.parser._LENGTH_DIGITS_MAX",
        "adapters.stomp.destinations.SPACE",
        "adapters.stomp.destinations.DELETE",
        "adapters.stomp.subscribing.NUMBER_MAX",
        "adapters.stomp.subscribing.PREFETCH_MAX",
        "adapters.stomp.subscribing.PRIORITY_MAX",
        "adapters.websocket.deflate.WINDOW_BITS_MAX",
        "adapters.websocket.deflate.WINDOW_BITS_MIN",
        "adapters.websocket.frame_reader.LENGTH_MAX",
    }
)


def decided() -> list[str]:
    """All constants that are decided about, each as often as it is named."""
    named = [name for each in ACTING for name in each.constants] + [name for each in QUIET for name in each.constants]
    return named + formats(constants(), frozenset(named))


def page() -> str:
    """The page as it should be."""
    found = constants()
    rows = ["| limit | default | what it does | key | who is told | counted as |", "|---|---|---|---|---|---|"]
    for each in ACTING:
        defaults = ", ".join(_shown(found[name].value) for name in each.constants[:1] if name in found)
        counted = f"`{each.counted}`" if each.counted else "-"
        rows.append(f"| {each.what} | {defaults or '-'} | {each.effect} | {each.key} | {each.told} | {counted} |")
    text = HEAD + "\n".join(rows) + "\n" + QUIET_HEAD
    for kind in QUIET:
        names = "".join(f"- `{name}`\n" for name in kind.constants if name in found)
        text += f"\n### {kind.title}\n\n{kind.about}\n\n{names}"
    return text


def _shown(value: int | float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
