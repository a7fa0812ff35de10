"""The listeners of a rabbitmq.conf: plain and TLS, of each protocol, with or without PROXY headers.

    listeners.tcp.NAME        listeners.ssl.NAME         = PORT | HOST:PORT     proxy_protocol
    stomp.listeners.tcp.NAME  stomp.listeners.ssl.NAME                          stomp.proxy_protocol
    mqtt.listeners.tcp.NAME   mqtt.listeners.ssl.NAME                           mqtt.proxy_protocol
    stream.listeners.tcp.NAME stream.listeners.ssl.NAME
    web_stomp.tcp.port, .ip   web_stomp.ssl.port, .ip                           web_stomp.proxy_protocol
    web_mqtt.tcp.port, .ip    web_mqtt.ssl.port, .ip                            web_mqtt.proxy_protocol

and `web_mqtt.tcp.listener = HOST:PORT` in place of both.  A bare port listens on every address of both families.

`listeners.tcp = none`, and the same of the others, means that there are none of the family, wherever it stands.  Where
none of AMQP's plain ones are named, AMQP keeps its default address; the other protocols, plugins in RabbitMQ, listen
where they are told to.  Where no listener is named at all, all have their default addresses but those with `none`.

The default addresses are those of localhost, where RabbitMQ's are all: that is said at the start.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from warren.gateway.configuration.given import Weight
from warren.gateway.configuration.rabbitmq_conf.reading import Reading
from warren.gateway.network.addresses import EVERY_ADDRESS, LOCALHOST, Listener, listeners
from warren.gateway.network.settings import (
    DEFAULT_LISTENERS,
    DEFAULT_TLS_LISTENERS,
    PORT,
    WEB_MQTT_PORT,
    WEB_MQTT_TLS_PORT,
    WEB_STOMP_PORT,
    WEB_STOMP_TLS_PORT,
)
from warren.gateway.protocols import PROTOCOLS

_NAMED: Final = (("", "amqp"), ("stomp.", "stomp"), ("mqtt.", "mqtt"), ("stream.", "stream"))
"""(what stands in front of `listeners`, protocol)."""

_SINGLE: Final = ("web_stomp", "web_mqtt")
"""Plugins with one port of each kind; both protocols are on either here."""

_PORTS: Final = {
    "web_stomp": (WEB_STOMP_PORT, WEB_STOMP_TLS_PORT),
    "web_mqtt": (WEB_MQTT_PORT, WEB_MQTT_TLS_PORT),
}
"""(plain, TLS), where none is given."""

_KINDS: Final = (("tcp", ""), ("ssl", "s"))
"""(RabbitMQ's word, what stands after the protocol in a listener)."""

_PROXY_PROTOCOL: Final = "proxy_protocol"

_UNIX_SOCKET: Final = re.compile(r"(local|unix):.*")

_LOCAL_ONLY: Final = (
    "it names no listeners.tcp: RabbitMQ would listen on all interfaces, port {port}; Warren listens on localhost "
    "only. To serve other hosts write listeners.tcp.default = {port}, and the other protocols' listeners beside it"
)


_parse: Final = listeners(PROTOCOLS)


class _Found(NamedTuple):
    """A listener that is named.  keys: as they are written.  name: of the protocol, with an `s` for TLS."""

    keys: list[str]
    name: str
    address: str
    option: str

    @property
    def listener(self) -> str:
        """As `listen` has it."""
        return f"{self.name}={self.address}{self.option}"


def read_listeners(reading: Reading) -> None:
    """Give `listen`, if the file says anything about it."""
    options = {
        front: _option(reading, front) for front in ("", "stomp.", "mqtt.", "stream.", "web_stomp.", "web_mqtt.")
    }
    none: set[str] = set()
    found = [*_named(reading, options, none), *_of_web(reading, options, none)]
    wanted = [each for each in found if each.name not in none]
    has_plain = "amqp" in none or any(each.name == "amqp" for each in found)
    if not has_plain:
        reading.remark(Weight.WARNING, _LOCAL_ONLY.format(port=PORT), unless="listen")
    if not wanted and (none or any(options.values())):
        wanted = [_default(each, options) for each in _defaults(reading) if each.name not in none]
    elif wanted and not has_plain:
        wanted.insert(0, _Found([], "amqp", f"{LOCALHOST}:{PORT}", options[""]))
    if not wanted and none:
        reading.refuse("no listener is left that Warren could open; name one, such as listeners.tcp.default = 5672")
    if wanted:
        for each in wanted:
            _check(reading, each)
        written = list(dict.fromkeys(key for each in wanted for key in each.keys))
        written = written or [f"{front}{_PROXY_PROTOCOL}" for front, option in options.items() if option]
        listen = [each.listener for each in wanted]
        reading.give(", ".join(written) or "listeners", "listen", listen)


def _check(reading: Reading, found: _Found) -> None:
    """Refuse one that is no listener by its own key, as `listen` is given all of them at once."""
    try:
        _parse(found.listener)
    except ValueError as error:
        if found.keys:
            reading.refuse(f"{', '.join(found.keys)} = {found.listener!r}: must be {error}")


def _defaults(reading: Reading) -> tuple[Listener, ...]:
    has_certificate = "ssl_options.certfile" in reading.entries
    return DEFAULT_LISTENERS + (DEFAULT_TLS_LISTENERS if has_certificate else ())


def _default(listener: Listener, options: dict[str, str]) -> _Found:
    fronts = {"amqp": "", "ws": "web_mqtt." if listener.port in _PORTS["web_mqtt"] else "web_stomp."}
    option = options[fronts.get(listener.protocol, f"{listener.protocol}.")]
    return _Found([], listener.name, f"{listener.host}:{listener.port}", option)


def _named(reading: Reading, options: dict[str, str], none: set[str]) -> Iterator[_Found]:
    for front, protocol in _NAMED:
        for kind, suffix in _KINDS:
            family = f"{front}listeners.{kind}"
            name = protocol + suffix
            said = reading.take(family)
            if said == "none":
                none.add(name)
            elif said is not None:
                reading.refuse(f"{family} = {said!r}: must be none; a listener has a name, such as {family}.default")
            for written, _, value in reading.take_under(family):
                if _UNIX_SOCKET.fullmatch(value):
                    reading.remark(Weight.WARNING, f"{written}: ignored: Warren doesn't listen on Unix sockets")
                else:
                    yield _Found([written], name, _address(value), options[front])


def _of_web(reading: Reading, options: dict[str, str], none: set[str]) -> Iterator[_Found]:
    for plugin in _SINGLE:
        for kind, suffix in _KINDS:
            port_key, host_key, listener_key = (f"{plugin}.{kind}.{word}" for word in ("port", "ip", "listener"))
            port, host, listener = reading.take(port_key), reading.take(host_key), reading.take(listener_key)
            old_key = f"{plugin}.port"
            if port is None and kind == "tcp":
                port, port_key = reading.take(old_key), old_key
            written = [key for key in (port_key, host_key) if key in reading.entries]
            option = options[f"{plugin}."]
            if listener == "none":
                none.add("ws" + suffix)
            elif listener is not None:
                yield _Found([listener_key], "ws" + suffix, _address(listener), option)
            elif port is not None or host is not None:
                port = port or str(_PORTS[plugin][suffix != ""])
                address = port if host is None else f"{host}:{port}"
                yield _Found(written, "ws" + suffix, _address(address), option)


def _option(reading: Reading, front: str) -> str:
    value = reading.take(f"{front}{_PROXY_PROTOCOL}")
    return f"?{_PROXY_PROTOCOL}={value}" if value is not None and value != "false" else ""


def _address(value: str) -> str:
    """RabbitMQ writes IPv6 without brackets too: `:::5672` and `::1:5672` end in the port."""
    host, _, port = value.rpartition(":")
    if not host:
        return f"{EVERY_ADDRESS}:{value}"
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else value
