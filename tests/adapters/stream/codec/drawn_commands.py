"""Commands of the stream protocol as Hypothesis draws them: every kind, from either side."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.commands import Command
from warren.adapters.stream.codec.keys import OffsetType
from warren.adapters.stream.codec.kinds import OffsetSpec

u8 = st.integers(0, 0xFF)
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFF_FFFF)
u64 = st.integers(0, 2**64 - 1)
i64 = st.integers(-(2**63), 2**63 - 1)
names = st.text(max_size=12)
properties = st.dictionaries(names, names, max_size=3)
offsets = st.one_of(
    st.builds(OffsetSpec, st.sampled_from([OffsetType.FIRST, OffsetType.LAST, OffsetType.NEXT]), st.just(0)),
    st.builds(OffsetSpec, st.just(OffsetType.OFFSET), u64),
    st.builds(OffsetSpec, st.just(OffsetType.TIMESTAMP), i64),
)
name_lists = st.lists(names, max_size=3)
data = st.binary(max_size=40)
versions = st.lists(st.builds(commands.CommandVersion, u16, u16, u16), max_size=4)


def _of(make: Any, *values: st.SearchStrategy[Any]) -> tuple[type[Command], st.SearchStrategy[Command]]:
    return make, st.builds(make, *values)


BY_TYPE: Final[dict[type[Command], st.SearchStrategy[Command]]] = dict(
    [
        _of(commands.DeclarePublisher, u32, u8, st.none() | names, names),
        _of(commands.Publish, u8, u32, data),
        _of(commands.PublishV2, u8, u32, data),
        _of(commands.PublishConfirm, u8, st.lists(u64, max_size=4)),
        _of(commands.PublishError, u8, st.lists(st.builds(commands.PublishingError, u64, u16), max_size=4)),
        _of(commands.QueryPublisherSequence, u32, names, names),
        _of(commands.QueryPublisherSequenceAnswer, u32, u16, u64),
        _of(commands.DeletePublisher, u32, u8),
        _of(commands.Subscribe, u32, u8, names, offsets, u16, st.none() | properties),
        _of(commands.Deliver, u8, data),
        _of(commands.DeliverV2, u8, u64, data),
        _of(commands.Credit, u8, u16),
        _of(commands.CreditAnswer, u16, u8),
        _of(commands.StoreOffset, names, names, u64),
        _of(commands.QueryOffset, u32, names, names),
        _of(commands.QueryOffsetAnswer, u32, u16, u64),
        _of(commands.Unsubscribe, u32, u8),
        _of(commands.Create, u32, names, properties),
        _of(commands.Delete, u32, names),
        _of(commands.Metadata, u32, name_lists),
        _of(
            commands.MetadataAnswer,
            u32,
            st.lists(st.builds(commands.BrokerAddress, u16, names, u32), max_size=2),
            st.lists(st.builds(commands.StreamMetadata, names, u16, u16, st.lists(u16, max_size=2)), max_size=2),
        ),
        _of(commands.MetadataUpdate, u16, names),
        _of(commands.PeerProperties, u32, properties),
        _of(commands.PeerPropertiesAnswer, u32, u16, st.none() | properties),
        _of(commands.SaslHandshake, u32),
        _of(commands.SaslHandshakeAnswer, u32, u16, name_lists),
        _of(commands.SaslAuthenticate, u32, names, st.none() | data),
        _of(commands.SaslAuthenticateAnswer, u32, u16, st.none() | data),
        _of(commands.Tune, u32, u32),
        _of(commands.TuneAnswer, u32, u32),
        _of(commands.Open, u32, names),
        _of(commands.OpenAnswer, u32, u16, st.none() | properties),
        _of(commands.Close, u32, u16, names),
        _of(commands.Heartbeat),
        _of(commands.Route, u32, names, names),
        _of(commands.RouteAnswer, u32, u16, name_lists),
        _of(commands.Partitions, u32, names),
        _of(commands.PartitionsAnswer, u32, u16, name_lists),
        _of(commands.ConsumerUpdate, u32, u8, u8),
        _of(commands.ConsumerUpdateAnswer, u32, u16, st.just(OffsetSpec(OffsetType.NONE)) | offsets),
        _of(commands.ExchangeCommandVersions, u32, versions),
        _of(commands.ExchangeCommandVersionsAnswer, u32, u16, versions),
        _of(commands.StreamStats, u32, names),
        _of(commands.StreamStatsAnswer, u32, u16, st.none() | st.dictionaries(names, i64, max_size=3)),
        _of(commands.CreateSuperStream, u32, names, name_lists, name_lists, properties),
        _of(commands.DeleteSuperStream, u32, names),
        _of(commands.ResolveOffsetSpec, u32, names, offsets, st.none() | properties),
        _of(commands.ResolveOffsetSpecAnswer, u32, u16, u16, u64),
    ]
)

plain = st.builds(commands.Answer, st.sampled_from(sorted(commands.PLAIN_ANSWERS)), u32, u16)

drawn = st.one_of(plain, *BY_TYPE.values())
"""Any."""
