"""What if: what the plan, or a file, would send on a clock that jumps ahead; with an outage."""

import shutil
import tempfile
from collections import Counter
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, BinaryIO

from fastapi import Form, UploadFile
from fastapi.responses import HTMLResponse

from reminders.errors import UsageError
from reminders.simulation.rehearsal import Outage, Rehearsal, rehearse, rehearse_plan
from reminders.web.here import Acting, AtClinic, Here
from reminders.web.jobs import file_name
from reminders.web.language import N_
from reminders.web.security import page_router
from reminders.web.times import read_moment

router = page_router()

Text = Annotated[str, Form(max_length=400)]
LISTED = 100
LONGEST = 720
MOST_DAYS = 31
NOT_DAYS = N_("Write a whole number of days, at most 31.")
NOT_HOURS = N_("Write a whole number of hours, at most 720.")
TOO_EARLY = N_("The outage begins before anything else does. Choose a later time.")


@router.get("/c/{clinic}/what-if")
async def ask(here: AtClinic) -> HTMLResponse:
    """Show the form."""
    return here.page("whatif.html", found=None)


@router.post("/import/{clinic}/what-if")
async def show(
    here: Acting, file: UploadFile | None = None, day: Text = "", time: Text = "",
    confirm: Text = "", days: Text = "",
    outage_day: Text = "", outage_time: Text = "", hours: Text = "",
) -> HTMLResponse:  # fmt: skip
    """Rehearse a file, or without one the plan as it is."""
    named = file is not None and bool(file.filename)
    start = read_moment(day, time, here.zone) if day and named else here.now
    outage = _outage(here, start, outage_day, outage_time, hours) if outage_day else None
    if file is not None and named:
        name = file_name(file.filename or "")
        work = partial(_rehearse, here, name, file.file, start, outage, confirm=confirm == "true")
    else:
        name = ""
        work = partial(rehearse_plan, here.site.runtime, here.clinic, _length(days), outage)
    found = await here.site.aside(work)
    by_rule = Counter(line.message.key.rule for line in found.sent)
    return here.page(
        "whatif.html", found=found, by_rule=by_rule, outage=outage, name=name, listed=LISTED
    )


def _length(days: str) -> timedelta:
    if not (days.isascii() and days.isdigit() and 0 < int(days) <= MOST_DAYS):
        raise UsageError(NOT_DAYS)
    return timedelta(days=int(days))


def _outage(here: Here, start: datetime, day: str, clock: str, hours: str) -> Outage:
    if not (hours.isascii() and hours.isdigit() and 0 < int(hours) <= LONGEST):
        raise UsageError(NOT_HOURS)
    begins = read_moment(day, clock or "00:00", here.zone)
    if begins < start:
        raise UsageError(TOO_EARLY)
    return Outage(begins, begins + timedelta(hours=int(hours)))


def _rehearse(
    here: Here,
    name: str,
    source: BinaryIO,
    start: datetime,
    outage: Outage | None,
    *,
    confirm: bool,
) -> Rehearsal:
    config = here.site.runtime.config
    with tempfile.TemporaryDirectory(prefix="reminders-upload-") as folder:
        path = Path(folder) / name
        with path.open("wb") as target:
            shutil.copyfileobj(source, target)
        return rehearse(config, here.clinic, path, start, outage, confirmations=confirm)
