"""Limits: how fast a client alone posts prebuilt bodies, with no database and nothing to render.

python bench/limits.py --client aiohttp --stub PORT --due 10000 --in-flight 50
"""

import argparse
import asyncio
import io
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "peers"))

from common import HEADERS, PATH, body, jobs


async def with_aiohttp(url, bodies, in_flight):
    import aiohttp

    connector = aiohttp.TCPConnector(limit=in_flight)
    waiting = iter(bodies)
    async with aiohttp.ClientSession(connector=connector, headers=HEADERS) as session:

        async def worker():
            for form in waiting:
                async with session.post(url, data=form) as answer:
                    await answer.read()
                    assert answer.status == 201

        await asyncio.gather(*(worker() for _ in range(in_flight)))


def with_pycurl(url, bodies, in_flight):
    import pycurl

    multi = pycurl.CurlMulti()
    headers = [f"{name}: {value}" for name, value in HEADERS.items()]
    waiting, left = iter(bodies), len(bodies)

    def begin(handle):
        form = next(waiting, None)
        if form is not None:
            handle.setopt(pycurl.POSTFIELDS, form)
            handle.setopt(pycurl.WRITEDATA, io.BytesIO())
            multi.add_handle(handle)

    handles = []
    for _ in range(in_flight):
        handle = pycurl.Curl()
        handle.setopt(pycurl.URL, url)
        handle.setopt(pycurl.HTTPHEADER, headers)
        handles.append(handle)
        begin(handle)
    while left:
        multi.perform()
        multi.select(0.01)
        _, ended, failed = multi.info_read()
        assert not failed
        for handle in ended:
            multi.remove_handle(handle)
            left -= 1
            begin(handle)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--client", choices=["aiohttp", "pycurl"], required=True)
    parser.add_argument("--stub", type=int, required=True)
    parser.add_argument("--due", type=int, default=1000)
    parser.add_argument("--in-flight", type=int, default=50)
    given = parser.parse_args()
    bodies = [body(job) for job in jobs(given.due)]
    url = f"http://127.0.0.1:{given.stub}{PATH}"
    began, cpu = time.monotonic(), time.process_time()
    if given.client == "aiohttp":
        asyncio.run(with_aiohttp(url, bodies, given.in_flight))
    else:
        with_pycurl(url, bodies, given.in_flight)
    seconds = time.monotonic() - began
    row = {
        "engine": f"bare {given.client}",
        "database": "none",
        "due": given.due,
        "future": 0,
        "in_flight": given.in_flight,
        "http": True,
        "sent": given.due,
        "seconds": round(seconds, 3),
        "per_second": round(given.due / seconds),
        "cpu_seconds_per_1000": round((time.process_time() - cpu) / given.due * 1000, 4),
    }
    print(json.dumps(row))


main()
