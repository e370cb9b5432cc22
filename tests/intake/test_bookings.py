"""From records to bookings, and to problems that say what to correct."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from reminders.domain.appointment import OwnLogin, VisitStatus
from reminders.domain.contact import Channel, Consent, Role
from reminders.intake.bookings import Problem, ProblemCode, Row
from reminders.intake.people import Person
from tests.intake.helpers import (
    FORM,
    codes,
    doubts,
    one,
    problems,
    refusal,
    refused,
    results,
    rows,
    table,
)

TIME = "2026-12-01 09:00"


def test_a_whole_row() -> None:
    """A row has what its columns say, and its line."""
    text = (
        "sep=;\nBoknings-ID;Datum;Tid;Besökstyp;Status;Patientnummer;Namn;Födelsedatum;Skyddad;"
        "Egen inloggning;Roll;Mobil;E-post;Språk;Samtycke SMS;Samtycke e-post\n"
        "B 1;2026-12-01;kl 9; VIDEOBESÖK ;Bokad;P1;Ek, Alma;2012-06-30;nej;ja;Mamma;"
        "070-174 06 05;alma@Example.org;Engelska;ja;nej\n"
    )
    assert results(text) == [
        Row(
            line=3,
            ref="B 1",
            kind="VIDEOBESÖK",
            video=True,
            starts_at=datetime(2026, 12, 1, 8, tzinfo=UTC),
            status=VisitStatus.BOOKED,
            patient_key="P1",
            birth_date=date(2012, 6, 30),
            protected=False,
            own_login=OwnLogin.CONFIRMED,
            people=(
                Person(
                    role=Role.GUARDIAN,
                    phone="+46701740605",
                    email="alma@example.org",
                    language="en",
                    consents={Channel.SMS: Consent.GIVEN, Channel.EMAIL: Consent.REFUSED},
                ),
            ),
        )
    ]


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        ("A1", "A1"),
        ("1001.0", "1001"),
        ('"=""0042"""', "0042"),
        ("'0042", "0042"),
        ("\ufeffÅ-1\u200b", "Å-1"),
        ("A\u030a-1", "Å-1"),
    ],
)
def test_references(ref: str, expected: str) -> None:
    """A reference is the same however a spreadsheet has dressed it."""
    assert one(ref=ref).ref == expected


@pytest.mark.parametrize(
    ("ref", "code"),
    [
        ("", ProblemCode.BAD_REF),
        ("x" * 201, ProblemCode.BAD_REF),
        ('"A\n1"', ProblemCode.BAD_REF),
        ("A\x071", ProblemCode.BAD_REF),
        ("=1+1", ProblemCode.FORMULA),
        ("1,23457E+11", ProblemCode.LOST_DIGITS),
    ],
)
def test_bad_references(ref: str, code: ProblemCode) -> None:
    """A row without a usable reference is a problem and no row."""
    (problem,) = results(table(ref=ref))
    assert isinstance(problem, Problem)
    assert (problem.code, problem.line, problem.column, problem.ref) == (code, 2, "ref", None)


@pytest.mark.parametrize(
    ("start", "code"),
    [
        ("", ProblemCode.BAD_TIME),
        ("1 foo", ProblemCode.BAD_TIME),
        ("01/12/2026 09:00", ProblemCode.AMBIGUOUS_DATE),
        ("2027-03-28 02:30", ProblemCode.IMPOSSIBLE_TIME),
        ("2027-10-31 02:30", ProblemCode.DOUBLED_TIME),
        ("2036-12-01 09:00", ProblemCode.FAR_TIME),
    ],
)
def test_bad_times(start: str, code: ProblemCode) -> None:
    """A booked row whose time is not to be trusted is a problem of that booking, and no row."""
    (problem,) = results(table(starts_at=start))
    assert isinstance(problem, Problem)
    assert (problem.code, problem.column, problem.ref) == (code, "starts_at", "A1")


@pytest.mark.parametrize(
    ("day", "clock", "column"), [("x", "9", "Datum"), ("2026-12-01", "x", "Tid"), ("", "", "Datum")]
)
def test_which_column_is_wrong(day: str, clock: str, column: str) -> None:
    """Of the date's and the time's columns, the one to correct is named."""
    text = f"ref;mobil;Datum;Tid\nA1;0701740605;{day};{clock}\n"
    assert [problem.column for problem in problems(text)] == [column]


def test_a_past_time() -> None:
    """Of a booked visit in the past the time is told as a problem, and nobody is read to contact."""
    problem, row = results(table(starts_at="2026-11-30 12:00"))
    assert isinstance(problem, Problem)
    assert isinstance(row, Row)
    assert (problem.code, problem.column, problem.ref) == (ProblemCode.PAST_TIME, "starts_at", "A1")
    assert (row.past, row.people) == (True, ())


def test_past_visits_that_nobody_is_texted_for() -> None:
    """Past visits that are cancelled, or are no video visits, are no problem."""
    past = "2026-11-01 09:00"
    assert one(starts_at=past, status="Avbokad").status is VisitStatus.CANCELLED
    assert not one(starts_at=past, typ="Hembesök").video


@pytest.mark.parametrize(
    "kind", ["Videobesök", "video", "VIDEOBESÖK", "Videobeso\u0308k", " Video "]
)
def test_video_kinds(kind: str) -> None:
    """A kind is compared without regard to case, spaces and how its letters are put together."""
    assert one(typ=kind).video


def test_other_kinds() -> None:
    """Of other kinds of visit nothing but time and reference is kept, and nothing is wrong."""
    row = one(typ="Hembesök", status="Uteblev", patient="P1", mobil="x", född="x", skyddad="x")
    assert (row.video, row.patient_key, row.people) == (False, None, ())


def test_no_kind() -> None:
    """Without a column for it, each visit is a video visit; an empty cell is a problem."""
    assert (one().video, one().kind) == (True, "Videobesök")
    found = results(table(typ=""))
    assert [getattr(result, "code", None) for result in found] == [ProblemCode.NO_KIND]


@pytest.mark.parametrize(
    ("column", "cell", "status"),
    [
        ("status", "", VisitStatus.BOOKED),
        ("status", "Bokad", VisitStatus.BOOKED),
        ("status", "AVBOKAD", VisitStatus.CANCELLED),
        ("status", "Avbokad av patient", VisitStatus.CANCELLED),
        ("status", "Återbud", VisitStatus.CANCELLED),
        ("status", "Inställt", VisitStatus.CANCELLED),
        ("status", "canceled", VisitStatus.CANCELLED),
        ("status", "flyttad", VisitStatus.CANCELLED),
        ("status", "Preliminär", VisitStatus.BOOKED),
        ("status", "avbokningsbar", VisitStatus.BOOKED),
        ("status", "Kallad", VisitStatus.BOOKED),
        ("status", "Ankommen", VisitStatus.BOOKED),
        ("status", "checked-in", VisitStatus.BOOKED),
        ("bokad", "ja", VisitStatus.BOOKED),
        ("bokad", "nej", VisitStatus.CANCELLED),
        ("bokad", "avbokad", VisitStatus.CANCELLED),
        ("bokad", "2026-11-02 13:37", VisitStatus.BOOKED),
        ("avbokad", "", VisitStatus.BOOKED),
        ("avbokad", "nej", VisitStatus.BOOKED),
        ("avbokad", "x", VisitStatus.CANCELLED),
        ("avbokad", "2026-11-02 13:37", VisitStatus.CANCELLED),
    ],
)
def test_status(column: str, cell: str, status: VisitStatus) -> None:
    """The status is read from words, from yes and no, or from when it happened."""
    own = replace(FORM, booked_words=["preliminär", "Avbokningsbar"], cancelled_words=["Flyttad"])
    assert [row.status for row in rows(table(**{column: cell}), own)] == [status]


def test_status_in_two_columns() -> None:
    """A visit that one column says is cancelled is cancelled."""
    assert one(status="Bokad", avbokad="ja").status is VisitStatus.CANCELLED


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("status", "Ombokad"),
        ("status", "Ej genomförd"),
        ("status", "ja"),
        ("avbokad", "?"),
        ("bokad", "?"),
    ],
)
def test_unknown_status(column: str, cell: str) -> None:
    """A status that is not understood is a problem, and the row is not read."""
    [problem] = problems(table(**{column: cell}))
    assert problem.code is ProblemCode.UNKNOWN_STATUS
    assert "'booked_words'" in problem.message
    assert "'cancelled_words'" in problem.message
    assert rows(table(**{column: cell})) == []


@pytest.mark.parametrize("cell", ["Genomförd", "Uteblev", "Klar", "Completed", "no-show"])
def test_a_visit_that_is_over_has_begun(cell: str) -> None:
    """What is over was booked, if its time has passed; of a visit to come, one of both is wrong."""
    [problem] = problems(table(status=cell))
    assert (problem.code, "yet to come" in problem.message) == (ProblemCode.UNKNOWN_STATUS, True)
    assert rows(table(status=cell)) == []
    past = table(status=cell, starts_at="2026-11-30 09:00")
    assert [(row.status, row.past) for row in rows(past)] == [(VisitStatus.BOOKED, True)]
    assert codes(past) == [ProblemCode.PAST_TIME]


@pytest.mark.parametrize(
    ("patient", "key"),
    [
        ("P201", "P201"),
        ("20101.0", "20101"),
        ("Ek, Alma", None),
        ("", None),
        ("19121212-1212", FORM.pseudonym("191212121212")),
        ("1212121212", FORM.pseudonym("201212121212")),
        ("1212121213", FORM.pseudonym("1212121213")),
    ],
)
def test_patient_keys(patient: str, key: str | None) -> None:
    """A clinic's number is kept; a name is not; an identity number only as its pseudonym."""
    assert one(patient=patient).patient_key == key


def test_identity_number_beside_a_key() -> None:
    """With a key of the clinic's own, an identity number gives no more than the birth date."""
    row = one(patient="P1", personnummer="20121212-1212")
    assert (row.patient_key, row.birth_date) == ("P1", date(2012, 12, 12))
    row = one(personnummer="20121212-1212")
    assert row.patient_key == FORM.pseudonym("201212121212")


def test_birth_date_is_believed_before_an_identity_number() -> None:
    """A birth date in a column of its own is the one that counts."""
    row = one(personnummer="20121212-1212", födelsedatum="2013-01-01")
    assert row.birth_date == date(2013, 1, 1)


@pytest.mark.parametrize(
    ("column", "cell", "code"),
    [
        ("personnummer", "20121212-1213", ProblemCode.BAD_IDENTITY),
        ("personnummer", "2,01212E+11", ProblemCode.BAD_IDENTITY),
        ("patient", "20121212-1213", ProblemCode.BAD_IDENTITY),
        ("patient", "2,01212E+11", ProblemCode.LOST_DIGITS),
        ("patient", "1" * 201, ProblemCode.BAD_PATIENT),
        ("födelsedatum", "20121212-1213", ProblemCode.BAD_IDENTITY),
        ("födelsedatum", "2012", ProblemCode.BAD_BIRTH_DATE),
        ("födelsedatum", "2027-01-01", ProblemCode.BAD_BIRTH_DATE),
        ("egen inloggning", "kanske", ProblemCode.BAD_YES_NO),
    ],
)
def test_bad_patients(column: str, cell: str, code: ProblemCode) -> None:
    """What is wrong about the patient is told, and the visit is read without it."""
    text = table(**{column: cell})
    (row,) = rows(text)
    assert codes(text) == [code]
    assert (row.patient_key, row.birth_date, row.own_login) == (None, None, OwnLogin.UNKNOWN)


def test_identity_number_as_birth_date() -> None:
    """An identity number in the birth date's column gives the date, and no key."""
    row = one(födelsedatum="20121212-1212")
    assert (row.birth_date, row.patient_key) == (date(2012, 12, 12), None)


@pytest.mark.parametrize(
    ("cell", "protected"), [("", None), ("nej", False), ("Ja", True), ("Sekretess", True)]
)
def test_protected(cell: str, protected: bool | None) -> None:
    """Whether an identity is protected is read from a yes, a no or its word; nothing says nothing."""
    assert one(skyddad=cell).protected is protected


def test_unclear_protection() -> None:
    """What is not clearly unprotected is protected, and told."""
    text = table(skyddad="se anteckning")
    assert codes(text) == [ProblemCode.BAD_YES_NO]
    assert rows(text)[0].protected


@pytest.mark.parametrize(
    ("cell", "own_login"),
    [("", OwnLogin.UNKNOWN), ("ja", OwnLogin.CONFIRMED), ("BankID", OwnLogin.CONFIRMED), ("nej", OwnLogin.MISSING)],
)  # fmt: skip
def test_own_login(cell: str, own_login: OwnLogin) -> None:
    """Whether a patient has a login of their own is read, and is unknown if nothing is said."""
    assert one(eget_bankid=cell).own_login is own_login


@pytest.mark.parametrize(
    ("born", "header", "role"),
    [
        ("2013-12-01", "roll", Role.PATIENT),  # thirteen on the day of the visit
        ("2013-12-02", "roll", Role.GUARDIAN),
        ("", "roll", Role.PATIENT),
        ("2013-12-02", "vårdnadshavare_mobil", Role.PATIENT),
    ],
)
def test_role_that_is_not_told(born: str, header: str, role: Role) -> None:
    """A person is the patient, unless the patient is too young and no column is a guardian's."""
    row = one(**{"födelsedatum": born, header: ""})
    assert [person.role for person in row.people] == [role]


@pytest.mark.parametrize(
    ("word", "role"), [("Patient", Role.PATIENT), ("mamma", Role.GUARDIAN), ("VH2", Role.GUARDIAN)]
)
def test_roles(word: str, role: Role) -> None:
    """A role is read in the clinics' words for it."""
    assert [person.role for person in one(roll=word).people] == [role]


def test_unknown_role() -> None:
    """Somebody who is neither patient nor guardian is left out, and told of."""
    text = table(roll="Socialsekreterare")
    assert codes(text) == [ProblemCode.UNKNOWN_ROLE]
    assert rows(text)[0].people == ()


@pytest.mark.parametrize(
    ("word", "code"),
    [("svenska", "sv"), ("SV", "sv"), ("sv-SE", "sv"), ("en_GB", "en"), ("Arabic", "ar"),
     ("العربية", "ar"), ("dari", "prs"), ("fa-AF", "prs"), ("Tigrinja", "ti"), ("klingon", None), ("", None)],
)  # fmt: skip
def test_languages(word: str, code: str | None) -> None:
    """A language is read by name or code; an unknown one is no problem."""
    assert [person.language for person in one(språk=word).people] == [code]


@pytest.mark.parametrize(
    ("columns", "consents"),
    [
        ({"samtycke": "ja"}, {Channel.SMS: Consent.GIVEN, Channel.EMAIL: Consent.GIVEN}),
        ({"samtycke sms": "nej"}, {Channel.SMS: Consent.REFUSED}),
        ({"samtycke e-post": "vill ej"}, {Channel.EMAIL: Consent.REFUSED}),
        (
            {"samtycke": "ja", "samtycke sms": "nej"},
            {Channel.SMS: Consent.REFUSED, Channel.EMAIL: Consent.GIVEN},
        ),
        ({"samtycke": ""}, {}),
    ],
)
def test_consents(columns: dict[str, str], consents: dict[Channel, Consent]) -> None:
    """Consent is as the file says, for each channel that it says it for."""
    assert one(**columns).people[0].consents == consents


def test_unclear_consent() -> None:
    """A consent that is not understood is a refusal, and told."""
    text = table(samtycke_sms="kanske")
    assert codes(text) == [ProblemCode.BAD_CONSENT]
    assert rows(text)[0].people[0].consents == {Channel.SMS: Consent.REFUSED}


@pytest.mark.parametrize(
    ("mobile", "phone", "number", "expected"),
    [
        ("070-174 06 05", "070-174 06 06", "+46701740605", []),
        ("", "070-174 06 06", "+46701740606", []),
        ("070-174 06 05", "031-390 06 00", "+46701740605", []),
        ("031-390 06 00", "070-174 06 06", "+46701740606", []),
        ("x", "070-174 06 06", "+46701740606", [("mobil", ProblemCode.BAD_PHONE)]),
        ("x", "031-390 06 00", None, [("mobil", ProblemCode.BAD_PHONE), ("telefon", ProblemCode.NOT_MOBILE)]),
        ("", "", None, [(None, ProblemCode.NO_CONTACT)]),
    ],
)  # fmt: skip
def test_mobile_and_phone(
    mobile: str, phone: str, number: str | None, expected: list[tuple[str | None, ProblemCode]]
) -> None:
    """The first usable number is taken; a landline is told of only where there is no mobile."""
    text = table(telefon=phone, mobil=mobile)
    (row,) = rows(text)
    assert [person.phone for person in row.people] == ([number] if number else [])
    assert [(problem.column, problem.code) for problem in problems(text)] == expected


def test_one_address_is_enough() -> None:
    """A person with one usable address stays, and what is wrong with the other is told."""
    text = table(mobil="saknas", mejl="alma@example.org")
    assert [person.email for person in rows(text)[0].people] == ["alma@example.org"]
    assert codes(text) == [ProblemCode.BAD_PHONE]


@pytest.mark.parametrize("columns", [{"status": "avbokad"}, {"typ": "Hembesök"}, {"skyddad": "ja"}])
def test_nobody_is_needed(columns: dict[str, str]) -> None:
    """Nobody need be reachable for a visit that is cancelled, not by video, or protected."""
    assert one(mobil="x", **columns).people == ()


def test_cancelled_visits_keep_their_people() -> None:
    """The people of a cancelled visit are read: they are told of it."""
    assert [person.phone for person in one(status="avbokad").people] == ["+46701740605"]


@pytest.mark.parametrize(
    "second",
    ["A1;2026-12-01 09:30;P1;", "A1;2026-12-01 09:00;P2;", "A1;2026-12-01 09:00;P1;avbokad"],
)
def test_contradictions(second: str) -> None:
    """A booking that two rows tell differently refuses the file, with each such line."""
    text = (
        "ref;starts_at;patient;status;mobil\n"
        "A1;2026-12-01 09:00;;;0701740605\n"
        "A1;2026-12-01 09:00;P1;bokad;0701740606\n"
        f"A2;2026-12-01 09:00;P2;;0701740606\n{second};0701740605\n"
    )
    assert refused(text) == [(ProblemCode.CONTRADICTION, 5)]
    assert "than on line 2" in str(refusal(text))


def test_rows_of_one_booking() -> None:
    """Rows of one booking that agree are a row each."""
    text = f"ref;starts_at;mobil\nA1;{TIME};0701740605\nA1;2026-12-01T08:00Z;0701740606\n"
    assert [row.ref for row in rows(text)] == ["A1", "A1"]


def test_many_contradictions() -> None:
    """A refusal names ten lines and says how many more there are; all are kept."""
    lines = "".join(f"A1;2026-12-01 {n // 60:02}:{n % 60:02};0701740605\n" for n in range(600, 700))
    error = refusal(f"ref;starts_at;mobil\n{lines}")
    assert len(str(error).splitlines()) == 12
    assert str(error).endswith("… and 89 more.")
    assert len(error.problems) == 99


def test_pseudonym_is_not_shown() -> None:
    """Nothing of the key shows when a format is printed."""
    assert "pseudonym" not in repr(FORM)


@pytest.mark.parametrize(
    ("row", "protected"),
    [
        ("A1;2026-12-01 09:00;;ja;mamma;0701740605;x", None),  # a delimiter too many at the end
        ("A1;x;2026-12-01 09:00;;ja;mamma;0701740605", None),  # and at the beginning
        ("A1;x;2026-12-01 09:00;ja;;mamma;0701740605", True),
        ("A1;2026-12-01 09:00;ja;;mamma;0701740605;x", True),
        ("A1;2026-12-01 09:00;ja;ja;x;mamma;0701740605", True),
    ],
)
def test_a_row_with_cells_too_many_protects_where_its_cell_stands(
    row: str, protected: bool | None
) -> None:
    """The neighbours tell whether a yes is in the cell for it, or in the next one."""
    (doubt,) = doubts(f"ref;starttid;skyddad;eget bankid;roll;mobil\n{row}\n")
    assert doubt.protected is protected
