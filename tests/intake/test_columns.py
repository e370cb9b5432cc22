"""From headers to fields."""

from dataclasses import replace

import pytest

from reminders.domain.contact import Channel, Consent, Role
from reminders.intake.bookings import ProblemCode
from reminders.intake.columns import HEADERS, PERSON_FIELDS, Field, Meaning, meaning_of
from tests.intake.helpers import FORM, refusal, rows

TIME = "2026-12-01 09:00"


@pytest.mark.parametrize(
    ("header", "field"), [(header, field) for field in Field for header in HEADERS[field]]
)
def test_known_headers(header: str, field: Field) -> None:
    """Each known header is known in capitals, with underscores, dashes or no spaces too."""
    for spelling in (header, header.upper(), header.replace(" ", "_"), f" {header} "):
        assert meaning_of(spelling) == Meaning(field)


@pytest.mark.parametrize(
    ("header", "meaning"),
    [
        ("Telefon mobil", Meaning(Field.MOBILE)),
        ("Mobil 1", Meaning(Field.MOBILE)),
        ("Mobil 2", None),
        ("Mobiltelefonnummer", Meaning(Field.MOBILE)),
        ("Mobile phone number", Meaning(Field.MOBILE)),
        ("Skyddad ID", Meaning(Field.PROTECTED)),
        ("Protected ID", Meaning(Field.PROTECTED)),
        ("mamma mobil 1", Meaning(Field.MOBILE, "mother")),
        ("patient_telefon", Meaning(Field.PHONE, "patient")),
        ("Patientens mobil", None),
        ("guardian1_mobil", Meaning(Field.MOBILE, "guardian1")),
        ("Vårdnadshavare 2 e-post", Meaning(Field.EMAIL, "guardian2")),
        ("vh1-samtycke-sms", Meaning(Field.CONSENT_SMS, "guardian1")),
        ("Mobil vårdnadshavare 1", Meaning(Field.MOBILE, "guardian1")),
        ("Mammas mobil", None),
        ("mamma mobil", Meaning(Field.MOBILE, "mother")),
        ("E-post (pappa)", Meaning(Field.EMAIL, "father")),
        ("kontakt_telefon", Meaning(Field.PHONE, "contact")),
        ("patient födelsedatum", Meaning(Field.BIRTH_DATE)),
        ("guardian1_personnummer", None),
        ("namn", None),
        ("förnamn", None),
        ("vårdnadshavare", None),
        ("guardian1_namn", None),
        ("", None),
        ("0701740605", None),
    ],
)
def test_whose_column(header: str, meaning: Meaning | None) -> None:
    """A header can say whose address it is; names and what is unknown are never read."""
    assert meaning_of(header) == meaning


def test_people_in_column_groups() -> None:
    """Each group of columns with an address in it is a person; the row's language is theirs."""
    text = (
        "ref,starts_at,patient_mobile,guardian1_email,guardian2_mobile,guardian2_language,"
        "language,consent_sms,guardian1_consent_sms\n"
        f"A1,{TIME},0701740605,a@example.org,0701740606,ar,en,yes,no\n"
        f"A2,{TIME},,,0701740607,,,,\n"
    )
    first, second = rows(text)
    patient, one, two = first.people
    assert [person.role for person in first.people] == [Role.PATIENT, Role.GUARDIAN, Role.GUARDIAN]
    assert [person.language for person in first.people] == ["en", "en", "ar"]
    assert patient.consents == two.consents == {Channel.SMS: Consent.GIVEN}
    assert one.consents == {Channel.SMS: Consent.REFUSED}
    assert [person.phone for person in second.people] == ["+46701740607"]


def test_own_headers() -> None:
    """A clinic's own headers are read as it says, before what they would mean to us."""
    columns = {"Löpnr": "ref", "När": "starts_at", "Mobil": "guardian1_mobile", "Telefon": "ignore"}
    text = f"LÖPNR;när;mobil;telefon\nA1;{TIME};0701740605;0701740606\n"
    (row,) = rows(text, replace(FORM, columns=columns))
    assert [(p.role, p.phone) for p in row.people] == [(Role.GUARDIAN, "+46701740605")]


def test_one_of_two_columns_is_ignored() -> None:
    """That a setting can ignore one is said only where their names can be told apart in it."""
    text = f"ref;starts_at;mobil;%s\nA1;{TIME};0701740605;0701740606\n"
    assert "set it to 'ignore'" in str(refusal(text % "mobilnr"))
    [row] = rows(text % "mobilnr", replace(FORM, columns={"mobilnr": "ignore"}))
    assert [person.phone for person in row.people] == ["+46701740605"]
    for twin in ("mobil", "Mobil"):
        told = str(refusal(text % twin))
        assert ("'ignore'" in told, "give it another name" in told) == (False, True)


def test_own_header_for_no_field() -> None:
    """A setting that names no field refuses the file, and says which fields there are."""
    error = refusal("ref;starts_at;x\n", replace(FORM, columns={"x": "phnoe"}))
    assert [getattr(p, "code", None) for p in error.problems] == [ProblemCode.UNKNOWN_FIELD]
    assert "'phnoe', which is no field" in str(error)
    assert "phone" in str(error)


@pytest.mark.parametrize(
    "when",
    [
        "datum;tid\n2026-12-01;09:00",
        "datum;start\n2026-12-01;09:00",
        "tid;namn\n2026-12-01 09:00;Ek",
        "datum;namn\n2026-12-01 09:00;Ek",
        "start;namn\n2026-12-01 09:00;Ek",
    ],
)
def test_columns_for_the_time(when: str) -> None:
    """Date and time may stand in one column or in two, under any of their headers."""
    header, cells = when.split("\n")
    (row,) = rows(f"ref;mobil;{header}\nA1;0701740605;{cells}\n")
    assert row.starts_at.isoformat() == "2026-12-01T08:00:00+00:00"


def test_person_fields_are_known_in_groups() -> None:
    """Every header of a person's field can be said to be one person's."""
    for field in PERSON_FIELDS:
        for header in HEADERS[field]:
            assert meaning_of(f"guardian 2 {header}") == Meaning(field, "guardian2")
            assert meaning_of(f"{header} mamma") == Meaning(field, "mother")
