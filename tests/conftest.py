"""What every test has: log lines in plain text, shown with a test that fails."""

import pytest
import structlog


@pytest.fixture(autouse=True)
def plain_logs() -> None:
    """structlog's own default draws each traceback in colours with all local variables, half a second apiece."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ],
    )
