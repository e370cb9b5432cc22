"""APScheduler 3: one job for each reminder in its SQLAlchemy job store, as its examples do.

Its grace time is taken away, as with the default it throws away what is a second late.
"""

import logging
import time
from datetime import UTC, datetime

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from common import Clock, Sender, jobs, later, leave, options

sender = None


def text(to, at):
    """Send one text: a function of the module, so that the job store can name it."""
    sender.send_blocking({"to": to, "time": at})


def main():
    global sender
    logging.disable(logging.CRITICAL)
    given = options()
    sender, clock = Sender(given), Clock("apscheduler", given)
    scheduler = BackgroundScheduler(
        jobstores={"default": SQLAlchemyJobStore(url=given.url)},
        executors={"default": ThreadPoolExecutor(min(given.in_flight, 20))},
        job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        timezone=UTC,
    )
    scheduler.start(paused=True)
    for n in range(given.future):
        scheduler.add_job(text, "date", run_date=later(n, given.future), args=["+46", "09:00"])
    now = datetime.now(UTC)
    for job in jobs(given.due):
        scheduler.add_job(text, "date", run_date=now, args=[job["to"], job["time"]])
    clock.start()
    scheduler.resume()
    while sender.done < given.due:
        time.sleep(0.005)
    clock.stop(sender.done)
    leave()


if __name__ == "__main__":
    import with_apscheduler

    with_apscheduler.main()
