"""The listeners of a rabbitmq.conf: plain and TLS, of each protocol, with or without PROXY headers.

    listeners.tcp.NAME        listeners.ssl.NAME         = PORT | HOST:PORT     proxy_protocol
    stomp.listeners.tcp.NAME  stomp.listeners.ssl.NAME                          stomp.proxy_protocol
    mqtt.listeners.tcp.NAME   mqtt.listeners.ssl.NAME                           mqtt.proxy_protocol
    web_stomp.tcp.port, .ip   web_stomp.ssl.port, .ip                           web_stomp.proxy_protocol
    web_mqtt.tcp.port, .ip    web_mqtt.ssl.port, .ip                            web_mqtt.proxy_protocol

`= none` drops the ones of a family that stand above it.  Where none of AMQP's plain ones are named, AMQP keeps its
default address, as long as `listeners.tcp = none` doesn't say otherwise; the other protocols, plugins in RabbitMQ,
listen where they are told to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from warren.gateway.configuration.given import Given
from warren.gateway.network.settings import PORT

_EVERY_ADDRESS = "0.0.0.0"
"""A bare port listens on every address, as on RabbitMQ."""

_NAMED = (("", "amqp"), ("stomp.", "stomp"), ("mqtt.", "mqtt"))
"""(what stands in front of `listeners`, protocol)."""

_SINGLE = ("web_stomp", "web_mqtt")
"""Plugins with one port of each kind; both protocols are on either here."""

_KINDS = (("tcp", ""), ("ssl", "s"))
"""(RabbitMQ's word, what stands after the protocol in a listener)."""

_PROXY_PROTOCOL = "proxy_protocol"

LISTENER_FAMILIES = (
    *(f"{front}listeners.{kind}" for front, _ in _NAMED for kind, _ in _KINDS),
    *(f"{plugin}.{kind}.{key}" for plugin in _SINGLE for kind, _ in _KINDS for key in ("port", "ip")),
    *(f"{front}{_PROXY_PROTOCOL}" for front in ("", "stomp.", "mqtt.", "web_stomp.", "web_mqtt.")),
)
"""The beginnings of the keys that are read here."""


def listener_settings(entries: Mapping[str, str], source: str, base: Path) -> list[Given]:
    """The setting of `listen`, if any listener is named."""
    written: list[str] = []
    listen: list[str] = []
    for keys, protocol, address, option in (*_of_amqp(entries), *_of_plugins(entries)):
        written += keys
        listen.append(f"{protocol}={address}{option}")
    if not written:
        return []
    return [Given(source, ", ".join(dict.fromkeys(written)), "listen", listen, base)]


_Found = tuple[list[str], str, str, str]
"""(keys, protocol, address, option)."""


def _of_amqp(entries: Mapping[str, str]) -> list[_Found]:
    """Those of AMQP; its default one is only kept where others are named."""
    found = list(_named(entries, "", "amqp"))
    has_plain = any(protocol == "amqp" for _, protocol, _, _ in found)
    if has_plain or entries.get("listeners.tcp") == "none":
        return found
    option = _option(entries, "")
    others = found or list(_of_plugins(entries))
    if not others and not option:
        return []
    keys = [] if others else [_PROXY_PROTOCOL]
    return [(keys, "amqp", f"127.0.0.1:{PORT}", option), *found]


def _of_plugins(entries: Mapping[str, str]) -> Iterator[_Found]:
    for front, protocol in _NAMED[1:]:
        yield from _named(entries, front, protocol)
    for plugin in _SINGLE:
        for kind, suffix in _KINDS:
            port_key, host_key = f"{plugin}.{kind}.port", f"{plugin}.{kind}.ip"
            if port_key in entries:
                host = entries.get(host_key)
                address = _address(entries[port_key] if host is None else f"{host}:{entries[port_key]}")
                yield [port_key], "ws" + suffix, address, _option(entries, f"{plugin}.")


def _named(entries: Mapping[str, str], front: str, protocol: str) -> Iterator[_Found]:
    for kind, suffix in _KINDS:
        for written, address in _addresses(entries, f"{front}listeners.{kind}").items():
            yield [written], protocol + suffix, address, _option(entries, front)


def _option(entries: Mapping[str, str], front: str) -> str:
    value = entries.get(f"{front}{_PROXY_PROTOCOL}")
    return f"?{_PROXY_PROTOCOL}={value}" if value is not None and value != "false" else ""


def _addresses(entries: Mapping[str, str], prefix: str) -> dict[str, str]:
    addresses: dict[str, str] = {}
    for written, value in entries.items():
        if written == prefix and value == "none":
            addresses.clear()
        elif written.startswith(prefix):
            addresses[written] = _address(value)
    return addresses


def _address(value: str) -> str:
    """RabbitMQ writes IPv6 without brackets too: `:::5672` and `::1:5672` end in the port."""
    host, _, port = value.rpartition(":")
    if not host:
        return f"{_EVERY_ADDRESS}:{value}"
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else value
