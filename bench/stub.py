"""A pretended Twilio that only counts: as fast as a process can answer.

python bench/stub.py [--port N] [--delay-ms 50]   prints its port, then answers until it is stopped.
GET /count tells how many messages were created, and how many different callback tokens or recipients
they had: a message that came twice is seen here, whatever the engine under test believes.
"""

import argparse
import asyncio
import re
import signal

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_TO = re.compile(rb"(?:^|&)To=([^&]*)")
_BODY = (
    b'{"sid":"SM%032x","status":"queued","num_segments":"1","error_code":null,"error_message":null,'
    b'"date_created":"Wed, 25 Nov 2026 09:00:00 +0000","direction":"outbound-api","price":null}'
)


class Counts:
    """What the stub has been asked for."""

    created = 0
    seen: set[bytes] = set()
    delay = 0.0


class Stub(asyncio.Protocol):
    """One connection: requests in, answers out, pipelined or not."""

    def connection_made(self, transport):
        self.transport, self.buffer = transport, b""

    def data_received(self, data):
        self.buffer += data
        while True:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self.buffer[:end]
            found = _LENGTH.search(head)
            total = end + 4 + (int(found[1]) if found else 0)
            if len(self.buffer) < total:
                return
            body, self.buffer = self.buffer[end + 4 : total], self.buffer[total:]
            self.answer(head, body)

    def answer(self, head, body):
        if head.startswith(b"GET /count"):
            said = b'{"created": %d, "different": %d}' % (Counts.created, len(Counts.seen))
            self.write(200, said)
            return
        if head.startswith(b"POST"):
            Counts.created += 1
            to = _TO.search(body)
            Counts.seen.add(to[1] if to else body)
        said = _BODY % Counts.created
        if Counts.delay:
            asyncio.get_running_loop().call_later(Counts.delay, self.write, 201, said)
        else:
            self.write(201, said)

    def write(self, status, body):
        if not self.transport.is_closing():
            self.transport.write(
                b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                % (status, len(body), body)
            )


async def serve(port, delay):
    Counts.delay = delay
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Stub, "127.0.0.1", port, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    loop.add_signal_handler(signal.SIGINT, stopped.set)
    await stopped.wait()
    server.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay-ms", type=float, default=0)
    chosen = parser.parse_args()
    asyncio.run(serve(chosen.port, chosen.delay_ms / 1000))


if __name__ == "__main__":
    main()
