"""How people log in to the page with tokens of an issuer (OAuth 2, OpenID Connect); what tokens are worth is the
back-end's (docs/authentication.md)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from warren.core.frozen import frozen
from warren.gateway.plugin import Key, boolean, configured, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.gateway.plugin import Context

URL_SYNTAX: Final = "an address such as https://issuer.example.org/realms/burrow"

_URL: Final = re.compile(r"(https?://[A-Za-z0-9.\-]+(?::[0-9]+)?|https?://\[[0-9A-Fa-f:.]+\](?::[0-9]+)?)(/[!-~]*)?")
"""Its origin, which becomes a part of a header, and its path."""


def url(value: object) -> str:
    """An address of HTTP or HTTPS, or nothing."""
    if value == "":
        return ""
    if not isinstance(value, str) or not _URL.fullmatch(value):
        raise ValueError(URL_SYNTAX)
    return value


def scopes(value: object) -> str:
    """Words with spaces between them."""
    return " ".join(text(value).split())


@frozen
class OAuthSettings:
    """Whether and where the page offers to log in by OAuth 2."""

    client_id: str = configured(
        Key(
            "management_oauth_client_id",
            text,
            "",
            "What the page is called at the issuer of tokens, as a public client; once it is set, the page offers to "
            "log in there.",
        )
    )
    provider_url: str = configured(
        Key(
            "management_oauth_provider_url",
            url,
            "",
            "Where the issuer is; without it, where `auth_oauth2_issuer` says.",
        )
    )
    metadata_url: str = configured(
        Key(
            "management_oauth_metadata_url",
            url,
            "",
            "Where the issuer describes itself; without it, at `/.well-known/openid-configuration` below its address.",
        )
    )
    scopes: str = configured(
        Key(
            "management_oauth_scopes",
            scopes,
            "openid profile",
            "Scopes that the page asks for, with spaces between them.",
        )
    )
    basic: bool = configured(
        Key(
            "management_basic_auth",
            boolean,
            True,
            "Whether names and passwords are taken; without, only tokens (`Authorization: Bearer`), by the API and on "
            "the page.",
        )
    )


@frozen
class Login:
    """How the page logs in; provider_url is empty where it only can with a name and password."""

    client_id: str
    provider_url: str
    metadata_url: str
    scopes: str
    basic: bool

    @property
    def by_token(self) -> bool:
        """Whether the page offers to log in at an issuer."""
        return bool(self.client_id and self.provider_url)

    @property
    def origins(self) -> Sequence[str]:
        """Those that the page asks for tokens: the issuer's, and that of its description."""
        if not self.by_token:
            return ()
        found = [_URL.fullmatch(each) for each in (self.provider_url, self.metadata_url)]
        return list(dict.fromkeys(each[1] for each in found if each is not None))


def login_of(context: Context) -> Login:
    """What the configuration says.  An issuer that is no address, as some are, isn't one that people can go to."""
    settings = context.options.section(OAuthSettings)
    provider = settings.provider_url or context.options.text("auth_oauth2_issuer")
    if not _URL.fullmatch(provider):
        provider = ""
    metadata = settings.metadata_url or (f"{provider.rstrip('/')}/.well-known/openid-configuration" if provider else "")
    return Login(settings.client_id, provider, metadata, settings.scopes, settings.basic)
