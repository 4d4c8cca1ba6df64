"""Whether traces are made: by OpenTelemetry's own variables, and only then is anything of it imported.

It makes no span: that is ``spans``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hookbridge.errors import StartupError, to_install

if TYPE_CHECKING:
    from hookbridge.observe.spans import Traces  # imports the SDK

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""One of these says where spans go; https://opentelemetry.io/docs/specs/otel/protocol/exporter/."""


def is_on(environ: Mapping[str, str]) -> bool:
    """Whether the variables ask for traces."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none":
        return False
    return any(environ.get(name) for name in ENDPOINTS)


def from_environment(environ: Mapping[str, str]) -> Traces | None:
    """Begin to export spans, if that is asked for.  Raises StartupError when the packages are missing."""
    if not is_on(environ):
        return None
    try:
        from hookbridge.observe.spans import exporting  # noqa: PLC0415  an extra, and needed only here
    except ImportError as error:
        message = "An OTEL_EXPORTER_OTLP_ENDPOINT is set, but the packages for traces are not installed"
        raise StartupError(message, hint=to_install("otel")) from error
    return exporting(environ)
