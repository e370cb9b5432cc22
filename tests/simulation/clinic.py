"""The clinic's admins: they import, move, cancel, correct, and note who wants no messages."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Protocol

import phonenumbers

from reminders.engine import desk, importing
from reminders.engine.runtime import Runtime
from reminders.errors import RemindersError
from reminders.store import clinics
from reminders.store.database import DatabaseFault
from tests.simulation.book import (
    BOOKED,
    CANCELLED,
    Book,
    Booking,
    Past,
    Patient,
    Person,
    Reach,
    Truth,
)
from tests.simulation.commands import AsCommitted, parts_of
from tests.simulation.knobs import CLINIC, Knobs
from tests.simulation.process import Died

HEAD = (
    "boknings-id;starttid;besökstyp;status;patient;födelsedatum;roll;mobil;e-post;"
    "samtycke sms;samtycke e-post\n"
)


def _fictitious(area: int) -> list[str]:
    """Return the numbers that nobody has in an American area; none if there is no such area."""
    numbers = [f"+1{area}55501{n:02}" for n in range(100)]
    return numbers if phonenumbers.is_valid_number(phonenumbers.parse(numbers[0])) else []


NUMBERS = (
    *(f"+4670174{n:04}" for n in range(605, 700)),
    *itertools.chain.from_iterable(_fictitious(area) for area in range(201, 990)),
)
"""Numbers that no real person has: the Swedish ones, enough for a small clinic, and American ones."""

FEW = 95
HOURS = (0, 7, 8, 9, 9, 10, 11, 13, 14, 15, 16, 18, 23)
BUSY_HOURS = (*HOURS, *range(8, 17), *range(8, 17))
HALF_HOURS = (0, 30)
"""When visits begin in a dense clinic: many at a time."""

AHEAD = 2
"""So many days before it a day's visits are imported, where there is a file a day."""

TRY_AGAIN = 1800.0
IN_PARTS = 0.15
"""So many small files are applied as large ones are: part by part, a patient at a time."""

WRONGLY_TAKEN_DOWN = 0.4
"""So often an address is put right within minutes: what went to it may not have been answered yet."""

ONCE_MORE = 0.4
"""So often what was asked for is asked for again within minutes: the same words, to one number."""

BACK = 0.75
"""So often who has said no is the one who now says yes again."""


class World(Protocol):
    """What the admins need of the world around them."""

    knobs: Knobs
    book: Book
    folder: Path

    def desk(self) -> Runtime:
        """Return a fresh process of the command line's."""

    def now(self) -> datetime:
        """Return what the wall clock shows."""

    def elapsed(self) -> float:
        """Return the seconds since the world began."""

    def note(self, *words: object) -> None:
        """Add to the trace."""

    def poke(self) -> None:
        """Let the workers look soon, as their backstop would."""

    async def change_rules(self) -> None:
        """Give the clinic other rules, and start its workers anew."""


class Admins:
    """Draws what the clinic does, does it through the real doors, and keeps the book."""

    def __init__(self, world: World, chance: Random) -> None:
        self._world = world
        self._chance = chance
        self._made = 0
        self._phones = 0
        self._files = 0
        self._starts: set[tuple[datetime, str]] = set()
        self._patients: list[Patient] = []
        self._zone = world.knobs.start.tzinfo

    async def work(self, end: float) -> None:
        """Do something every now and then until `end`."""
        knobs = self._world.knobs
        if not knobs.dense:
            await self._do(
                lambda: self._import(self._new_bookings(knobs.visits // 2), confirm=True)
            )
        while True:
            await self._import_days(end)
            await asyncio.sleep(self._chance.expovariate(1 / knobs.deed_every))
            if self._world.elapsed() >= end:
                return
            await self._something()
            self._world.poke()

    async def _import_days(self, end: float) -> None:
        """Import the file of each day that comes near, where the clinic has a file a day."""
        knobs, known = self._world.knobs, self._world.book.bookings
        while knobs.dense and self._files * 86_400.0 < min(
            self._world.elapsed() + AHEAD * 86_400.0, end
        ):
            before = len(known)
            visits = self._new_bookings(knobs.visits, day=self._files)
            await self._do(partial(self._import, visits, confirm=True))
            self._world.poke()
            if len(known) > before:
                self._files += 1
            else:
                await asyncio.sleep(TRY_AGAIN)

    async def _something(self) -> None:
        deed = self._chance.choices(
            (
                self._book_more,
                self._move,
                self._cancel,
                self._opt,
                self._correct,
                self._ask,
                self._move_in_a_file,
                self._world.change_rules,
            ),
            (10, 6, 3, 5, 3, 4, 4, self._world.knobs.new_rules),
        )[0]
        await self._do(deed)

    async def _do(self, deed: Callable[[], Awaitable[None] | None]) -> None:
        try:
            done = deed()
            if done is not None:
                await done
        except (RemindersError, DatabaseFault, Died) as error:
            self._world.note("admin", type(error).__name__)

    async def _book_more(self) -> None:
        confirm = self._chance.random() < 0.9
        visits = self._new_bookings(self._chance.choice((1, 1, 2)))
        self._import(visits, confirm=confirm)
        if self._chance.random() < WRONGLY_TAKEN_DOWN:
            self._world.poke()
            await asyncio.sleep(self._chance.uniform(20, 150))
            self._correct([booking for booking, _ in visits])

    def _new_bookings(self, count: int, day: int | None = None) -> list[tuple[Booking, Truth]]:
        bookings = [self._new_booking() for _ in range(count)]
        return [(b, Truth(self._new_time(b.patient, day), BOOKED)) for b in bookings]

    def _new_booking(self) -> Booking:
        self._made += 1
        if self._patients and self._chance.random() < 0.15:
            patient = self._chance.choice(self._patients)
        else:
            patient = self._new_patient()
        return Booking(f"V{self._made:04}", patient, Past())

    def _new_patient(self) -> Patient:
        number = len(self._patients)
        roles = self._chance.choice((["guardian"], ["guardian"], ["patient"], ["guardian"] * 2))
        people = [
            Person(role, Past([(-1.0, self._new_reach(f"{number:02}{place}"))]))
            for place, role in enumerate(roles)
        ]
        if len(people) == 2 and self._chance.random() < 0.3:
            # Two guardians with one phone get one text.
            first, second = people[0].present, people[1].present
            if first.phone:
                reach = Reach(first.phone, second.email, first.sms_ok, second.email_ok)
                people[1] = Person(roles[1], Past([(-1.0, reach)]))
        patient = Patient(f"P{number:03}", people)
        self._patients.append(patient)
        return patient

    def _new_reach(self, mark: str) -> Reach:
        kind = self._chance.choice(("both", "both", "phone", "email"))
        phone = NUMBERS[self._phones % (len(NUMBERS) if self._world.knobs.dense else FEW)]
        self._phones += 1
        email = f"{chr(97 + int(mark[-1]))}{mark}.{self._chance.randrange(1000)}@example.org"
        return Reach(
            phone if kind != "email" else None,
            email if kind != "phone" else None,
            sms_ok=self._chance.random() > 0.05,
            email_ok=self._chance.random() > 0.05,
        )

    def _new_time(self, patient: Patient, day: int | None = None) -> datetime:
        """Return a start within the coming days, or on the clinic's so-manieth day.

        Each visit has a minute of its own; in a dense clinic, each of a patient's.
        """
        knobs = self._world.knobs
        now = self._world.now().astimezone(self._zone)
        soonest = now.astimezone(UTC) + timedelta(minutes=3)
        whose = patient.key if knobs.dense else ""
        coming = min(knobs.days, AHEAD) if knobs.dense else knobs.days
        while True:
            date = now.date() + timedelta(days=self._chance.randrange(coming + 1))
            if day is not None:
                date = max(knobs.start.date() + timedelta(days=day), date)
            hour = self._chance.choice(BUSY_HOURS if knobs.dense else HOURS)
            minute = self._chance.choice(HALF_HOURS) if knobs.dense else self._chance.randrange(60)
            local = datetime(date.year, date.month, date.day, hour, minute, tzinfo=self._zone)
            start = local.astimezone(UTC)
            if start > soonest and (start, whose) not in self._starts:
                self._starts.add((start, whose))
                return start

    def _import(self, visits: Sequence[tuple[Booking, Truth]], *, confirm: bool) -> None:
        """Import a file with these visits as they are to be; if the process dies, once more.

        One that is applied in parts is imported until it is done, as it says itself that it has to be.
        """
        knobs = self._world.knobs
        small = not knobs.dense and self._chance.random() < IN_PARTS
        for tried in itertools.count():
            try:
                self._read_in(visits, confirm=confirm, patients=1 if small else None)
            except Died:
                if tried and not (small or knobs.dense):
                    raise
                self._world.note("admin", "again")
            else:
                return

    def _read_in(
        self, visits: Sequence[tuple[Booking, Truth]], *, confirm: bool, patients: int | None
    ) -> None:
        world, runtime = self._world, self._world.desk()
        now = world.now()
        if not visits:
            return
        path = world.folder / "bokningar.csv"
        rows = [self._row(b, truth, person) for b, truth in visits for person in b.patient.people]
        path.write_bytes((HEAD + "".join(rows)).encode("cp1252"))
        options = importing.Options(exported_at=now, confirmations=confirm, older_ok=True)
        staged = importing.stage(runtime, CLINIC, path, options, now)
        if self._chance.random() < 0.15:
            importing.look(runtime, staged, options, now)
        with AsCommitted(), parts_of(patients):
            importing.apply(runtime, staged, options, now)
        for booking, truth in visits:
            # Where the clock was set back since, the file is older than what staff did.
            if booking.by_hand is None or booking.by_hand <= now:
                self._write_down(booking, truth, confirm=confirm)

    def _write_down(self, booking: Booking, truth: Truth, *, confirm: bool) -> None:
        at = self._world.elapsed()
        if booking.ref not in self._world.book.bookings:
            booking.confirm = confirm
            self._world.book.bookings[booking.ref] = booking
        booking.truth.put(at, truth)
        self._world.note("told", booking.ref, truth.starts_at.isoformat(), truth.status)

    def _row(self, booking: Booking, truth: Truth, person: Person) -> str:
        local = truth.starts_at.astimezone(self._zone)
        reach = person.present
        status = "bokad" if truth.status == BOOKED else "avbokad"
        cells = (
            booking.ref,
            local.isoformat(timespec="minutes"),
            "Videobesök",
            status,
            booking.patient.key,
            "2014-05-01",
            "patient" if person.role == "patient" else "vårdnadshavare",
            reach.phone or "",
            reach.email or "",
            "ja" if reach.sms_ok else "nej",
            "ja" if reach.email_ok else "nej",
        )
        return ";".join(cells) + "\n"

    def _coming(self, *, booked: bool = True) -> list[Booking]:
        soon = self._world.now() + timedelta(minutes=2)
        return [
            b
            for b in self._world.book.bookings.values()
            if b.present.starts_at > soon and (not booked or b.present.status == BOOKED)
        ]

    def _move(self) -> None:
        coming = self._coming()
        if coming:
            booking = self._chance.choice(coming)
            to = self._new_time(booking.patient)
            runtime, now = self._world.desk(), self._world.now()
            with AsCommitted():
                runtime.in_transaction(desk.move, runtime, CLINIC, booking.ref, to, now)
            booking.by_hand = now
            self._write_down(booking, Truth(to, BOOKED), confirm=booking.confirm)

    def _move_in_a_file(self) -> None:
        coming = self._coming(booked=False)
        if coming:
            booking = self._chance.choice(coming)
            start = self._new_time(booking.patient)
            past = [t.starts_at for _, t in booking.truths() if t.starts_at > self._world.now()]
            if past and self._chance.random() < 0.4:
                start = self._chance.choice(past)  # back to a time they had before
            status = CANCELLED if self._chance.random() < 0.2 else BOOKED
            before = booking.present
            if status == CANCELLED:
                start = before.starts_at
            if before.status == CANCELLED and status == CANCELLED:
                return
            self._import([(booking, Truth(start, status))], confirm=self._chance.random() < 0.9)

    def _cancel(self) -> None:
        coming = self._coming()
        if coming:
            booking = self._chance.choice(coming)
            runtime, now = self._world.desk(), self._world.now()
            with AsCommitted():
                runtime.in_transaction(desk.cancel, runtime, CLINIC, [booking.ref], now)
            booking.by_hand = now
            truth = Truth(booking.present.starts_at, CANCELLED)
            self._write_down(booking, truth, confirm=booking.confirm)

    def _opt(self) -> None:
        if not self._patients:
            return
        gone = sorted(a for a, past in self._world.book.opted_out.items() if past.now)
        if gone and self._chance.random() < BACK:
            address = self._chance.choice(gone)
        else:
            person = self._chance.choice(self._chance.choice(self._patients).people)
            address = self._chance.choice(sorted(person.addresses()))
        out = address not in gone
        runtime, now = self._world.desk(), self._world.now()
        clinic_id = runtime.in_transaction(clinics.clinic_id, CLINIC)
        change = clinics.add_opt_out if out else clinics.remove_opt_out
        with AsCommitted():
            if out:
                runtime.in_transaction(clinics.add_opt_out, clinic_id, address, "staff", now)
            else:
                runtime.in_transaction(clinics.remove_opt_out, clinic_id, address, now)
        self._world.book.opt(address, self._world.elapsed(), out=out)
        self._world.note("opt", address, change.__name__)

    def _correct(self, among: Sequence[Booking] | None = None) -> None:
        coming = [b for b in self._coming() if among is None or b in among]
        if not coming:
            return
        booking = self._chance.choice(coming)
        person = self._chance.choice(booking.patient.people)
        before = person.present
        number = self._patients.index(booking.patient)
        fresh = self._new_reach(f"{number:02}{booking.patient.people.index(person)}")
        if before.phone:
            after = Reach(fresh.phone or before.phone, before.email, before.sms_ok, before.email_ok)
        else:
            after = Reach(before.phone, fresh.email or before.email, before.sms_ok, before.email_ok)
        if after == before or self._chance.random() < 0.3:
            after = Reach(before.phone, before.email, not before.sms_ok, before.email_ok)
        at = self._world.elapsed()
        person.reach.put(at, after)
        try:
            self._import([(booking, booking.present)], confirm=True)
        except (RemindersError, DatabaseFault, Died):
            person.reach.values.pop()
            raise
        self._world.note("corrected", booking.ref, str(after))

    async def _ask(self) -> None:
        """Have a message sent now; perhaps once more, as for somebody who phones and sees nothing."""
        coming = self._coming()
        if not coming:
            return
        booking = self._chance.choice(coming)
        rule = self._chance.choice(("help", "help", "day_before", "booked"))
        self._ask_for(booking, rule)
        if self._chance.random() < ONCE_MORE:
            self._world.poke()
            await asyncio.sleep(self._chance.uniform(30, 900))
            if booking in self._coming():
                self._ask_for(booking, rule)

    def _ask_for(self, booking: Booking, rule: str) -> None:
        runtime, now = self._world.desk(), self._world.now()
        with AsCommitted():
            runtime.in_transaction(desk.resend, runtime, CLINIC, booking.ref, rule, now)
        booking.requests.append((self._world.elapsed(), now, rule))
        self._world.note("asked", booking.ref, rule)
