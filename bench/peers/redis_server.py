"""A Redis server of the benchmark's own: each write goes to its log at once, so that it is durable."""

import contextlib
import socket
import subprocess
import tempfile
import time


@contextlib.contextmanager
def redis(program):
    """Run a server; give its URL."""
    with tempfile.TemporaryDirectory(prefix="bench-redis-") as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        command = [program, "--port", str(port), "--dir", folder, "--appendonly", "yes"]
        process = subprocess.Popen([*command, "--appendfsync", "always"], stdout=subprocess.DEVNULL)
        time.sleep(1)
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait()
