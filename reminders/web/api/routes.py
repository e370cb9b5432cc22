"""What programs may ask and do. Each route calls one function of the engine."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Path, Query, Response, Security
from fastapi.security import HTTPBearer
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.requests import Request

from reminders.domain.access import Client
from reminders.domain.appointment import VisitStatus
from reminders.domain.brought import Category
from reminders.engine import booking, desk, showing
from reminders.engine.following import Follower
from reminders.engine.runtime import Runtime
from reminders.errors import UsageError
from reminders.intake.problems import Fault, Problem, ProblemCode
from reminders.intake.record import LONGEST_KEY
from reminders.intake.times import read_start
from reminders.store import clinics, keeping, pulse, workers
from reminders.store.database import Connection
from reminders.web.api.gate import Gate
from reminders.web.api.models import (
    PLAIN,
    AppointmentOut,
    BookingIn,
    ItemOut,
    MessageOut,
    MessagesOut,
    MoveIn,
    StatusOut,
    TakenOut,
    WorklistOut,
)
from reminders.web.ids import LARGEST

T = TypeVar("T")


class Text(PathConvertor):
    """Any text in a path, line breaks too, which `path` leaves out."""

    regex = "(?s:.*)"


register_url_convertor("text", Text())

CREATED = 201
_REF_LINE = 2
_BAD_REF = "Write the reference without spaces, apostrophes or the like around it."

# Only for the OpenAPI document: the gate has looked at the token before.
token = HTTPBearer(auto_error=False, description="Made with `reminders users token add`.")
router = APIRouter(route_class=Gate, dependencies=[Security(token)])


class Call:
    """One request: of which clinic's program, and at what time."""

    def __init__(self, request: Request) -> None:
        client: Client = request.state.client
        runtime: Runtime = request.app.state.runtime
        self.clinic = client.clinic
        self.runtime = replace(runtime, actor=f"program {client.name}"[:100])
        self.now: datetime = runtime.clock.now()
        self.follower: Follower = request.app.state.follower
        self._wake: Callable[[], None] = request.app.state.wake

    @property
    def zone(self) -> ZoneInfo:
        """Return the clinic's time zone."""
        return self.runtime.clinic(self.clinic).zone

    def read(self, work: Callable[..., T], *arguments: Any) -> T:
        """Ask the database."""
        with self.runtime.database.reading() as conn:
            return work(conn, *arguments)

    def write(self, work: Callable[..., T], *arguments: Any, **more: Any) -> T:
        """Change something in one transaction, then wake the sender."""
        with self.runtime.database.transaction() as conn:
            done = work(conn, *arguments, **more)
        self._wake()
        return done

    def shown(self, ref: str) -> AppointmentOut:
        """Return a visit. Raise NotFoundError."""
        found = self.read(showing.show, self.runtime, self.clinic, ref, self.now)
        return AppointmentOut.of(found, self.zone)


Caller = Annotated[Call, Depends(Call)]
Ref = Annotated[
    str,
    Path(
        min_length=1,
        max_length=LONGEST_KEY,
        pattern=PLAIN,
        description="The booking's reference. A slash may stand in it, as it is or as %2F.",
    ),
]


@router.put(
    "/appointments/{ref:text}",
    summary="Bring a booking",
    responses={CREATED: {"model": TakenOut, "description": "The booking is new."}},
)
def put_appointment(call: Caller, ref: Ref, body: BookingIn, response: Response) -> TakenOut:
    """Add a booking or change it to what is sent. Sending it again changes nothing.

    It is read, compared and planned exactly as a row of a file. A booking with anything wrong is
    not taken, and `errors` points at the fields.
    """
    items = booking.read_booking(call.runtime, call.clinic, body.lines(ref), call.now)
    if any(item.ref != ref for item in items):
        fault = Problem(_REF_LINE, "ref", ProblemCode.BAD_REF, _BAD_REF)
        raise booking.UnusableBookingError([fault])
    taken = call.write(
        booking.take, call.runtime, call.clinic, ref, items, call.now, confirm=body.confirm
    )
    if taken.category is Category.NEW:
        response.status_code = CREATED
    shown = AppointmentOut.of(taken.shown, call.zone) if taken.shown else None
    return TakenOut(result=taken.category, appointment=shown)


@router.get("/appointments/{ref:text}", summary="One booking and its messages")
def get_appointment(call: Caller, ref: Ref) -> AppointmentOut:
    """Return a booking with each of its messages, and why one is not sent."""
    return call.shown(ref)


@router.post("/appointments/{ref:text}/cancel", summary="Cancel a booking")
def cancel_appointment(call: Caller, ref: Ref) -> AppointmentOut:
    """Cancel a booking; who was told of it is told. Doing it again changes nothing."""
    call.write(_cancel, call, ref)
    return call.shown(ref)


def _cancel(conn: Connection, call: Call, ref: str) -> None:
    if desk.require(conn, call.clinic, ref).status != VisitStatus.CANCELLED:
        desk.cancel(conn, call.runtime, call.clinic, [ref], call.now)


@router.post("/appointments/{ref:text}/move", summary="Give a booking another time")
def move_appointment(call: Caller, ref: Ref, body: MoveIn) -> AppointmentOut:
    """Move a booking; who was told of it is told. A cancelled booking is not moved (409)."""
    start = read_start((body.starts_at,), call.zone)
    if isinstance(start, Fault):
        fault = Problem(_REF_LINE, "starts_at", start.code, start.message)
        raise booking.UnusableBookingError([fault])
    call.write(_move, call, ref, start)
    return call.shown(ref)


def _move(conn: Connection, call: Call, ref: str, start: datetime) -> None:
    visit = desk.require(conn, call.clinic, ref)
    if visit.status == VisitStatus.CANCELLED:
        raise UsageError("The booking is cancelled. Bring it again with its new time.")
    if visit.starts_at != start:
        desk.move(conn, call.runtime, call.clinic, ref, start, call.now)


@router.get("/messages", summary="Messages, in the order in which they were made")
def list_messages(
    call: Caller,
    after: Annotated[
        int,
        Query(ge=0, le=LARGEST, description="`next` of the page before, or its last `id`."),
    ] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> MessagesOut:
    """Return a page of the clinic's messages. Those of the last moment may be left for later."""
    found = call.follower.page(call.clinic, after, limit)
    more = found[-1].message.id if len(found) == limit else None
    return MessagesOut(messages=[MessageOut.of(line, call.zone) for line in found], next=more)


@router.get("/worklist", summary="What a person has to do")
def list_work(call: Caller) -> WorklistOut:
    """Return whom to phone and why, and which rows of files need a look."""
    found = call.read(desk.worklist, call.runtime, call.clinic, call.now)
    zone = call.zone
    return WorklistOut(
        items=[
            ItemOut(
                kind=item.kind,
                ref=item.ref,
                starts_at=item.starts_at.astimezone(zone) if item.starts_at else None,
                contact=item.contact,
                reason=item.reason,
                detail=item.detail,
                news=item.news.value if item.news else None,
                counts_on=item.counts_on.astimezone(zone) if item.counts_on else None,
                yes_at=item.yes_at.astimezone(zone) if item.yes_at else None,
            )
            for item in found
        ]
    )


@router.get("/status", summary="How the sending is doing")
def get_status(call: Caller) -> StatusOut:
    """Return how the sending of the whole installation is doing."""
    return call.read(_status, call)


def _status(conn: Connection, call: Call) -> StatusOut:
    found = pulse.pulse(conn, call.now)
    down = [f"{c.clinic}/{c.channel.value}" for c in clinics.closed_channels(conn)]
    held = keeping.get(conn, keeping.HELD) is not None
    last = workers.last_tick(conn)
    return StatusOut(
        ok=not (found.overdue or down or held),
        due=found.due,
        overdue=found.overdue,
        sending=found.sending,
        unknown=found.unknown,
        oldest_due_seconds=found.oldest_due_seconds,
        last_tick=last.astimezone(call.zone) if last else None,
        workers=workers.alive(conn, call.now),
        channels_down=down,
        held=held,
    )
