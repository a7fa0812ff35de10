"""Forms with a file in them, as a page or `curl -F file=@definitions.json` posts them (RFC 7578)."""

from __future__ import annotations

import re
from typing import Final

from warren.plugins.management.errors import bad_request

FILE: Final = "file"
"""RabbitMQ's name of the field; a form may have others, which say nothing here."""

MULTIPART: Final = "multipart/form-data"

BOUNDARY_BYTES_MAX: Final = 70
"""RFC 2046, 5.1.1."""

PARTS_MAX: Final = 100

_BOUNDARY: Final = re.compile(r'boundary="?([^";,]+)"?', re.IGNORECASE)
_NAME: Final = re.compile(rb'(?i)^content-disposition:[^\r\n]*;\s*name="?([^";\r\n]*)"?', re.MULTILINE)


def file_of_form(body: bytes, content_type: str) -> bytes:
    """The file in a form; a body that is no form as it is.  ApiError for a form without one."""
    if not content_type.lower().startswith(MULTIPART):
        return body
    found = _BOUNDARY.search(content_type)
    if found is None or len(found[1]) > BOUNDARY_BYTES_MAX:
        raise bad_request("a multipart form needs a boundary in its Content-Type")
    delimiter = b"\r\n--" + found[1].encode()
    for part in (b"\r\n" + body).split(delimiter, PARTS_MAX)[1:]:
        if part.startswith(b"--"):
            break
        head, blank, content = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if blank and name is not None and name[1].decode("utf-8", "replace") == FILE:
            return content
    raise bad_request(f"the form has no field '{FILE}' with the definitions")
