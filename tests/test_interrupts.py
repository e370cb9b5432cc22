"""Ctrl-C: it waits where it would do harm, and is never lost."""

import signal
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

from reminders.interrupts import Interrupts, held, noted


def press() -> None:
    """Do what the terminal does at Ctrl-C."""
    signal.raise_signal(signal.SIGINT)


def fail() -> None:
    """Do what a defect does."""
    raise ValueError("its own")


def lose() -> None:
    """Do what Python does while it loads modules."""
    with suppress(KeyboardInterrupt):
        press()


def within(block: Interrupts, *steps: Callable[[], object]) -> None:
    """Do these steps within a block."""
    with block:
        for step in steps:
            step()


def test_an_interrupt_waits_until_the_end_of_the_block():
    """What is held together is done whole; then the interrupt is heeded, once."""
    done: list[str] = []
    block = held()
    with pytest.raises(KeyboardInterrupt):
        within(block, press, press, lambda: done.append("all of it"))
    assert done == ["all of it"]
    assert block.count == 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_waits_for_the_outermost_block():
    """A block within another one leaves the interrupt to it."""
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        within(held(), lambda: within(held(), press), lambda: done.append("the outer block"))
    assert done == ["the outer block"]


def test_a_lost_interrupt_is_heeded_at_the_end():
    """Where Python swallows the exception, as it does while it loads modules, it comes again."""
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        within(noted(), lose, lambda: done.append("the rest of the block"))
    assert done == ["the rest of the block"]
    with pytest.raises(KeyboardInterrupt):
        within(noted(), press, lambda: done.append("not this"))
    assert len(done) == 1


@pytest.mark.parametrize("block", [held, noted])
def test_another_error_is_told_as_it_is(block: Callable[[], Interrupts]):
    """A block that fails by itself fails with its own error, and the handler is as before."""
    with pytest.raises(ValueError, match="its own"):
        within(block(), fail)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_process_that_takes_no_notice_goes_on():
    """Where Ctrl-C is to be ignored, as in the background of a script, nothing is counted."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        block = held()
        within(block, press, press)
        assert block.count == 0
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_are_not_interrupted():
    """A block in a thread of its own does its work and counts nothing."""
    counts: list[int] = []

    def work() -> None:
        with held() as interrupts:
            counts.append(interrupts.count)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert counts == [0]
