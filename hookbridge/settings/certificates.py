"""Which servers' certificates are believed, and what a connection failed for that was not.

Every client of ours asks here, whether or not it goes by the environment's proxies: a private CA that ``SSL_CERT_FILE``
or ``SSL_CERT_DIR`` names (as OpenSSL has them) counts for sources, for a hookbridge elsewhere and for commands.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable

from hookbridge.errors import StartupError, named

VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")

_TLS = re.compile(r"certificate|\bssl\b|\btls\b", re.IGNORECASE)
_VERIFYING = re.compile(r"certificate verify failed: (?P<why>.*?)\.? \(_ssl")
_CLOCK = re.compile(r"expired|not yet valid", re.IGNORECASE)
_NAME = re.compile(r"mismatch", re.IGNORECASE)


def trusted() -> ssl.SSLContext:
    """Give the context of a client: the environment's CAs, else the public ones.  Raises StartupError."""
    import httpx  # noqa: PLC0415  a tenth of a second, which `--help` need not wait for

    try:
        return httpx.create_ssl_context()
    except OSError as error:  # an SSLError is one
        given = next((f"{name} ({os.environ[name]})" for name in VARIABLES if os.environ.get(name)), "the CAs")
        why = error.strerror or str(error)
        raise StartupError(
            f"{given} cannot be used: {why}", hint="name a file of certificates (PEM), or unset it"
        ) from None


def unreachable(server: str, error: Exception, hint: str = "", clean: Callable[[str], str] = str) -> tuple[str, str]:
    """Say why nothing of a server was heard, by URL or name, and what to do: its certificate, else what was raised.

    ``hint`` is for everything but certificates; ``clean`` takes out of an error's text what must not be shown.
    """
    return tls_problem(server, error) or (f"{server} cannot be reached: {named(error, clean)}", hint)


def tls_problem(server: str, error: Exception) -> tuple[str, str] | None:
    """Say what is wrong with the encryption of a server, by URL or name, and what to do; None where that is not it."""
    if _TLS.search(str(error)) is None:
        return None
    if (found := _VERIFYING.search(str(error))) is None:
        return f"No secure connection to {server}: {error}", "if nothing encrypts there, begin the URL with http://"
    hint = f"name the certificate of its CA in {VARIABLES[0]}"
    if _CLOCK.search(found["why"]):
        hint = "renew it there, or set this machine's clock"
    elif _NAME.search(found["why"]):
        hint = "ask for it by a name that the certificate has"
    return f"The certificate of {server} is not trusted: {found['why']}", hint
