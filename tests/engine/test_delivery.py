"""Sending for real: refusals, lost answers, crashes, stopped channels."""

import asyncio
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from reminders.domain.contact import Channel
from reminders.domain.outcome import Outcome, OutgoingMessage, Refusal, Rejected, Sought
from reminders.engine import desk
from reminders.engine.approval import Shelf
from reminders.engine.claiming import claim
from reminders.engine.delivery import record, send_all
from reminders.engine.texts import ref_tail
from reminders.engine.wording import words_of
from reminders.providers.sandbox import Sandbox
from reminders.simulation import loop
from reminders.store import clinics, keeping, schema
from tests.engine.clinic import Clinic, at, row

Make = Callable[..., Clinic]
FAIL = "PROVIDERS__SANDBOX__FAIL"


def failing(**endings: str) -> dict[str, dict[str, str]]:
    """Return the sandbox setting that makes numbers with these endings fail."""
    return {FAIL: {ending.strip("_"): trouble for ending, trouble in endings.items()}}


class Watching(Sandbox):
    """A phone that checks that the database is at rest while it is called."""

    open_transactions: Callable[[], int] = staticmethod(lambda: 0)
    seen: list[int] = []  # noqa: RUF012 - filled by the test that makes this class its own

    async def send(self, message: OutgoingMessage):
        type(self).seen.append(type(self).open_transactions())
        return await super().send(message)


def test_no_transaction_is_open_during_a_send(open_clinic: Make) -> None:
    """The database is at rest while a provider is called."""

    class Phone(Watching):
        seen: list[int] = []  # noqa: RUF012

    clinic = open_clinic(make_provider=lambda _name, setup: Phone(setup))
    Phone.open_transactions = staticmethod(lambda: clinic.runtime.database.open_transactions)
    clinic.read(row())
    clinic.until("2026-12-02 11:00")
    assert Phone.seen == [0, 0]


def test_bad_number_fails_and_the_email_goes(open_clinic: Make) -> None:
    """A number that can receive nothing fails once; the next channel gets the message at once."""
    clinic = open_clinic(**failing(_605="address"))
    clinic.read(row(email="anhorig@example.org"))
    clinic.until("2026-12-01 12:00")
    assert [(text.channel, text.at) for text in clinic.texts()] == [("email", "2026-12-01 10:00")]
    assert ("day_before", "sms", "failed", "invalid_address") in clinic.states("B1")
    assert ("day_before", "email", "delivered", None) in clinic.states("B1")


def test_corrected_number_gets_the_message(open_clinic: Make) -> None:
    """A number corrected after a failure gets what the old one could not, and nothing twice."""
    clinic = open_clinic(**failing(_605="address"))
    clinic.read(row())
    clinic.until("2026-12-01 11:00")
    assert [item.kind for item in clinic.worklist()] == ["call"] or clinic.texts() == []
    clinic.read(row(phone="070-174 06 06"))
    clinic.until("2026-12-01 12:00")
    assert [text.to[-3:] for text in clinic.texts()] == ["606"]
    clinic.until("2026-12-02 11:00")
    assert [text.to[-3:] for text in clinic.texts()] == ["606", "606"]


def test_undelivered_is_tried_once_more_and_then_phoned(open_clinic: Make) -> None:
    """A text that did not arrive is tried once more; then its reader stands on the call list."""
    clinic = open_clinic(**failing(_605="undelivered"))
    clinic.read(row())
    clinic.until("2026-12-01 12:00")
    assert len(clinic.texts()) == 2
    states = [state for rule, _, state, _ in clinic.states("B1") if rule == "day_before"]
    assert states == ["undelivered", "undelivered"]
    clinic.until("2026-12-02 09:58")
    assert [item.kind for item in clinic.worklist()] == ["call"]


def test_opt_out_at_the_provider_stops_the_number(open_clinic: Make) -> None:
    """A number that said no at the provider gets nothing more, in any visit."""
    clinic = open_clinic(**failing(_605="opt_out"))
    clinic.read(row(), row("B2", "2026-12-03 10:00", born="2014-01-01"))
    clinic.until("2026-12-03 11:00")
    assert clinic.texts() == []
    with clinic.runtime.database.reading() as conn:
        clinic_id = clinics.find_clinic_id(conn, "internet")
        assert clinic_id is not None
        assert [a for a, _, _ in clinics.opt_outs(conn, clinic_id)] == ["+46701740605"]
        assert conn.execute(select(func.count()).select_from(schema.attempt)).scalar_one() == 1
    assert {item.ref for item in clinic.worklist()} <= {"B1", "B2"}


def test_opt_out_taken_back(clinic: Clinic) -> None:
    """An opt-out beats everything while it stands, and its messages come back with it gone."""
    clinic.read(row())
    with clinic.runtime.database.transaction() as conn:
        clinic_id = clinics.clinic_id(conn, "internet")
        clinics.add_opt_out(conn, clinic_id, "+46701740605", "test", clinic.clock.now())
    clinic.until("2026-12-01 09:00")
    assert ("day_before", "sms", "suppressed", "opted_out") in clinic.states("B1")
    assert [item.reason for item in clinic.worklist()] == ["opted_out"]
    with clinic.runtime.database.transaction() as conn:
        clinics.remove_opt_out(conn, clinic_id, "+46701740605", clinic.clock.now())
    clinic.until("2026-12-01 12:00")
    assert [text.at for text in clinic.texts()] == ["2026-12-01 10:00"]


def test_throttled_is_tried_again_in_time(open_clinic: Make) -> None:
    """A refusal that may pass is tried again while the text helps, then it is expired."""
    few_hours = {"rules__day_before__not_after": "-22h"}
    clinic = open_clinic(**failing(_605="throttled"), **few_hours)
    clinic.read(row())
    report = clinic.until("2026-12-02 11:00")
    assert report.retried > 3
    assert ("day_before", "sms", "expired", "deadline_passed") in clinic.states("B1")
    assert clinic.texts() == []


def test_right_credentials_send_all_that_waits_in_one_pass(open_clinic: Make) -> None:
    """Once the settings are right, the next start tries at once, and what waited goes with it."""
    clinic = open_clinic(**failing(_6="configuration"))
    clinic.read(*[row(f"B{n}", phone=f"070-174 06 {n}6") for n in range(1, 5)])
    clinic.until("2026-12-01 10:20")
    assert clinic.texts() == []
    clinic.restart()
    runtime = clinic.runtime
    runtime.in_transaction(clinics.try_channels_now, clinic.clock.now())
    report = loop.run(clinic.clock, clinic.dispatcher.run_once())
    assert (report.sent, report.down) == (4, [])


def test_wrong_credentials_stop_the_channel_with_one_alarm(
    open_clinic: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong settings stop the channel, burn no message, alarm once, and heal by themselves."""
    clinic = open_clinic(**failing(_6="configuration"))
    phones = [row(f"B{n}", "2026-12-02 10:00", phone=f"070-174 06 {n}6") for n in range(1, 9)]
    clinic.read(*phones)
    report = clinic.until("2026-12-01 10:20")
    assert report.down == ["internet/sms"]
    assert report.failed == 0
    said = capsys.readouterr()
    assert (said.out + said.err).count("channel_down") == 1
    with clinic.runtime.database.reading() as conn:
        attempts = conn.execute(select(func.count()).select_from(schema.attempt)).scalar_one()
    # The first claim takes what is due; after that one probe at a time goes out.
    assert attempts <= 8 + 12  # the first eight, and a try at least each two minutes
    assert "channel" in [item.kind for item in clinic.worklist()]
    clinic.restart()
    clinic.until("2026-12-01 11:00")
    assert len(clinic.texts()) == 8
    assert not [item for item in clinic.worklist() if item.kind == "channel"]


def test_wrong_credentials_are_tried_with_no_more_than_are_in_flight(open_clinic: Make) -> None:
    """Once the settings are refused nothing in hand is begun, and no message has lost a try."""
    clinic = open_clinic(delivery__in_flight=5, **failing(_6="configuration"))
    rows = [row(f"B{n}", phone=f"070-174 06 {n}6", born=f"2016-05-0{n}") for n in range(1, 9)]
    visits = [line.replace("B", f"B{place}-", 1) for place in range(4) for line in rows]
    clinic.read(*visits)
    clinic.plan()
    clinic.clock.set(at("2026-12-01 10:01"))
    report = loop.run(clinic.clock, clinic.dispatcher.run_once())
    assert (report.sent, report.down) == (0, ["internet/sms"])
    with clinic.runtime.database.reading() as conn:
        tries = conn.execute(select(schema.attempt.c.number)).scalars().all()
        counted = conn.execute(select(func.sum(schema.message.c.attempts))).scalar_one()
        sending = select(schema.message.c.id).where(schema.message.c.state == "sending")
        assert conn.execute(sending).all() == []
    assert (len(tries), counted) == (5, 0)
    clinic.restart()
    clinic.until("2026-12-01 10:30")
    assert len(clinic.texts()) == len(visits)


def test_a_channel_may_be_down_for_weeks(clinic: Clinic) -> None:
    """However often a stopped channel was tried, the next try is minutes away."""
    now = clinic.clock.now()
    with clinic.runtime.database.transaction() as conn:
        clinic_id = clinics.clinic_id(conn, "internet")
        for _ in range(60):
            clinics.close_channel(conn, clinic_id, Channel.SMS, "20003", now)
        (closed,) = clinics.closed_channels(conn)
    assert closed.retry_at == now + clinics.LAST_RETRY


def test_lost_answer_is_looked_for_and_not_sent_again(open_clinic: Make) -> None:
    """A text whose answer was lost is found at the provider, and goes once."""
    clinic = open_clinic(**failing(_605="ambiguous"))
    clinic.read(row())
    clinic.until("2026-12-01 10:05")
    assert len(clinic.texts()) == 1
    assert ("day_before", "sms", "delivered", None) in clinic.states("B1")


def test_crash_before_the_call_sends_once(clinic: Clinic) -> None:
    """A worker that dies between claim and call leaves a text that is sent, once, by the next."""
    clinic.read(row())
    clinic.plan()
    clinic.clock.set(at("2026-12-01 10:00"))
    batch = clinic.runtime.in_transaction(claim, clinic.runtime, Shelf(), clinic.clock.now(), 10)
    assert len(batch.claimed) == 1
    clinic.until("2026-12-01 10:01")
    assert clinic.texts() == []
    clinic.until("2026-12-01 10:10")
    assert len(clinic.texts()) == 1


def test_crash_after_the_call_sends_once(clinic: Clinic) -> None:
    """A worker that dies before it wrote the answer down leaves a text that is not sent again."""
    clinic.read(row())
    clinic.plan()
    clinic.clock.set(at("2026-12-01 10:00"))
    batch = clinic.runtime.in_transaction(claim, clinic.runtime, Shelf(), clinic.clock.now(), 10)
    asyncio.run(send_all(clinic.runtime, batch.claimed))
    clinic.until("2026-12-01 11:00")
    assert len(clinic.texts()) == 1
    assert ("day_before", "sms", "delivered", None) in clinic.states("B1")


def test_late_result_of_a_fenced_worker_changes_nothing(clinic: Clinic) -> None:
    """A worker that wakes after its lease may neither send nor settle what another took over."""
    clinic.read(row())
    clinic.plan()
    clinic.clock.set(at("2026-12-01 10:00"))
    batch = clinic.runtime.in_transaction(claim, clinic.runtime, Shelf(), clinic.clock.now(), 10)
    clinic.until("2026-12-01 10:10")
    assert len(clinic.texts()) == 1
    late = asyncio.run(send_all(clinic.runtime, batch.claimed))
    assert len(clinic.texts()) == 1
    counts = clinic.runtime.in_transaction(record, clinic.runtime, late, clinic.clock.now())
    assert counts == {}
    assert ("day_before", "sms", "delivered", None) in clinic.states("B1")


def test_what_waited_too_long_after_its_claim_does_not_go(clinic: Clinic) -> None:
    """A text claimed in time that could only be written to the provider too late is not written."""
    clinic.read(row())
    clinic.until("2026-12-02 09:44")
    clinic.clock.set(at("2026-12-02 09:58:30"))
    batch = clinic.runtime.in_transaction(claim, clinic.runtime, Shelf(), clinic.clock.now(), 10)
    assert len(batch.claimed) == 1
    before = len(clinic.texts())
    clinic.clock.set(at("2026-12-02 09:59:35"))
    late = asyncio.run(send_all(clinic.runtime, batch.claimed))
    clinic.runtime.in_transaction(record, clinic.runtime, late, clinic.clock.now())
    clinic.until("2026-12-02 10:30")
    assert len(clinic.texts()) == before
    assert ("fifteen_minutes", "sms", "expired", "deadline_passed") in clinic.states("B1")


def test_a_deadline_at_the_end_of_the_night(open_clinic: Make) -> None:
    """A text that may go in the one moment between night and deadline goes, if slowly."""

    class Phone(Sandbox):
        async def send(self, message: OutgoingMessage):
            await asyncio.sleep(0.2)
            return await super().send(message)

    clinic = open_clinic(make_provider=lambda _name, setup: Phone(setup))
    clinic.read(row(start="2026-12-01 14:00"))
    clinic.until("2026-11-30 23:00")
    clinic.read(row("B2", "2026-12-01 09:00", phone="070-174 06 06"), confirmations=False)
    clinic.until("2026-12-01 08:30")
    assert ("2026-12-01 08:00", "•••• 606") in [(text.at, text.to) for text in clinic.texts()]
    assert "expired" not in [state for _, _, state, _ in clinic.states("B2")]


def test_two_workers_share_without_overlap(open_clinic: Make) -> None:
    """Two claims at once take different messages."""
    clinic = open_clinic()
    clinic.read(*(row(f"B{n}", phone=f"070-174 06 {n}") for n in range(10, 30)))
    clinic.plan()
    now = at("2026-12-01 10:00")
    clinic.clock.set(now)
    if clinic.runtime.database.is_sqlite:
        first = clinic.runtime.in_transaction(claim, clinic.runtime, Shelf(), now, 10)
        second = clinic.runtime.in_transaction(claim, clinic.runtime, Shelf(), now, 10)
    else:
        with clinic.runtime.database.transaction() as one:
            first = claim(one, clinic.runtime, Shelf(), now, 10)
            with clinic.runtime.database.transaction() as two:
                second = claim(two, clinic.runtime, Shelf(), now, 10)
    ids = [claimed.message_id for batch in (first, second) for claimed in batch.claimed]
    assert len(ids) == len(set(ids)) == 20


def test_night_outage_waits_for_the_morning(clinic: Clinic) -> None:
    """A text held up into the night waits for the morning, if it still helps then."""
    clinic.read(row(start="2026-12-02 19:00"))
    clinic.plan()
    clinic.clock.set(at("2026-12-01 23:00"))
    clinic.until("2026-12-02 12:00")
    assert [text.at for text in clinic.texts()] == ["2026-12-02 08:00"]
    assert "i dag" in clinic.texts()[0].body


def test_outage_sends_one_text_not_two(open_clinic: Make) -> None:
    """After an outage in which two reminders fell due, one goes and covers the other."""
    clinic = open_clinic(
        rules__two_days__before="48h",
        rules__two_days__template="day_before",
    )
    clinic.read(row(start="2026-12-03 10:00"))
    clinic.plan()
    clinic.clock.set(at("2026-12-02 11:00"))
    clinic.until("2026-12-02 12:00")
    assert len(clinic.texts()) == 1
    assert "covered_by" in [reason for *_, reason in clinic.states("B1")]


def test_deadline_passed_during_an_outage(clinic: Clinic) -> None:
    """A text that could not go while it helped is expired, with its reason, and never sent."""
    clinic.read(row())
    clinic.plan()
    clinic.clock.set(at("2026-12-02 10:30"))
    clinic.until("2026-12-02 11:00")
    assert clinic.texts() == []
    assert {(state, why) for _, _, state, why in clinic.states("B1") if state != "suppressed"} == {
        ("expired", "deadline_passed")
    }


def test_held_database_sends_nothing(clinic: Clinic) -> None:
    """A restored database sends nothing until a person has released it."""
    clinic.read(row())
    with clinic.runtime.database.transaction() as conn:
        keeping.put(conn, keeping.HELD, b"1")
    clinic.clock.set(at("2026-12-01 10:00"))
    asyncio.run(clinic.dispatcher.run_once())
    assert clinic.texts() == []
    with clinic.runtime.database.transaction() as conn:
        keeping.remove(conn, keeping.HELD)
    asyncio.run(clinic.dispatcher.run_once())
    assert len(clinic.texts()) == 1


def test_broken_template_holds_its_own_messages_only(clinic: Clinic) -> None:
    """A template that cannot be filled in goes to the worklist; the other messages go on."""
    clinic.read(row(), row("B2", phone="070-174 06 06"))
    with clinic.runtime.database.transaction() as conn:
        conn.execute(
            update(schema.template_version)
            .where(schema.template_version.c.name == "day_before")
            .values(source="{{ no_such_thing }}")
        )
    clinic.until("2026-12-02 11:00")
    assert {text.at for text in clinic.texts()} == {"2026-12-02 09:45"}
    assert ("day_before", "sms", "suppressed", "render_failed") in clinic.states("B1")


def test_help_on_request_goes_at_once(clinic: Clinic) -> None:
    """Staff who ask for the connection help have it sent at once, each time they ask."""
    clinic.read(row())
    clinic.until("2026-12-02 10:05")
    before = len(clinic.texts())
    for minute in ("2026-12-02 10:06", "2026-12-02 10:10"):
        with clinic.runtime.database.transaction() as conn:
            planned = desk.send_help(conn, clinic.runtime, "internet", "B1", clinic.clock.now())
        assert [line.message.key.rule for line in planned] == ["help"]
        clinic.until(minute)
    assert len(clinic.texts()) == before + 2


def test_resend_by_staff(clinic: Clinic) -> None:
    """A reminder that staff send early goes at once, and costs nobody the one at its time."""
    clinic.read(row())
    clinic.until("2026-11-30 13:00")
    with clinic.runtime.database.transaction() as conn:
        desk.resend(conn, clinic.runtime, "internet", "B1", "day_before", clinic.clock.now())
    clinic.until("2026-12-01 12:00")
    assert [text.at for text in clinic.texts()] == ["2026-11-30 13:00", "2026-12-01 10:00"]


def test_siblings_on_one_phone_are_told_apart(clinic: Clinic) -> None:
    """Two siblings on one phone get a text each, told apart by the end of the reference."""
    clinic.read(row("VB-1001"), row("VB-1002", "2026-12-02 11:00", born="2015-01-01"))
    clinic.until("2026-12-01 12:00")
    bodies = [text.body for text in clinic.texts()]
    assert len(bodies) == 2
    assert "1001" in bodies[0]
    assert "1002" in bodies[1]


def test_siblings_on_one_mailbox_are_told_apart(clinic: Clinic) -> None:
    """Two siblings with phones of their own and one mailbox are told apart on each channel."""
    mail = "anhorig@example.org"
    clinic.read(
        row("VB-1001", phone="", email=mail),
        row("VB-1002", phone="070-174 06 06", email=mail, born="2015-01-01"),
        row("VB-1003", phone="070-174 06 07", email="annan@example.org"),
    )
    clinic.until("2026-12-02 09:50")
    tail = re.compile(r"(?:siffror: |\(\.\.\.)(\d+)")
    told = [(text.channel, "".join(tail.findall(text.body))) for text in clinic.texts()]
    assert sorted(told) == [
        *[("email", ""), ("email", "1001"), ("email", "1001"), ("email", "1002")],
        *[("sms", ""), ("sms", ""), ("sms", "1002"), ("sms", "1002")],
    ]


@pytest.mark.parametrize("confirmed", [True, False])
def test_a_move_says_which_time_no_longer_holds(clinic: Clinic, confirmed: bool) -> None:
    """Who has several visits sees which of them has moved: by the time that they were told."""
    clinic.read(row(), row("B2", "2026-12-10 09:00"), confirmations=confirmed)
    clinic.until("2026-11-30 12:10")
    clinic.read(row(start="2026-12-03 13:00"), row("B2", "2026-12-10 09:00"))
    clinic.until("2026-11-30 12:20")
    body = clinic.texts()[-1].body
    assert "torsdag 3 december kl 13:00 i appen" in body
    assert "som gäller nu, inte onsdag 2 december kl 10:00." in body
    with clinic.runtime.database.reading() as conn:
        shown = clinic.show("B1")
        found = words_of(conn, clinic.runtime, shown, clinic.clock.now()).values()
    assert [words.exact for words in found if words.rendered.body == body] == [True]


def test_only_an_email_with_an_entry_has_to_be_followed(clinic: Clinic) -> None:
    """It is kept of which emails an entry for the calendar went along."""
    clinic.read(row(phone="", email="anhorig@example.org"))
    clinic.until("2026-12-02 09:50")
    went = [line.message for line in clinic.show("B1").lines if line.message.attempts]
    assert {(message.key.rule, message.calendar) for message in went} == {
        ("day_before", True),
        ("fifteen_minutes", False),
    }


def test_letters_of_a_reference_are_not_told(clinic: Clinic) -> None:
    """What a reference ends in may say what the visit is about: its last digits are told alone."""
    clinic.read(row("1001-BUP"), row("1002-BUP", "2026-12-02 11:00", born="2015-01-01"))
    clinic.until("2026-12-01 12:00")
    bodies = [text.body for text in clinic.texts()]
    assert [re.findall(r"\(...(\w+)\)", body) for body in bodies] == [["1001"], ["1002"]]
    assert not any("BUP" in body for body in bodies)


ALIKE = [
    ("12341001", "98761001", "41001", "61001"),
    ("B-2026-1001", "A-2025-1001", "61001", "51001"),
    ("A1001", "B1001", "A1001", "B1001"),
    ("1001A", "1001B", "001A", "001B"),
]


@pytest.mark.parametrize(("first", "second", "one", "other"), ALIKE)
def test_references_that_end_alike_are_told_apart(
    clinic: Clinic, first: str, second: str, one: str, other: str
) -> None:
    """Each text of two siblings at one time shows as much of the reference as differs."""
    clinic.read(row(first), row(second, born="2015-01-01"), confirmations=True)
    clinic.until("2026-12-01 12:00")
    clinic.read(row(first, status="avbokad"), row(second, born="2015-01-01"))
    clinic.until("2026-12-01 12:10")
    told = [re.findall(r"\.\.\.(\w+)\)", text.body) for text in clinic.texts()]
    assert sorted(told[:-1]) == sorted([[one], [other]] * 2)
    assert told[-1] == [one]


def test_a_cancellation_that_may_be_of_either_sibling_lets_nobody_off(clinic: Clinic) -> None:
    """Where only words of the references differ, nothing is told of them; one visit still stands."""
    rows = (row("BUP-1001"), row("VUX-1001", born="2015-01-01"))
    clinic.read(*rows, confirmations=True)
    clinic.until("2026-11-30 13:00")
    clinic.read(row("BUP-1001", status="avbokad"), rows[1])
    clinic.until("2026-11-30 13:10")
    said = clinic.texts()[-1].body
    assert "är avbokat. Frågor" in said
    assert not any("1001" in text.body for text in clinic.texts())


@pytest.mark.parametrize(
    ("ref", "siblings", "tail"),
    [
        ("B-2041", [], "2041"),
        ("2041-BUP", ["2042-BUP"], "2041"),
        ("VB-20411", ["VB-10411"], "20411"),
        ("12341001", ["98761001", "12441001"], "341001"),
        ("1001", ["51001"], "1001"),
        ("51001", ["1001"], "51001"),
        ("B-2041", ["C-2041"], "B2041"),
        ("BUP-2041", ["VUX-2041"], None),
        ("BUP-2041-A", ["VUX-2041-B"], "041A"),
        ("BUP", [], None),
        ("A", [], None),
        ("A", ["B"], "A"),
        ("B-7", ["BUP"], "7"),
        ("١٢", [], None),
        ("B-2041", ["B-2041"], None),
    ],
)
def test_the_last_digits_of_a_reference(ref: str, siblings: list[str], tail: str | None) -> None:
    """A booking is named by as many last digits as no sibling's has, or by single letters."""
    assert ref_tail(ref, siblings) == tail


def test_protected_identity_is_phoned(clinic: Clinic) -> None:
    """A patient with protected identity is never written to, and stands on the call list."""
    head = "boknings-id;starttid;mobil;skyddad\n"
    clinic.read("B1;2026-12-02 10:00;070-174 06 05;ja\n", head=head)
    clinic.until("2026-12-02 09:00")
    assert clinic.texts() == []
    assert [(item.kind, item.reason) for item in clinic.worklist()] == [
        ("call", "protected_identity")
    ]


def test_provider_that_breaks_is_ambiguous(open_clinic: Make) -> None:
    """A provider that raises leaves its message unknown and does not stop the others."""

    class Broken(Sandbox):
        async def send(self, message: OutgoingMessage):
            if message.to.endswith("605"):
                raise RuntimeError("something with +46701740605")
            return await super().send(message)

        async def find(self, sought: object):
            return None

    clinic = open_clinic(make_provider=lambda _name, setup: Broken(setup))
    clinic.read(row(), row("B2", phone="070-174 06 06"))
    clinic.until("2026-12-01 10:01")
    assert [text.to[-3:] for text in clinic.texts()] == ["606"]
    assert ("day_before", "sms", "unknown", "no_answer") in clinic.states("B1")
    assert [(item.kind, item.ref) for item in clinic.worklist()] == [("unknown", "B1")]


class ListsLate(Sandbox):
    """A provider that shows a text in its listing only when `listed` says so."""

    listed: Callable[[], bool] = staticmethod(lambda: False)

    async def find(self, sought: Sought) -> Outcome | None:
        if not type(self).listed():
            return Rejected("absent", Refusal.THROTTLED)
        return await super().find(sought)


def test_horizon_counts_from_the_last_moment_of_a_lost_worker(open_clinic: Make) -> None:
    """A worker that wrote late within its lease and died has its text looked for long enough."""

    class Phone(ListsLate):
        pass

    clinic = open_clinic(make_provider=lambda _name, setup: Phone(setup))
    Phone.listed = staticmethod(lambda: clinic.clock.now() >= at("2026-12-01 10:03"))
    clinic.read(row())
    clinic.plan()
    clinic.clock.set(at("2026-12-01 10:00"))
    batch = clinic.runtime.in_transaction(claim, clinic.runtime, Shelf(), clinic.clock.now(), 10)
    clinic.clock.set(at("2026-12-01 10:01:45"))
    asyncio.run(send_all(clinic.runtime, batch.claimed))
    clinic.until("2026-12-01 10:30")
    assert len(clinic.texts()) == 1
    assert ("day_before", "sms", "delivered", None) in clinic.states("B1")


def test_a_text_that_says_today_is_not_kept_until_tomorrow(open_clinic: Make) -> None:
    """Where no night ends it before, a provider gives a text up when the day does."""
    kept: list[timedelta] = []

    class Keeps(Sandbox):
        async def send(self, message: OutgoingMessage) -> Outcome:
            kept.append(message.valid_for)
            return await super().send(message)

    clinic = open_clinic(
        make_provider=lambda _name, setup: Keeps(setup),
        clinics__internet__quiet_hours="03:00-03:01",
    )
    clinic.read(row(start="2026-12-02 22:00"))
    clinic.until("2026-12-01 22:05")
    assert kept == [timedelta(hours=2)]
