"""Requests to handlers and back: paths, logins, bodies, and what becomes of errors.

A path is taken apart as it came, before anything is decoded, since names may hold slashes (as `%2F`).  What a request
may cost before its user is known is small: its body isn't read.  Before all paths an operator may have put a prefix;
what is below that and not below /api there, is the page's (page_files.py).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec
import trio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route, Router

from warren.adapters.streams.host_names import MISDIRECTED, reason, stranger
from warren.adapters.streams.settings import StreamSettings
from warren.adapters.websocket.forwarded import HEADER, UNKNOWN_HOST, client_host
from warren.adapters.websocket.settings import WebSocketSettings
from warren.core.clients.transport import is_loopback
from warren.core.errors import BrokerError, StorageError
from warren.gateway.plugin import cut_off_slowest, when_known
from warren.plugins.management.access import NOBODY, Needs, check_origin, check_tags, check_vhost, log_in
from warren.plugins.management.answer_room import LIMIT, AnswerRoom
from warren.plugins.management.answers import HEADERS, answer_of, refusal
from warren.plugins.management.endpoint import Call, Endpoint
from warren.plugins.management.endpoints import ENDPOINTS
from warren.plugins.management.errors import (
    INTERNAL,
    METHOD_NOT_ALLOWED,
    TOO_LARGE,
    UNAVAILABLE,
    ApiError,
    bad_request,
    not_found,
    of_broker_error,
)
from warren.plugins.management.node import Node
from warren.plugins.management.page_files import ManagementPage
from warren.plugins.management.plugin import API

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from warren.gateway.plugin import Context
    from warren.plugins.management.answer_room import Place
    from warren.plugins.management.settings import ManagementSettings

_log = logging.getLogger("warren.plugin.management")

STREAM: Final = "warren.stream"
"""The connection that a request came by, in ASGI's scope."""

QUERY_FIELDS_MAX: Final = 100
"""Parameters behind a `?`; nobody has ten."""

PLAIN_BODY_BYTES_MAX: Final = 1024 * 1024
"""Of a body that is neither a message nor definitions: many times what anybody declares, and read in milliseconds."""

READS: Final = ("GET", "HEAD")


class Application:
    """The ASGI application."""

    def __init__(self, context: Context, settings: ManagementSettings) -> None:
        self._requests = 0
        self._errors = 0
        self._prefix = settings.path_prefix
        self._trusted_proxies = context.options.section(WebSocketSettings).trusted_proxies
        self._host_names = context.options.section(StreamSettings).host_names | {context.facts.host_name}
        by_path: dict[str, dict[str, Endpoint]] = {}
        for each in ENDPOINTS:
            by_path.setdefault(each.path, {})[each.method] = each
        node = Node(context)
        context.nursery.start_soon(node.sampler.run)
        room = AnswerRoom(
            settings.answers_bytes_max,
            settings.request_timeout_s,
            lambda streams: cut_off_slowest(streams, context.log, LIMIT),
            lambda: context.broker.limit_hits.count(LIMIT),
        )
        routes = [
            Route(API + path, _Resource(self, context, settings, node, room, by_path[path]))
            for path in sorted(by_path, key=_order)
        ]
        # The class Starlette would bring what shows errors and turns them into answers, which nobody here has seen.
        self._routes: ASGIApp = Router(routes, redirect_slashes=False, default=_no_such_path)
        if settings.cors_allow_origins:
            self._routes = _with_cors(self._routes, settings)
        self._page = ManagementPage(node.login.origins, settings.path_prefix)

    def counters(self) -> Mapping[str, float]:
        """Requests, and those of them that failed by a fault of the broker's."""
        return {"requests": self._requests, "internal_errors": self._errors}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        self._requests += 1
        name = self._stranger(scope)
        if name is not None:
            await refusal(ApiError(MISDIRECTED, "misdirected_request", reason(name)))(scope, receive, send)
            return
        raw = scope["raw_path"].decode("ascii", "replace")
        prefix = self._prefix
        if not _is_below(raw, prefix + API):
            is_api = prefix and _is_below(raw, API) and not _is_below(raw, prefix)
            await (_no_such_path if is_api else self._page)(scope, receive, send)
            return
        await self._routes({**scope, "path": raw.rstrip("/"), "root_path": prefix}, receive, send)

    def _stranger(self, scope: Scope) -> str | None:
        host = dict(scope["headers"]).get(b"host")
        text = None if host is None else host.decode("latin-1")
        return stranger(text, scope["server"][0], self._host_names, is_tls=scope["scheme"] == "https")

    def client_of(self, request: Request) -> str:
        """Where a request comes from: what a named proxy says, and from one that isn't named nowhere that is local.

        A header can be anybody's invention, but nobody who is on this machine sends one that takes that away.
        """
        peer_host = request.client.host if request.client is not None else ""
        forwarded = request.headers.get(HEADER)
        found = client_host(forwarded, peer_host, self._trusted_proxies)
        if found is not None:
            return found
        return UNKNOWN_HOST if forwarded is not None and is_loopback(peer_host) else peer_host

    def failed(self) -> None:
        """A request has run into a fault of the broker's."""
        self._errors += 1


def _is_below(path: str, other: str) -> bool:
    """Whether it is that other one, or below it."""
    return path == other or path.startswith(f"{other}/")


def _with_cors(application: ASGIApp, settings: ManagementSettings) -> ASGIApp:
    from starlette.middleware.cors import CORSMiddleware

    return CORSMiddleware(
        application,
        allow_origins=settings.cors_allow_origins,
        allow_methods=["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"],
        allow_headers=["authorization", "content-type", "x-reason", "if-none-match"],
        expose_headers=["etag", "location"],
        max_age=settings.cors_max_age_s,
    )


async def _no_such_path(scope: Scope, receive: Receive, send: Send) -> None:
    await refusal(not_found(f"there is nothing at {scope['path']}"))(scope, receive, send)


def _order(path: str) -> list[tuple[bool, str]]:
    """Words come before names, so that `/users/bulk-delete` is no user."""
    return [(part.startswith("{"), part) for part in path.split("/")]


class _Resource:
    """What is at one path; an ASGI application, so that it gets every method."""

    def __init__(
        self,
        application: Application,
        context: Context,
        settings: ManagementSettings,
        node: Node,
        room: AnswerRoom,
        by_method: Mapping[str, Endpoint],
    ) -> None:
        self._application = application
        self._context = context
        self._settings = settings
        self._node = node
        self._room = room
        self._by_method = by_method
        self._allow = ", ".join(dict.fromkeys([*by_method, *(["HEAD"] if "GET" in by_method else []), "OPTIONS"]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._room.place(scope.get(STREAM)) as place:
            try:
                response = await self._answer(Request(scope, receive), place)
            except ClientDisconnect:
                return
            finally:
                place.made()
            await response(scope, receive, send)

    async def _answer(self, request: Request, place: Place) -> Response:
        """The catch-all of a request."""
        try:
            if request.method == "OPTIONS":
                return Response(headers={"allow": self._allow})
            call, path = await self._call(request, place)
            endpoint = self._endpoint(request.method)
            result = await when_known(partial(endpoint.handler, call))
            if request.method not in READS:
                await self._context.kept()
            if result is None and endpoint.later:
                return Response(status_code=202, headers=HEADERS)
            known_tag = request.headers.get("if-none-match") if request.method in READS else None
            return await answer_of(result, path, known_tag, place)
        except ApiError as error:
            response = refusal(error)
            if error.status == 405:
                response.headers["allow"] = self._allow
            return response
        except BrokerError as error:
            self._context.broker.limit_hits.count_error(error)
            return refusal(of_broker_error(error))
        except StorageError as error:
            return refusal(ApiError(503, UNAVAILABLE, str(error)))
        except ClientDisconnect:
            raise
        except Exception:
            self._application.failed()
            _log.exception("a request failed: %s %s", request.method, request.url.path)
            return refusal(ApiError(500, INTERNAL, "a bug in the broker; its log has the details"))

    def _endpoint(self, method: str) -> Endpoint:
        found = self._by_method.get("GET" if method == "HEAD" else method)
        if found is None:
            raise ApiError(405, METHOD_NOT_ALLOWED, f"{method} isn't possible here; {self._allow} are")
        return found

    async def _call(self, request: Request, place: Place) -> tuple[Call, str]:
        """The request, checked; and its path."""
        endpoint = self._endpoint(request.method)
        context = self._context
        if request.method not in READS:
            check_origin(request.headers, self._settings.cors_allow_origins)
        peer_host = self._application.client_of(request)
        user = NOBODY
        if endpoint.needs is not Needs.ANYBODY:
            header = request.headers.get("authorization")
            user = await log_in(context, header, peer_host, basic=self._node.login.basic)
            check_tags(user, endpoint.needs)
        path = {name: _decoded(part) for name, part in request.path_params.items()}
        if endpoint.enters and "vhost" in path:
            await check_vhost(context.broker, user, path["vhost"], reads=request.method in READS)
        query = _query(request.scope["query_string"])
        body = None
        if endpoint.body is not None:
            body = _parsed(await self._read(request, large=endpoint.large), endpoint.body)
        call = Call(context, self._node, user, path, query, request.headers, body, peer_host, place)
        return call, request.scope["path"]

    async def _read(self, request: Request, *, large: bool) -> bytes:
        """The body, which has to come in time, and be no larger than one may be."""
        most = self._settings.body_bytes_max
        if not large:
            most = min(most, PLAIN_BODY_BYTES_MAX)
        announced = request.headers.get("content-length", "")
        if announced.isdigit() and int(announced[:20]) > most:
            raise _too_large(most)
        received = bytearray()
        with trio.move_on_after(self._settings.request_timeout_s) as limit:
            more = True
            while more:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                received += message.get("body", b"")
                more = message.get("more_body", False)
                if len(received) > most:
                    raise _too_large(most)
        if limit.cancelled_caught:
            raise ApiError(408, "request_timeout", "the body didn't come in time")
        return bytes(received)


def _too_large(most: int) -> ApiError:
    return ApiError(413, TOO_LARGE, f"the body is too large, at most {most} bytes are taken")


def _decoded(part: str) -> str:
    """A part of a path, decoded once."""
    try:
        found = unquote_to_bytes(part).decode()
    except UnicodeDecodeError:
        raise bad_request(f"'{part}' in the path isn't UTF-8") from None
    return found


def _query(raw: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=QUERY_FIELDS_MAX)
    except ValueError:
        raise bad_request("what stands behind the ? isn't names and values in UTF-8, or too many") from None
    return dict(reversed(pairs))


def _parsed(body: bytes, wanted: Any) -> object:
    """The body as the endpoint wants it; bytes for one that reads it by itself."""
    if wanted is bytes:
        return body
    try:
        return msgspec.json.decode(body or b"{}", type=wanted, strict=False)
    except msgspec.ValidationError as error:
        raise bad_request(f"the body isn't what it should be: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request(f"the body isn't JSON: {error}") from None
