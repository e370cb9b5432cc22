"""The transport of the providers beside aiohttp, on the same work: POST after POST.

    python bench/client.py [--posts 8000] [--in-flight 50] [--rounds 3]

pycurl is `reminders/providers/http.py` as it is; aiohttp has one session. Both post the same prebuilt
form to the stub in its own process, without a database; interleaved.
"""

import argparse
import asyncio
import json
import resource
import statistics
import sys
from pathlib import Path
from time import perf_counter
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import measure
from reminders.providers.http import Transport

PATH = "/2010-04-01/Accounts/AC0/Messages.json"
FORM = urlencode(
    {"To": "+46701740605", "From": "Videobesok", "Body": "Videobesök kl 10.15. " * 7}
).encode()
HEADERS = {
    "Authorization": "Basic bm9uZTpub25l",
    "Content-Type": "application/x-www-form-urlencoded",
    "Accept": "application/json",
}


async def with_aiohttp(url: str, posts: int, in_flight: int) -> None:
    import aiohttp

    left = iter(range(posts))
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=1000), cookie_jar=aiohttp.DummyCookieJar()
    ) as session:

        async def one_place() -> None:
            for _ in left:
                async with session.post(url, data=FORM, headers=HEADERS) as answer:
                    await answer.read()
                    assert answer.status == 201

        await asyncio.gather(*(one_place() for _ in range(in_flight)))


async def with_pycurl(url: str, posts: int, in_flight: int) -> None:
    transport, left = Transport(5.0, 15.0), iter(range(posts))
    headers = [f"{name}: {value}" for name, value in HEADERS.items()]

    async def one_place() -> None:
        for _ in left:
            assert (await transport.request("POST", url, headers=headers, body=FORM)).status == 201

    await asyncio.gather(*(one_place() for _ in range(in_flight)))
    await transport.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--posts", type=int, default=8000)
    parser.add_argument("--in-flight", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    figures: dict[str, list[tuple[float, float]]] = {"aiohttp": [], "pycurl": []}
    with measure.stub() as port:
        url = f"http://127.0.0.1:{port}{PATH}"
        for _ in range(chosen.rounds):
            for name, drive in (("aiohttp", with_aiohttp), ("pycurl", with_pycurl)):
                before = resource.getrusage(resource.RUSAGE_SELF)
                began = perf_counter()
                asyncio.run(drive(url, chosen.posts, chosen.in_flight))
                after = resource.getrusage(resource.RUSAGE_SELF)
                cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                seconds = perf_counter() - began
                figures[name].append((chosen.posts / seconds, cpu * 1000 / chosen.posts))
    for name, rounds in figures.items():
        rate = round(statistics.median(one[0] for one in rounds))
        cpu = round(statistics.median(one[1] for one in rounds), 3)
        print(json.dumps({"client": name, "per_second": rate, "cpu_seconds_per_1000": cpu}))


if __name__ == "__main__":
    main()
