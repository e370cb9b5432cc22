"""Each earlier version of the database comes up to this one, with what is in it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, TableClause, column, insert, select, table
from sqlalchemy.exc import IntegrityError

from reminders.store import upgrade
from reminders.store.database import Database, open_database
from reminders.store.schema import metadata

# What an index of an expression is of, SQLite does not tell.
pytestmark = pytest.mark.filterwarnings("ignore:.*expression-based index")

AT = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
SCRIPTS = ScriptDirectory.from_config(upgrade._alembic())
EARLIER = [script.revision for script in reversed(list(SCRIPTS.walk_revisions()))][:-1]


def rows(number: int) -> dict[str, dict[str, Any]]:
    """Return a row of each table that the first version had, in an order that references allow.

    Those of one number refer to each other, and are unlike those of any other.
    """
    patient, contact, visit = number + 1, number + 2, number + 3
    phone = f"+4670174060{number // 1000 % 10}"
    return {
        "clinic": {"id": number, "key": f"north {number}"},
        "patient": {
            "id": patient, "clinic_id": number, "external_key": "patient:P1",
            "birth_date": AT.date(),
        },
        "contact": {"id": contact, "patient_id": patient, "role": "guardian", "phone": phone},
        "consent": {"contact_id": contact, "channel": "sms", "status": "given", "source": "import"},
        "opt_out": {"clinic_id": number, "address": phone, "source": "staff", "recorded_at": AT},
        "appointment": {
            "id": visit, "clinic_id": number, "ref": "B1", "patient_id": patient, "kind": "Video",
            "starts_at": AT, "version": 1, "planned_starts_at": AT, "planned_status": "booked",
            "known_at": AT, "planned_at": AT, "needs_plan": False,
        },
        "message": {
            "id": number, "appointment_id": visit, "version": 1, "rule": "day_before",
            "contact_id": contact, "channel": "sms", "occasion": 0, "state": "accepted",
            "urgency": 1, "due_at": AT, "not_after": AT, "truth_starts_at": AT,
            "truth_status": "booked", "attempts": 1, "lease_token": 1,
            "provider_ref": f"SM{number}", "changed_at": AT,
        },
        "attempt": {
            "id": number, "message_id": number, "number": 1, "lease_token": 1,
            "callback_token": f"t{number}", "provider": "twilio", "template_version": "v",
            "body_digest": "d", "started_at": AT,
        },
        "receipt": {"id": number, "message_id": number, "received_at": AT, "source": "poll"},
        "ledger": {
            "id": number, "at": AT, "actor": "system", "event": "sending", "detail": {"a": 1},
        },
        "template_version": {
            "language": "sv", "name": f"help {number}", "channel": "sms", "version": "v",
            "source": "s", "seen_at": AT,
        },
    }  # fmt: skip


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def empty(request: pytest.FixtureRequest) -> Iterator[Database]:
    """Yield a database of each kind without tables."""
    database = open_database(request.getfixturevalue(request.param), create=True)
    yield database
    database.close()


ROWS = rows(1)


def written(name: str, row: dict[str, Any]) -> TableClause:
    """Return a table as whoever writes this row sees it: of a column that came later, nothing."""
    return table(name, *(column(key, metadata.tables[name].c[key].type) for key in row))


def put(conn: Connection, name: str, row: dict[str, Any]) -> None:
    """Write one row."""
    conn.execute(insert(written(name, row)).values(**row))


def fill(conn: Connection, added: dict[str, dict[str, Any]]) -> None:
    """Write one row into each table."""
    for name, row in added.items():
        put(conn, name, row)


def test_an_earlier_database_keeps_what_is_in_it(empty: Database):
    """A database of any earlier revision is upgraded, becomes as new, and loses nothing.

    It goes from each revision to the next, as it did in the years, and gets rows in each.
    """
    filled = {revision: rows(1000 * number) for number, revision in enumerate(EARLIER, 1)}
    for revision, added in filled.items():
        upgrade.upgrade(empty, revision)
        with empty.transaction() as conn:
            fill(conn, added)
    upgrade.upgrade(empty)
    upgrade.require_current(empty)
    assert upgrade.differences(empty) == []
    with empty.reading() as conn:
        for revision, added in filled.items():
            for name, row in added.items():
                ours = metadata.tables[name]
                which = [key == row[key.name] for key in ours.primary_key if key.name in row]
                kept = conn.execute(select(ours).where(*which)).mappings().one()
                assert {key: kept[key] for key in row} == row, (revision, name)


def test_a_database_skips_versions(empty: Database):
    """The first version becomes the newest in one step."""
    upgrade.upgrade(empty, EARLIER[0])
    upgrade.upgrade(empty)
    assert upgrade.differences(empty) == []


def test_there_is_an_earlier_database():
    """The revisions form one line, the first of which is tried above."""
    assert EARLIER[0] == "0001"
    assert len(SCRIPTS.get_heads()) == 1


def test_keys_that_may_tell_a_name_are_taken_away(empty: Database):
    """A patient whose key was a name or had an identity number in it keeps all but the key."""
    keys = ["patient:P1", f"patient:0f{'9' * 30}", "patient:Berg, Nils 20160501-2382", "visit:B1"]
    upgrade.upgrade(empty, "0011")
    with empty.transaction() as conn:
        put(conn, "clinic", ROWS["clinic"])
        for number, key in enumerate(keys, start=1):
            row = ROWS["patient"] | {"id": number, "external_key": key, "protected": True}
            put(conn, "patient", row)
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
        fill(conn, ROWS)
        for number, (version, source) in enumerate(sources.items(), start=11):
            row = ROWS["template_version"] | {"channel": "email", "version": version}
            put(conn, "template_version", row | {"source": source})
            row = ROWS["message"] | {"id": number, "channel": "email", "occasion": number}
            put(conn, "message", row)
            row = ROWS["attempt"] | {"id": number, "message_id": number, "callback_token": version}
            row["template_version"] = version
            put(conn, "attempt", row)
    upgrade.upgrade(empty)
    with empty.reading() as conn:
        message = metadata.tables["message"]
        kept = conn.execute(select(message.c.calendar).order_by(message.c.id)).scalars()
    assert list(kept) == [False, True, False]


def test_news_that_waits_is_planned_again(empty: Database):
    """What waits to tell of a change is planned anew, so that it is known whether it comes too late."""
    upgrade.upgrade(empty, "0023")
    with empty.transaction() as conn:
        fill(conn, ROWS)
        for number, version in ((11, 1), (12, 2)):
            row = ROWS["appointment"] | {"id": number, "ref": f"B{number}", "version": version}
            put(conn, "appointment", row)
            row = ROWS["message"] | {"id": number, "appointment_id": number, "version": version}
            put(conn, "message", row | {"state": "planned"})
    upgrade.upgrade(empty)
    with empty.reading() as conn:
        appointment = metadata.tables["appointment"]
        again = conn.execute(select(appointment.c.id).where(appointment.c.needs_plan)).scalars()
        assert list(again) == [12]


def test_two_opt_outs_of_one_mailbox_become_one(empty: Database):
    """An address that was written in two ways has said no once, and for every spelling."""
    upgrade.upgrade(empty, "0024")
    with empty.transaction() as conn:
        put(conn, "clinic", ROWS["clinic"])
        for address in ("Anna@example.org", "ANNA@example.org", "anna@example.org", "+46701740605"):
            row = ROWS["opt_out"] | {"address": address}
            put(conn, "opt_out", row)
    upgrade.upgrade(empty)
    with empty.reading() as conn:
        kept = conn.execute(select(metadata.tables["opt_out"].c.address)).scalars()
        assert sorted(kept) == ["+46701740605", "anna@example.org"]


def test_what_was_approved_is_every_clinics(empty: Database):
    """Each approval from before is every clinic's, and a clinic may approve the same as its own."""
    upgrade.upgrade(empty, "0031")
    old = ROWS["template_version"] | {"approved_at": AT, "approved_by": "anna"}
    with empty.transaction() as conn:
        put(conn, "template_version", old)
    upgrade.upgrade(empty)
    with empty.transaction() as conn:
        put(conn, "template_version", old | {"clinic": "north"})
    with pytest.raises(IntegrityError), empty.transaction() as conn:
        put(conn, "template_version", old | {"clinic": "north"})
    with empty.reading() as conn:
        version = metadata.tables["template_version"]
        kept = conn.execute(select(version).order_by(version.c.clinic)).mappings().all()
    assert [row["clinic"] for row in kept] == ["", "north"]
    assert [{key: row[key] for key in old} for row in kept] == [old, old]
