"""Connections to PostgreSQL that go silent, and what the server still believes of them."""

from concurrent.futures import ThreadPoolExecutor

from reminders.store.database import open_database
from reminders.store.presence import Presence, alive

SESSION = 4711


def test_a_silent_connection_is_given_up_by_both_sides(ready_postgres_url: str) -> None:
    """Neither waits for hours, as TCP would; what the URL says otherwise holds."""
    joint = "&" if "?" in ready_postgres_url else "?"
    database = open_database(f"{ready_postgres_url}{joint}keepalives_idle=60&connect_timeout=3")
    with database.engine.connect() as conn:
        held = conn.connection.driver_connection.info.get_parameters()  # type: ignore[union-attr]
        zone = conn.exec_driver_sql("SHOW timezone").scalar()
    database.close()
    assert (held["keepalives_idle"], held["connect_timeout"]) == ("60", "3")
    assert held["tcp_user_timeout"] == "35000"
    assert "tcp_user_timeout=35000" in held["options"]
    assert zone == "UTC"


def test_a_worker_need_not_wait_for_its_own_lost_session(ready_postgres_url: str) -> None:
    """The server may take it for alive a while: the worker holds its sign of life beside it."""
    database = open_database(ready_postgres_url)
    lost, again = Presence(database, SESSION), Presence(database, SESSION)
    with ThreadPoolExecutor(1) as pool:
        lost.hold()
        try:
            pool.submit(again.hold).result(timeout=10)
        finally:
            lost.leave()
        with database.reading() as conn:
            assert SESSION in alive(conn)
        again.leave()
    database.close()
