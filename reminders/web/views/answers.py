"""What people answer and have to hear: ticking it off, and recording what they say."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from fastapi import Form
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from reminders.config_rules import parse_quiet
from reminders.domain.appointment import OwnLogin
from reminders.domain.contact import Channel, Consent
from reminders.domain.quiet import QuietHours
from reminders.engine import attention, people
from reminders.engine.people import Changes
from reminders.errors import UsageError
from reminders.web.here import Acting
from reminders.web.ids import LARGEST, FormId
from reminders.web.language import N_
from reminders.web.security import page_router

router = page_router(prefix="/c/{clinic}")

Text = Annotated[str, Form(max_length=400)]
T = TypeVar("T")

NOT_A_CHOICE = N_("Choose one of the answers in the list.")
NOT_HOURS = N_("Write both times of the hours without SMS, like 08:00 and 15:00, or neither.")
PREFERS: Mapping[str, object] = {"none": None, **{way.value: way for way in Channel}}
FROM_13: Mapping[str, object] = {"none": None, "yes": True, "no": False}
CONSENTS = {wish.value: wish for wish in Consent}


class Wished(BaseModel):
    """What somebody has said of how they want to be contacted; an empty field: as it was shown.

    `no_sms` was shown where both times were; they are compared with it.
    """

    contact: int = Field(0, ge=0, le=LARGEST)
    prefers: str = Field("", max_length=10)
    from_13: str = Field("", max_length=10)
    sms: str = Field("", max_length=10)
    email: str = Field("", max_length=10)
    language: str = Field("", max_length=20)
    no_sms: str = Field("", max_length=20)
    begins: str = Field("", max_length=10)
    ends: str = Field("", max_length=10)


@router.post("/answered")
async def answered(here: Acting, answer: FormId = 0, ref: Text = "") -> RedirectResponse:
    """Tick off what somebody has written."""
    await here.write(attention.finish, here.runtime, here.clinic, answer, here.now)
    return RedirectResponse(f"{here.visit(ref) if ref else here.url('today')}?note=answered", 303)


@router.post("/act/login/{ref:path}")
async def login(here: Acting, ref: str, answer: Text = "") -> RedirectResponse:
    """Record whether a visit's patient has a login of their own."""
    if answer not in set(OwnLogin):
        raise UsageError("Say whether there is a login of their own.")
    await here.write(
        people.record_login, here.runtime, here.clinic, ref, OwnLogin(answer), here.now
    )
    return RedirectResponse(f"{here.visit(ref)}?note=recorded", 303)


@router.post("/act/informed/{ref:path}")
async def informed(here: Acting, ref: str, contact: FormId = 0) -> RedirectResponse:
    """Record that a contact knows what the texts say now."""
    changes = Changes(informed=True)
    await here.write(people.change, here.runtime, here.clinic, ref, contact, changes, here.now)
    return RedirectResponse(f"{here.visit(ref)}?note=recorded", 303)


@router.post("/act/wishes/{ref:path}")
async def wishes(here: Acting, ref: str, said: Annotated[Wished, Form()]) -> RedirectResponse:
    """Record how a contact wants to be contacted, and what they agree to."""
    changes = _changes(said)
    if changes == Changes():
        return RedirectResponse(f"{here.visit(ref)}?note=unchanged", 303)
    await here.write(people.change, here.runtime, here.clinic, ref, said.contact, changes, here.now)
    return RedirectResponse(f"{here.visit(ref)}?note=recorded", 303)


def _changes(said: Wished) -> Changes:
    wishes: dict[str, Any] = {}
    if said.prefers:
        wishes["prefers"] = _chosen(PREFERS, said.prefers)
    if said.from_13:
        wishes["from_13"] = _chosen(FROM_13, said.from_13)
    begins, ends = said.begins.strip(), said.ends.strip()
    hours = f"{begins}-{ends}" if begins or ends else ""
    if hours != said.no_sms:
        wishes["no_sms"] = _hours(hours)
    consent = {
        channel: _chosen(CONSENTS, answer)
        for channel, answer in ((Channel.SMS, said.sms), (Channel.EMAIL, said.email))
        if answer
    }
    language = "" if said.language == "none" else said.language or None
    return Changes(wishes, consent, language=language)


def _hours(text: str) -> QuietHours | None:
    try:
        hours = parse_quiet(text)
    except ValueError:
        raise UsageError(NOT_HOURS) from None
    if hours is not None and hours.start == hours.end:
        raise UsageError(NOT_HOURS)
    return hours


def _chosen(answers: Mapping[str, T], answer: str) -> T:
    if answer not in answers:
        raise UsageError(NOT_A_CHOICE)
    return answers[answer]
