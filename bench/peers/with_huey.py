"""Huey on SQLite: its thread workers; each task's result is stored, so that an outcome is on disk."""

import logging
import time

from common import Clock, Sender, jobs, later, leave, options
from huey import SqliteHuey
from huey.consumer import Consumer


def main():
    logging.disable(logging.CRITICAL)
    given = options()
    path = given.url.removeprefix("sqlite:///")
    # fsync: an outcome counts only once it would survive a power cut, as on our side.
    huey = SqliteHuey("texts", filename=path, fsync=True, journal_mode="wal", timeout=30)
    sender, clock = Sender(given), Clock("huey", given)

    @huey.task()
    def text(to, time):
        sender.send_blocking({"to": to, "time": time})
        return True

    waiting = list(jobs(given.due))
    for n in range(given.future):
        task = text.s(**waiting[0])
        task.eta = later(n, given.future).replace(tzinfo=None)
        huey.storage.add_to_schedule(huey.serialize_task(task), task.eta)
    for job in waiting:
        text(**job)
    workers = min(given.in_flight, 8)  # more threads than this only wait for the lock of the file
    consumer = Consumer(huey, workers=workers, worker_type="thread", initial_delay=0.005)
    clock.start()
    consumer.start()
    while sender.done < given.due:
        time.sleep(0.005)
    while huey.storage.result_store_size() < given.due:
        time.sleep(0.005)
    clock.stop(sender.done)
    leave()


main()
