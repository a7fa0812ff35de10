"""Words on what may run out; what they set holds until the application ends."""

from __future__ import annotations

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import Answer, Control, RefusedError, Request, done
from warren.gateway.control.word import word


@word(
    "FRACTION|absolute [SIZE]",
    "block publishers from this use of memory on: a fraction of the machine's, or absolute and a size such as 2GiB",
    'Setting memory threshold to "{0}" ...',
    example="absolute 2GiB",
)
async def set_vm_memory_high_watermark(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.configuration.values import SIZE_SYNTAX, Watermark, number, size
    from warren.gateway.process.settings import BYTES_MOST

    kind, amount = request.arguments[0], request.arguments[1:]
    if kind == "absolute":
        if not amount:
            raise RefusedError(f"absolute needs a size: {SIZE_SYNTAX}", codes.USAGE)
        try:
            watermark = Watermark(absolute_bytes=size(0, BYTES_MOST)(amount[0]))
        except ValueError as error:
            raise RefusedError(f"'{amount[0]}' is no threshold: it must be {error}", codes.DATA) from None
    else:
        if amount:
            raise RefusedError("a fraction stands alone; a size comes after the word absolute", codes.USAGE)
        try:
            watermark = Watermark(relative=number(0, 1)(kind))
        except ValueError as error:
            raise RefusedError(
                f"'{kind}' is no threshold: it must be {error}, or absolute and a size", codes.DATA
            ) from None
    await control.server.limits.set(memory=watermark)
    return done()


@word(
    "SIZE|mem_relative [FRACTION]",
    "block publishers when less disk than this is free: a size, or mem_relative and a multiple of the machine's memory",
    'Setting disk free limit to "{0}" ...',
    example="2GB",
)
async def set_disk_free_limit(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.configuration.values import number, size
    from warren.gateway.process.settings import BYTES_MOST, MEMORY_MULTIPLE_MOST, total_memory_bytes

    kind, amount = request.arguments[0], request.arguments[1:]
    if kind == "mem_relative" and not amount:
        raise RefusedError("mem_relative needs a multiple of the machine's memory, such as 1.5", codes.USAGE)
    if kind != "mem_relative" and amount:
        raise RefusedError("a size stands alone; a multiple comes after the word mem_relative", codes.USAGE)
    try:
        if amount:
            limit = int(number(0, MEMORY_MULTIPLE_MOST)(amount[0]) * total_memory_bytes())
        else:
            limit = size(0, BYTES_MOST)(kind)
    except ValueError as error:
        raise RefusedError(f"'{(amount or (kind,))[0]}' is no limit: it must be {error}", codes.DATA) from None
    await control.server.limits.set(disk_free_bytes=limit)
    return done()
