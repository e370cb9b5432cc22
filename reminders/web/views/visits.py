"""Visits: looking them up, one with its messages and why, and what staff do with it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from reminders.domain.contact import Role
from reminders.domain.plan import ON_REQUEST
from reminders.domain.rules import NOT_COME, Event
from reminders.domain.state import State
from reminders.engine import contacts, desk, search, untrue
from reminders.engine.search import BY_STATE, WIDEST
from reminders.errors import NotFoundError, UsageError
from reminders.intake.addresses import email_address, mobile_number
from reminders.intake.problems import Fault
from reminders.store.database import Connection
from reminders.store.pages import Wanted
from reminders.store.views import Line
from reminders.web import story
from reminders.web.here import Acting, AtClinic, Here
from reminders.web.ids import LARGEST, FormId
from reminders.web.language import N_
from reminders.web.notes import WAITS
from reminders.web.security import page_router
from reminders.web.standing import Standing
from reminders.web.times import read_day, read_moment, start_of

router = page_router(prefix="/c/{clinic}")

Text = Annotated[str, Form(max_length=400)]
Asked = Annotated[str, Query(max_length=200)]
NOT_FOUND = N_("There is no such booking, and it is no phone number or email address.")
LOOK_BACK = timedelta(hours=1)


@router.get("/visits")
async def visits(
    here: AtClinic, day: Asked = "", status: Asked = "", state: Asked = "", who: Asked = "",
    after: Asked = "",
) -> Response:  # fmt: skip
    """Show visits: from now on, or those that are looked for."""
    address = here.site.remembered(who) if who else None
    if who and address is None:
        return here.go("visits")
    since = start_of(read_day(day), here.zone) if day else here.now - LOOK_BACK
    states = BY_STATE.get(state, ())
    wanted = Wanted(
        since=None if address else since,
        until=since + WIDEST if states else None,
        address=address,
        status=status if status in {"booked", "cancelled"} else None,
        states=states,
        after=_place(after),
    )
    found = await here.read(search.find, here.clinic, wanted)
    asked = {"day": day, "status": status, "state": state, "who": who}
    standing, mark = await here.standing(), _mark(found.after)
    return here.page("visits.html", standing=standing, found=found, asked=asked, mark=mark)


def _place(text: str) -> tuple[datetime, int] | None:
    """Return where a page begins, as the address says it."""
    at, _, last = text.partition(".")
    if not (at.isascii() and at.isdigit() and last.isascii() and last.isdigit()):
        return None
    try:
        return datetime.fromtimestamp(int(at), UTC), min(int(last), LARGEST)
    except (ValueError, OverflowError, OSError):
        return None


def _mark(after: tuple[datetime, int] | None) -> str:
    return f"{int(after[0].timestamp())}.{after[1]}" if after else ""


@router.post("/visits")
async def look_up(here: AtClinic, text: Text = "") -> RedirectResponse:
    """Lead to the visit with this reference, or to those of this phone number or email address."""
    wanted = text.strip()
    if not wanted:
        return here.go("visits")
    found = await here.read(search.find, here.clinic, Wanted(ref=wanted))
    if found.visits:
        return RedirectResponse(here.visit(wanted), 303)
    region = here.settings.imports.region
    address = email_address(wanted) if "@" in wanted else mobile_number(wanted, region)
    if isinstance(address, Fault):
        raise NotFoundError(NOT_FOUND)
    return here.go(f"visits?who={here.site.remember(address)}")


@router.get("/visit/{ref:path}")
async def visit(here: AtClinic, ref: str) -> HTMLResponse:
    """Show one visit."""
    found = await here.read(search.look_at, here.runtime, here.clinic, ref, here.now)
    return _page(here, found, await here.standing())


def _page(here: Here, found: search.VisitPage, standing: Standing) -> HTMLResponse:
    practice = here.runtime.practices[here.clinic]
    asked = [rule.template for rule in practice.rules if rule.when is Event.REQUEST]
    rules = [rule.key for rule in practice.rules if rule.when not in ON_REQUEST]
    shortly = found.shown.visit.starts_at - here.now <= untrue.NOT_COME_FROM
    order = sorted(
        found.shown.lines, key=lambda line: (_gone(line.message.state), line.message.due_at)
    )
    patient = found.shown.patient
    known = {person.id: person for person in patient.people}
    by = known.get(patient.confirmed_by or 0)
    return here.page(
        "visit.html",
        standing=standing,
        visit=found.shown.visit,
        asked=found.asked,
        known=known,
        confirmed_at=patient.confirmed_at,
        confirmed_by=by.role.value if by else None,
        lines=order,
        words=found.words,
        people=found.people,
        explanations=found.shown.explanations,
        story=story.tell(here, found.shown.entries, found.shown.lines),
        rules=rules,
        can_help=bool(asked),
        can_miss=NOT_COME in asked and shortly,
        coming=found.shown.visit.starts_at > here.now,
    )


def _gone(state: State) -> bool:
    """Tell whether a message is of the past that matters least: it never was to go."""
    return state in {State.CANCELLED, State.SUPPRESSED}


@router.post("/act/move/{ref:path}")
async def move(here: Acting, ref: str, day: Text = "", time: Text = "") -> RedirectResponse:
    """Give a visit a new time."""
    to = read_moment(day, time, here.zone)
    lines = await here.write(desk.move, here.runtime, here.clinic, ref, to, here.now)
    return _back(here, ref, await _said(here, ref, "moved", lines))


@router.post("/act/cancel/{ref:path}")
async def cancel(here: Acting, ref: str) -> RedirectResponse:
    """Cancel a visit."""
    lines = await here.write(desk.cancel, here.runtime, here.clinic, [ref], here.now)
    return _back(here, ref, await _said(here, ref, "cancelled", lines))


async def _said(here: Here, ref: str, note: str, lines: Sequence[Line]) -> str:
    """Return what to say of a change: another thing where somebody has to be phoned of it."""
    calls = await here.read(desk.calls_after, here.runtime, here.clinic, [ref], here.now)
    return f"{note}_phone" if calls else await _or_waits(here, lines, note)


async def _or_waits(here: Here, lines: Sequence[Line], note: str) -> str:
    """Return what to say of messages that were to go now: that some wait, if a channel is down."""
    due = (line.message for line in lines if line.message.due_at <= here.now)
    ways = {message.key.channel for message in due if message.state is State.PLANNED}
    return note + WAITS if (await here.standing()).stopped(ways) else note


@router.post("/act/help/{ref:path}")
async def send_help(here: Acting, ref: str, not_come: Text = "") -> RedirectResponse:
    """Send the connection help now, or say that the patient is waited for."""

    def send(conn: Connection) -> list[Line]:
        missed = bool(not_come)
        return desk.send_help(conn, here.runtime, here.clinic, ref, here.now, not_come=missed)

    lines = await here.write(send)
    going = any(line.message.state is State.PLANNED for line in lines)
    return _back(here, ref, await _or_waits(here, lines, "help") if going else "nobody")


@router.post("/act/resend/{ref:path}")
async def resend(here: Acting, ref: str, rule: Text = "") -> RedirectResponse:
    """Send a rule's message again, now."""
    lines = await here.write(desk.resend, here.runtime, here.clinic, ref, rule, here.now)
    if not any(line.message.state is State.PLANNED for line in lines):
        return _back(here, ref, "nobody")
    note = "resent_instead" if any(map(desk.is_replaced, lines)) else "resent"
    return _back(here, ref, await _or_waits(here, lines, note))


@router.post("/act/contact/{ref:path}")
async def correct(
    here: Acting, ref: str, contact: FormId = 0, role: Text = "",
    phone: Text = "", email: Text = "",
) -> RedirectResponse:  # fmt: skip
    """Correct a contact's addresses; without a contact, add one."""
    addresses = contacts.read_addresses(here.runtime, here.clinic, phone, email)
    if contact:
        await here.write(
            contacts.correct, here.runtime, here.clinic, ref, contact, addresses, here.now
        )
    else:
        if role not in set(Role):
            raise UsageError("Say whether the person is the patient or a guardian.")
        await here.write(
            contacts.add, here.runtime, here.clinic, ref, Role(role), addresses, here.now
        )
    return _back(here, ref, "contact" if contact else "added")


@router.post("/act/stop/{ref:path}")
async def stop(here: Acting, ref: str, address: Text = "") -> RedirectResponse:
    """Send nothing more to an address."""
    await here.write(contacts.stop, here.runtime, here.clinic, ref, address, here.now)
    return _back(here, ref, "stopped")


@router.post("/act/start/{ref:path}")
async def start(here: Acting, ref: str, address: Text = "") -> RedirectResponse:
    """Let messages be sent to an address again."""
    await here.write(contacts.start, here.runtime, here.clinic, ref, address, here.now)
    return _back(here, ref, "started")


def _back(here: Here, ref: str, note: str) -> RedirectResponse:
    return RedirectResponse(f"{here.visit(ref)}?note={note}", 303)
