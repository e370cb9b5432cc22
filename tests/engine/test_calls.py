"""Whom staff have to phone: those who do not know what is true, and whom no text will tell in time."""

from collections.abc import Callable
from datetime import time

import pytest

from reminders.config import example
from reminders.domain.quiet import QuietHours
from reminders.domain.rules import Event
from reminders.engine import calls, contacts, desk, people
from reminders.engine.calls import call_list, tick
from reminders.engine.contacts import Addresses
from reminders.store import clinics
from tests.engine.clinic import Clinic, at, row
from tests.engine.test_delivery import failing

Make = Callable[..., Clinic]


def to_phone(clinic: Clinic) -> list[tuple[str | None, str, Event | None]]:
    """Return the visits, reasons and news of the worklist; the page's list has to say the same."""
    items = [item for item in clinic.worklist() if item.kind in {"call", "unknown"}]
    with clinic.runtime.database.reading() as conn:
        clinic_id = clinics.find_clinic_id(conn, "internet")
        page = call_list(conn, clinic.runtime, clinic_id or 0, clinic.clock.now())
    assert [call.item for call in page.waiting] == items
    return [(item.ref, item.reason, item.news) for item in items]


def by_hand(clinic: Clinic, act: Callable[..., object], *words: object) -> None:
    """Let staff do something now, and the engine what follows at once."""
    runtime = clinic.runtime
    runtime.in_transaction(act, runtime, "internet", *words, clinic.clock.now())


def test_a_dead_number_is_told_at_once(open_clinic: Make) -> None:
    """A number that refuses is for the phone while there is time, whatever is planned to it yet."""
    clinic = open_clinic(**failing(_605="address"))
    clinic.read(row(start="2026-12-04 10:00"), confirmations=True)
    clinic.until("2026-11-30 12:05")
    assert to_phone(clinic) == [("B1", "invalid_address", None)]
    clinic.read(row(start="2026-12-04 10:00", phone="070-174 06 06"))
    clinic.plan()
    assert to_phone(clinic) == []


def test_a_dead_number_is_told_of_a_visit_moved_away_and_back(open_clinic: Make) -> None:
    """What an address refused for this time is not tried again, and still for the phone."""
    clinic = open_clinic(**failing(_605="address"))
    clinic.read(row(start="2026-12-04 10:00"), confirmations=True)
    clinic.until("2026-11-30 12:05")
    for start in ("2026-12-04 14:00", "2026-12-04 10:00"):
        by_hand(clinic, desk.move, "B1", at(start))
        clinic.until("2026-11-30 12:10")
        assert to_phone(clinic) == [("B1", "invalid_address", None)]


@pytest.mark.parametrize(
    ("moment", "opted_out", "reason"),
    [("2026-12-01 22:00", False, "quiet_hours"), ("2026-12-01 15:00", True, "opted_out")],
)
def test_a_cancellation_that_reaches_nobody_is_phoned(
    clinic: Clinic, moment: str, opted_out: bool, reason: str
) -> None:
    """Who was told of a visit and cannot be told that it is cancelled stands on the call list."""
    clinic.read(row(start="2026-12-02 07:30"), confirmations=True)
    clinic.until(moment)
    assert to_phone(clinic) == []
    if opted_out:
        with clinic.runtime.database.transaction() as conn:
            clinic_id = clinics.clinic_id(conn, "internet")
            clinics.add_opt_out(conn, clinic_id, "+46701740605", "test", clinic.clock.now())
    by_hand(clinic, desk.cancel, ["B1"])
    assert to_phone(clinic) == [("B1", reason, Event.CANCELLED)]
    clinic.until("2026-12-02 07:20")
    assert to_phone(clinic) == [("B1", reason, Event.CANCELLED)]
    clinic.until("2026-12-02 08:31")
    assert to_phone(clinic) == []


def test_a_refused_cancellation_is_phoned(open_clinic: Make) -> None:
    """A cancellation that the provider refuses is for the phone, the visit being cancelled or not."""
    clinic = open_clinic()
    clinic.read(row(), confirmations=True)
    clinic.until("2026-11-30 13:00")
    clinic.restart(**failing(_605="address"))
    by_hand(clinic, desk.cancel, ["B1"])
    assert to_phone(clinic) == []  # the text is on its way
    clinic.until("2026-11-30 13:05")
    assert to_phone(clinic) == [("B1", "invalid_address", Event.CANCELLED)]


def test_who_never_heard_of_a_visit_is_not_phoned_when_it_is_cancelled(open_clinic: Make) -> None:
    """A cancellation is no news to somebody whom nothing of the visit has reached."""
    clinic = open_clinic(**failing(_605="address"))
    clinic.read(row(), confirmations=True)
    clinic.until("2026-11-30 12:05")
    assert [ref for ref, _, _ in to_phone(clinic)] == ["B1"]
    by_hand(clinic, desk.cancel, ["B1"])
    clinic.until("2026-11-30 12:10")
    assert to_phone(clinic) == []


def test_a_move_that_cannot_be_told_in_time_is_phoned(clinic: Clinic) -> None:
    """A reminder fifteen minutes before an earlier time is no news in time."""
    clinic.read(row(start="2026-12-02 14:00"), confirmations=True)
    clinic.until("2026-12-01 22:30")
    by_hand(clinic, desk.move, "B1", at("2026-12-02 07:30"))
    assert to_phone(clinic) == [("B1", "quiet_hours", Event.MOVED)]
    clinic.until("2026-12-02 07:20")  # the reminder has gone: they have been told after all
    assert to_phone(clinic) == []


def test_a_move_by_day_needs_no_phone(clinic: Clinic) -> None:
    """While the news is on its way, and when it has arrived, nobody has to phone."""
    clinic.read(row(start="2026-12-02 14:00"), confirmations=True)
    clinic.until("2026-12-01 15:00")
    by_hand(clinic, desk.move, "B1", at("2026-12-02 16:00"))
    assert to_phone(clinic) == []
    clinic.until("2026-12-01 15:05")
    assert to_phone(clinic) == []


@pytest.mark.parametrize("to", ["2026-12-02 14:00", "2026-12-23 14:00", None])
def test_news_that_comes_after_the_time_they_count_on_is_phoned(
    clinic: Clinic, to: str | None
) -> None:
    """What is told in the morning is too late for who gets up for the visit of that morning."""
    clinic.read(row(start="2026-12-02 08:00"), confirmations=True)
    clinic.until("2026-12-01 22:30")
    if to is None:
        by_hand(clinic, desk.cancel, ["B1"])
    else:
        by_hand(clinic, desk.move, "B1", at(to))
    news = Event.MOVED if to else Event.CANCELLED
    assert to_phone(clinic) == [("B1", "news_too_late", news)]
    assert [item.counts_on for item in clinic.worklist()] == [
        at("2026-12-02 08:00") if to else None
    ]
    clinic.until("2026-12-02 07:58")
    assert to_phone(clinic) == [("B1", "news_too_late", news)]
    clinic.until("2026-12-02 08:01")
    assert to_phone(clinic) == []


def test_news_that_waits_for_their_own_hours_is_phoned_until_somebody_has(clinic: Clinic) -> None:
    """Who wants no texts in the morning is told too late of a visit of that morning: phone."""
    clinic.read(row(start="2026-12-02 11:00"), confirmations=True)
    clinic.until("2026-12-01 15:00")
    [person] = clinic.show("B1").patient.people
    wishes = people.Changes({"no_sms": QuietHours(time(7), time(12))})
    by_hand(clinic, people.change, "B1", person.id, wishes)
    clinic.until("2026-12-02 08:30")
    by_hand(clinic, desk.move, "B1", at("2026-12-03 15:00"))
    assert to_phone(clinic) == [("B1", "news_too_late", Event.MOVED)]
    by_hand(clinic, calls.tick, "B1", person.id, "AB")
    assert to_phone(clinic) == []


def test_nobody_waits_for_a_visit_that_is_long_past(clinic: Clinic) -> None:
    """Who gets a new time in the evening, for a visit of the morning, can read of it next day."""
    clinic.read(row(start="2026-12-02 08:00"), confirmations=True)
    clinic.until("2026-12-02 22:00")
    by_hand(clinic, desk.move, "B1", at("2026-12-08 08:00"))
    assert to_phone(clinic) == []


def test_who_waits_for_a_visit_cancelled_as_it_began_is_phoned(clinic: Clinic) -> None:
    """No text helps any more, and somebody sits before the screen: for an hour, not all day."""
    others = row("B2", "2026-12-02 10:00", phone="070-174 06 06")
    clinic.read(row(start="2026-12-02 10:00"), others, confirmations=True)
    clinic.until("2026-12-02 10:05")
    assert to_phone(clinic) == []
    by_hand(clinic, desk.cancel, ["B1"])
    assert to_phone(clinic) == [("B1", "too_late", Event.CANCELLED)]
    clinic.until("2026-12-02 10:59")
    assert to_phone(clinic) == [("B1", "too_late", Event.CANCELLED)]
    clinic.until("2026-12-02 11:01")
    assert to_phone(clinic) == []


def test_who_expects_a_visit_soon_is_phoned_however_far_it_was_moved(open_clinic: Make) -> None:
    """News that is refused is for the phone before the old time, not a fortnight before the new."""
    clinic = open_clinic()
    clinic.read(row(), row("B2", "2026-12-01 15:00", phone="070-174 06 06"), confirmations=True)
    clinic.until("2026-11-30 13:00")
    clinic.restart(**failing(_605="address", _606="address"))
    for ref in ("B1", "B2"):
        by_hand(clinic, desk.move, ref, at("2027-01-20 10:00"))
    clinic.until("2026-11-30 13:05")
    moved = ("invalid_address", Event.MOVED)
    assert to_phone(clinic) == [("B2", *moved), ("B1", *moved)]


def test_who_was_told_of_a_visit_by_phone_is_phoned_when_it_is_cancelled(clinic: Clinic) -> None:
    """Whom no text may reach, and staff have phoned, stands there again if the visit is cancelled."""
    with clinic.runtime.database.transaction() as conn:
        mine = clinics.clinic_id(conn, "internet")
        clinics.add_opt_out(conn, mine, "+46701740605", "staff", clinic.clock.now())
    clinic.read(row(), row("B2", phone="070-174 06 06"), confirmations=True)
    clinic.plan()
    assert to_phone(clinic) == [("B1", "opted_out", None)]
    [who] = [item.contact_id for item in clinic.worklist() if item.ref == "B1"]
    by_hand(clinic, tick, "B1", who, "AB")
    assert to_phone(clinic) == []
    by_hand(clinic, desk.cancel, ["B1", "B2"])
    assert to_phone(clinic) == [("B1", "opted_out", Event.CANCELLED)]
    by_hand(clinic, tick, "B1", who, "AB")
    assert to_phone(clinic) == []


HEAD = "boknings-id;starttid;besökstyp;mobil;roll;födelsedatum;status;skyddad;från 13\n"


def of_age(
    ref: str = "B1",
    *,
    phone: str = "070-174 06 05",
    role: str = "vårdnadshavare",
    born: str = "2011-05-01",
    protected: str = "nej",
    from_13: str = "ja",
) -> str:
    """Return one line of a file that says who is protected, and which guardian is to be told."""
    start = "2026-12-03 10:00"
    return f"{ref};{start};Videobesök;{phone};{role};{born};bokad;{protected};{from_13}\n"


CHILD = "2016-05-01"


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (of_age(), of_age(protected="ja"), "protected_identity"),
        (of_age(), of_age(protected="ja", phone=""), "protected_identity"),
        (of_age(born=CHILD, from_13=""), of_age(from_13=""), "guardian_not_chosen"),
        (of_age(), of_age(from_13="nej"), None),
        (of_age(), of_age(phone=""), None),  # an empty cell takes nothing away: the texts go
    ],
)
def test_who_was_told_and_is_cut_off_is_phoned(
    clinic: Clinic, before: str, after: str, reason: str | None
) -> None:
    """Who counts on reminders, and gets none for a reason that is no wish of theirs, is phoned."""
    clinic.read(before, head=HEAD, confirmations=True)
    clinic.until("2026-11-30 13:00")
    assert to_phone(clinic) == []
    clinic.read(after, head=HEAD)
    clinic.until("2026-11-30 14:00")
    listed = [("B1", reason, None)] if reason else []
    assert to_phone(clinic) == listed
    clinic.until("2026-12-03 09:50")
    assert to_phone(clinic) == listed


def test_who_is_cut_off_stands_there_until_texts_can_go_again(clinic: Clinic) -> None:
    """The other parent, who goes on being told, is enough; so is a call, and that texts go again."""
    two = of_age(phone="070-174 06 06")
    clinic.read(of_age(), two, head=HEAD, confirmations=True)
    clinic.until("2026-11-30 13:00")
    [first, _] = clinic.show("B1").patient.people
    no_more = Addresses(None, None)
    by_hand(clinic, contacts.correct, "B1", first.id, no_more)
    assert to_phone(clinic) == []  # the other goes on being told
    hidden = of_age(phone="070-174 06 06", protected="ja")
    clinic.read(hidden, head=HEAD)
    clinic.plan()
    assert to_phone(clinic) == [("B1", "no_address", None), ("B1", "protected_identity", None)]
    clinic.read(two, head=HEAD)
    clinic.plan()
    assert to_phone(clinic) == []
    clinic.read(hidden, head=HEAD)
    clinic.plan()
    for item in clinic.worklist():
        by_hand(clinic, tick, "B1", item.contact_id, "AB")
    assert to_phone(clinic) == []


def test_whoever_has_no_address_any_more_is_phoned(clinic: Clinic) -> None:
    """Who was told at a number that staff have taken away, for none other, is phoned."""
    clinic.read(row(), confirmations=True)
    clinic.until("2026-11-30 13:00")
    [person] = clinic.show("B1").patient.people
    by_hand(clinic, contacts.correct, "B1", person.id, Addresses(None, None))
    assert to_phone(clinic) == [("B1", "no_address", None)]


def test_a_corrected_number_that_is_dead_is_phoned(open_clinic: Make) -> None:
    """What arrived at the old number told nobody behind the new one, which the provider refuses."""
    clinic = open_clinic(**failing(_606="address"))
    clinic.read(row(), confirmations=True)
    clinic.until("2026-11-30 13:00")
    clinic.read(row(phone="0701740605"))  # written differently, and the same
    clinic.until("2026-11-30 13:30")
    assert len(clinic.texts()) == 1
    clinic.read(row(phone="070-174 06 06"))
    clinic.plan()
    assert to_phone(clinic) == []  # the confirmation is on its way
    clinic.until("2026-11-30 14:00")
    assert to_phone(clinic) == [("B1", "invalid_address", None)]


@pytest.mark.parametrize("opted_out", [False, True])
def test_who_was_told_of_another_login_is_told_anew_or_phoned(
    clinic: Clinic, opted_out: bool
) -> None:
    """A birth date corrected over the age for a login is told by a text, or else by phone."""
    clinic.read(of_age(), head=HEAD, confirmations=True)
    clinic.until("2026-11-30 13:00")
    if opted_out:
        with clinic.runtime.database.transaction() as conn:
            mine = clinics.clinic_id(conn, "internet")
            clinics.add_opt_out(conn, mine, "+46701740605", "test", clinic.clock.now())
    clinic.read(of_age(born=CHILD), head=HEAD)
    clinic.until("2026-11-30 14:00")
    said = ["barn loggar in med egen", "Du loggar in med din egen"]
    bodies = [text.body for text in clinic.texts()]
    assert [word in body for word, body in zip(said, bodies, strict=False)] == [True] * len(bodies)
    assert len(bodies) == (1 if opted_out else 2)
    assert to_phone(clinic) == ([("B1", "opted_out", None)] if opted_out else [])


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_number_corrected_back_is_told_or_phoned(open_clinic: Make, *, cancelled: bool) -> None:
    """Who missed a change while another number stood there gets it, or stands on the call list."""
    clinic = open_clinic()
    clinic.read(row(), confirmations=True)
    clinic.until("2026-11-30 12:30")
    clinic.read(row(phone="070-174 06 06"))
    clinic.until("2026-11-30 12:40")
    changed = {"status": "avbokad"} if cancelled else {"start": "2026-12-02 15:00"}
    clinic.read(row(phone="070-174 06 06", **changed))
    clinic.until("2026-11-30 12:50")
    clinic.restart(**failing(_605="address"))
    clinic.read(row(**changed))
    clinic.plan()
    assert to_phone(clinic) == []
    clinic.until("2026-11-30 13:30")
    news = Event.CANCELLED if cancelled else Event.MOVED
    assert to_phone(clinic) == [("B1", "invalid_address", news)]


def test_who_never_had_that_kind_of_address_is_not_phoned(open_clinic: Make) -> None:
    """A rule of email alone, or of SMS, leaves out who has none: the others tell them all."""
    rules = example().model_dump(by_alias=True)["rules"]
    rules["fifteen_minutes"]["channels"] = ["email"]
    clinic = open_clinic(rules=rules)
    clinic.read(row(), row("B2", phone="", email="a@example.org"), confirmations=True)
    clinic.until("2026-12-01 11:00")
    assert to_phone(clinic) == []
    clinic.until("2026-12-02 09:50")
    assert to_phone(clinic) == []


@pytest.mark.parametrize("email", [None, "a@example.org"])
def test_an_address_that_is_gone_is_told_elsewhere_or_phoned(
    clinic: Clinic, email: str | None
) -> None:
    """Whose number staff take away is told anew by email, and is for the phone without one."""
    clinic.read(row(email=email or ""), confirmations=True)
    clinic.until("2026-11-30 13:00")
    [person] = clinic.show("B1").patient.people
    by_hand(clinic, contacts.correct, "B1", person.id, Addresses(None, email))
    clinic.until("2026-11-30 13:05")
    assert [text.channel for text in clinic.texts()] == (["sms", "email"] if email else ["sms"])
    assert to_phone(clinic) == ([] if email else [("B1", "no_address", None)])


@pytest.mark.parametrize("cancelled", [False, True])
def test_who_counts_on_a_later_day_stands_there_until_then(
    clinic: Clinic, *, cancelled: bool
) -> None:
    """A visit moved to an earlier time, by night, is over; its family still counts on the old one."""
    clinic.read(row(start="2026-12-04 12:00"), confirmations=True)
    clinic.until("2026-11-30 22:00")
    [person] = clinic.show("B1").patient.people
    wishes = people.Changes({"no_sms": QuietHours(time(7), time(12))})
    by_hand(clinic, people.change, "B1", person.id, wishes)
    by_hand(clinic, desk.move, "B1", at("2026-12-01 08:10"))
    if cancelled:
        clinic.until("2026-12-01 08:30")
        by_hand(clinic, desk.cancel, ["B1"])
    for moment in ("2026-12-01 08:40", "2026-12-01 20:00", "2026-12-04 11:30"):
        clinic.until(moment)
        assert [(ref, news) for ref, _, news in to_phone(clinic)] == [
            ("B1", Event.CANCELLED if cancelled else Event.MOVED)
        ]
    clinic.until("2026-12-04 13:01")
    assert to_phone(clinic) == []
