"""Celery on Redis: its thread pool, in this process. `--url` is the Redis program."""

import logging
import threading
import time

from celery import Celery
from common import Clock, Sender, jobs, leave, options
from redis_server import redis


def main():
    logging.disable(logging.CRITICAL)
    given = options()
    with redis(given.url) as url:
        app = Celery("texts", broker=url, backend=url)
        app.conf.update(task_acks_late=True, worker_prefetch_multiplier=16)
        sender, clock = Sender(given), Clock("celery", given)

        @app.task(name="text")
        def text(to, at):
            sender.send_blocking({"to": to, "time": at})

        for job in jobs(given.due):
            text.delay(job["to"], job["time"])
        worker = app.Worker(pool="threads", concurrency=min(given.in_flight, 16), quiet=True)
        clock.start()
        threading.Thread(target=worker.start, daemon=True).start()
        while sender.done < given.due:
            time.sleep(0.005)
        clock.stop(sender.done)
    leave()


main()
