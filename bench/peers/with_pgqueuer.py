"""PgQueuer: asyncpg, batches of its own making, a job's end written to its log table."""

import asyncio
import json
from datetime import UTC, datetime

import asyncpg
from common import Clock, Sender, jobs, later, leave, options, plain_url, tidy, until
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver, AsyncpgPoolDriver
from pgqueuer.queries import Queries

CHUNK = 10_000


async def fill(given):
    conn = await asyncpg.connect(plain_url(given.url))
    queries = Queries(AsyncpgDriver(conn))
    await queries.install()
    payloads = [json.dumps(job).encode() for job in jobs(given.due)]
    for start in range(0, len(payloads), CHUNK):
        part = payloads[start : start + CHUNK]
        await queries.enqueue(["text"] * len(part), part, [0] * len(part))
    now = datetime.now(UTC)
    for start in range(0, given.future, CHUNK):
        count = min(CHUNK, given.future - start)
        waits = [later(start + n, given.future) - now for n in range(count)]
        await queries.enqueue(["text"] * count, [payloads[0]] * count, [0] * count, waits)
    await conn.close()
    tidy(given.url)


async def main():
    given = options()
    await fill(given)
    sender, clock = Sender(given), Clock("pgqueuer", given)
    pool = await asyncpg.create_pool(plain_url(given.url), min_size=4, max_size=8)
    pgq = PgQueuer(AsyncpgPoolDriver(pool))

    @pgq.entrypoint("text")
    async def text(job):
        await sender.send(json.loads(job.payload))

    clock.start()
    # Twice as many picked as are in flight, so that a batch is there when the last one ends.
    running = asyncio.create_task(
        pgq.qm.run(batch_size=given.in_flight * 2, max_concurrent_tasks=given.in_flight * 4)
    )
    await until(lambda: sender.done >= given.due)
    while await pool.fetchval(  # noqa: ASYNC110 - it is the database that knows
        "SELECT count(*) FROM pgqueuer WHERE execute_after <= now()"
    ):
        await asyncio.sleep(0.005)
    clock.stop(sender.done)
    running.cancel()
    leave()


asyncio.run(main())
