"""The back-end `oauth2`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from warren.core.configuration.key import Key, configured
from warren.core.configuration.values import boolean, one_of, path, strings, text, texts
from warren.core.frozen import frozen
from warren.gateway.authentication.settings.values import TLS_VERIFY, any_text, http_url, mapping, paths

ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"),
    *("HS256", "HS384", "HS512"),
)
"""Of JWS (RFC 7518, RFC 8037) that can be allowed; `none` isn't among them."""

ASYMMETRIC_ALGORITHMS: Final[tuple[str, ...]] = ALGORITHMS[:10]
"""Allowed unless the configuration says otherwise: with these, who can check a token can't make one."""

_NO_ALIASES: Final[tuple[tuple[str, str], ...]] = ()
_NO_CLAIMS: Final[tuple[str, ...]] = ()
_NO_PATHS: Final[tuple[tuple[str, Path], ...]] = ()


def _algorithms(value: object) -> tuple[str, ...]:
    allowed = f"one or more of {', '.join(ALGORITHMS)}"
    found = tuple(dict.fromkeys(strings(value, allowed)))
    if not found or not set(found).issubset(ALGORITHMS):
        raise ValueError(allowed)
    return found


@frozen
class OAuth2Settings:
    """The back-end `oauth2`."""

    resource_server_id: str = configured(
        Key(
            "auth_oauth2_resource_server_id",
            text,
            "",
            "What tokens call this broker: it has to be in their `aud`, and their scopes begin with it and a dot, "
            "unless `auth_oauth2_scope_prefix` says otherwise.",
            rabbitmq=("auth_oauth2.resource_server_id",),
        )
    )
    scope_prefix: str | None = configured(
        Key(
            "auth_oauth2_scope_prefix",
            any_text,
            None,
            "What scopes that are for this broker begin with; it may be empty.",
            rabbitmq=("auth_oauth2.scope_prefix",),
        )
    )
    scope_aliases: tuple[tuple[str, str], ...] = configured(
        Key(
            "auth_oauth2_scope_aliases",
            mapping,
            _NO_ALIASES,
            "Scopes that stand for others: a table of names, and scopes with spaces between them.",
        )
    )
    additional_scopes_key: str = configured(
        Key(
            "auth_oauth2_additional_scopes_key",
            text,
            "",
            "Claims that have scopes beside `scope`, with spaces between them; a dot goes into a claim, as in "
            "`realm_access.roles`.",
            rabbitmq=("auth_oauth2.additional_scopes_key",),
        )
    )
    verify_aud: bool = configured(
        Key(
            "auth_oauth2_verify_aud",
            boolean,
            True,
            "Whether tokens have to be for this broker (`aud`).",
            rabbitmq=("auth_oauth2.verify_aud",),
        )
    )
    preferred_username_claims: tuple[str, ...] = configured(
        Key(
            "auth_oauth2_preferred_username_claims",
            texts,
            _NO_CLAIMS,
            "Claims that hold the user's name, before `sub` and `client_id`.",
        )
    )
    require_exp: bool = configured(
        Key(
            "auth_oauth2_require_exp",
            boolean,
            True,
            "Whether tokens have to say when they expire (`exp`).",
            rabbitmq=("auth_oauth2.require_exp",),
        )
    )
    issuer: str = configured(
        Key(
            "auth_oauth2_issuer",
            text,
            "",
            "Who has to have issued tokens (`iss`); without it, anybody whose keys are known.",
            rabbitmq=("auth_oauth2.issuer",),
        )
    )
    signing_keys: tuple[tuple[str, Path], ...] = configured(
        Key(
            "auth_oauth2_signing_keys",
            paths,
            _NO_PATHS,
            "Keys that sign tokens: a table of their ids (`kid`) and files, in PEM, or with the secret itself for "
            "HS256 and the like.",
        )
    )
    default_key: str = configured(
        Key(
            "auth_oauth2_default_key",
            text,
            "",
            "The id of the key of tokens that don't name one.",
            rabbitmq=("auth_oauth2.default_key",),
        )
    )
    jwks_url: str = configured(
        Key(
            "auth_oauth2_jwks_url",
            http_url,
            "",
            "Where the issuer shows its keys (RFC 7517). They are fetched when a token names one that isn't known.",
            rabbitmq=("auth_oauth2.jwks_url", "auth_oauth2.jwks_uri"),
        )
    )
    algorithms: tuple[str, ...] = configured(
        Key(
            "auth_oauth2_algorithms",
            _algorithms,
            ASYMMETRIC_ALGORITHMS,
            f"Algorithms by which tokens may be signed, of {', '.join(ALGORITHMS)}. `HS...` is for keys that are "
            "secrets, and has to be named.",
        )
    )
    ca_file: Path | None = configured(
        Key(
            "auth_oauth2_ca_file",
            path,
            None,
            "Authorities that the certificate at `auth_oauth2_jwks_url` may be signed by; the system's by default.",
            rabbitmq=("auth_oauth2.https.cacertfile",),
        )
    )
    verify: str = configured(
        Key(
            "auth_oauth2_tls_verify",
            one_of(TLS_VERIFY),
            "verify_peer",
            "Whether that certificate has to be good, `verify_peer`, or may be any, `verify_none`.",
            rabbitmq=("auth_oauth2.https.peer_verification", "auth_oauth2.https.verify"),
        )
    )
