"""All commands of the stream protocol, from either side, as tuples; each with its key and how its values are laid out.

A command that is answered has a correlation id first, and its answer has the same one and a code.  Answers say no more
than that where the code isn't OK, so whatever stands behind the code may be missing: it is then what the tuple has by
default, and None is written as missing.  So are the properties of Subscribe and ResolveOffsetSpec.

Longer than 400 lines because it is the table of all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from warren.adapters.stream.codec.keys import RESPONSE, VERSION_1, VERSION_2, Key, OffsetType
from warren.adapters.stream.codec.kinds import (
    BYTES,
    I64,
    NAME,
    OFFSET,
    PROPERTIES,
    REST,
    STRING,
    U8,
    U16,
    U32,
    U64,
    Kind,
    OffsetSpec,
    array,
    group,
    table,
)


class Answer(NamedTuple):
    """The answer to a command that says no more than a code.  key: the command's."""

    key: int
    correlation_id: int
    code: int


class DeclarePublisher(NamedTuple):
    """reference: the name by which what it publishes is told from what it published before; None, or empty: none."""

    correlation_id: int
    publisher_id: int
    reference: str | None
    stream: str


class Publish(NamedTuple):
    """data: so many messages (publishing.py)."""

    publisher_id: int
    messages: int
    data: bytes


class PublishV2(NamedTuple):
    """As Publish; each message has a value for filters, too."""

    publisher_id: int
    messages: int
    data: bytes


class PublishConfirm(NamedTuple):
    """What was published with these ids is safe."""

    publisher_id: int
    publishing_ids: list[int]


class PublishingError(NamedTuple):
    """One that isn't."""

    publishing_id: int
    code: int


class PublishError(NamedTuple):
    """What was published with these ids isn't taken."""

    publisher_id: int
    errors: list[PublishingError]


class QueryPublisherSequence(NamedTuple):
    """Which publishing id of a reference was the last?"""

    correlation_id: int
    reference: str
    stream: str


class QueryPublisherSequenceAnswer(NamedTuple):
    """sequence: 0 where there was none."""

    correlation_id: int
    code: int
    sequence: int = 0


class DeletePublisher(NamedTuple):
    """It publishes no more."""

    correlation_id: int
    publisher_id: int


class Subscribe(NamedTuple):
    """credit: so many chunks may come at first."""

    correlation_id: int
    subscription_id: int
    stream: str
    offset: OffsetSpec
    credit: int
    properties: dict[str, str] | None = None


class Deliver(NamedTuple):
    """chunk: see core.streams.chunk."""

    subscription_id: int
    chunk: bytes


class DeliverV2(NamedTuple):
    """committed_chunk_id: the first offset of the last chunk that there is."""

    subscription_id: int
    committed_chunk_id: int
    chunk: bytes


class Credit(NamedTuple):
    """So many chunks more."""

    subscription_id: int
    credit: int


class CreditAnswer(NamedTuple):
    """What was wrong with it; it has no correlation id."""

    code: int
    subscription_id: int


class StoreOffset(NamedTuple):
    """A reader with this reference has read so far."""

    reference: str
    stream: str
    offset: int


class QueryOffset(NamedTuple):
    """How far has a reader with this reference read?"""

    correlation_id: int
    reference: str
    stream: str


class QueryOffsetAnswer(NamedTuple):
    """offset: of no meaning unless the code is OK."""

    correlation_id: int
    code: int
    offset: int = 0


class Unsubscribe(NamedTuple):
    """No more chunks."""

    correlation_id: int
    subscription_id: int


class Create(NamedTuple):
    """Make a stream."""

    correlation_id: int
    stream: str
    arguments: dict[str, str]


class Delete(NamedTuple):
    """Delete one."""

    correlation_id: int
    stream: str


class Metadata(NamedTuple):
    """Where are these streams?"""

    correlation_id: int
    streams: list[str]


class BrokerAddress(NamedTuple):
    """Of a broker that a metadata answer speaks of."""

    reference: int
    host: str
    port: int


class StreamMetadata(NamedTuple):
    """leader, replicas: references of brokers."""

    stream: str
    code: int
    leader: int
    replicas: list[int]


class MetadataAnswer(NamedTuple):
    """It has no code of its own."""

    correlation_id: int
    brokers: list[BrokerAddress]
    streams: list[StreamMetadata]


class MetadataUpdate(NamedTuple):
    """Something has become of a stream: publishers and subscriptions of it are gone."""

    code: int
    stream: str


class PeerProperties(NamedTuple):
    """What the client says of itself."""

    correlation_id: int
    properties: dict[str, str]


class PeerPropertiesAnswer(NamedTuple):
    """What the broker does."""

    correlation_id: int
    code: int
    properties: dict[str, str] | None = None


class SaslHandshake(NamedTuple):
    """Which mechanisms are there?"""

    correlation_id: int


class SaslHandshakeAnswer(NamedTuple):
    """These."""

    correlation_id: int
    code: int
    mechanisms: Sequence[str] = ()


class SaslAuthenticate(NamedTuple):
    """data: what the mechanism has it be."""

    correlation_id: int
    mechanism: str
    data: bytes | None


class SaslAuthenticateAnswer(NamedTuple):
    """challenge: with the code SASL_CHALLENGE, or OK where the mechanism says something at its end."""

    correlation_id: int
    code: int
    challenge: bytes | None = None


class Tune(NamedTuple):
    """frame_max: in bytes, 0 for no limit.  heartbeat: in seconds, 0 for none."""

    frame_max: int
    heartbeat: int


class TuneAnswer(NamedTuple):
    """As Tune, with the bit of answers: some clients answer so."""

    frame_max: int
    heartbeat: int


class Open(NamedTuple):
    """Enter a virtual host."""

    correlation_id: int
    vhost: str


class OpenAnswer(NamedTuple):
    """properties: advertised_host, advertised_port."""

    correlation_id: int
    code: int
    properties: dict[str, str] | None = None


class Close(NamedTuple):
    """The connection ends."""

    correlation_id: int
    code: int
    reason: str


class Heartbeat(NamedTuple):
    """Somebody is there."""


class Route(NamedTuple):
    """Which partitions does a routing key lead to?"""

    correlation_id: int
    routing_key: str
    super_stream: str


class RouteAnswer(NamedTuple):
    """These."""

    correlation_id: int
    code: int
    streams: Sequence[str] = ()


class Partitions(NamedTuple):
    """Which partitions does a super stream have?"""

    correlation_id: int
    super_stream: str


class PartitionsAnswer(NamedTuple):
    """These, in order."""

    correlation_id: int
    code: int
    streams: Sequence[str] = ()


class ConsumerUpdate(NamedTuple):
    """Asked by the broker: the subscription is active from now on, or isn't any more; where shall it begin?"""

    correlation_id: int
    subscription_id: int
    active: int


class ConsumerUpdateAnswer(NamedTuple):
    """There."""

    correlation_id: int
    code: int
    offset: OffsetSpec = OffsetSpec(OffsetType.NONE)


class CommandVersion(NamedTuple):
    """The versions of a command that somebody speaks."""

    key: int
    least: int
    most: int


class ExchangeCommandVersions(NamedTuple):
    """Those that the client speaks."""

    correlation_id: int
    commands: list[CommandVersion]


class ExchangeCommandVersionsAnswer(NamedTuple):
    """Those that the broker does."""

    correlation_id: int
    code: int
    commands: Sequence[CommandVersion] = ()


class StreamStats(NamedTuple):
    """What is in a stream?"""

    correlation_id: int
    stream: str


class StreamStatsAnswer(NamedTuple):
    """Numbers by their names."""

    correlation_id: int
    code: int
    stats: dict[str, int] | None = None


class CreateSuperStream(NamedTuple):
    """Make a stream of streams."""

    correlation_id: int
    name: str
    partitions: list[str]
    binding_keys: list[str]
    arguments: dict[str, str]


class DeleteSuperStream(NamedTuple):
    """Delete one."""

    correlation_id: int
    name: str


class ResolveOffsetSpec(NamedTuple):
    """Which offset is that?"""

    correlation_id: int
    stream: str
    offset: OffsetSpec
    properties: dict[str, str] | None = None


class ResolveOffsetSpecAnswer(NamedTuple):
    """This one."""

    correlation_id: int
    code: int
    offset_type: int = OffsetType.OFFSET
    offset: int = 0


Command: TypeAlias = tuple[Any, ...]
"""Any of these."""


class Layout(NamedTuple):
    """How a command is written.  key: with the bit of answers.  needed: so many values have to be there."""

    type: type[Command]
    key: int
    version: int
    kinds: tuple[Kind, ...]
    needed: int


LAYOUTS: Final[dict[type[Command], Layout]] = {}
"""Of each, except Answer."""

BY_KEY: Final[dict[tuple[int, int], Layout]] = {}
"""By key and version."""


def _add(type_: type[Command], key: int, *kinds: Kind, needed: int | None = None, version: int = VERSION_1) -> None:
    layout = Layout(type_, key, version, kinds, len(kinds) if needed is None else needed)
    LAYOUTS[type_] = layout
    BY_KEY[key, version] = layout


_AFTER_CODE: Final = 2
_VERSIONS: Final = array(group(CommandVersion, U16, U16, U16))

_add(DeclarePublisher, Key.DECLARE_PUBLISHER, U32, U8, STRING, NAME)
_add(Publish, Key.PUBLISH, U8, U32, REST)
_add(PublishV2, Key.PUBLISH, U8, U32, REST, version=VERSION_2)
_add(PublishConfirm, Key.PUBLISH_CONFIRM, U8, array(U64))
_add(PublishError, Key.PUBLISH_ERROR, U8, array(group(PublishingError, U64, U16)))
_add(QueryPublisherSequence, Key.QUERY_PUBLISHER_SEQUENCE, U32, NAME, NAME)
_add(QueryPublisherSequenceAnswer, RESPONSE | Key.QUERY_PUBLISHER_SEQUENCE, U32, U16, U64, needed=_AFTER_CODE)
_add(DeletePublisher, Key.DELETE_PUBLISHER, U32, U8)
_add(Subscribe, Key.SUBSCRIBE, U32, U8, NAME, OFFSET, U16, PROPERTIES, needed=5)
_add(Deliver, Key.DELIVER, U8, REST)
_add(DeliverV2, Key.DELIVER, U8, U64, REST, version=VERSION_2)
_add(Credit, Key.CREDIT, U8, U16)
_add(CreditAnswer, RESPONSE | Key.CREDIT, U16, U8)
_add(StoreOffset, Key.STORE_OFFSET, NAME, NAME, U64)
_add(QueryOffset, Key.QUERY_OFFSET, U32, NAME, NAME)
_add(QueryOffsetAnswer, RESPONSE | Key.QUERY_OFFSET, U32, U16, U64, needed=_AFTER_CODE)
_add(Unsubscribe, Key.UNSUBSCRIBE, U32, U8)
_add(Create, Key.CREATE, U32, NAME, PROPERTIES)
_add(Delete, Key.DELETE, U32, NAME)
_add(Metadata, Key.METADATA, U32, array(NAME))
_add(
    MetadataAnswer,
    RESPONSE | Key.METADATA,
    U32,
    array(group(BrokerAddress, U16, NAME, U32)),
    array(group(StreamMetadata, NAME, U16, U16, array(U16))),
)
_add(MetadataUpdate, Key.METADATA_UPDATE, U16, NAME)
_add(PeerProperties, Key.PEER_PROPERTIES, U32, PROPERTIES)
_add(PeerPropertiesAnswer, RESPONSE | Key.PEER_PROPERTIES, U32, U16, PROPERTIES, needed=_AFTER_CODE)
_add(SaslHandshake, Key.SASL_HANDSHAKE, U32)
_add(SaslHandshakeAnswer, RESPONSE | Key.SASL_HANDSHAKE, U32, U16, array(NAME), needed=_AFTER_CODE)
_add(SaslAuthenticate, Key.SASL_AUTHENTICATE, U32, NAME, BYTES)
_add(SaslAuthenticateAnswer, RESPONSE | Key.SASL_AUTHENTICATE, U32, U16, BYTES, needed=_AFTER_CODE)
_add(Tune, Key.TUNE, U32, U32)
_add(TuneAnswer, RESPONSE | Key.TUNE, U32, U32)
_add(Open, Key.OPEN, U32, NAME)
_add(OpenAnswer, RESPONSE | Key.OPEN, U32, U16, PROPERTIES, needed=_AFTER_CODE)
_add(Close, Key.CLOSE, U32, U16, NAME)
_add(Heartbeat, Key.HEARTBEAT)
_add(Route, Key.ROUTE, U32, NAME, NAME)
_add(RouteAnswer, RESPONSE | Key.ROUTE, U32, U16, array(NAME), needed=_AFTER_CODE)
_add(Partitions, Key.PARTITIONS, U32, NAME)
_add(PartitionsAnswer, RESPONSE | Key.PARTITIONS, U32, U16, array(NAME), needed=_AFTER_CODE)
_add(ConsumerUpdate, Key.CONSUMER_UPDATE, U32, U8, U8)
_add(ConsumerUpdateAnswer, RESPONSE | Key.CONSUMER_UPDATE, U32, U16, OFFSET, needed=_AFTER_CODE)
_add(ExchangeCommandVersions, Key.EXCHANGE_COMMAND_VERSIONS, U32, _VERSIONS)
_add(
    ExchangeCommandVersionsAnswer,
    RESPONSE | Key.EXCHANGE_COMMAND_VERSIONS,
    U32,
    U16,
    _VERSIONS,
    needed=_AFTER_CODE,
)
_add(StreamStats, Key.STREAM_STATS, U32, NAME)
_add(StreamStatsAnswer, RESPONSE | Key.STREAM_STATS, U32, U16, table(I64), needed=_AFTER_CODE)
_add(CreateSuperStream, Key.CREATE_SUPER_STREAM, U32, NAME, array(NAME), array(NAME), PROPERTIES)
_add(DeleteSuperStream, Key.DELETE_SUPER_STREAM, U32, NAME)
_add(ResolveOffsetSpec, Key.RESOLVE_OFFSET_SPEC, U32, NAME, OFFSET, PROPERTIES, needed=3)
_add(ResolveOffsetSpecAnswer, RESPONSE | Key.RESOLVE_OFFSET_SPEC, U32, U16, U16, U64, needed=_AFTER_CODE)

PLAIN_ANSWERS: Final = frozenset(
    {
        Key.DECLARE_PUBLISHER,
        Key.DELETE_PUBLISHER,
        Key.SUBSCRIBE,
        Key.UNSUBSCRIBE,
        Key.CREATE,
        Key.DELETE,
        Key.CLOSE,
        Key.CREATE_SUPER_STREAM,
        Key.DELETE_SUPER_STREAM,
    }
)
"""Commands that are answered by an Answer whatever the code."""
