"""awa: a Rust engine with a Python handler, on its own queue storage."""

import asyncio
from dataclasses import dataclass

import awa
from common import Clock, Sender, jobs, later, leave, options, plain_url, tidy, until

CHUNK = 5000


@dataclass
class Text:
    """What a job carries."""

    to: str
    time: str


async def main():
    given = options()
    # Its driver wants a host in the URL, and takes the socket's folder that follows instead.
    url = plain_url(given.url).replace(":@/", "@localhost/")
    await awa.migrate(url)
    client = awa.AsyncClient(url)
    await client.install_queue_storage(schema="awa")
    sender, clock = Sender(given), Clock("awa", given)

    @client.task(Text, queue="texts")
    async def text(job):
        await sender.send({"to": job.args.to, "time": job.args.time})

    waiting = [Text(**job) for job in jobs(given.due)]
    for start in range(0, given.future, CHUNK):
        count = min(CHUNK, given.future - start)
        at = later(start, given.future)
        await client.enqueue_many_copy([waiting[0]] * count, queue="texts", run_at=at)
    for start in range(0, len(waiting), CHUNK):
        await client.enqueue_many_copy(waiting[start : start + CHUNK], queue="texts")
    tidy(given.url)
    clock.start()
    await client.start([("texts", given.in_flight)], poll_interval_ms=20)
    await until(lambda: sender.done >= given.due)
    clock.stop(sender.done)
    leave()


asyncio.run(main())
