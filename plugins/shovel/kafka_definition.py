"""What a shovel's ends at Kafka are to do: their keys, and what these mean (docs/shovel.md, "Kafka")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from warren.adapters.peers.uri import Parameters, PeerUri, TlsParameters, one_of, read_parameters
from warren.core.errors import PreconditionFailed
from warren.core.frozen import frozen
from warren.plugins.bridging import values

PORT: Final = 9092
"""Kafka's, with TLS or without."""

SCHEMES: Final = ("kafka", "kafkas")

MECHANISMS: Final = {"plain": "PLAIN", "scram-sha-256": "SCRAM-SHA-256", "scram-sha-512": "SCRAM-SHA-512"}

FIELDS: Final = ("{topic}", "{routing_key}", "{exchange}", "{message_id}")
"""What stands in a topic or a key for something of each message's own."""

EARLIEST: Final = "earliest"
LATEST: Final = "latest"

_fields = re.compile(r"\{[^{}]*\}")
_topic = re.compile(r"[A-Za-z0-9._-]{1,249}")
_pattern = re.compile(r"\^.+")


@frozen
class KafkaUri(PeerUri):
    """A Kafka cluster: `kafka://user:password@host:port,host:port?parameter=value`.

    servers: some of the cluster's brokers, of which host and port are the first.  mechanism: of SASL, as Kafka calls
    it, where the URI names a user.
    """

    servers: tuple[str, ...] = ()
    mechanism: str = "PLAIN"

    @property
    def shown(self) -> str:
        """The URI for statuses, logs and headers: without user, password and parameters."""
        return f"{self.scheme}://{','.join(server.removesuffix(f':{PORT}') for server in self.servers)}"


@frozen
class KafkaSourceDefinition:
    """Where messages come from: topics, or patterns of them, read as a member of a consumer group.

    group: None for one named after the shovel.  start: where to begin where the group has no offset.
    """

    uris: tuple[KafkaUri, ...]
    topics: tuple[str, ...]
    group: str | None = None
    start: str = EARLIEST


@frozen
class KafkaDestinationDefinition:
    """Where messages go; topic and key have FIELDS in them.  An empty key is none."""

    uris: tuple[KafkaUri, ...]
    topic: str
    key: str = "{routing_key}"


def parse_kafka_uri(text: str) -> KafkaUri:
    """The URI that `text` is; PreconditionFailed (406), with what is wrong, if it is none."""
    found = _URI.fullmatch(text.strip())
    if found is None or found["scheme"].lower() not in SCHEMES:
        raise PreconditionFailed("a URI of this protocol begins with kafka:// or kafkas://")
    scheme = found["scheme"].lower()
    if found["path"] not in ("", "/") or found["fragment"]:
        raise PreconditionFailed(
            "a URI of Kafka has no path: it looks like kafka://user:password@host:port,host:port, with '/', '@', ':' "
            "and '#' in user and password written as %2F, %40, %3A and %23"
        )
    login, _, hosts = found["authority"].rpartition("@")
    user, has_password, password = login.partition(":")
    servers = tuple(_server(each) for each in hosts.split(","))
    host, _, port = servers[0].rpartition(":")
    return KafkaUri(
        scheme,
        host,
        int(port),
        unquote(user) if user else None,
        unquote(password) if has_password else None,
        servers=servers,
        **_parameters(found["query"] or "", TlsParameters() if scheme == "kafkas" else None),
    )


_URI: Final = re.compile(
    r"(?P<scheme>[A-Za-z]+)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?"
)
"""The parts of a URI (RFC 3986, appendix B).  Python's own parser refuses an address among several hosts."""


def _server(text: str) -> str:
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?", text)
    if found is None or (found[2] is not None and not 0 < int(found[2]) < 65_536):
        raise PreconditionFailed("a URI's hosts can't be read: they are like a.example:9092,b.example:9092")
    return f"{found[1]}:{found[2] or PORT}"


_OWN: Final[Parameters] = {"sasl_mechanism": ("mechanism", one_of(MECHANISMS))}
KAFKA_PARAMETERS: Final = tuple(_OWN)
_WITHOUT: Final = frozenset({"server_name_indication"})
"""Of TLS's parameters: each of Kafka's brokers has a name of its own, which librdkafka checks."""


def _parameters(query: str, tls: TlsParameters | None) -> dict[str, Any]:
    if any(name in _WITHOUT for name, _ in parse_qsl(query, keep_blank_values=True)):
        raise PreconditionFailed(
            "a URI's parameter 'server_name_indication' isn't for Kafka, where each broker has a name of its own"
        )
    return read_parameters(query, tls, _OWN)


def kafka_source(given: Mapping[str, Any]) -> KafkaSourceDefinition:
    """The source that these keys are; PreconditionFailed (406) if one is missing."""
    for key in ("src-uri", "src-topics"):
        if key not in given:
            raise PreconditionFailed(f"the key '{key}' is missing")
    return KafkaSourceDefinition(
        given["src-uri"], given["src-topics"], given.get("src-group"), given.get("src-start", EARLIEST)
    )


def kafka_destination(given: Mapping[str, Any]) -> KafkaDestinationDefinition:
    """The destination that these keys are; PreconditionFailed (406) if one is missing."""
    for key in ("dest-uri", "dest-topic"):
        if key not in given:
            raise PreconditionFailed(f"the key '{key}' is missing")
    return KafkaDestinationDefinition(given["dest-uri"], given["dest-topic"], given.get("dest-key", "{routing_key}"))


# Values


def _topics(value: object) -> tuple[str, ...]:
    given = value if isinstance(value, list) else [value]
    found = [each for each in given if isinstance(each, str) and (_topic.fullmatch(each) or _pattern.fullmatch(each))]
    if not found or len(found) != len(given):
        raise ValueError("must be a topic, or a pattern that begins with '^', or a list of them")
    return tuple(found)


def _template(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string")
    unknown = next((each for each in _fields.findall(value) if each not in FIELDS), None)
    if unknown is not None:
        raise ValueError(f"has '{unknown}' in it: there are {', '.join(FIELDS)}")
    return value


def _topic_template(value: object) -> str:
    if not _topic.fullmatch(_fields.sub("x", _template(value))):
        raise ValueError("must be a topic: letters, digits, '.', '_' and '-', 249 of them at most")
    return _template(value)


KAFKA_SOURCE: Final[values.Readers] = {
    "src-uri": values.uris(parse_kafka_uri),
    "src-topics": _topics,
    "src-group": values.name,
    "src-start": values.one_of(EARLIEST, LATEST),
}

KAFKA_DESTINATION: Final[values.Readers] = {
    "dest-uri": values.uris(parse_kafka_uri),
    "dest-topic": _topic_template,
    "dest-key": _template,
}
