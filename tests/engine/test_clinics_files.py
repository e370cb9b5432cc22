"""Stories of files as clinics export them, day after day: what stays, and what is never kept."""

from sqlalchemy import select

from reminders.store.schema import metadata
from tests.engine.clinic import HEAD, Clinic, row

NAMED = HEAD.removesuffix("\n") + ";patient\n"


def named(line: str, patient: str) -> str:
    """Return a line that names the patient."""
    return line.removesuffix("\n") + f";{patient}\n"


def everything(clinic: Clinic) -> dict[str, str]:
    """Return all that the database holds, as text, by table."""
    with clinic.runtime.database.reading() as conn:
        return {
            name: str(conn.execute(select(table)).all()) for name, table in metadata.tables.items()
        }


def test_a_name_and_an_identity_number_leave_no_trace(clinic: Clinic):
    """The visits of one patient belong together, however the files write the patient."""
    clinic.read(named(row("B1"), "Berg, Nils 20160501-2382"), head=NAMED)
    clinic.read(named(row("B2", "2026-12-03 10:00"), "Nils Berg (160501-2382)"), head=NAMED)
    clinic.read(named(row("B3", "2026-12-04 10:00"), "Nils Berg, 10 år"), head=NAMED)
    clinic.read(named(row("B4-160501-2382"), "P1"), head=NAMED)
    held = everything(clinic)
    assert [name for name, said in held.items() if "2382" in said or "Nils" in said] == []
    assert held["patient"].count("patient:") == 1
    assert len(clinic.worklist()) == 1
