"""The two HTTP clients that could stand under the Twilio library, on the same work: POST after POST.

    python bench/client.py [--posts 8000] [--in-flight 50] [--rounds 3]

aiohttp: one session, as `providers/twilio_http` has it. pycurl: libcurl's multi interface driven by
asyncio through socket_action. Both post the same prebuilt form to the stub in its own process, without
a database; interleaved. Needs `pip install pycurl`, which the program itself does not.
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


class Multi:
    """libcurl's multi interface on the running loop."""

    def __init__(self) -> None:
        import pycurl

        self.pycurl, self.loop = pycurl, asyncio.get_running_loop()
        self.multi = pycurl.CurlMulti()
        self.multi.setopt(pycurl.M_SOCKETFUNCTION, self.watch)
        self.multi.setopt(pycurl.M_TIMERFUNCTION, self.set_timer)
        self.free, self.timer, self.waiting = [], None, {}
        self.headers = [*(f"{name}: {value}" for name, value in HEADERS.items()), "Expect:"]

    def set_timer(self, milliseconds: int) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.timer = None
        if milliseconds >= 0:
            self.timer = self.loop.call_later(
                milliseconds / 1000, self.act, self.pycurl.SOCKET_TIMEOUT, 0
            )

    def watch(self, what: int, fd: int, _multi: object, _data: object) -> None:
        curl = self.pycurl
        for wanted, add, remove, event in (
            (curl.POLL_IN, self.loop.add_reader, self.loop.remove_reader, curl.CSELECT_IN),
            (curl.POLL_OUT, self.loop.add_writer, self.loop.remove_writer, curl.CSELECT_OUT),
        ):
            if what != curl.POLL_REMOVE and what & wanted:
                add(fd, self.act, fd, event)
            else:
                remove(fd)

    def act(self, fd: int, events: int) -> None:
        self.multi.socket_action(fd, events)
        while True:
            left, good, bad = self.multi.info_read()
            for handle in [*good, *(one[0] for one in bad)]:
                self.multi.remove_handle(handle)
                self.waiting.pop(handle).set_result(handle.getinfo(self.pycurl.RESPONSE_CODE))
                self.free.append(handle)
            if not left:
                return

    async def post(self, url: str) -> int:
        curl = self.pycurl
        handle = self.free.pop() if self.free else curl.Curl()
        handle.reset()
        body = iter((FORM, b""))
        for option, value in (
            (curl.URL, url),
            (curl.POST, 1),
            (curl.HTTPHEADER, self.headers),
            # Read, not given: what was read and cannot be read again, libcurl cannot send again.
            (curl.READFUNCTION, lambda _size: next(body, b"")),
            (curl.POSTFIELDSIZE, len(FORM)),
            (curl.WRITEFUNCTION, lambda _data: None),
            (curl.CONNECTTIMEOUT_MS, 5000),
            (curl.TIMEOUT_MS, 15000),
            (curl.NOSIGNAL, 1),
        ):
            handle.setopt(option, value)
        answer = self.waiting[handle] = self.loop.create_future()
        self.multi.add_handle(handle)
        return await answer


async def with_pycurl(url: str, posts: int, in_flight: int) -> None:
    multi, left = Multi(), iter(range(posts))

    async def one_place() -> None:
        for _ in left:
            assert await multi.post(url) == 201

    await asyncio.gather(*(one_place() for _ in range(in_flight)))


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
