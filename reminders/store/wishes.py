"""A contact's wishes as columns, in the contacts and in the staging area alike."""

from collections.abc import Mapping

from sqlalchemy import Row

from reminders.domain.contact import Channel, Wishes
from reminders.domain.quiet import QuietHours

WISHES = ("prefers", "no_sms_from", "no_sms_until", "guardian_from_13")
"""The columns, in the order that `wish_values` has them."""


def wishes_of(row: Row[tuple[object, ...]]) -> Wishes:
    """Return the wishes that a row holds; half a span of hours is none."""
    hours = None
    if row.no_sms_from is not None and row.no_sms_until is not None:
        hours = QuietHours(row.no_sms_from, row.no_sms_until)
    prefers = Channel(row.prefers) if row.prefers else None
    return Wishes(prefers, hours, row.guardian_from_13)


def wish_values(wishes: Wishes) -> Mapping[str, object]:
    """Return the columns for these wishes."""
    return {
        "prefers": wishes.prefers.value if wishes.prefers else None,
        "no_sms_from": wishes.no_sms.start if wishes.no_sms else None,
        "no_sms_until": wishes.no_sms.end if wishes.no_sms else None,
        "guardian_from_13": wishes.from_13,
    }
