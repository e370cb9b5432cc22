"""Import: choosing a file, seeing what it would change and send, saying yes or no."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Form, HTTPException, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from reminders.domain.brought import Category
from reminders.domain.contact import Role
from reminders.engine import aside, contacts, proposal
from reminders.engine.importing import Options
from reminders.engine.runtime import Runtime
from reminders.errors import NotFoundError
from reminders.store import clinics, import_changes, import_pages
from reminders.store.database import Connection
from reminders.store.import_changes import Change
from reminders.store.import_pages import ImportLine
from reminders.web.here import Acting, AtClinic, Here
from reminders.web.ids import FormId, PathId, QueryId
from reminders.web.jobs import Job, Step
from reminders.web.notes import NOTES
from reminders.web.security import page_router
from reminders.web.views.aside import say_no

router = page_router()

Text = Annotated[str, Form(max_length=400)]
Tick = Annotated[str, Form(max_length=10)]
Who = Annotated[Role, Form()]
PAGE = 20
LISTED = 50
PLACE = "/c/{clinic}/import"


@router.get(PLACE)
async def choose(here: AtClinic, before: QueryId | None = None) -> HTMLResponse:
    """Show where a file is chosen, what waits for a yes, and what was imported."""
    history = await here.read(_history, here.clinic, before)
    files = await here.read(aside.waiting, here.runtime, here.clinic)
    older = history[PAGE - 1].id if len(history) > PAGE else None
    return here.page(
        "import.html",
        standing=await here.standing(),
        waiting=here.site.jobs.waiting(here.clinic),
        files=files,
        history=history[:PAGE],
        older=older,
        megabytes=here.site.upload_megabytes,
    )


def _history(conn: Connection, clinic: str, before: int | None) -> list[ImportLine]:
    clinic_id = clinics.find_clinic_id(conn, clinic) or 0
    return import_pages.imports_before(conn, clinic_id, before, PAGE + 1)


@router.post("/import/{clinic}")
async def upload(
    here: Acting,
    file: UploadFile,
    full: Tick = "",
    older_ok: Tick = "",
    modified: Text = "",
) -> RedirectResponse:
    """Take a file, and begin to read it."""
    if not file.filename:
        return here.go("import", "no_file")
    options = Options(
        full=bool(full), older_ok=bool(older_ok), exported_at=_written(modified, here.now)
    )
    job = await here.site.aside(
        here.site.jobs.begin, here.runtime, here.clinic, file.filename, file.file, options
    )
    return here.go(f"import/waiting/{job.id}")


def _written(modified: str, now: datetime) -> datetime:
    """Return when the file was last written, as the browser tells in milliseconds; else now."""
    if modified.isascii() and modified.isdigit() and len(modified) < 15:  # noqa: PLR2004 - year 5138
        return min(datetime.fromtimestamp(int(modified) / 1000, UTC), now)
    return now


@router.get(PLACE + "/waiting/{job_id}")
async def look(here: AtClinic, job_id: str, row: QueryId = 0) -> Response:
    """Show how far a file has come; once it is read, what it would change and send.

    `row` is the problem that its problem rows begin with.
    """
    job = here.site.jobs.find(here.clinic, job_id)
    if job is None or job.step is Step.GONE:
        return here.go("import", "lost")
    if job.step is Step.APPLIED and job.staged is not None:
        return here.go(f"import/{job.staged.run_id}", "imported")
    if job.step is Step.REFUSED:
        return here.page("import_refused.html", job=job)
    if job.step is not Step.READY or job.difference is None or job.staged is None:
        return here.page("import_reading.html", job=job)
    rows = await here.read(proposal.waiting_rows, here.runtime, job.staged, row)
    return here.page(
        "import_look.html",
        standing=await here.standing(),
        job=job,
        difference=job.difference,
        rows=rows,
        from_row=row,
        listed=LISTED,
    )


def _ready(here: Here, job_id: str) -> Job:
    job = here.site.jobs.find(here.clinic, job_id)
    if job is None or job.staged is None:
        raise NotFoundError(NOTES["lost"])
    return job


@router.post(PLACE + "/waiting/{job_id}/apply")
async def apply(
    here: Acting,
    job_id: str,
    fingerprint: Text = "",
    missing: Text = "none",
    cancel: Annotated[list[str] | None, Form()] = None,
) -> RedirectResponse:
    """Apply a file if nothing that was shown of it has changed; else show it again.

    A booking that is ticked is meant to be cancelled, whatever else is chosen.
    """
    job = _ready(here, job_id)
    chosen = frozenset(cancel or ())
    if missing == "all" and job.difference:
        chosen = frozenset(visit.ref for visit in job.difference.missing)
    await here.site.change(here.site.jobs.apply, here.runtime, job, fingerprint or "-", chosen)
    if job.step is Step.APPLIED and job.staged:
        return here.go(f"import/{job.staged.run_id}", "imported")
    return here.go(f"import/waiting/{job_id}")


@router.post(PLACE + "/waiting/{job_id}/throw")
async def throw_away(here: Acting, job_id: str) -> RedirectResponse:
    """Say no to a file."""
    job = _ready(here, job_id)
    await here.site.aside(here.site.jobs.throw_away, here.runtime, job)
    if job.aside is not None:
        return here.go("import", await say_no(here, job.aside.id))
    return here.go("import", "thrown_away")


@router.post(PLACE + "/waiting/{job_id}/confirm")
async def confirmations(here: Acting, job_id: str, confirm: Tick = "") -> RedirectResponse:
    """Choose whether new bookings are confirmed, and compare anew."""
    job = _ready(here, job_id)
    if job.staged is not None and job.step is Step.READY:
        job.staged = replace(job.staged, confirmations=confirm == "true")
        here.site.jobs.again(here.runtime, job)
    return here.go(f"import/waiting/{job_id}")


@router.post(PLACE + "/waiting/{job_id}/solve")
async def solve(
    here: Acting, job_id: str, problem: FormId, role: Who = Role.GUARDIAN,
    phone: Text = "", email: Text = "",
) -> RedirectResponse:  # fmt: skip
    """Put a row right with a phone number or an email address, and compare anew."""
    job = _ready(here, job_id)
    addresses = contacts.read_addresses(here.runtime, here.clinic, phone, email)
    if job.step is Step.READY:
        job.staged = await here.write(
            proposal.solve, job.staged, problem, role, addresses, here.now
        )
        here.site.jobs.again(here.runtime, job)
    return here.go(f"import/waiting/{job_id}", "solved")


@router.get(PLACE + "/{run_id}")
async def done(here: AtClinic, run_id: PathId, row: QueryId = 0) -> HTMLResponse:
    """Show what an import changed, and its problem rows from the one named `row`."""
    found, rows, changes = await here.read(_done, here.runtime, here.clinic, run_id, here.now, row)
    if found is None:
        raise HTTPException(404)
    return here.page(
        "import_done.html",
        standing=await here.standing(),
        found=found,
        rows=rows,
        from_row=row,
        changes=changes,
    )


def _done(
    conn: Connection, runtime: Runtime, clinic: str, run_id: int, now: datetime, first: int
) -> tuple[ImportLine | None, proposal.Rows, Mapping[Category, Sequence[Change]]]:
    clinic_id = clinics.find_clinic_id(conn, clinic) or 0
    found = import_pages.find_import(conn, clinic_id, run_id)
    if found is None:
        return None, proposal.Rows(()), {}
    rows = proposal.problem_rows(conn, runtime, clinic, run_id, now, first)
    return found, rows, import_changes.of_import(conn, run_id)


@router.post(PLACE + "/{run_id}/solve")
async def solve_later(
    here: Acting, run_id: PathId, problem: FormId, role: Who = Role.GUARDIAN,
    phone: Text = "", email: Text = "",
) -> RedirectResponse:  # fmt: skip
    """Put a row right that was held back: its booking is taken now."""
    addresses = contacts.read_addresses(here.runtime, here.clinic, phone, email)
    which = (here.clinic, run_id, problem)
    await here.write(proposal.solve_applied, here.runtime, *which, role, addresses, here.now)
    return here.go(f"import/{run_id}", "solved")


@router.post(PLACE + "/{run_id}/settle")
async def settle(here: Acting, run_id: PathId, problem: FormId) -> RedirectResponse:
    """Close a problem row that has been seen to."""
    await here.write(proposal.settle, here.clinic, problem, here.now)
    return here.go(f"import/{run_id}", "solved")
