"""Where in a stream a reader begins, as the protocol says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.stream.codec.errors import Refused
from warren.adapters.stream.codec.keys import Code, OffsetType
from warren.core.queues.stream.arguments import At, Offset, Since, Start

if TYPE_CHECKING:
    from warren.adapters.stream.codec.kinds import OffsetSpec

_STARTS: Final = {OffsetType.FIRST: Start.FIRST, OffsetType.LAST: Start.LAST, OffsetType.NEXT: Start.NEXT}


def place_of(offset: OffsetSpec) -> Offset:
    """Where a reader begins.  Raises Refused for none."""
    if offset.kind is OffsetType.OFFSET:
        return At(offset.value)
    if offset.kind is OffsetType.TIMESTAMP:
        return Since(offset.value)
    start = _STARTS.get(offset.kind)
    if start is None:
        raise Refused(Code.PRECONDITION_FAILED, "an offset is asked for that is none")
    return start
