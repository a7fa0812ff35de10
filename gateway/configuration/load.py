"""The configuration of a broker: every key with its default and unit, and how sources combine.

A key has one name everywhere: `heartbeat_s` in `Config`, in warren.toml and after `--set`,
`WARREN_HEARTBEAT_S` in the environment (`listeners` is the exception: its key is `listen`).  The sources,
later ones win, key by key:

1. the defaults below,
2. one file: `--config FILE`, else `$WARREN_CONFIG` or `$RABBITMQ_CONFIG_FILE`, else `warren.toml` in the
   working directory, else `warren.toml` in the data directory; TOML, or RabbitMQ's format when its name ends
   in `.conf`,
3. the environment,
4. the command line.

`listen` is replaced as a whole: the last source that names any listener names all of them.  Relative paths
start at the working directory, in a file at the directory of that file.

A wrong key or value in any source is a ConfigError that names the source, the key, the value and what is
allowed; it is never skipped, with one exception: a rabbitmq.conf written for RabbitMQ may hold keys that
Warren doesn't have, and each is listed in `Config.warnings`.

Longer than 400 lines because the keys of every part of the broker are here, each with what it is for.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from warren.core.configuration.values import CertificateFiles, Watermark
from warren.gateway.configuration.listener import Listener

HIDDEN: Final = "********"
"""What is shown of a secret."""

PORT = 5672
"""Registered with IANA for AMQP."""

STOMP_PORT = 61613
"""What STOMP brokers and clients take for granted."""

MQTT_PORT = 1883
"""Registered with IANA for MQTT."""


WEB_STOMP_PORT = 15674
WEB_MQTT_PORT = 15675
"""Where RabbitMQ's plugins have STOMP and MQTT over WebSocket; here both are on either."""

TLS_PORT = 5671
"""Registered with IANA for AMQP over TLS."""

STOMP_TLS_PORT = 61614
"""What STOMP brokers and clients take for granted."""

MQTT_TLS_PORT = 8883
"""Registered with IANA for MQTT over TLS."""

WEB_STOMP_TLS_PORT = 15673
WEB_MQTT_TLS_PORT = 15676
"""The same over TLS, as RabbitMQ's documentation has them."""

DEFAULT_LISTENERS = (
    Listener("amqp", "127.0.0.1", PORT),
    Listener("stomp", "127.0.0.1", STOMP_PORT),
    Listener("mqtt", "127.0.0.1", MQTT_PORT),
    Listener("ws", "127.0.0.1", WEB_STOMP_PORT),
    Listener("ws", "127.0.0.1", WEB_MQTT_PORT),
)

DEFAULT_TLS_LISTENERS = (
    Listener("amqp", "127.0.0.1", TLS_PORT, tls=True),
    Listener("stomp", "127.0.0.1", STOMP_TLS_PORT, tls=True),
    Listener("mqtt", "127.0.0.1", MQTT_TLS_PORT, tls=True),
    Listener("ws", "127.0.0.1", WEB_STOMP_TLS_PORT, tls=True),
    Listener("ws", "127.0.0.1", WEB_MQTT_TLS_PORT, tls=True),
)
"""In addition, when there is a certificate."""

MEMORY_HIGH_WATERMARK = Watermark(relative=0.6)
"""RabbitMQ's default since 4.0; what is left is for the page cache and the other programs."""


class ConfigError(Exception):
    """The configuration can't be used; the text names source, key and value, and says what is allowed."""


def default_data_directory() -> Path:
    """Where data goes when nothing says otherwise.

    $XDG_DATA_HOME/warren when that is set; else /var/lib/warren for root (a service: Filesystem Hierarchy
    Standard 5.8); else ~/.local/share/warren (XDG Base Directory Specification).
    """
    base = os.environ.get("XDG_DATA_HOME", "")
    if os.path.isabs(base):
        return Path(base) / "warren"
    if os.geteuid() == 0:
        return Path("/var/lib/warren")
    return Path(os.path.expanduser("~")) / ".local" / "share" / "warren"


@dataclass(frozen=True)
class Config:
    """What a broker is started with.  Made by `load_config`, or directly by a program that embeds one."""

    data_directory: Path | None = None
    """Directory of everything that is kept.  None becomes the default one, except with `in_memory`: then
    nothing touches the disk and there is no control socket; with `in_memory` and a directory, only the
    control socket and the lock are in it."""

    in_memory: bool = False
    """Keep nothing: messages and definitions end with the process."""

    listeners: tuple[Listener, ...] = DEFAULT_LISTENERS
    """Addresses to listen on, as PROTOCOL=HOST:PORT; port 0 is any free one.  The key is `listen`.  An `s` after the
    protocol is TLS (amqps, stomps, mqtts, wss), `auto` takes whatever is spoken, TLS or not.  `?proxy_protocol=true`
    after the port is for listeners behind a proxy that sends PROXY headers.  Unless told otherwise: AMQP on
    127.0.0.1:5672, STOMP on port 61613, MQTT on 1883 and WebSocket on 15674 and 15675; with `tls_certificate_file` also
    the same over TLS on 5671, 61614, 8883, 15673 and 15676."""

    ready_file: Path | None = None
    """File that gets the addresses once connections are accepted (`ready_file.py`)."""

    heartbeat_s: int = 60
    """Heartbeat interval offered to clients in connection.tune, in seconds; 0 offers none."""

    frame_max: int = 131072
    """Largest frame offered to clients in connection.tune, in bytes."""

    channel_max: int = 2047
    """Channels per connection offered to clients in connection.tune."""

    handshake_timeout_s: float = 10.0
    """Time a client has from connecting to an open virtual host, in seconds."""

    tls_certificate_file: Path | None = None
    """The certificate that the broker shows, and those that lead to its authority, in PEM.  Changed files are used for
    new connections at once, also for the following keys."""

    tls_key_file: Path | None = None
    """The certificate's private key, in PEM; unless it is in the same file."""

    tls_key_password: str = ""
    """Password of private keys that are encrypted."""

    tls_server_name_certificates: tuple[CertificateFiles, ...] = ()
    """More certificates, each as CERTIFICATE_FILE:KEY_FILE, for clients that ask for one of the names in them (SNI)."""

    tls_ca_file: Path | None = None
    """Certificates of the authorities that sign client certificates, in PEM."""

    tls_verify: str = "none"
    """Whether clients are asked for a certificate: `none`, `optional` (one that is shown has to be good) or `required`.
    A good certificate is a login for AMQP's EXTERNAL, and for STOMP and MQTT with `stomp_certificate_login` and
    `mqtt_certificate_login`."""

    tls_versions: frozenset[str] = frozenset({"1.2", "1.3"})
    """Versions of TLS that are spoken: "1.2", "1.3" or both."""

    tls_handshake_timeout_s: float = 5.0
    """Time a client has from connecting to the end of the TLS handshake, in seconds."""

    tls_certificate_login_from: str = "distinguished_name"
    """What of a client's certificate is the name of its user: `distinguished_name` (CN=device,O=Example), `common_name`
    or `subject_alternative_name`."""

    tls_certificate_login_san_type: str = "dns"
    """Which kind of alternative name that is: `dns`, `ip`, `email`, `uri` or `other_name`."""

    tls_certificate_login_san_index: int = 0
    """Which one of this kind, from 0."""

    default_user: str = "guest"
    """User that is made, as administrator with all permissions, when the store is new."""

    default_pass: str = "guest"
    """Password of that user."""

    default_vhost: str = "/"
    """Virtual host that is made when the store is new."""

    loopback_users: frozenset[str] = frozenset({"guest"})
    """Users that may only connect from this machine."""

    refused_login_delay_s: float = 3.0
    """How long a client whose login is refused waits for its answer, in seconds, so that nobody can try passwords
    quickly, whatever protocol it speaks; 0 is not at all.  Also written `mqtt_refused_login_delay_s`, its name when it
    was MQTT's alone."""

    refused_logins_max: int = 1000
    """Clients that may wait so at a time; beyond that, the one that has waited longest is answered early."""

    load_definitions: Path | None = None
    """Definitions, as exported by RabbitMQ or Warren, that are imported at every start: a file, or a directory of
    *.json files.  A new store then gets no default user and virtual host."""

    definitions_skip_if_unchanged: bool = False
    """Whether a start leaves out definitions that are the same, byte for byte, as those that were imported last.  What
    was changed or deleted since then stays so."""

    default_queue_type: str | None = None
    """Type of queues that are declared without x-queue-type, in virtual hosts that have no default of their own."""

    consumer_timeout_ms: int = 30 * 60 * 1000
    """How long a consumer may leave a delivery unacknowledged, in milliseconds, before it is cancelled and its messages
    return to the queue; 0 for any time.  Consumers, queues and policies may say otherwise."""

    continue_client_deaths: bool = True
    """Whether the header x-death of a published message counts as its history, as applications expect that retry by
    publishing a dead letter again.  If not, such headers are removed, and every publish starts afresh."""

    connection_max: int | None = None
    """Connections that may be open at once; None is any number, as in the following limits."""

    channel_max_per_node: int | None = None
    """Channels that may be open at once, in all connections together."""

    consumer_max_per_channel: int | None = None
    """Consumers that one AMQP 0-9-1 channel may have."""

    default_consumer_prefetch: int = 0
    """How many unacknowledged messages a consumer of AMQP 0-9-1 may hold whose channel has set no prefetch with
    basic.qos; 0 for any number."""

    cluster_queue_limit: int | None = None
    """Queues that there may be."""

    cluster_exchange_limit: int | None = None
    """Exchanges that there may be, those that every virtual host starts with included."""

    vhost_max: int | None = None
    """Virtual hosts that there may be."""

    max_message_bytes: int = 16 * 2**20
    """Largest message body, in bytes."""

    memory_high_watermark: Watermark = MEMORY_HIGH_WATERMARK
    """Memory use that raises the memory alarm, which blocks publishers."""

    disk_free_limit_bytes: int = 50 * 10**6
    """Free space on the data directory's file system below which the disk alarm is raised, in bytes."""

    backlog_bytes_max: int = 64 * 2**20
    """Bodies of queued durable messages that are kept in memory, in bytes; the rest is read back."""

    stomp_friendly: bool = False
    """Whether STOMP sessions that look typed (CONNECT without accept-version, lines that end with CR LF) are helped:
    a lone "." ends a body, ERROR frames carry hints.  Anybody can ask for that by typing HELP.
    Also written `stomp.friendly`, and so on for all keys of STOMP."""

    stomp_default_user: str = "guest"
    """User of a STOMP CONNECT without login."""

    stomp_default_pass: str = "guest"
    """Password of that user."""

    stomp_default_vhost: str = "/"
    """Virtual host of a CONNECT without host."""

    stomp_default_topic_exchange: str = "amq.topic"
    """Exchange that /topic/ stands for."""

    stomp_default_nack_requeue: bool = True
    """Whether NACK without the header requeue returns the message to its queue; else it is dead-lettered."""

    stomp_implicit_connect: bool = False
    """Whether a first frame other than CONNECT logs in as the default user."""

    stomp_certificate_login: bool = False
    """Whether a CONNECT without login is the user that the client's TLS certificate names.  RabbitMQ's name for it is
    `stomp.ssl_cert_login`."""

    stomp_hide_server_info: bool = False
    """Whether CONNECTED keeps product and version to itself."""

    stomp_login_timeout_s: float = 10.0
    """Time a client has from connecting to CONNECT, in seconds."""

    stomp_max_frame_bytes: int = 4 * 2**20
    """Largest STOMP frame, in bytes.  Also written `stomp.max_frame_size`, as RabbitMQ does."""

    stomp_trailing_lf: bool = True
    """Whether a line feed follows each frame, which keeps terminals readable."""

    mqtt_allow_anonymous: bool = True
    """Whether an MQTT CONNECT without credentials is the default user's.  Also written `mqtt.allow_anonymous`, and so
    on for all keys of MQTT."""

    mqtt_certificate_login: bool = False
    """Whether an MQTT CONNECT without credentials is the user that the client's TLS certificate names.  RabbitMQ's name
    for it is `mqtt.ssl_cert_login`."""

    mqtt_default_user: str = "guest"
    """User of an MQTT CONNECT without credentials."""

    mqtt_default_pass: str = "guest"
    """Password of that user."""

    mqtt_default_vhost: str = "/"
    """Virtual host of a user name that names none (`VHOST:USER` does)."""

    mqtt_exchange: str = "amq.topic"
    """The exchange that MQTT publishes to and subscribes from.  It must be there in each virtual host that MQTT clients
    use, durable and of type topic; else they are refused."""

    mqtt_sparkplug: bool = False
    """Whether the first word of Sparkplug's topics, `spBv1.0`, is `spBv1___0` in routing keys, as in RabbitMQ."""

    mqtt_ignore_colons_in_username: bool = False
    """Whether a user name with a colon names no virtual host."""

    mqtt_login_timeout_s: float = 10.0
    """Time a client has from connecting to CONNECT, in seconds."""

    mqtt_max_packet_bytes: int = 16 * 2**20
    """Largest MQTT packet, in bytes; told to MQTT 5 clients."""

    mqtt_max_session_expiry_s: int = 86_400
    """The longest time that a session outlives its connection, in seconds, and what persistent sessions of MQTT 3 get;
    4294967295 is for ever, 0 allows no persistent sessions."""

    mqtt_max_keep_alive_s: int = 65_535
    """Longest keep-alive interval, in seconds; MQTT 5 clients that ask for more, or for none, are given this one.
    65535 is no cap."""

    mqtt_receive_maximum: int = 1024
    """Messages of QoS 1 and 2 that an MQTT 5 client may have sent without being answered."""

    mqtt_prefetch: int = 256
    """Messages of QoS 1 and 2 that a client is sent without having answered, if it doesn't ask for less."""

    mqtt_max_queued_messages: int = 1_000_000
    """Messages that may wait for one MQTT client; past that, those of QoS 0 are dropped and the others refused (MQTT 5
    publishers are told 0x97).  0 is any number."""

    mqtt_max_queued_qos_0_messages: int = 20_000
    """Messages that may wait for a slow MQTT client before further ones of QoS 0 are dropped."""

    mqtt_max_queued_qos_0_bytes: int = 32 * 2**20
    """The same in bytes."""

    mqtt_shared_subscription_strategy: str = "round-robin"
    """Which member of a shared subscription gets a message: `round-robin`, each in turn; `sticky`, always the same one
    until it goes or can't take any more; `hash`, by the topic, so that messages of a topic keep their order.  The
    policy key `mqtt-shared-subscription-strategy` sets it for single groups."""

    mqtt_topic_alias_maximum: int = 16
    """Topic aliases per connection, in either direction."""

    mqtt_disconnect_on_unauthorized: bool = True
    """Whether a client that publishes without permission, and can't be told so in an answer, is disconnected."""

    mqtt_hide_refusals: bool = False
    """Whether SUBACK keeps to itself why a subscription is refused: 0x80, unspecified error, instead of 0x87."""

    websocket_idle_timeout_s: float = 60.0
    """How long a WebSocket client may be silent, in seconds; after half of it, it is sent a ping, which browsers answer
    by themselves.  0 is for ever."""

    websocket_compress: bool = True
    """Whether WebSocket messages may be compressed (permessage-deflate), for clients that can."""

    websocket_stomp_frame: str = "text"
    """Type of the WebSocket messages that STOMP goes out in, text or binary.  Also written `web_stomp.ws_frame`."""

    websocket_allow_origins: frozenset[str] = frozenset()
    """Origins, such as https://shop.example:8443, whose web pages may connect over WebSocket; none named, or *, is all.
    Programs that aren't browsers send no origin, and may always."""

    websocket_use_http_auth: bool = False
    """Whether HTTP Basic on the WebSocket's request says who connects, instead of the headers of STOMP's CONNECT or,
    where it is given, the credentials of MQTT's.  STOMP without it is the default user's."""

    plugins: tuple[str, ...] = ()
    """Plugins that are enabled, by name, in the order of their start.  A plugin that is enabled brings keys of its own,
    whose names begin with its."""

    plugin_options: Mapping[str, object] = field(default_factory=dict, hash=False)
    """Values of the plugins' keys by name, those that were given.  Not a key."""

    log_level: str = "info"
    """Least important kind of log line that is written (`config_keys.LOG_LEVELS`)."""

    product: str = "RabbitMQ"
    """`product` in the server properties.  Client libraries choose behaviour by it (Kombu: the meaning of a
    prefetch count), so it says what Warren behaves like."""

    product_version: str = "3.13.7"
    """`version` in the server properties; read together with `product`.  A version before 4, since from 4 on Kombu
    (Celery) believes that a running prefetch can't be raised, and tasks in the future hold up all others."""

    cluster_name: str = ""
    """Name of this broker in the server properties; empty becomes warren@HOSTNAME."""

    file: Path | None = None
    """The configuration file that was read.  Not a key."""

    warnings: tuple[str, ...] = ()
    """What of that file could not be applied, for the log.  Not a key."""

    def __post_init__(self) -> None:
        if self.data_directory is None and not self.in_memory:
            object.__setattr__(self, "data_directory", default_data_directory())
        if not self.cluster_name:
            object.__setattr__(self, "cluster_name", f"warren@{socket.gethostname()}")
        if self.tls_certificate_file is not None and self.listeners is DEFAULT_LISTENERS:
            object.__setattr__(self, "listeners", DEFAULT_LISTENERS + DEFAULT_TLS_LISTENERS)


@dataclass(frozen=True, slots=True)
class Setting:
    """A key as one source gives it.

    source, written: the source and the key as people know them.  key: one of KEYS, or, what may be a plugin's, the name
    with `_` for dots.  base: where relative paths start.
    """

    source: str
    written: str
    key: str
    value: object
    base: Path


def load_config(
    command_line: Iterable[Setting] = (),
    *,
    config_file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Config:
    """Combine all sources into one configuration, as the head of this file says.

    command_line: its settings (`config_sources.command_line_settings`); config_file: its `--config`.
    environment, directory: the process's own by default.  Raises ConfigError.
    """
    from warren.gateway.configuration import sources
    from warren.gateway.configuration.keys import KEYS

    environment = os.environ if environment is None else environment
    directory = directory or Path.cwd()
    outer = [*sources.environment_settings(environment, directory), *command_line]
    file = sources.find_file(config_file, environment, directory)
    if file is None:
        # Keys of plugins that the file may enable can't be told from mistakes yet.
        data_directory = Config(**_checked(each for each in outer if each.key in KEYS)).data_directory
        file = sources.file_in(data_directory) if data_directory else None
    if file is None:
        return Config(**_checked(outer))
    settings, warnings = sources.read_file(file)
    return Config(**_checked([*settings, *outer]), file=file, warnings=tuple(warnings))


def describe(config: Config) -> dict[str, object]:
    """The effective configuration by key, as plain JSON values; secrets are hidden."""
    from warren.gateway.configuration.keys import KEYS

    shown: dict[str, object] = {}
    for key in KEYS.values():
        shown[key.name] = HIDDEN if key.secret else _plain(getattr(config, key.field))
    if config.plugins:
        from warren.gateway.configuration.plugin_keys import keys_of_plugins, values_of_plugins

        values = values_of_plugins(config.plugins, config.plugin_options)
        for plugin_key in keys_of_plugins(config.plugins).values():
            shown[plugin_key.name] = HIDDEN if plugin_key.secret else _plain(values[plugin_key.name])
    shown["config_file"] = _plain(config.file)
    return shown


def _checked(settings: Iterable[Setting]) -> dict[str, Any]:
    """Values by field of Config, the last setting of a key winning.  Raises ConfigError."""
    from warren.gateway.configuration.keys import KEYS

    settings = list(settings)
    result: dict[str, Any] = {}
    for setting in settings:
        if setting.key in KEYS:
            key = KEYS[setting.key]
            result[key.field] = _parsed(setting, key.parse, secret=key.secret)
    others = [setting for setting in settings if setting.key not in KEYS]
    if others or result.get("plugins"):
        result["plugin_options"] = _plugin_options(result.get("plugins", ()), others)
    return result


def _plugin_options(plugins: Iterable[str], settings: Iterable[Setting]) -> dict[str, object]:
    """The values of the plugins' keys; ConfigError for a setting of nobody's, or a plugin that can't be loaded."""
    from warren.gateway.configuration.plugin_keys import keys_of_plugins
    from warren.gateway.configuration.plugins import PluginUnusableError
    from warren.gateway.configuration.sources import unknown_key

    try:
        keys = keys_of_plugins(plugins)
    except PluginUnusableError as error:
        raise ConfigError(str(error)) from error
    found: dict[str, object] = {}
    for setting in settings:
        key = keys.get(setting.key)
        if key is None:
            raise unknown_key(setting, keys)
        found[key.name] = _parsed(setting, key.parse, secret=key.secret)
    return found


def _parsed(setting: Setting, parse: Callable[[object], object], *, secret: bool) -> object:
    try:
        value = parse(setting.value)
    except ValueError as error:
        shown = "'...'" if secret else _as_written(setting.value)
        raise ConfigError(f"{setting.source}: {setting.written} = {shown}: must be {error}") from None
    return _based(value, setting.base)


def _based(value: object, base: Path) -> object:
    """The value, with relative paths in it starting at `base`."""
    if isinstance(value, Path):
        return base / value
    if isinstance(value, CertificateFiles):
        return CertificateFiles(base / value.certificate, None if value.key is None else base / value.key)
    if isinstance(value, tuple):
        return tuple(_based(entry, base) for entry in value)
    return value


def _as_written(value: object) -> str:
    """One value of a list, such as a repeated option, stands for itself."""
    return repr(value[0] if isinstance(value, list) and len(value) == 1 else value)


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [str(entry) for entry in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
