"""The example files: what the demo and a newcomer read first."""

import re
from collections import Counter
from pathlib import Path

from reminders.domain.appointment import VisitStatus
from reminders.domain.contact import Channel, Consent, Role
from reminders.intake.bookings import ProblemCode
from reminders.intake.table import assumed_encoding
from reminders.resources import examples
from tests.intake.helpers import STOCKHOLM, problems, results, rows

SWEDISH = examples() / "bokningar.csv"
ENGLISH = examples() / "bookings-english.csv"


def test_forty_bookings() -> None:
    """The Swedish example is forty bookings in Windows-1252 for two days, problems among them."""
    assert assumed_encoding(SWEDISH) == "cp1252"
    assert len({result.ref for result in results(SWEDISH)}) == 40
    days = Counter(
        row.starts_at.astimezone(STOCKHOLM).date().isoformat()
        for row in rows(SWEDISH)
        if not row.past
    )
    assert days.keys() == {"2026-12-01", "2026-12-02"}
    assert min(days.values()) > 10


def test_problems_of_the_example() -> None:
    """The Swedish example shows the problems that clinics meet the most."""
    assert [(problem.ref, problem.code) for problem in problems(SWEDISH)] == [
        ("B1024", ProblemCode.BAD_PHONE),
        ("B1025", ProblemCode.NOT_MOBILE),
        ("B1026", ProblemCode.NO_CONTACT),
        ("B1032", ProblemCode.BAD_TIME),
        ("B1033", ProblemCode.PAST_TIME),
    ]


def test_what_the_example_shows() -> None:
    """The Swedish example has each kind of visit, person and wish in it."""
    found = {(row.ref, n): row for n, row in enumerate(rows(SWEDISH))}.values()
    people = [person for row in found for person in row.people]
    phones = Counter(person.phone for person in people if person.phone)
    assert sum(not row.video for row in found) == 3
    assert sum(row.status is VisitStatus.CANCELLED for row in found) == 1
    assert sum(bool(row.protected) for row in found) == 1
    assert {person.role for person in people} == set(Role)
    assert {person.language for person in people} == {None, "sv", "en", "so"}
    assert any(not person.phone for person in people)
    assert any(person.consents.get(Channel.SMS) is Consent.REFUSED for person in people)
    assert sum(count == 2 for count in phones.values()) == 2


def test_english_example() -> None:
    """The English example has a column for each of a booking's people, and no problems."""
    found = results(ENGLISH)
    assert assumed_encoding(ENGLISH) == "utf-8"
    assert found == rows(ENGLISH)
    assert [len(row.people) for row in rows(ENGLISH)] == [1, 2, 1, 2, 0, 1]


def test_nobody_is_real() -> None:
    """Each number and address in the examples is from a series that belongs to nobody."""
    for path in sorted(Path(examples()).glob("*.csv")):
        for row in rows(path):
            for person in row.people:
                assert not person.phone or re.fullmatch(
                    r"\+467017406(0[5-9]|[1-9]\d)", person.phone
                )
                assert not person.email or person.email.endswith("@example.org")
