"""Files of the watched folder that wait for a person: looking at one, and seeing to it."""

from fastapi.responses import RedirectResponse

from reminders.engine import aside
from reminders.engine.aside import End
from reminders.engine.difference import Options
from reminders.engine.watch import options_of
from reminders.store.aside import Aside
from reminders.web.here import Acting, Here
from reminders.web.ids import PathId
from reminders.web.jobs import Job
from reminders.web.security import page_router

router = page_router(prefix="/c/{clinic}/import/aside")


@router.post("/{aside_id}/look")
async def look(here: Acting, aside_id: PathId) -> RedirectResponse:
    """Read a file where it lies, as if it had been chosen on the page."""
    entry = await here.read(aside.require, here.clinic, aside_id)
    job = here.site.jobs.reading(here.clinic, entry)
    if job is None:
        job = await here.site.aside(_begin, here, entry)
    return here.go(f"import/waiting/{job.id}") if job else here.go("import", "file_gone")


def _begin(here: Here, entry: Aside) -> Job | None:
    """Begin to read a file. None if it is not there any more."""
    path = aside.place(here.runtime, entry)
    options = Options(full=options_of(here.settings.watch).full, exported_at=entry.file.written_at)
    if path is None:
        return None
    try:
        with path.open("rb") as source:
            return here.site.jobs.begin(
                here.runtime, here.clinic, entry.file.file_name, source, options, entry
            )
    except OSError:
        return None


@router.post("/{aside_id}/close")
async def close(here: Acting, aside_id: PathId) -> RedirectResponse:
    """Record that somebody has seen to a file; of one that waits, that they said no to it."""
    return here.go("import", await say_no(here, aside_id))


async def say_no(here: Here, aside_id: int) -> str:
    """Close a file, and move one that waited to the refused ones; return what to say of it."""
    entry = await here.write(aside.close, here.runtime, here.clinic, aside_id, here.now)
    if entry.file.ending != End.WAITING:
        return "seen_to"
    if (job := here.site.jobs.reading(here.clinic, entry)) is not None:
        await here.site.aside(here.site.jobs.throw_away, here.runtime, job)
    moved = await here.site.aside(aside.put_away, here.runtime, entry, End.REFUSED, here.now)
    return "file_refused" if moved else "file_not_moved"
