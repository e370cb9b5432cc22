"""A text that came in, and all that is known of whoever sent it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from reminders.domain.inbound import Keyword, Signal, read_keyword
from reminders.engine.runtime import Runtime
from reminders.providers.base import Inbound
from reminders.store import clinics
from reminders.store import inbound as store
from reminders.store.database import Connection
from reminders.store.inbound import Earlier, Holder, Near

PERIOD = timedelta(hours=24)
LONGEST_NAME = 200
LOOK_BACK = timedelta(days=30)
ONGOING = timedelta(hours=1)
MOST_VISITS = 10
NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")


def clinics_at(runtime: Runtime, to: str) -> list[str]:
    """Return the clinics that receive at this number."""
    return [
        key
        for key, clinic in runtime.config.clinics.items()
        if clinic.can_reply and plain(clinic.sms.sender) == plain(to)
    ]


def plain(number: str) -> str:
    """Return a number without the signs that people put between its digits."""
    return re.sub(r"[\s()-]", "", number.encode("utf-8", "replace").decode())


def name_of(runtime: Runtime, ref: str) -> str:
    """Return a text's name as it can be kept; one that is none of a provider's, as its digest."""
    odd = len(ref) > LONGEST_NAME or not ref.isprintable()
    return runtime.digest(ref.encode("utf-8", "replace").decode()) if odd else ref


@dataclass(frozen=True, slots=True)
class Reading:
    """A text, and all that is known of whoever sent it. `clinics` are (key, id)."""

    text: Inbound
    keyword: Keyword
    sender: str
    sender_key: str
    clinics: tuple[tuple[str, int], ...]
    holders: tuple[Holder, ...]
    visits: tuple[Near, ...]
    earlier: tuple[Earlier, ...]

    @property
    def stops(self) -> bool:
        """Tell whether the number gets no more texts from now on."""
        return self.keyword is Keyword.STOP or self.text.signal is Signal.STOP

    @property
    def starts(self) -> bool:
        """Tell whether the number takes back that it wanted no texts."""
        return self.keyword is Keyword.START or self.text.signal is Signal.START


def read(
    conn: Connection, runtime: Runtime, text: Inbound, ours: Sequence[str], now: datetime
) -> Reading:
    """Return a text for these clinics with all that is known of its sender."""
    sender = plain(text.sender)
    sender_key = runtime.digest(sender)
    places = tuple((key, clinics.clinic_id(conn, key)) for key in ours)
    found: list[Holder] = []
    if NUMBER.fullmatch(sender):
        found = store.holders(conn, sender, [clinic_id for _, clinic_id in places])
    patients = sorted({holder.patient_id for holder in found})
    visits = store.visits_near(conn, patients, now - LOOK_BACK, now - ONGOING, MOST_VISITS)
    return Reading(
        text,
        read_keyword(text.text, text.signal),
        sender,
        sender_key,
        places,
        tuple(found),
        tuple(visits),
        tuple(store.earlier(conn, sender_key, now - PERIOD)),
    )


@dataclass(frozen=True, slots=True)
class Choice:
    """The visit that an answer goes with, and the one person it goes to."""

    visit: Near
    contact_id: int
