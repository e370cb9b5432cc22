"""Today: what needs a person, what goes out, and what went."""

from fastapi.responses import HTMLResponse, RedirectResponse

from reminders.engine import holding, overview
from reminders.web import chart
from reminders.web.here import ActingForAll, AtClinic
from reminders.web.security import page_router

router = page_router(prefix="/c/{clinic}")


@router.get("/today")
async def today(here: AtClinic) -> HTMLResponse:
    """Show today."""
    found = await here.read(overview.today, here.runtime, here.clinic, here.now)
    say = here.speaking.text
    names = [str(say("Sent")), str(say("Planned")), str(say("Did not arrive"))]
    labels = [chart.clock(hour.at.astimezone(here.zone)) for hour in found.hours]
    drawing = chart.by_hour(found.hours, labels, names)
    return here.page("today.html", found=found, chart=drawing, names=names, labels=labels)


@router.get("/more")
async def more(here: AtClinic) -> HTMLResponse:
    """Show the way to the pages that a small screen's menu has no room for."""
    return here.page("more.html")


@router.post("/hold")
async def hold(here: ActingForAll) -> RedirectResponse:
    """Stop sending."""
    await here.write(holding.hold, here.runtime, here.now)
    return here.go("today", "paused")


@router.post("/release")
async def release(here: ActingForAll) -> RedirectResponse:
    """Send again."""
    await here.site.change(holding.prepare, here.runtime, here.now)
    await here.write(holding.release, here.runtime, here.now)
    return here.go("today", "resumed")
