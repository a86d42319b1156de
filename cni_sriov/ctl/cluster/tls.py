"""TLS towards an engine: certificates are always verified, by the authorities that are named and by no others; and what an
error of it means.
"""

from __future__ import annotations

import os
import ssl
from typing import TypeVar

from ...words.errors import BadConfig

K = TypeVar("K")
# X509_V_ERR_*, include/openssl/x509_vfy.h.in
_NOT_YET, _EXPIRED = 9, 10
_UNKNOWN_ISSUER = {2, 18, 19, 20, 21}
_OTHER_NAME = {62, 64}


def context(ca: str, ca_from: str, cert: str = "", key: str = "", cert_from: str = "") -> ssl.SSLContext:
    """Of PEM texts; BadConfig names where the one came from that is none."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.hostname_checks_common_name = False  # as Go, in which servers and kubectl are written
    made.verify_flags |= (
        ssl.VERIFY_X509_PARTIAL_CHAIN
    )  # an authority that is named may itself be signed by another
    try:
        made.load_verify_locations(cadata=ca)
    except (ssl.SSLError, ValueError) as error:
        raise BadConfig(f"use {ca_from} as ca: it has no certificates in PEM") from error
    if cert:
        _load(made, cert, key, cert_from)
    return made


def _load(made: ssl.SSLContext, cert: str, key: str, cert_from: str) -> None:
    """By a file of no name: what was judged is what is used, and a key of a kubeconfig is never on a disk."""
    fd = os.memfd_create("cert", os.MFD_CLOEXEC)
    try:
        with open(fd, "w", encoding="utf-8", closefd=False) as file:
            file.write(f"{cert}\n{key}\n")
        made.load_cert_chain(f"/proc/self/fd/{fd}", password=_no_passphrase)
    except (ssl.SSLError, ValueError) as error:
        why = (
            "the key wants a passphrase"
            if _is_locked(key)
            else "no certificate and key of one another in PEM"
        )
        raise BadConfig(f"use {cert_from} as certificate: {why}") from error
    finally:
        os.close(fd)


def _is_locked(key: str) -> bool:
    return "ENCRYPTED" in key


def _no_passphrase() -> str:
    """Else OpenSSL would ask at the terminal."""
    return ""


def judged(error: ssl.SSLError | None, outer: BaseException, wrong: K, away: K) -> tuple[str, K, str]:
    """(what is told, of what kind, what to do)"""
    if isinstance(error, ssl.SSLCertVerificationError):
        told, remedy = _of_certificate(error)
        return told, wrong, remedy
    reason = str(error.reason or "") if error is not None else ""
    if "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason or "HANDSHAKE" in reason):
        why = reason.rpartition("ALERT_")[2].replace("_", " ").lower()
        return f"does not take this node's certificate: {why}", wrong, 'give "cert" and "key" that it takes'
    if reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"}:
        return (
            "does not speak TLS",
            wrong,
            "is its port right? Only this host's own engine may do without TLS",
        )
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "broke off in TLS: does it speak that, and does it take this node's certificate?", away, ""
    return f"TLS failed: {reason.replace('_', ' ').lower() or type(error or outer).__name__}", away, ""


def _of_certificate(error: ssl.SSLCertVerificationError) -> tuple[str, str]:
    code = error.verify_code
    if code == _EXPIRED:
        return (
            "its certificate, or the one that signed it, has expired",
            "renew it; and is this host's clock right?",
        )
    if code == _NOT_YET:
        return "its certificate is not valid yet", "is this host's clock right?"
    if code in _UNKNOWN_ISSUER:
        return (
            "its certificate is signed by none of the authorities in ca",
            "give the ca of the engine's members",
        )
    if code in _OTHER_NAME:
        why = error.verify_message.partition(", ")[2] or error.verify_message
        return (
            f"its certificate is another host's: {why}",
            "name it as its certificate does (subject alternative names)",
        )
    return f"its certificate is refused: {error.verify_message}", "give it a certificate that verifies"
