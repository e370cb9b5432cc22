"""Each earlier version of the database comes up to this one, with what is in it."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, Table, insert, select

from reminders.store import upgrade
from reminders.store.database import Database, open_database
from reminders.store.schema import metadata

# What an index of an expression is of, SQLite does not tell.
pytestmark = pytest.mark.filterwarnings("ignore:.*expression-based index")

AT = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
SCRIPTS = ScriptDirectory.from_config(upgrade._alembic())
EARLIER = [script.revision for script in reversed(list(SCRIPTS.walk_revisions()))][:-1]

ROWS = {
    "clinic": {"id": 1, "key": "north"},
    "patient": {"id": 2, "clinic_id": 1, "external_key": "patient:P1", "birth_date": AT.date()},
    "contact": {"id": 3, "patient_id": 2, "role": "guardian", "phone": "+46701740605"},
    "consent": {"contact_id": 3, "channel": "sms", "status": "given", "source": "import"},
    "opt_out": {"clinic_id": 1, "address": "+46701740606", "source": "staff", "recorded_at": AT},
    "appointment": {
        "id": 4, "clinic_id": 1, "ref": "B1", "patient_id": 2, "kind": "Video", "starts_at": AT,
        "version": 1, "planned_starts_at": AT, "planned_status": "booked", "known_at": AT,
        "planned_at": AT, "needs_plan": False,
    },
    "message": {
        "id": 5, "appointment_id": 4, "version": 1, "rule": "day_before", "contact_id": 3,
        "channel": "sms", "occasion": 0, "state": "accepted", "urgency": 1, "due_at": AT,
        "not_after": AT, "truth_starts_at": AT, "truth_status": "booked", "attempts": 1,
        "lease_token": 1, "provider_ref": "SM1", "changed_at": AT,
    },
    "attempt": {
        "id": 6, "message_id": 5, "number": 1, "lease_token": 1, "callback_token": "t",
        "provider": "twilio", "template_version": "v", "body_digest": "d", "started_at": AT,
    },
    "receipt": {"id": 7, "message_id": 5, "received_at": AT, "source": "poll"},
    "ledger": {"id": 8, "at": AT, "actor": "system", "event": "sending", "detail": {"a": 1}},
    "template_version": {
        "language": "sv", "name": "help", "channel": "sms", "version": "v", "source": "s",
        "seen_at": AT,
    },
}  # fmt: skip
"""One row of each table that the first version had, in an order that the references allow."""


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def empty(request: pytest.FixtureRequest) -> Iterator[Database]:
    """Yield a database of each kind without tables."""
    database = open_database(request.getfixturevalue(request.param), create=True)
    yield database
    database.close()


def table(conn: Connection, name: str) -> Table:
    """Return a table as the database has it, with the types that the program reads it by."""
    found = Table(name, MetaData(), autoload_with=conn)
    for column in found.columns:
        ours = metadata.tables[name].columns.get(column.name)
        if ours is not None:
            column.type = ours.type
    return found


def fill(conn: Connection) -> None:
    """Write one row into each table."""
    for name, row in ROWS.items():
        conn.execute(insert(table(conn, name)).values(**row))


@pytest.mark.parametrize("revision", EARLIER)
def test_an_earlier_database_keeps_what_is_in_it(empty: Database, revision: str):
    """A database of any earlier revision is upgraded, becomes as new, and loses nothing."""
    upgrade.upgrade(empty, revision)
    with empty.transaction() as conn:
        fill(conn)
    upgrade.upgrade(empty)
    upgrade.require_current(empty)
    assert upgrade.differences(empty) == []
    with empty.reading() as conn:
        for name, row in ROWS.items():
            kept = conn.execute(select(metadata.tables[name])).mappings().one()
            assert {key: kept[key] for key in row} == row, name


def test_there_is_an_earlier_database():
    """The revisions form one line, the first of which is tried above."""
    assert EARLIER[0] == "0001"
    assert len(SCRIPTS.get_heads()) == 1


def test_keys_that_may_tell_a_name_are_taken_away(empty: Database):
    """A patient whose key was a name or had an identity number in it keeps all but the key."""
    keys = ["patient:P1", f"patient:0f{'9' * 30}", "patient:Berg, Nils 20160501-2382", "visit:B1"]
    upgrade.upgrade(empty, "0011")
    with empty.transaction() as conn:
        conn.execute(insert(table(conn, "clinic")).values(**ROWS["clinic"]))
        for number, key in enumerate(keys, start=1):
            row = ROWS["patient"] | {"id": number, "external_key": key, "protected": True}
            conn.execute(insert(table(conn, "patient")).values(**row))
    upgrade.upgrade(empty)
    with empty.reading() as conn:
        patient = metadata.tables["patient"]
        kept = conn.execute(select(patient).order_by(patient.c.id)).all()
    assert [row.external_key for row in kept] == [keys[0], keys[1], "visit:#3", keys[3]]
    assert all(row.protected for row in kept)


def test_entries_that_went_before_are_put_right_too(empty: Database):
    """Of the emails that have gone, those whose template has an entry are known to have brought it."""
    sources = {"entry": "Subject: A\nCalendar: B\n\nC", "none": "Subject: A\n\nC"}
    upgrade.upgrade(empty, "0019")
    with empty.transaction() as conn:
        fill(conn)
        for number, (version, source) in enumerate(sources.items(), start=11):
            row = ROWS["template_version"] | {"channel": "email", "version": version}
            conn.execute(insert(table(conn, "template_version")).values(**row | {"source": source}))
            row = ROWS["message"] | {"id": number, "channel": "email", "occasion": number}
            conn.execute(insert(table(conn, "message")).values(**row))
            row = ROWS["attempt"] | {"id": number, "message_id": number, "callback_token": version}
            row["template_version"] = version
            conn.execute(insert(table(conn, "attempt")).values(**row))
    upgrade.upgrade(empty)
    with empty.reading() as conn:
        message = metadata.tables["message"]
        kept = conn.execute(select(message.c.calendar).order_by(message.c.id)).scalars()
    assert list(kept) == [False, True, False]


def test_news_that_waits_is_planned_again(empty: Database):
    """What waits to tell of a change is planned anew, so that it is known whether it comes too late."""
    upgrade.upgrade(empty, "0023")
    with empty.transaction() as conn:
        fill(conn)
        for number, version in ((11, 1), (12, 2)):
            row = ROWS["appointment"] | {"id": number, "ref": f"B{number}", "version": version}
            conn.execute(insert(table(conn, "appointment")).values(**row))
            row = ROWS["message"] | {"id": number, "appointment_id": number, "version": version}
            conn.execute(insert(table(conn, "message")).values(**row | {"state": "planned"}))
    upgrade.upgrade(empty)
    with empty.reading() as conn:
        appointment = metadata.tables["appointment"]
        again = conn.execute(select(appointment.c.id).where(appointment.c.needs_plan)).scalars()
        assert list(again) == [12]


def test_two_opt_outs_of_one_mailbox_become_one(empty: Database):
    """An address that was written in two ways has said no once, and for every spelling."""
    upgrade.upgrade(empty, "0024")
    with empty.transaction() as conn:
        conn.execute(insert(table(conn, "clinic")).values(**ROWS["clinic"]))
        for address in ("Anna@example.org", "ANNA@example.org", "anna@example.org", "+46701740605"):
            row = ROWS["opt_out"] | {"address": address}
            conn.execute(insert(table(conn, "opt_out")).values(**row))
    upgrade.upgrade(empty)
    with empty.reading() as conn:
        kept = conn.execute(select(metadata.tables["opt_out"].c.address)).scalars()
        assert sorted(kept) == ["+46701740605", "anna@example.org"]
