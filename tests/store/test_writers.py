"""Who writes next to a SQLite file: first come, first served."""

import threading
import time
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from reminders.store.database import open_database
from reminders.store.writers import Writers


def test_a_turn_goes_to_whoever_has_waited_longest() -> None:
    """A thread that writes again and again does not come before those who wait."""
    writers, order = Writers(), list[str]()
    inside = threading.Event()

    def greedy() -> None:
        for number in range(3):
            with writers.turn(30):
                inside.set()
                while number == 0 and len(writers._waiting) < 2:
                    time.sleep(0.001)
                order.append("greedy")

    def patient(name: str) -> None:
        inside.wait(30)
        with writers.turn(30):
            order.append(name)

    threads = [threading.Thread(target=greedy)]
    threads += [threading.Thread(target=patient, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert order[0] == "greedy"
    assert set(order[1:3]) == {"one", "two"}
    assert order[3:] == ["greedy", "greedy"]


def test_who_has_waited_in_vain_leaves_the_line() -> None:
    """After the time there was to wait, it is the database that says no; the line goes on."""
    writers = Writers()
    with writers.turn(30):
        with writers.turn(0.01):
            pass
        assert not writers._waiting
    with writers.turn(0.01):
        assert writers._busy
    assert not writers._busy


def test_an_error_gives_the_turn_back(tmp_path: Path) -> None:
    """A transaction that fails leaves the way free for the next."""
    database = open_database(f"sqlite:///{tmp_path / 'a.db'}", create=True)
    for _ in range(2):
        with pytest.raises(DBAPIError), database.transaction() as conn:
            conn.exec_driver_sql("SELECT nothing")
    assert database._writers is not None
    assert not database._writers._busy
    database.close()
