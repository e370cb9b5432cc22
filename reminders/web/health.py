"""Is the process alive, and is the installation ready: for whatever watches over it.

Both are open to everybody who can reach the pages: they tell nothing but yes or no.
"""

from datetime import datetime, timedelta

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from reminders.engine.runtime import Runtime
from reminders.store import clinics, workers
from reminders.store.database import Connection, DatabaseFault
from reminders.store.upgrade import newest_revision, revision
from reminders.web.security import runtime_of

TICKED_WITHIN = timedelta(minutes=5)

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def alive() -> Response:
    """Tell that the process is alive."""
    return PlainTextResponse("ok\n")


@router.get("/readyz")
def ready(request: Request) -> Response:
    """Tell whether the database is there and current, and somebody is sending: 200 or 503.

    A channel that is down is told, and changes nothing: the pages are needed all the more then.
    """
    found = look(runtime_of(request))
    return JSONResponse(found, 200 if found["database"] and found["sending"] else 503)


def look(runtime: Runtime) -> dict[str, bool]:
    """Return what has to be so for texts to go out, and whether it is."""
    try:
        current = revision(runtime.database) == newest_revision()
        with runtime.database.reading() as conn:
            sending = is_sending(conn, runtime.clock.now())
            channels = not clinics.closed_channels(conn)
    except DatabaseFault:
        return {"database": False, "sending": False, "channels": False}
    return {"database": current, "sending": sending, "channels": channels}


def is_sending(conn: Connection, now: datetime) -> bool:
    """Tell whether a worker, or a cron pass, has been at work lately."""
    last = workers.last_tick(conn)
    return last is not None and last >= now - TICKED_WITHIN
