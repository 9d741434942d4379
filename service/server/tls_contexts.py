"""TLS: the certificates that workers show, as the master could last read them.

The master reads them at the start and on SIGHUP, and workers get them by the fork. So a file that
breaks, or that only the user who starts the service may read, never leaves a worker without.
"""

import re
import ssl
from pathlib import Path
from typing import NamedTuple

from service.settings.settings import Settings


class _Pem(NamedTuple):
    """What a file must hold: in words, and the line by which that begins."""

    words: str
    label: re.Pattern[bytes]


_CERTIFICATE = _Pem("a certificate", re.compile(rb"-----BEGIN [A-Z0-9 ]*CERTIFICATE-----"))
_PRIVATE_KEY = _Pem("a private key", re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----"))


class TlsError(Exception):
    """The files of TLS cannot be used; says which and why."""


class TlsContexts:
    """What wraps connections.

    Attributes:
        http: those of HTTP; ``None`` where they are not encrypted, as for the other.
        grpc: those of gRPC, whose clients require that ALPN selects HTTP/2.
    """

    def __init__(self) -> None:
        """Contexts that were not read."""
        self.http: ssl.SSLContext | None = None
        self.grpc: ssl.SSLContext | None = None

    def read(self, settings: Settings) -> None:
        """Read them anew; where that fails, they stay what they were.

        Raises:
            TlsError: they cannot be read.
        """
        http, grpc = read_context(settings), read_context(settings)
        if grpc is not None:
            grpc.set_alpn_protocols(["h2"])
        self.http, self.grpc = http, grpc


TLS_CONTEXTS = TlsContexts()


def read_context(settings: Settings) -> ssl.SSLContext | None:
    """Return what the settings say about TLS as a context; ``None`` where it is off.

    Raises:
        TlsError: a file is missing, or cannot be used.
    """
    certificate, key = settings.tls_certificate, settings.tls_key
    client_ca = settings.tls_client_ca
    if certificate is key is client_ca is None:
        return None
    if certificate is None or key is None:
        raise TlsError("UNDERSTUDY_TLS_CERTIFICATE and UNDERSTUDY_TLS_KEY are needed both.")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        raise TlsError(
            _problem_of("UNDERSTUDY_TLS_CERTIFICATE", certificate, _CERTIFICATE)
            or _problem_of("UNDERSTUDY_TLS_KEY", key, _PRIVATE_KEY)
            or f"UNDERSTUDY_TLS_CERTIFICATE and UNDERSTUDY_TLS_KEY: {str(certificate)!r} and "
            f"{str(key)!r} cannot be used together: {_reason(error)}."
        ) from error
    if client_ca is not None:
        try:
            context.load_verify_locations(client_ca)
        except OSError as error:
            raise TlsError(
                _problem_of("UNDERSTUDY_TLS_CLIENT_CA", client_ca, _CERTIFICATE)
                or f"UNDERSTUDY_TLS_CLIENT_CA: {str(client_ca)!r} cannot be used: {_reason(error)}."
            ) from error
        context.verify_mode = ssl.CERT_REQUIRED
        # From Python 3.13 on it is strict, and refuses clients for extensions that many private
        # authorities leave out, such as the authority's key identifier.
        context.verify_flags &= ~(ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN)
    return context


def _no_password() -> str:
    # OpenSSL would ask at the terminal, and wait.
    raise ValueError("the key is encrypted")


def _problem_of(setting: str, path: Path, pem: _Pem) -> str:
    """Return in a sentence what is wrong with one file alone; empty if that cannot be told.

    OpenSSL's own words name no file, and say of one of another kind "PEM lib".
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        return f"{setting}: {str(path)!r} cannot be read: {error.strerror}."
    if pem.label.search(content) is None:
        return f"{setting}: {str(path)!r} must hold {pem.words} in PEM form, and does not."
    return ""


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return "the key is that of another certificate"
    return getattr(error, "strerror", None) or str(error)
