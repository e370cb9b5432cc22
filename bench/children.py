"""Processes of a case's own: what each of them tells; and that one has died is noticed."""

import contextlib
import queue
import time
from collections.abc import Iterator, Sequence
from multiprocessing.process import BaseProcess

POLL = 0.5


class DiedError(Exception):
    """A process ended that was still needed."""


@contextlib.contextmanager
def running(processes: Sequence[BaseProcess]) -> Iterator[None]:
    """Start processes and wait for their end; if anything fails, end them."""
    try:
        for process in processes:
            process.start()
        yield
    except BaseException:
        for process in processes:
            if process.pid is not None:
                process.kill()
        raise
    finally:
        for process in processes:
            if process.pid is not None:
                process.join()


def none_died(processes: Sequence[BaseProcess]) -> None:
    """Raise DiedError if a process has failed."""
    failed = [process.exitcode for process in processes if process.exitcode]
    if failed:
        raise DiedError(f"a process died: {failed[0]}")


def all_ready(ready, processes: Sequence[BaseProcess], seconds: float = 300) -> None:
    """Wait until each process has released the semaphore."""
    end = time.monotonic() + seconds
    for _ in processes:
        while not ready.acquire(timeout=POLL):
            none_died(processes)
            if time.monotonic() > end:
                raise DiedError("a process did not start")


def answers(out, processes: Sequence[BaseProcess]) -> list:
    """Return what the processes put into the queue, one thing each."""
    return [_answer(out, processes) for _ in processes]


def _answer(out, processes: Sequence[BaseProcess]):
    while True:
        over = all(process.exitcode is not None for process in processes)
        try:
            return out.get(timeout=POLL)
        except queue.Empty:
            none_died(processes)
            if over:
                raise DiedError("a process ended without an answer") from None
