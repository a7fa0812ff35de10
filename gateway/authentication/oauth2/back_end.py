"""The back-end `oauth2`: a token in place of the password; the name that the client gives doesn't matter.

A token is checked when somebody logs in (signature, times, whom it is for), and what it allows is known from then on
without asking anybody.  When it expires, its connection ends; connection.update-secret brings a newer one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import jwt
from jwt.types import Options as _JwtOptions

from warren.adapters.peers.uri import TlsParameters
from warren.core.access.questions import Answer, Denied, Identity, Login, MayEnter, MayUse, Question
from warren.gateway.authentication.back_end import AuthenticationBackEnd, BackEndUnusableError
from warren.gateway.authentication.http_client import HttpClient, HttpError
from warren.gateway.authentication.oauth2.claims import WrongToken, check_claims, name_of, scopes_of
from warren.gateway.authentication.oauth2.keys import KeyFileError, Keys, key_in
from warren.gateway.authentication.oauth2.scopes import Scopes
from warren.gateway.authentication.settings.oauth2 import OAuth2Settings

if TYPE_CHECKING:
    from warren.adapters.interface import Options

TOKEN_BYTES_MAX: Final = 64 * 1024

KEYS_BYTES_MAX: Final = 1024 * 1024

FETCH_TIMEOUT_S: Final = 10.0

_UNCHECKED: Final[_JwtOptions] = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}
"""What claims.py looks at, by the broker's own time, or nobody."""


class OAuth2BackEnd(AuthenticationBackEnd):
    """See the head of this file.  Raises BackEndUnusableError for keys that can't be used."""

    def __init__(self, options: Options) -> None:
        self._settings = settings = options.section(OAuth2Settings)
        if settings.verify_aud and not settings.resource_server_id:
            raise BackEndUnusableError(
                "auth_oauth2_resource_server_id has to say what tokens call this broker (or auth_oauth2_verify_aud be "
                "false, which takes tokens that were made for others)"
            )
        if not settings.signing_keys and not settings.jwks_url:
            raise BackEndUnusableError("no keys: set auth_oauth2_signing_keys or auth_oauth2_jwks_url")
        try:
            own = {kid: key_in(path) for kid, path in settings.signing_keys}
        except KeyFileError as error:
            raise BackEndUnusableError(f"auth_oauth2_signing_keys: {error}") from None
        self._client = HttpClient(
            TlsParameters(
                None if settings.ca_file is None else str(settings.ca_file), verify=settings.verify == "verify_peer"
            ),
            timeout_s=FETCH_TIMEOUT_S,
            connection_timeout_s=FETCH_TIMEOUT_S,
            body_bytes_max=KEYS_BYTES_MAX,
        )
        self.timeout_s = 2 * FETCH_TIMEOUT_S
        self._keys = Keys(own, settings.jwks_url, self._client)

    def at_once(self, question: Question) -> Answer | None:
        """What somebody may do is in what the login has found."""
        if isinstance(question, Login):
            return None
        who = question.who
        if who.expires_at_ms is not None and who.expires_at_ms <= self.now_ms():
            return Denied("the token has expired")
        scopes = who.state
        if not isinstance(scopes, Scopes):
            return Denied("no token")
        if isinstance(question, MayEnter):
            allowed = scopes.may_enter(question.vhost)
        elif isinstance(question, MayUse):
            allowed = scopes.may_use(question.vhost, question.name, question.verb)
        else:
            allowed = scopes.may_use_topic(question.vhost, question.exchange, question.routing_key, question.verb)
        return True if allowed else Denied("no scope allows it")

    async def answer(self, question: Question) -> Answer:
        """Check a token."""
        if not isinstance(question, Login):
            return Denied("not known")
        if question.secret is None:
            return Denied("a token is needed")
        try:
            claims = await self._verified(question.secret.text)
            expires_at_ms = check_claims(claims, self._settings, self.now_ms() / 1000)
            scopes = scopes_of(claims, self._settings)
        except WrongToken as error:
            return Denied(f"the token is refused: {error}")
        except HttpError as error:
            return Denied(str(error), failed=True)
        name = name_of(claims, self._settings.preferred_username_claims)
        return Identity(name, scopes.tags, expires_at_ms, scopes)

    async def run(self) -> None:
        """Keep the connection to the issuer."""
        await self._client.keep_open()

    async def _verified(self, token: str) -> dict[str, Any]:
        """The claims of a token that one of the keys has signed; WrongToken, or HttpError."""
        if len(token) > TOKEN_BYTES_MAX or not token.isascii():
            raise WrongToken("it is no token")
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise WrongToken("it is no token") from None
        algorithm, kid = header.get("alg"), header.get("kid", self._settings.default_key)
        if algorithm not in self._settings.algorithms:
            raise WrongToken(f"its algorithm {str(algorithm)[:20]!r} isn't allowed")
        if not isinstance(kid, str) or not kid:
            raise WrongToken("it doesn't say which key has signed it (kid), and there is no auth_oauth2_default_key")
        key = await self._keys.get(kid)
        if algorithm not in key.algorithms:
            raise WrongToken(f"its algorithm {algorithm} isn't one for its key '{kid}'")
        try:
            return jwt.decode(token, key.key, algorithms=[algorithm], options=_UNCHECKED)
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise WrongToken(f"{error}") from None
