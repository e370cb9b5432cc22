"""The shipped texts and sample readers, for tests."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from reminders.config import ClinicConfig, example
from reminders.domain.appointment import VisitStatus
from reminders.domain.contact import Role
from reminders.message.context import Facts
from reminders.message.sources import read_sources
from reminders.resources import templates

CLINIC: ClinicConfig = example().clinics["internet"]
SOURCES = read_sources(templates())
COMPLETE = ("sv", "en")
DRAFTS = tuple(sorted({language for language, _, _ in SOURCES} - set(COMPLETE)))
AGES = (8, 12, 13, 17, None)
NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
"""A Tuesday morning."""

TWO_WAY = CLINIC.model_copy(
    update={"sms": CLINIC.sms.model_copy(update={"sender": "+46701740699", "two_way": True})}
)
"""The clinic with a sender that can receive."""


def facts(age: int | None, days: float = 1.125, **more: Any) -> Facts:
    """Return a visit so many days ahead, for the reader whom that age makes the usual one."""
    role = Role.PATIENT if age and age >= 13 else Role.GUARDIAN
    made = Facts(NOW + timedelta(days=days), NOW, VisitStatus.BOOKED, age, role)
    return replace(made, **more)
