"""Taking a shard over: the log here becomes what the stream holds, and the stream says that it is this node's.

What is here already is kept as far as it is known to be the same: the mark (mark.py) says up to which sequence, and
the chain of the frame with that sequence proves it for all before.  What is behind the mark here was never confirmed,
and is cut off; what is behind it in the stream is written.  Where that can't be done, the log is rebuilt from the
stream as a whole.

Then a CLAIM is appended.  That it is taken at the sequence that was read last proves that nothing had been missed, and
from then on the owner before is refused.  Where it isn't taken, there is more to read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from warren.core.storage.replicated.copy import LocalCopy
from warren.core.storage.replicated.errors import StreamAway, StreamDiverged, WrongSequence
from warren.core.storage.replicated.frames import CLAIM, LOG, NO_CHAIN, decode_frame, encode_frame
from warren.core.storage.replicated.mark import Mark, MarkFile, read_mark
from warren.core.storage.replicated.stream import ShardStream

TRIES_MAX: Final = 100
"""Owners that take a shard from each other so often aren't agreed on who it is."""

BEHIND_MAX: Final = 60
"""So often a stream has to say that it ends before what was confirmed, with a rest between, before it is believed: a
server
that has just been deposed says so, too, and an election takes seconds."""


class TakeOver:
    """See the head of this file.

    directory: of the message log.  owner: this node, in words.  least: the stream had this message once.  sequence,
    chain: of the last frame that is here as well.  was_rebuilt: nothing of what was here before is left.
    """

    def __init__(self, directory: Path, stream: ShardStream, marks: MarkFile, owner: str, least: int = 0) -> None:
        self.sequence = 0
        self.chain = NO_CHAIN
        self.was_rebuilt = False
        self._directory = directory
        self._stream = stream
        self._marks = marks
        self._owner = owner
        self._least = least
        self._behind = 0
        self._copy = LocalCopy(directory)

    def run(self, *, rebuild: bool = False) -> Mark:
        """Do it; how far the two are the same then.  rebuild: whatever is here.

        Raises StreamDiverged where the stream lacks what was confirmed here, or is damaged, StorageError where it was
        closed meanwhile, and OSError.
        """
        tries = 0
        try:
            while tries < TRIES_MAX:
                try:
                    mark = self._try(rebuild)
                except StreamAway as trouble:
                    self._keep_progress()
                    self._stream.wait(str(trouble))
                    continue
                if mark is not None:
                    return mark
                rebuild = False
                tries += 1
                self._stream.wait("the stream goes on while it is read")
        finally:
            self._copy.close()
        raise StreamDiverged("other nodes keep on taking this shard over while this one reads it")

    def _try(self, rebuild: bool) -> Mark | None:
        """Once; None where the stream went on meanwhile."""
        first, last = self._stream.bounds()
        if rebuild or not self._go_on(first, last):
            self._start_anew(first)
        if not self._read(last):
            return None
        self._keep_progress()
        copy = self._copy
        frame, chain = encode_frame(CLAIM, copy.base, copy.end, self.chain, self._owner.encode())
        self._stream.begin_append(frame, self.sequence)
        try:
            self._stream.end_append()
        except WrongSequence:
            return None
        claimed = Mark(self.sequence + 1, copy.base, copy.end, chain)
        self._marks.write(claimed)
        return claimed

    def _keep_progress(self) -> None:
        """What was read so far needn't be read again."""
        if self.chain != NO_CHAIN:
            copy = self._copy
            copy.sync()
            self._marks.write(Mark(self.sequence, copy.base, copy.end, self.chain))

    def _go_on(self, first: int, last: int) -> bool:
        """Cut the log here to what is known to be in the stream; False where it is to be rebuilt."""
        mark = read_mark(self._directory)
        if mark is None:
            if self._copy.has_segments():
                raise StreamDiverged(
                    f"{self._directory} holds messages that were never in a cluster's stream; name another data "
                    "directory, or bring them over with a shovel"
                )
            self._check_end(self._least, last, "")
            return False
        self._check_end(self._least, last, "")
        self._check_end(mark.sequence, last, f" here ({self._directory})")
        if not mark.sequence or mark.sequence < first:
            return False
        there = self._stream.get(mark.sequence)
        if there is None:
            raise StreamAway(f"message {mark.sequence} of the stream isn't found")
        if decode_frame(there, mark.sequence).chain != mark.chain:
            raise StreamDiverged(
                f"message {mark.sequence} of the stream isn't the one that was confirmed in {self._directory}: this is "
                "another stream of the same name, or its history was changed. To go on with what it holds, move this "
                "directory away"
            )
        self.sequence, self.chain = mark.sequence, mark.chain
        return self._copy.cut(mark.base, mark.end)

    def _check_end(self, known: int, last: int, where: str) -> None:
        """The stream reaches as far as it once did."""
        if known <= last:
            return
        self._behind += 1
        words = f"the stream ends with message {last}, and message {known} of it was confirmed{where}"
        if self._behind < BEHIND_MAX:
            raise StreamAway(words)
        raise StreamDiverged(
            f"{words}: the NATS servers have lost what they had confirmed. Restore them from a backup; docs/cluster.md "
            "says how to go on with what they have left"
        )

    def _start_anew(self, first: int) -> None:
        """Nothing of what is here counts."""
        self._marks.forget()
        self._copy.wipe()
        self.was_rebuilt = True
        self.sequence = first - 1
        self.chain = NO_CHAIN

    def _read(self, last: int) -> bool:
        """Write what follows; False where its beginning was dropped meanwhile."""
        is_first = self.chain == NO_CHAIN
        may_cut = True
        for sequence, octets in self._stream.read(self.sequence + 1, last):
            frame = decode_frame(octets, sequence)
            if sequence != self.sequence + 1 or (frame.before != self.chain and not is_first):
                if self._stream.bounds()[0] > self.sequence + 1:
                    return False
                raise StreamDiverged(f"message {sequence} of the stream doesn't follow the one before it")
            if frame.kind == LOG:
                self._copy.write(frame, sequence, may_cut=may_cut)
            may_cut = frame.kind == CLAIM
            self.sequence, self.chain = sequence, frame.chain
            is_first = False
        if self.sequence < last:
            raise StreamAway(f"the stream could be read up to message {self.sequence} of {last} only")
        return True
