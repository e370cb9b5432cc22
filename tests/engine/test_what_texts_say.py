"""What a text says is what its reader has to know: their own visit, at the time that they count on."""

from tests.engine.clinic import Clinic, row


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
