"""Senders: urgent first, fair between clinics, at their pace, and all workers together."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import insert, select

from reminders.domain.contact import Channel
from reminders.domain.outcome import Accepted, OutgoingMessage, Refusal, Rejected
from reminders.engine.approval import Shelf
from reminders.engine.claiming import claim, hand_back
from reminders.engine.dispatch import Dispatcher
from reminders.providers.sandbox import Sandbox
from reminders.store import clinics, schema
from tests.engine.clinic import Clinic, at, row

Make = Callable[..., Clinic]
RATE = "CLINICS__INTERNET__SMS__MESSAGES_PER_SECOND"


def phones(clinic: Clinic, count: int, start: str = "2026-12-02 10:00") -> None:
    """Book so many visits, each with a phone of its own, and plan them."""
    clinic.read(*(row(f"B{n}", start, phone=f"+46701740{n:03}") for n in range(count)))
    clinic.plan()


def other_clinic(clinic: Clinic, key: str, count: int, starts: datetime) -> None:
    """Give another clinic visits, written straight into the documented columns."""
    with clinic.runtime.database.transaction() as conn:
        clinic_id = clinics.clinic_id(conn, key)
        for n in range(count):
            patient = conn.execute(
                insert(schema.patient)
                .values(clinic_id=clinic_id, external_key=f"P{n}")
                .returning(schema.patient.c.id)
            ).scalar_one()
            contact = conn.execute(
                insert(schema.contact)
                .values(patient_id=patient, role="guardian", phone=f"+46701741{n:03}")
                .returning(schema.contact.c.id)
            ).scalar_one()
            conn.execute(
                insert(schema.consent).values(
                    contact_id=contact, channel="sms", status="given", source="test"
                )
            )
            conn.execute(
                insert(schema.appointment).values(
                    clinic_id=clinic_id,
                    ref=f"C{n}",
                    patient_id=patient,
                    kind="Video",
                    starts_at=starts,
                    confirm=False,
                    changed_at=clinic.clock.now(),
                )
            )
    clinic.plan()


def two_clinics(open_clinic: Make) -> Clinic:
    """Return a world in which a second clinic lives in the same database."""
    clinic = open_clinic()
    data = clinic.config.model_dump(by_alias=True)["clinics"]["internet"]
    clinic.restart(clinics__mottagning=data)
    return clinic


def take(clinic: Clinic, most: int) -> Counter[str]:
    """Claim so many, and return how many each clinic got."""
    now = clinic.clock.now()
    batch = clinic.runtime.in_transaction(claim, clinic.runtime, Shelf(), now, most)
    return Counter(one.clinic for one in batch.claimed)


def test_a_backlog_does_not_starve_another_clinic(open_clinic: Make) -> None:
    """Of one clinic's backlog and another's few texts, a claim takes the few and fills up."""
    clinic = two_clinics(open_clinic)
    phones(clinic, 60)
    other_clinic(clinic, "mottagning", 5, at("2026-12-02 10:00") + timedelta(minutes=1))
    clinic.clock.set(at("2026-12-02 09:47"))
    took = take(clinic, 20)
    assert took["mottagning"] == 5
    assert took["internet"] >= 10


def test_urgent_texts_go_before_an_older_backlog(open_clinic: Make) -> None:
    """A fifteen minutes text goes before day-before texts that have been due for longer."""
    clinic = open_clinic()
    phones(clinic, 30, "2026-12-03 09:00")
    clinic.read(*(row(f"U{n}", "2026-12-02 10:00", phone=f"+46701742{n:03}") for n in range(3)))
    clinic.plan()
    clinic.clock.set(at("2026-12-02 09:46"))
    now = clinic.clock.now()
    batch = clinic.runtime.in_transaction(claim, clinic.runtime, Shelf(), now, 3)
    assert {one.to[:9] for one in batch.claimed} == {"+46701742"}


def test_a_sender_keeps_to_its_rate_in_all_workers(open_clinic: Make) -> None:
    """Two workers together claim no more in a second than the sender may send."""
    clinic = open_clinic(**{RATE: 4})
    phones(clinic, 20)
    clinic.clock.set(at("2026-12-01 10:00"))
    assert take(clinic, 10).total() + take(clinic, 10).total() == 4
    clinic.clock.set(clinic.clock.now() + timedelta(milliseconds=500))
    assert take(clinic, 10).total() + take(clinic, 10).total() == 2


def test_a_slow_sender_gets_all_its_texts_out(open_clinic: Make) -> None:
    """A sender of one text in ten seconds sends six a minute, and none of them is lost."""
    clinic = open_clinic(**{RATE: 0.1})
    phones(clinic, 12)
    clinic.until("2026-12-01 10:01")
    assert 6 <= len(clinic.texts()) <= 7
    clinic.until("2026-12-01 10:03")
    assert len(clinic.texts()) == 12


class Busy(Sandbox):
    """A provider that is busy until a time, and says for how long."""

    until: datetime
    asked: list[datetime]

    async def send(self, message: OutgoingMessage):
        now = self._setup.clock.now()
        type(self).asked.append(now)
        if now < type(self).until:
            message.before_write()
            return Rejected("20429", Refusal.THROTTLED, type(self).until - now)
        return await super().send(message)


def test_a_busy_provider_is_left_alone_by_all_workers(open_clinic: Make) -> None:
    """After one 429 no worker sends for that sender before the time that the provider gave."""

    class Phone(Busy):
        until = at("2026-12-01 10:05")
        asked: list[datetime] = []  # noqa: RUF012

    clinic = open_clinic(make_provider=lambda _name, setup: Phone(setup), delivery__in_flight=2)
    phones(clinic, 30)
    clinic.until("2026-12-01 10:04")
    early = len(Phone.asked)
    assert early <= 6
    other = Dispatcher(clinic.runtime, "another worker")
    asyncio.run(other.run_once())
    assert len(Phone.asked) == early
    clinic.until("2026-12-01 10:20")
    assert len(clinic.texts()) == 30


class Hanging(Sandbox):
    """A provider that does not answer until it is let go."""

    let_go: asyncio.Event
    reached: list[str]

    async def send(self, message: OutgoingMessage):
        message.before_write()
        type(self).reached.append(message.to)
        if message.to.startswith("+46701740"):
            await type(self).let_go.wait()
        return Accepted(message.token)


def test_a_provider_that_hangs_holds_up_no_other_sender(open_clinic: Make) -> None:
    """While one clinic's provider hangs with every place taken, another clinic's texts go out."""

    class Phone(Hanging):
        reached: list[str] = []  # noqa: RUF012

    clinic = two_clinics(open_clinic)
    clinic.make_provider = lambda _name, setup: Phone(setup)
    clinic.restart(
        clinics__mottagning=clinic.config.model_dump(by_alias=True)["clinics"]["mottagning"],
        delivery__in_flight=3,
    )
    phones(clinic, 20)
    clinic.clock.set(at("2026-12-02 09:46"))
    other_clinic(clinic, "mottagning", 4, clinic.clock.now() + timedelta(minutes=14))

    async def story() -> None:
        Phone.let_go = asyncio.Event()
        sending = asyncio.create_task(clinic.dispatcher.run_once())
        for _ in range(200):
            await asyncio.sleep(0.01)
            if sum(to.startswith("+46701741") for to in Phone.reached) == 4:
                break
        assert sum(to.startswith("+46701741") for to in Phone.reached) == 4
        assert sum(to.startswith("+46701740") for to in Phone.reached) <= 5
        Phone.let_go.set()
        await sending

    asyncio.run(story())
    assert len(Phone.reached) == len(set(Phone.reached)) == 24


def test_stopping_gives_back_what_was_not_begun(open_clinic: Make) -> None:
    """A worker told to stop ends what is in flight and gives the rest back, as if never claimed."""

    class Phone(Hanging):
        reached: list[str] = []  # noqa: RUF012

    clinic = open_clinic(make_provider=lambda _name, setup: Phone(setup), delivery__in_flight=2)
    phones(clinic, 20)
    clinic.clock.set(at("2026-12-01 10:00"))

    async def story() -> None:
        Phone.let_go = asyncio.Event()
        sending = asyncio.create_task(clinic.dispatcher.run_once())
        while len(Phone.reached) < 2:  # noqa: ASYNC110 - the engine does not announce its calls
            await asyncio.sleep(0.01)
        clinic.dispatcher.stopping = True
        await asyncio.sleep(0.05)
        assert held(clinic) == 2
        Phone.let_go.set()
        await sending

    asyncio.run(story())
    assert len(Phone.reached) == 2
    clinic.dispatcher = Dispatcher(clinic.runtime, "the next")
    clinic.until("2026-12-01 10:00:30")
    assert len(Phone.reached) == len(set(Phone.reached)) == 20
    with clinic.runtime.database.reading() as conn:
        numbers = conn.execute(select(schema.attempt.c.number)).scalars()
        assert set(numbers) == {1}


def held(clinic: Clinic) -> int:
    """Return how many messages are leased."""
    with clinic.runtime.database.reading() as conn:
        query = select(schema.message.c.id).where(schema.message.c.state == "sending")
        return len(conn.execute(query).all())


def test_only_the_holder_can_give_back(open_clinic: Make) -> None:
    """A worker whose lease another has taken over gives nothing back."""
    clinic = open_clinic()
    phones(clinic, 1)
    clinic.clock.set(at("2026-12-01 10:00"))
    now = clinic.clock.now()
    batch = clinic.runtime.in_transaction(claim, clinic.runtime, Shelf(), now, 1)
    clinic.until("2026-12-01 10:05")
    assert len(clinic.texts()) == 1
    late = clinic.clock.now()
    assert clinic.runtime.in_transaction(hand_back, clinic.runtime, batch.claimed, late) == 0
    assert ("day_before", "sms", "delivered", None) in clinic.states("B0")


def test_one_worker_tries_a_stopped_channel(open_clinic: Make) -> None:
    """When a stopped channel may be tried, one worker has the right to, and the others not."""
    clinic = open_clinic()
    phones(clinic, 5)
    clinic.clock.set(at("2026-12-01 10:00"))
    now = clinic.clock.now()
    with clinic.runtime.database.transaction() as conn:
        clinic_id = clinics.clinic_id(conn, "internet")
        clinics.close_channel(conn, clinic_id, Channel.SMS, "20003", now - timedelta(hours=1))
    assert take(clinic, 5).total() == 1
    assert take(clinic, 5).total() == 0
