"""Requests that are refused: a status, RabbitMQ's word for it, and a reason for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from warren.core.administration.operations.vhosts import VirtualHostProtected
from warren.core.errors import (
    AccessRefused,
    BrokerError,
    ClusterAway,
    LowOnDisk,
    NotFound,
    ResourceError,
    UnknownVirtualHost,
    VirtualHostRefused,
)

BAD_REQUEST: Final = "bad_request"
NOT_AUTHORISED: Final = "not_authorised"
NOT_FOUND: Final = "Object Not Found"
METHOD_NOT_ALLOWED: Final = "Method Not Allowed"
TOO_LARGE: Final = "payload_too_large"
TOO_MANY: Final = "too_many_requests"
UNAVAILABLE: Final = "service_unavailable"
INTERNAL: Final = "internal_server_error"
"""Values of `error` in an answer (spec F.1)."""


class ApiError(Exception):
    """What a request is answered with instead of what it wants.  headers: that the answer has besides."""

    def __init__(self, status: int, error: str, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.headers = headers or {}
        self.status = status
        self.error = error
        self.reason = reason


def bad_request(reason: str) -> ApiError:
    """400: it can't be, whoever asks."""
    return ApiError(400, BAD_REQUEST, reason)


def not_authorised(reason: str) -> ApiError:
    """401: somebody else may."""
    return ApiError(401, NOT_AUTHORISED, reason)


def not_found(reason: str) -> ApiError:
    """404."""
    return ApiError(404, NOT_FOUND, reason)


def of_broker_error(error: BrokerError) -> ApiError:
    """What an operation was refused with, in terms of HTTP."""
    if isinstance(error, NotFound | UnknownVirtualHost):
        return not_found(error.text)
    if isinstance(error, AccessRefused | VirtualHostRefused):
        return not_authorised(error.reply_text)
    if isinstance(error, VirtualHostProtected):
        return ApiError(412, BAD_REQUEST, error.text)
    if isinstance(error, LowOnDisk | ResourceError | ClusterAway):
        return ApiError(503, UNAVAILABLE, error.text)
    return bad_request(error.text)
