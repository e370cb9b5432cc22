"""Procrastinate: its asyncio worker on psycopg's pool, as many jobs at a time as are in flight."""

import asyncio
import logging

import procrastinate
from common import Clock, Sender, jobs, later, options, plain_url, tidy

CHUNK = 5000


async def main():
    logging.disable(logging.CRITICAL)
    given = options()
    sender, clock = Sender(given), Clock("procrastinate", given)
    connector = procrastinate.PsycopgConnector(
        conninfo=plain_url(given.url), min_size=4, max_size=16
    )
    app = procrastinate.App(connector=connector)

    @app.task(name="text", queue="texts")
    async def text(**job):
        await sender.send(job)

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        waiting = list(jobs(given.due))
        for start in range(0, len(waiting), CHUNK):
            await text.batch_defer_async(*waiting[start : start + CHUNK])
        for start in range(0, given.future, CHUNK):
            for n in range(start, min(start + CHUNK, given.future), CHUNK // 5):
                at = later(n, given.future)
                await text.configure(schedule_at=at).batch_defer_async(
                    *[waiting[0]] * min(CHUNK // 5, given.future - n)
                )
        tidy(given.url)
        clock.start()
        await app.run_worker_async(
            concurrency=given.in_flight,
            wait=False,
            listen_notify=False,
            install_signal_handlers=False,
        )
        clock.stop(sender.done)
        if sender.session:
            await sender.session.close()


asyncio.run(main())
