"""Hours of the day in which nobody is to be disturbed."""

from dataclasses import dataclass
from datetime import time


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A span of the day, `start` included and `end` not; it may pass midnight."""

    start: time
    end: time
