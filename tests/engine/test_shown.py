"""What was shown of a file has to be true when the yes comes: it is shown again if it is not."""

import pytest

from reminders.engine import applying, importing
from reminders.engine.fingerprint import DifferenceChangedError
from reminders.errors import NotFoundError
from tests.engine.clinic import HEAD, Clinic, at, row

OPTIONS = importing.Options(confirmations=True)


def shown(clinic: Clinic, *lines: str) -> tuple[importing.Staged, importing.Difference]:
    """Read a file, and look at it."""
    path, now = clinic.folder / "bokningar.csv", clinic.clock.now()
    path.write_text(HEAD + "".join(lines), "utf-8")
    options = importing.Options(exported_at=now, confirmations=True)
    staged = importing.stage(clinic.runtime, "internet", path, options, now)
    return staged, importing.look(clinic.runtime, staged, OPTIONS, now)


def say_yes(clinic: Clinic, staged: importing.Staged, seen: importing.Difference) -> None:
    """Apply the file as it was shown."""
    now = clinic.clock.now()
    importing.apply(clinic.runtime, staged, OPTIONS, now, seen.fingerprint)


@pytest.mark.parametrize("at_once", [4000, 0], ids=["small", "large"])
@pytest.mark.parametrize(
    ("starts", "later"),
    [
        ("2026-11-30 12:10", "2026-11-30 12:11"),  # the visit has begun
        ("2026-12-02 12:30", "2026-12-01 12:31"),  # the first reminder goes at once
        ("2026-12-20 12:00", "2026-12-19 16:00"),  # of two texts one is left
    ],
)
def test_what_time_has_made_untrue_is_shown_again(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, starts: str, later: str, at_once: int
) -> None:
    """Nothing is imported, and the next yes is to what is so now."""
    monkeypatch.setattr(applying, "AT_ONCE", at_once)
    staged, seen = shown(clinic, row("B1", starts))
    clinic.clock.set(at(later))
    with pytest.raises(DifferenceChangedError):
        say_yes(clinic, staged, seen)
    with pytest.raises(NotFoundError):
        clinic.show("B1")
    now = importing.look(clinic.runtime, staged, OPTIONS, clinic.clock.now())
    assert now.sends != seen.sends
    say_yes(clinic, staged, now)
    assert clinic.show("B1").visit.status == "booked"


def test_a_while_changes_nothing(clinic: Clinic) -> None:
    """A yes a quarter of an hour later is taken, if what goes at once and later is the same."""
    staged, seen = shown(clinic, row("B1", "2026-12-20 12:00"))
    clinic.clock.set(at("2026-11-30 12:15"))
    say_yes(clinic, staged, seen)
    assert clinic.show("B1").visit.status == "booked"


def test_who_cancels_the_missing_was_shown_them(clinic: Clinic) -> None:
    """Choosing to cancel what the file lacks is no change of what was shown."""
    other = row("B2", "2026-12-02 15:00", phone="070-174 06 06")
    clinic.read(row("B1"), other)
    path, now = clinic.folder / "full.csv", clinic.clock.now()
    path.write_text(HEAD + other, "utf-8")
    options = importing.Options(exported_at=now, full=True)
    staged = importing.stage(clinic.runtime, "internet", path, options, now)
    seen = importing.look(clinic.runtime, staged, options, now)
    assert [visit.ref for visit in seen.missing] == ["B1"]
    cancel = importing.Options(full=True, cancel_missing=True, cancel_only=frozenset({"B1"}))
    importing.apply(clinic.runtime, staged, cancel, now, seen.fingerprint)
    assert clinic.show("B1").visit.status == "cancelled"
