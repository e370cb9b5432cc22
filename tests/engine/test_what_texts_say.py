"""What a text says is what its reader has to know: their own visit, at the time that they count on."""

from functools import partial

import pytest

from reminders.config import example
from reminders.engine import desk
from tests.engine.clinic import Clinic, row
from tests.engine.test_calls import by_hand


def test_a_cancellation_names_the_time_that_its_reader_counts_on(clinic: Clinic) -> None:
    """Moved and cancelled before the move was told: the time that was told does not apply either."""
    clinic.read(row(start="2026-12-04 12:00"), confirmations=True)
    clinic.until("2026-11-30 13:00")
    clinic.read(row(start="2026-12-03 09:00"))
    clinic.read(row(start="2026-12-03 09:00", status="avbokad"))
    clinic.until("2026-11-30 14:00")
    said = clinic.texts()[-1].body
    assert said.startswith("Videobesöket fredag 4 december kl 12:00 är avbokat.")
    assert "flyttats till torsdag 3 december kl 09:00, men den tiden gäller inte" in said


def test_a_cancellation_of_a_move_that_was_told_names_one_time(clinic: Clinic) -> None:
    """Who has heard of the new time is not told of the old one again."""
    clinic.read(row(start="2026-12-04 12:00"), confirmations=True)
    clinic.until("2026-11-30 13:00")
    clinic.read(row(start="2026-12-03 09:00"))
    clinic.until("2026-11-30 14:00")
    clinic.read(row(start="2026-12-03 09:00", status="avbokad"))
    clinic.until("2026-11-30 15:00")
    said = clinic.texts()[-1].body
    assert said.startswith("Videobesöket torsdag 3 december kl 09:00 är avbokat. Ingen behöver")


def siblings(*, second: str = "bokad") -> tuple[str, str]:
    """Return the rows of two children's visits at one time, told to one phone."""
    return row("B1042"), row("B2043", born="2015-01-01", status=second)


def test_siblings_are_told_apart_once_their_visits_have_begun(clinic: Clinic) -> None:
    """Whose child is not seen, and who is to try what helps, is said by the booking's last digits."""
    clinic.read(*siblings())
    clinic.until("2026-12-02 10:04")
    by_hand(clinic, partial(desk.send_help, not_come=True), "B2043")
    clinic.until("2026-12-02 10:05")
    by_hand(clinic, desk.send_help, "B1042")
    clinic.until("2026-12-02 10:06")
    not_come, how = (text.body for text in clinic.texts()[-2:])
    assert "har börjat" in not_come
    assert "...2043" in not_come
    assert "...1042" in how


def test_what_comes_after_is_told_of_one_of_two_siblings(open_clinic) -> None:
    """That a visit is over is said of the one that is meant."""
    rules = example().model_dump(by_alias=True)["rules"]
    after = {"after": "3h", "not_after": "+12h"}
    clinic = open_clinic(rules={**rules, "next_steps": after})
    clinic.read(*siblings())
    clinic.until("2026-12-02 13:10")
    said = [text.body for text in clinic.texts() if "är över" in text.body]
    assert ["...1042" in body or "...2043" in body for body in said] == [True, True]


@pytest.mark.parametrize("wait", [True, False])
def test_a_sibling_whose_visit_is_cancelled_is_not_confused(clinic: Clinic, wait: bool) -> None:
    """Of two visits at one time, one is cancelled: the reminder says which one remains."""
    clinic.read(*siblings(), confirmations=wait)
    clinic.until("2026-11-30 13:00")
    clinic.read(*siblings(second="avbokad"))
    clinic.until("2026-12-01 10:30")
    off, reminder = (text.body for text in clinic.texts()[-2:])
    assert "avbokat" in off
    assert "...2043" in off
    assert "...1042" in reminder


def test_a_visit_of_which_nobody_heard_needs_no_telling_apart(clinic: Clinic) -> None:
    """One that came in cancelled was told to nobody: the other child's text is as for one alone."""
    clinic.read(*siblings(second="avbokad"))
    clinic.until("2026-12-01 10:30")
    assert "1042" not in clinic.texts()[-1].body


def test_who_is_booked_late_and_not_confirmed_is_told_all_in_one_text(clinic: Clinic) -> None:
    """A visit first known the day before, without a confirmation: the reminder has the way in too."""
    clinic.read(row(start="2026-12-01 09:00"), confirmations=False)
    clinic.until("2026-11-30 13:00")
    [said] = [text.body for text in clinic.texts()]
    for words in ("i morgon tis 09:00", "lite före", "Ladda", "Mina ärenden", "Starta video"):
        assert words in said


@pytest.mark.parametrize(
    ("start", "confirmed", "went"),
    [
        ("12:59", True, ["12:00", "12:44"]),
        ("12:25", True, ["12:00", "12:10"]),
        ("12:25", False, ["12:00", "12:10"]),
        ("12:18", True, ["12:03"]),
        ("12:05", True, ["12:00"]),
    ],
)
def test_who_is_booked_within_the_hour_is_told_at_once(
    clinic: Clinic, start: str, confirmed: bool, went: list[str]
) -> None:
    """All that still helps goes at once, unless the text of a quarter of an hour before is near."""
    clinic.read(row(start=f"2026-11-30 {start}"), confirmations=confirmed)
    clinic.until("2026-11-30 13:30")
    assert [text.at for text in clinic.texts()] == [f"2026-11-30 {at}" for at in went]
    assert all("Starta video" in text.body for text in clinic.texts())


def test_a_visit_that_is_booked_again_at_its_time_has_no_new_one(clinic: Clinic) -> None:
    """Who was told of a cancellation is told that the visit takes place after all, and how."""
    mail = {"email": "anhorig@example.org", "phone": ""}
    clinic.read(row(start="2026-12-01 11:00", **mail), confirmations=True)
    clinic.until("2026-11-30 13:00")
    clinic.read(row(start="2026-12-01 11:00", status="avbokad", **mail))
    clinic.until("2026-11-30 14:00")
    clinic.read(row(start="2026-12-01 11:00", **mail))
    clinic.until("2026-11-30 15:00")
    said = clinic.texts()[-1].body
    assert "i morgon tisdag kl 11:00 blir av ändå" in said
    assert "Avbokningen gäller inte längre." in said
    assert "Starta video" in said
    assert "ny tid" not in said.casefold()
    by_hand(clinic, desk.resend, "B1", "moved")
    clinic.until("2026-11-30 15:05")
    assert clinic.texts()[-1].body == said
