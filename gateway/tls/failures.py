"""Why TLS failed, in words that say whose fault it was and what to do.

OpenSSL names reasons by identifiers, which also differ a little between its versions.  What isn't listed is shown as
OpenSSL has it.
"""

from __future__ import annotations

import ssl
from typing import Final

_TRUST: Final = "give the client the certificate of the authority that signed the broker's (ca_certs, cafile, ...)"

_REASONS: Final = {
    # What the peer says about us, in an alert
    "TLSV1_ALERT_UNKNOWN_CA": ("the client doesn't trust the broker's certificate (unknown authority)", _TRUST),
    "SSLV3_ALERT_BAD_CERTIFICATE": (
        "the client refused the broker's certificate",
        "the name it connects to has to be in the certificate, and it has to trust its authority",
    ),
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": (
        "the client refused the broker's certificate as expired",
        "renew the file that tls_certificate_file names, or see to the clocks",
    ),
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": ("the client refused the broker's certificate", _TRUST),
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": ("the client can't use the broker's kind of certificate", ""),
    "SSLV3_ALERT_CERTIFICATE_REVOKED": ("the client refused the broker's certificate as revoked", ""),
    "TLSV1_ALERT_PROTOCOL_VERSION": (
        "the client refused the TLS version",
        "see its settings and the key tls_versions",
    ),
    "SSLV3_ALERT_HANDSHAKE_FAILURE": ("the client refused the handshake: nothing in common with the broker", ""),
    "TLSV1_ALERT_USER_CANCELLED": ("the client gave up the handshake", ""),
    "TLSV1_ALERT_INTERNAL_ERROR": ("the client gave up the handshake with an internal error", ""),
    "TLSV1_ALERT_DECRYPT_ERROR": ("the client couldn't verify the handshake", ""),
    # What is wrong with the peer
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": (
        "the client showed no certificate, and tls_verify is required",
        "give the client a certificate and its key, or set tls_verify to optional",
    ),
    "UNSUPPORTED_PROTOCOL": (
        "the client offers only versions of TLS that are not allowed here",
        "have it use TLS 1.2 or later, as the key tls_versions says",
    ),
    "VERSION_TOO_LOW": (
        "the client offers only versions of TLS that are not allowed here",
        "have it use TLS 1.2 or later, as the key tls_versions says",
    ),
    "NO_SHARED_CIPHER": (
        "the client and the broker have no cipher in common",
        "update the client's TLS library, or see to its list of ciphers",
    ),
    "NO_SHARED_GROUPS": ("the client and the broker have no key exchange group in common", ""),
    "NO_SUITABLE_KEY_SHARE": ("the client and the broker have no key exchange group in common", ""),
    "NO_SUITABLE_SIGNATURE_ALGORITHM": (
        "the client takes no signature that the broker's certificate can make",
        "update the client's TLS library, or use a certificate with an RSA or P-256 key",
    ),
    "INAPPROPRIATE_FALLBACK": ("the client tried again with an older version of TLS than both can use", ""),
    "WRONG_VERSION_NUMBER": ("what came is not TLS", "have the client use TLS, or another port"),
    "HTTP_REQUEST": ("plain HTTP on a TLS port", "have the client use https or wss, or another port"),
    "CALLBACK_FAILED": ("the client asks for a server name that is no ASCII (IDNA has a form that is)", ""),
    "NO_RENEGOTIATION": ("the client wanted to renegotiate, which isn't allowed", ""),
    "DECRYPTION_FAILED_OR_BAD_RECORD_MAC": (
        "what came can't be decrypted: it was changed on its way, or isn't TLS",
        "",
    ),
    "UNEXPECTED_EOF_WHILE_READING": ("the peer closed the connection in the middle of a record", ""),
}

_ADVICE_ON_CLIENT_CERTIFICATES: Final = {
    10: "renew the client's certificate, or see to the clocks",
    9: "it isn't valid yet: see to the clocks",
    2: "add its authority to the file that tls_ca_file names",
    18: "add it, or the authority that should have signed it, to the file that tls_ca_file names",
    19: "add its authority to the file that tls_ca_file names",
    20: "add its authority to the file that tls_ca_file names",
    21: "add its authority to the file that tls_ca_file names, or have the client send the certificates in between",
    23: "it was revoked",
    26: "it is meant for another purpose than for clients (extended key usage)",
}
"""By OpenSSL's verification codes, X509_V_ERR_..."""


def explain(error: ssl.SSLError, *, established: bool) -> tuple[str, str]:
    """What went wrong, and what to do about it (empty when nothing sensible can be said)."""
    where = "TLS" if established else "TLS handshake failed"
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = f"the client's certificate was refused: {error.verify_message}"
        return f"{where}: {reason}", _ADVICE_ON_CLIENT_CERTIFICATES.get(error.verify_code, "")
    name = error.reason or ""
    reason, advice = _REASONS.get(name, (name.replace("_", " ").lower() or str(error), ""))
    return f"{where}: {reason}", advice
