"""Logging: to standard error, as key=value for people and as JSON for machines.

What is logged holds ids and codes, never a patient; so the loggers of libraries that write out
requests are silenced.
"""

import logging
import os
import sys
from typing import Any

import structlog
from structlog.types import Processor

TALKATIVE = ("twilio", "urllib3", "asyncio", "apscheduler")


class _ToStderr(logging.Handler):
    """Writes to what standard error is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        sys.stderr.write(f"{self.format(record)}\n")


def configure(*, debug: bool = False, verbose: bool = False) -> None:
    """Set logging up, once a process. `verbose` shows what a daemon does, else only warnings."""
    level = logging.DEBUG if debug else logging.INFO if verbose else logging.WARNING
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last = _renderers()
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_names: structlog.WriteLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = _ToStderr()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    for before in [h for h in root.handlers if isinstance(h, _ToStderr)]:
        root.removeHandler(before)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _renderers() -> list[Any]:
    if os.environ.get("REMINDERS_LOG") == "json" or not sys.stderr.isatty():
        return [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    return [
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
    ]
