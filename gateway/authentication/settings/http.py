"""The back-end `http`."""

from __future__ import annotations

from pathlib import Path

from warren.core.configuration.key import Key, configured
from warren.core.configuration.values import number, one_of, path, seconds_of, whole_number
from warren.core.frozen import frozen
from warren.gateway.authentication.settings.values import TLS_VERIFY, http_url


@frozen
class HttpBackEndSettings:
    """The back-end `http`."""

    method: str = configured(
        Key(
            "auth_http_method",
            one_of(("get", "post")),
            "get",
            "How the back-end `http` is asked: `get`, or `post` with a form, which keeps passwords out of access logs.",
            rabbitmq=("auth_http.http_method",),
        )
    )
    user_path: str = configured(
        Key(
            "auth_http_user_path",
            http_url,
            "http://localhost:8000/auth/user",
            "Where the back-end `http` is asked who somebody is.",
            rabbitmq=("auth_http.user_path",),
        )
    )
    vhost_path: str = configured(
        Key(
            "auth_http_vhost_path",
            http_url,
            "http://localhost:8000/auth/vhost",
            "Where it is asked who may enter a virtual host.",
            rabbitmq=("auth_http.vhost_path",),
        )
    )
    resource_path: str = configured(
        Key(
            "auth_http_resource_path",
            http_url,
            "http://localhost:8000/auth/resource",
            "Where it is asked for rights to queues and exchanges.",
            rabbitmq=("auth_http.resource_path",),
        )
    )
    topic_path: str = configured(
        Key(
            "auth_http_topic_path",
            http_url,
            "http://localhost:8000/auth/topic",
            "Where it is asked for rights to routing keys of topic exchanges.",
            rabbitmq=("auth_http.topic_path",),
        )
    )
    request_timeout_s: float = configured(
        Key(
            "auth_http_request_timeout_s",
            number(0.1, 300, "seconds"),
            15.0,
            "How long the back-end `http` may take to answer, in seconds; who waits is refused then.",
            rabbitmq=("auth_http.request_timeout",),
            from_rabbitmq=seconds_of,
        )
    )
    connection_timeout_s: float = configured(
        Key(
            "auth_http_connection_timeout_s",
            number(0.1, 300, "seconds"),
            15.0,
            "How long connecting to it may take, in seconds, with TLS.",
            rabbitmq=("auth_http.connection_timeout",),
            from_rabbitmq=seconds_of,
        )
    )
    connections_max: int = configured(
        Key(
            "auth_http_connections_max",
            whole_number(1, 1000),
            32,
            "Most requests to it at a time; further ones wait.",
        )
    )
    ca_file: Path | None = configured(
        Key(
            "auth_http_ca_file",
            path,
            None,
            "Authorities that its certificate may be signed by, in PEM; the system's by default.",
            rabbitmq=("auth_http.ssl_options.cacertfile",),
        )
    )
    certificate_file: Path | None = configured(
        Key(
            "auth_http_certificate_file",
            path,
            None,
            "A certificate to show to it, in PEM.",
            rabbitmq=("auth_http.ssl_options.certfile",),
        )
    )
    key_file: Path | None = configured(
        Key(
            "auth_http_key_file",
            path,
            None,
            "The key of that certificate.",
            rabbitmq=("auth_http.ssl_options.keyfile",),
        )
    )
    verify: str = configured(
        Key(
            "auth_http_tls_verify",
            one_of(TLS_VERIFY),
            "verify_peer",
            "Whether its certificate has to be good, `verify_peer`, or may be any, `verify_none`.",
            rabbitmq=("auth_http.ssl_options.verify",),
        )
    )
