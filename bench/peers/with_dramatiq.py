"""Dramatiq on Redis: its worker threads, in this process. `--url` is the Redis program."""

import logging
import time

import dramatiq
from common import Clock, Sender, jobs, leave, options
from dramatiq.brokers.redis import RedisBroker
from redis_server import redis


def main():
    logging.disable(logging.CRITICAL)
    given = options()
    with redis(given.url) as url:
        broker = RedisBroker(url=url)
        dramatiq.set_broker(broker)
        sender, clock = Sender(given), Clock("dramatiq", given)

        @dramatiq.actor
        def text(to, at):
            sender.send_blocking({"to": to, "time": at})

        for job in jobs(given.due):
            text.send(job["to"], job["time"])
        worker = dramatiq.Worker(broker, worker_threads=min(given.in_flight, 8))
        clock.start()
        worker.start()
        while sender.done < given.due:
            time.sleep(0.005)
        clock.stop(sender.done)
    leave()


main()
