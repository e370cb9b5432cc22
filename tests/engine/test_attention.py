"""What needs a person though no message failed: guardians from 13, logins, consents, wishes."""

from sqlalchemy import select

from reminders.domain.appointment import OwnLogin
from reminders.domain.contact import Channel, Consent
from reminders.engine import approval, people
from reminders.engine.people import Changes
from reminders.store import schema
from tests.engine.clinic import HEAD, Clinic, row

WISHES = HEAD.rstrip("\n") + ";egen inloggning;vårdnadshavare från 13;inga sms;kontaktväg\n"


def teenager(ref: str = "B1", start: str = "2026-12-02 10:00", extra: str = "", **more: str) -> str:
    """Return a row of a fifteen-year-old with these further cells."""
    plain = row(ref, start, **{"born": "2011-05-01", **more})
    return plain.rstrip("\n") + (f";{extra}\n" if extra else "\n")


def items(clinic: Clinic, kind: str) -> list[tuple[str | None, str]]:
    return [(item.ref, item.reason) for item in clinic.worklist() if item.kind == kind]


def change(clinic: Clinic, ref: str, changes: Changes) -> None:
    """Record something of the first contact of a visit."""
    contact_id = clinic.show(ref).patient.people[0].id
    now = clinic.clock.now()
    clinic.runtime.in_transaction(
        people.change, clinic.runtime, "internet", ref, contact_id, changes, now
    )


def record_login(clinic: Clinic, ref: str, answer: OwnLogin) -> None:
    now = clinic.clock.now()
    clinic.runtime.in_transaction(people.record_login, clinic.runtime, "internet", ref, answer, now)


def test_a_teenagers_guardian_is_phoned_until_a_choice_is_recorded(clinic: Clinic) -> None:
    """Without a choice the visit stands on the call list; the choice brings the texts."""
    clinic.read(teenager())
    clinic.until("2026-11-30 13:00")
    assert items(clinic, "call") == [("B1", "guardian_not_chosen")]
    change(clinic, "B1", Changes({"from_13": True}))
    clinic.until("2026-12-01 11:00")
    assert items(clinic, "call") == []
    assert len(clinic.texts()) == 1


def test_a_choice_in_the_file(clinic: Clinic) -> None:
    """The choice can come with the file, and an empty cell does not take it back."""
    clinic.read(teenager(extra="ja;ja;;"), head=WISHES)
    clinic.read(teenager(start="2026-12-02 11:00", extra=";;;"), head=WISHES)
    [person] = clinic.show("B1").patient.people
    assert person.wishes.from_13 is True
    clinic.until("2026-12-01 12:00")
    assert len(clinic.texts()) >= 1


def test_a_teenager_who_is_told_needs_no_call(clinic: Clinic) -> None:
    """Where the patient is told, a guardian without a choice is nobody to phone."""
    clinic.read(teenager(role="patient", phone="070-174 06 06"), teenager(role="vårdnadshavare"))
    clinic.until("2026-12-01 11:00")
    assert items(clinic, "call") == []
    assert [text.to[-3:] for text in clinic.texts()] == ["606"]


def test_a_login_that_nobody_has_confirmed(clinic: Clinic) -> None:
    """A week ahead a patient of 13 or more without a login stands on the list; a yes takes it off."""
    clinic.read(
        teenager("B1", role="patient"),
        teenager("B2", "2026-12-07 11:00", role="patient", phone="070-174 06 06"),
        teenager("B3", "2026-12-09 11:00", role="patient", phone="070-174 06 07"),
        row("B4", born="2018-05-01", phone="070-174 06 08"),
        row("B5", born="", phone="070-174 06 09"),
    )
    assert items(clinic, "login") == [("B1", "no_own_login"), ("B2", "no_own_login")]
    record_login(clinic, "B1", OwnLogin.CONFIRMED)
    record_login(clinic, "B2", OwnLogin.MISSING)
    assert items(clinic, "login") == [("B2", "no_own_login")]


def test_the_birthday_counts_for_the_login(clinic: Clinic) -> None:
    """Who is 13 on the day of the visit is asked about a login; who is 12 then is not."""
    clinic.read(
        row("B1", born="2013-12-02", role="patient"),
        row("B2", born="2013-12-03", role="patient", phone="070-174 06 06"),
    )
    assert [ref for ref, _ in items(clinic, "login")] == ["B1"]


def test_a_protected_patient_is_phoned(clinic: Clinic) -> None:
    """Whose identity is protected is never written to, whatever they wish, and is on the list."""
    head = HEAD.rstrip("\n") + ";skyddad;kontaktväg\n"
    clinic.read(row().rstrip("\n") + ";ja;sms\n", head=head, confirmations=True)
    clinic.until("2026-12-02 09:50")
    assert clinic.texts() == []
    assert items(clinic, "call") == [("B1", "protected_identity")]


def test_wishes_come_with_the_file(clinic: Clinic) -> None:
    """Hours without SMS and a preferred channel of the file hold, and are shown."""
    plain = row(email="hemma@example.org").rstrip("\n")
    clinic.read(f"{plain};;;09.00-11;e-post\n", head=WISHES)
    [person] = clinic.show("B1").patient.people
    assert person.wishes.prefers is Channel.EMAIL
    clinic.until("2026-12-01 13:00")
    assert [text.channel for text in clinic.texts()] == ["email"]
    change(clinic, "B1", Changes({"prefers": None, "no_sms": None}))
    [person] = clinic.show("B1").patient.people
    assert (person.wishes.prefers, person.wishes.no_sms) == (None, None)


def recorded(clinic: Clinic, ref: str = "B1") -> tuple[object, ...]:
    """Return all that is recorded of a visit's patient and its one contact."""
    patient = clinic.show(ref).patient
    [person] = patient.people
    words = {channel: (word.status, word.source) for channel, word in person.words.items()}
    return patient.own_login, person.wishes, person.language, words


def test_a_later_file_without_the_columns_takes_nothing_back(clinic: Clinic) -> None:
    """Login, wishes, consent and language stay, also when a file begins or ceases to name patients."""
    both = {"email": "hemma@example.org"}
    spoken = WISHES.rstrip("\n") + ";språk\n"
    clinic.read(teenager(extra="ja;ja;08.00-11;e-post;en", **both), head=spoken)
    change(clinic, "B1", Changes(consent={Channel.SMS: Consent.REFUSED}))
    before = recorded(clinic)
    assert before[0] is OwnLogin.CONFIRMED
    clinic.read(teenager(start="2026-12-02 11:00", **both))
    assert recorded(clinic) == before
    for start in ("2026-12-02 12:00", "2026-12-02 13:00"):
        second = teenager("B2", "2026-12-03 12:00", **both)
        named = (f"P1;{line}" for line in (teenager(start=start, **both), second))
        clinic.read(*named, head=f"patient;{HEAD}")
        assert recorded(clinic) == recorded(clinic, "B2") == before
    clinic.read(teenager(start="2026-12-02 14:00", **both))
    assert recorded(clinic) == before


def test_protection_stays_when_a_file_ceases_to_name_patients(clinic: Clinic) -> None:
    """A protected patient is written to by no file that only lacks the columns."""
    clinic.read(f"ja;P1;{row()}", head=f"skyddad;patient;{HEAD}")
    clinic.read(row(start="2026-12-02 11:00"), confirmations=True)
    clinic.until("2026-12-02 10:50")
    assert clinic.texts() == []
    assert items(clinic, "call") == [("B1", "protected_identity")]


def test_protection_stays_where_no_column_tells_it(clinic: Clinic) -> None:
    """A file without the column leaves a patient protected; one with it can say that it is over."""
    clinic.read(f"ja;P1;{row()}", head=f"skyddad;patient;{HEAD}")
    clinic.read(f"P1;{row(start='2026-12-02 11:00')}", head=f"patient;{HEAD}")
    clinic.until("2026-12-02 10:50")
    assert clinic.texts() == []
    clinic.read(f"nej;P1;{row(start='2026-12-04 11:00')}", head=f"skyddad;patient;{HEAD}")
    clinic.until("2026-12-03 11:30")
    assert clinic.texts() != []


def test_a_refusal_at_the_desk_stays(clinic: Clinic) -> None:
    """What staff record as refused is not brought back by a file that says yes each night."""
    head = HEAD.rstrip("\n") + ";samtycke sms\n"
    clinic.read(row().rstrip("\n") + ";ja\n", head=head)
    change(clinic, "B1", Changes(consent={Channel.SMS: Consent.REFUSED}))
    again = clinic.read(row(start="2026-12-02 11:00").rstrip("\n") + ";ja\n", head=head)
    assert again.applied
    [person] = clinic.show("B1").patient.people
    assert (person.words[Channel.SMS].status, person.words[Channel.SMS].source) == (
        "refused",
        "staff",
    )
    change(clinic, "B1", Changes(consent={Channel.SMS: Consent.GIVEN}))
    [person] = clinic.show("B1").patient.people
    assert person.words[Channel.SMS].status == "given"


def test_consent_knows_its_texts(clinic: Clinic) -> None:
    """A consent keeps the edition of the texts it was given for, for each channel."""
    clinic.read(row(email="hemma@example.org"))
    [person] = clinic.show("B1").patient.people
    editions = {channel: word.edition for channel, word in person.words.items()}
    assert all(editions.values())
    assert editions[Channel.SMS] != editions[Channel.EMAIL]


def approve_a_change(clinic: Clinic, *, changes_meaning: bool) -> None:
    """Let the Swedish day-before SMS say something else, approved by a person."""
    now = clinic.clock.now()
    source = approval.on_disk(clinic.runtime)["sv", "day_before", Channel.SMS]
    with clinic.runtime.database.transaction() as conn:
        conn.execute(
            schema.template_version.update()
            .where(schema.template_version.c.version == source.version)
            .values(version="before")
        )
        done = approval.approve(conn, clinic.runtime, "anna", now, changes_meaning=changes_meaning)
    assert [one.source.name for one in done.waiting] == ["day_before"]


def test_changed_texts_are_to_be_told(clinic: Clinic) -> None:
    """Who agreed to texts that say something else now is listed, still written to, and ticked off."""
    clinic.read(row(email="hemma@example.org"))
    clinic.until("2026-11-30 13:00")
    approve_a_change(clinic, changes_meaning=True)
    assert items(clinic, "inform") == [("B1", "consent_outdated")]
    clinic.until("2026-12-01 11:00")
    assert len(clinic.texts()) == 1
    change(clinic, "B1", Changes(informed=True))
    assert items(clinic, "inform") == []


def test_other_changes_need_no_telling(clinic: Clinic) -> None:
    """An edit that leaves the meaning as it was asks nothing of anybody."""
    clinic.read(row())
    clinic.until("2026-11-30 13:00")
    approve_a_change(clinic, changes_meaning=False)
    assert items(clinic, "inform") == []


def test_what_staff_record_is_in_the_ledger(clinic: Clinic) -> None:
    """The ledger tells who changed what, by name alone."""
    clinic.read(row())
    change(clinic, "B1", Changes({"no_sms": None}, {Channel.SMS: Consent.REFUSED}))
    with clinic.runtime.database.reading() as conn:
        details = conn.execute(
            select(schema.ledger.c.detail).where(schema.ledger.c.event == "contact_changed")
        ).scalars()
        assert list(details) == [{"wishes": "no_sms", "consent_sms": "refused"}]
