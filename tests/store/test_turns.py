"""What workers of one PostgreSQL do one at a time, what they hear, and whose clock they go by."""

import select
from datetime import timedelta

from reminders.clock import SystemClock
from reminders.store import following
from reminders.store.bulk import reserve
from reminders.store.database import open_database
from reminders.store.schema import message
from reminders.store.server_time import clock_offset
from reminders.store.turns import have_turn, hint, listening


def test_one_has_the_turn(postgres_url: str) -> None:
    """While one transaction has a turn no other has it; afterwards the next one may."""
    database = open_database(postgres_url)
    with database.transaction() as one, database.transaction() as two:
        assert have_turn(one, "purge")
        assert not have_turn(two, "purge")
        assert have_turn(two, "another")
    with database.transaction() as three:
        assert have_turn(three, "purge")
    database.close()


def test_a_hint_is_heard_once_it_is_committed(postgres_url: str) -> None:
    """A worker hears that another process has put something in, when that is committed."""
    database = open_database(postgres_url)
    with listening(database) as ear:
        with database.transaction() as conn:
            hint(conn)
            assert not select.select([ear], [], [], 0.1)[0]
        assert select.select([ear], [], [], 10)[0]
        assert ear.heard()
        assert not ear.heard()
    database.close()


def test_all_go_by_the_servers_clock(postgres_url: str) -> None:
    """A machine whose clock is wrong by hours sees the server's time."""
    database = open_database(postgres_url)
    wrong = SystemClock(timedelta(hours=-3))
    offset = clock_offset(database, wrong.now)
    assert abs(offset - timedelta(hours=3)) < timedelta(seconds=30)
    right = SystemClock(wrong.offset + offset)
    assert abs(right.now() - SystemClock().now()) < timedelta(seconds=30)
    database.close()


def test_with_sqlite_there_is_one_clock_and_one_worker(sqlite_url: str) -> None:
    """With SQLite every turn is this process's own, and a hint goes nowhere."""
    database = open_database(sqlite_url, create=True)
    assert clock_offset(database, SystemClock().now) == timedelta(0)
    with database.transaction() as conn:
        assert have_turn(conn, "purge")
        hint(conn)
    database.close()


def test_who_has_taken_ids_is_seen_before_a_row_is(ready_postgres_url: str) -> None:
    """A transaction that has ids for messages is seen to write, before it does and until it ends."""
    database = open_database(ready_postgres_url)
    with database.transaction() as one:
        reserve(one, message, 2)
        with database.reading() as two:
            assert len(following.writers(two)) == 1
    with database.reading() as two:
        assert following.writers(two) == frozenset()
    database.close()
