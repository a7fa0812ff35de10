"""A word of `warren ctl` that comes over HTTP: the bytes of the control socket, from somebody who isn't its owner.

Whose request it is, is the business of who serves HTTP (plugins/management).  Here is decided what is asked of that:
each word says who may have it over HTTP (`Remote`), and the one who serves it looks whether this user is one of these,
before anything is done.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.protocol import REQUEST_BYTES_MAX, decode, encode_slices
from warren.gateway.control.target import Answer, RefusedError, failure
from warren.gateway.control.word import VHOST, Remote

if TYPE_CHECKING:
    from warren.gateway.control.target import Control, Permitted


async def answered_remotely(control: Control, body: bytes, permitted: Permitted) -> Iterator[bytes]:
    """The answer to a request and what follows it (protocol.py), in pieces that others have their turn between.

    Raises what `permitted` does.
    """
    return encode_slices(await _answer(control, body, permitted))


async def _answer(control: Control, body: bytes, permitted: Permitted) -> Answer:
    from warren.gateway.control.commands import carry_out, check

    try:
        word, request = check(control, *_taken_apart(body))
    except (ValueError, RefusedError) as error:
        text = str(error) if isinstance(error, RefusedError) else f"the request is not understood: {error}"
        return failure(text, error.exit_code if isinstance(error, RefusedError) else codes.USAGE)
    if word.remote is Remote.NOBODY:
        text = f"{word.name} is for the machine that the broker runs on: give it there, without --url"
        return failure(text, codes.UNAVAILABLE)
    await permitted(word.remote, request.vhost if word.takes(VHOST.name) else "")
    return await carry_out(control, word, request)


def _taken_apart(body: bytes) -> tuple[dict[str, object], bytes | None]:
    """The request on the first line, which needs no end where nothing follows, and what follows; ValueError."""
    line, _, rest = body.partition(b"\n")
    if len(line) > REQUEST_BYTES_MAX:
        raise ValueError(f"it has more than {REQUEST_BYTES_MAX} bytes")
    request = decode(line)
    size = request.get("content_bytes")
    if size is None:
        if rest.strip():
            raise ValueError("something follows its line, and content_bytes doesn't say what")
        return request, None
    if size != len(rest):
        raise ValueError(f"{len(rest)} bytes of content came instead of {size!r}")
    return request, rest
