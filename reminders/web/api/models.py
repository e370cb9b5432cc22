"""What programs send and get. Instants are ISO 8601; those sent back have the clinic's offset."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from reminders.domain.appointment import VisitStatus
from reminders.domain.brought import Category
from reminders.domain.state import State
from reminders.engine import showing
from reminders.store.views import Line, Visit

PLAIN = r"^[^\x00-\x1f\x7f]*$"
"""No control characters: they have no place in a word, and would steer a terminal."""

Word = Annotated[str, StringConstraints(max_length=200, pattern=PLAIN)]
Moment = Annotated[str, StringConstraints(max_length=40, pattern=PLAIN)]


class Sent(BaseModel):
    """What a program sends: unknown fields are refused, as they are misspelt."""

    model_config = ConfigDict(extra="forbid", strict=True)


class ContactIn(Sent):
    """Somebody to be told. Where consent is not answered, the clinic's default holds."""

    role: Literal["patient", "guardian"]
    mobile: Annotated[str, StringConstraints(max_length=40, pattern=PLAIN)] | None = None
    email: Annotated[str, StringConstraints(max_length=320, pattern=PLAIN)] | None = None
    language: Annotated[str, StringConstraints(max_length=16, pattern=PLAIN)] | None = None
    consent_sms: bool | None = None
    consent_email: bool | None = None


class PatientIn(Sent):
    """The patient. Without a key of the clinic's own, the booking stands for itself."""

    key: Word | None = None
    birth_date: Annotated[date, Field(strict=False)] | None = None
    protected: bool | None = None
    own_login: bool | None = None


class BookingIn(Sent):
    """A booking, whole: what is left out is taken as not told."""

    starts_at: Moment = Field(
        description="ISO 8601. Without an offset it is the clinic's wall-clock time.",
        examples=["2026-12-01T09:00:00+01:00", "2026-12-01 09:00"],
    )
    status: VisitStatus = Field(default=VisitStatus.BOOKED, strict=False)
    kind: Word | None = Field(default=None, description="Left out: a video visit.")
    clinician: Word | None = None
    patient: PatientIn = PatientIn()
    contacts: list[ContactIn] = Field(default=[], max_length=20)
    confirm: bool = Field(default=True, description="Whether a new booking is confirmed.")

    def lines(self, ref: str) -> list[Mapping[str, str]]:
        """Return the booking as the rows of a file, one for each contact."""
        visit = {"ref": ref, "starts_at": self.starts_at, "status": self.status.value}
        if self.kind is not None:
            visit["kind"] = self.kind
        patient = {
            "clinician": self.clinician or "",
            "patient": self.patient.key or "",
            "birth_date": self.patient.birth_date.isoformat() if self.patient.birth_date else "",
            "own_login": _yes_no(self.patient.own_login),
        }
        if self.patient.protected is not None:  # an empty cell would say that it is not
            patient["protected"] = _yes_no(self.patient.protected)
        people: list[Mapping[str, str]] = [
            {
                "role": contact.role,
                **_addresses(contact),
                "language": contact.language or "",
                "consent_sms": _yes_no(contact.consent_sms),
                "consent_email": _yes_no(contact.consent_email),
            }
            for contact in self.contacts
        ]
        return [{**visit, **patient, **person} for person in people or [{"mobile": ""}]]


def _addresses(contact: ContactIn) -> dict[str, str]:
    """Return the addresses that are told; an empty one says that there is none."""
    told = {"mobile": contact.mobile, "email": contact.email}
    return {name: address for name, address in told.items() if address is not None}


def _yes_no(said: bool | None) -> str:  # noqa: FBT001 - an answer
    return "" if said is None else ("ja" if said else "nej")


class MoveIn(Sent):
    """A new time for a visit."""

    starts_at: Moment = Field(
        description="ISO 8601, still to come. Without an offset it is the clinic's time.",
        examples=["2026-12-01T09:30:00+01:00"],
    )


class MessageOut(BaseModel):
    """One message: sent, planned, or why there is none."""

    id: int
    ref: str
    rule: str
    contact: str = Field(description="The role, and the end of the number: never all of it.")
    channel: Literal["sms", "email"]
    state: State
    due_at: datetime
    not_after: datetime
    sent_at: datetime | None
    reason: str | None
    covered_by: str | None

    @classmethod
    def of(cls, line: Line, zone: ZoneInfo) -> "MessageOut":
        """Return a message as programs see it."""
        message = line.message
        return cls(
            id=message.id,
            ref=line.visit.ref,
            rule=message.key.rule,
            contact=line.contact,
            channel=message.key.channel.value,
            state=message.state,
            due_at=message.due_at.astimezone(zone),
            not_after=message.not_after.astimezone(zone),
            sent_at=line.sent_at.astimezone(zone) if line.sent_at else None,
            reason=message.reason.value if message.reason else None,
            covered_by=line.covered_by,
        )


class AppointmentOut(BaseModel):
    """A visit and its messages."""

    ref: str
    kind: str
    starts_at: datetime
    status: VisitStatus
    clinician: str | None
    version: int
    messages: list[MessageOut]

    @classmethod
    def of(cls, shown: showing.Shown, zone: ZoneInfo) -> "AppointmentOut":
        """Return a visit as programs see it."""
        visit: Visit = shown.visit
        return cls(
            ref=visit.ref,
            kind=visit.kind,
            starts_at=visit.starts_at.astimezone(zone),
            status=VisitStatus(visit.status),
            clinician=visit.clinician,
            version=visit.version,
            messages=[MessageOut.of(line, zone) for line in shown.lines],
        )


class TakenOut(BaseModel):
    """What became of a booking. One that is not kept, as it is no video visit, is `ignored`."""

    result: Category
    appointment: AppointmentOut | None


class MessagesOut(BaseModel):
    """A page of messages, in the order in which they were made."""

    messages: list[MessageOut]
    next: int | None = Field(
        description="Give it as `after` to go on. null: there is no more yet; then give the last"
        " `id` that you have."
    )


class ItemOut(BaseModel):
    """Something that a person has to do."""

    kind: str
    ref: str | None
    starts_at: datetime | None
    contact: str | None
    reason: str
    detail: str
    news: str | None = Field(description="`moved` or `cancelled`, where they were told otherwise.")
    counts_on: datetime | None = Field(
        description="The time to come that they expect the visit at, where it is another one."
    )
    yes_at: datetime | None = Field(
        description="Of an answer NO: when somebody has answered YES since."
    )


class WorklistOut(BaseModel):
    """What a person has to do, the most urgent first."""

    items: list[ItemOut]


class StatusOut(BaseModel):
    """How the sending is doing, of the whole installation."""

    ok: bool
    due: int
    overdue: int
    sending: int
    unknown: int
    oldest_due_seconds: int
    last_tick: datetime | None
    workers: int
    channels_down: list[str]
    held: bool
