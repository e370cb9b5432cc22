"""One installation under fire: its configuration, its database, its visits, and their fates."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Table, func, insert, select, text

from reminders.clock import SystemClock
from reminders.config import load_config
from reminders.domain.state import State
from reminders.engine import approval
from reminders.engine.planning import check_rules
from reminders.resources import example_config
from reminders.store import schema
from reminders.store.database import Database
from reminders.store.upgrade import upgrade
from reminders.wiring import build, make_key, open_store
from tests.fakes.elks46_server import PASSWORD, USERNAME

CLOCK = SystemClock()
PHONES = [f"+467017406{number:02}" for number in range(5, 100)]
LEASES = {"sqlite": "30s", "postgresql": "3s"}
"""Short, so that a campaign is; a SQLite file's next sole sender waits for no lease."""

HORIZON = "2s"
ZONE = ZoneInfo("Europe/Stockholm")
CLOCK_TIME = re.compile(r"\b\d\d:\d\d\b")
"""The time of a visit, as its text has it."""

OPEN = (State.PLANNED, State.SENDING, State.UNKNOWN)

CHANGES = {
    'environment = "test"': 'environment = "production"',
    'provider = "sandbox"                 # or "twilio", "elks46"': 'provider = "elks46"',
    'horizon = "2m"': f'horizon = "{HORIZON}"',
    'before = "15m"': 'before = "12h"',
}
PROVIDER = """
[providers.elks46]
username = "{username}"
password = "{password}"
base_url = "{base_url}"
timeout = 2
"""


class Place:
    """A folder with a configuration whose one rule is due as soon as a visit is booked."""

    def __init__(self, folder: Path, url: str, base_url: str) -> None:
        self.folder = folder
        self.path = folder / "config.toml"
        self.booked: dict[tuple[str, str], str] = {}
        self._slots = self._each_slot()
        self._write_config(url, base_url)
        config = load_config(self.path, {})
        make_key(config)
        database = open_store(config, create=True)
        upgrade(database)
        database.close()
        runtime = build(config)
        now = CLOCK.now()
        runtime.in_transaction(approval.approve, runtime, "test", now)
        runtime.in_transaction(check_rules, runtime, now)
        runtime.database.close()
        self._people = self._move_in()

    def _write_config(self, url: str, base_url: str) -> None:
        written = example_config()
        for old, new in CHANGES.items():
            assert old in written, old
            written = written.replace(old, new)
        lease = LEASES[url.partition(":")[0].partition("+")[0]]
        written = written.replace('lease = "2m"', f'lease = "{lease}"')
        written = written.replace("sqlite:///reminders.db", url)
        written = written.replace(
            "[clinics.internet]", '[clinics.internet]\nrules = ["fifteen_minutes"]', 1
        )
        section = PROVIDER.format(username=USERNAME, password=PASSWORD, base_url=base_url)
        self.path.write_text(written + section, encoding="utf-8")

    def open(self) -> Database:
        """Open the database; close it before a process is forked."""
        return open_store(load_config(self.path, {}))

    def _move_in(self) -> dict[str, tuple[int, int]]:
        """Write one patient a phone; return the clinic's and the patient's ids by phone."""
        database = self.open()
        people = {}
        with database.transaction() as conn:
            clinic_id = conn.execute(select(schema.clinic.c.id)).scalar_one()
            for phone in PHONES:
                patient_id = conn.execute(
                    insert(schema.patient)
                    .values(clinic_id=clinic_id, external_key=phone)
                    .returning(schema.patient.c.id)
                ).scalar_one()
                contact_id = conn.execute(
                    insert(schema.contact)
                    .values(patient_id=patient_id, role="patient", phone=phone)
                    .returning(schema.contact.c.id)
                ).scalar_one()
                conn.execute(
                    insert(schema.consent).values(
                        contact_id=contact_id, channel="sms", status="given", source="test"
                    )
                )
                people[phone] = (clinic_id, patient_id)
        database.close()
        return people

    def _each_slot(self) -> Iterator[tuple[str, datetime]]:
        """Yield phones and starts: no two texts of a run have the same words for one phone."""
        first = CLOCK.now().replace(second=0, microsecond=0) + timedelta(hours=1)
        for minute in range(600):
            for phone in PHONES:
                yield phone, first + timedelta(minutes=minute)

    def book(self, visits: int) -> None:
        """Write visits straight into the documented columns, as another system may."""
        rows = []
        for _ in range(visits):
            phone, starts_at = next(self._slots)
            clinic_id, patient_id = self._people[phone]
            ref = self.booked[phone, _clock(starts_at)] = f"K{len(self.booked) + 1}"
            rows.append(
                {
                    "clinic_id": clinic_id,
                    "ref": ref,
                    "patient_id": patient_id,
                    "kind": "Video",
                    "starts_at": starts_at,
                }
            )
        database = self.open()
        with database.transaction() as conn:
            conn.execute(insert(schema.appointment), rows)
        database.close()

    def states(self) -> Counter[State]:
        """Return how many messages are in each state."""
        database = self.open()
        with database.reading() as conn:
            found = conn.execute(select(schema.message.c.state)).scalars()
            counted = Counter(map(State, found))
        database.close()
        return counted

    def settled(self) -> bool:
        """Tell whether nothing waits any more."""
        states = self.states()
        return states.total() >= len(self.booked) and not any(states[state] for state in OPEN)

    def lost(self, accepted: Collection[tuple[str, str]]) -> set[str]:
        """Return the visits of which no text was accepted, and of which nobody is told why."""
        return missing(self.booked, accepted, self.explained())

    def explained(self) -> set[str]:
        """Return the visits whose message did not go, and has a reason that a person is shown."""
        database = self.open()
        with database.reading() as conn:
            query = (
                select(schema.appointment.c.ref)
                .join(schema.message, schema.message.c.appointment_id == schema.appointment.c.id)
                .where(
                    schema.message.c.state.in_(["failed", "expired", "unknown", "suppressed"]),
                    schema.message.c.reason.is_not(None),
                )
            )
            found = set(conn.execute(query).scalars())
        database.close()
        return found

    def integrity(self) -> str:
        """Return 'ok', or what the database's own check finds wrong."""
        database = self.open()
        try:
            if database.is_sqlite:
                with database.reading() as conn:
                    return str(conn.execute(text("PRAGMA integrity_check")).scalar())
            return _whole(database)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not in order
            return f"{type(error).__name__}: {error}"
        finally:
            database.close()


def missing(
    booked: Mapping[tuple[str, str], str],
    accepted: Collection[tuple[str, str]],
    explained: AbstractSet[str],
) -> set[str]:
    """Return the visits, by phone and time of day, without a text of their own or an explanation.

    One that went though nobody knows it makes up for no other. Raise LookupError on a text about
    no visit.
    """
    told = set()
    for phone, words in accepted:
        clock = CLOCK_TIME.search(words)
        if clock is None or (phone, clock[0]) not in booked:
            raise LookupError(f"a text about no visit: {words!r}")
        told.add(booked[phone, clock[0]])
    return set(booked.values()) - told - explained


def _clock(instant: datetime) -> str:
    return f"{instant.astimezone(ZONE):%H:%M}"


def _whole(database: Database) -> str:
    """Read every row past its checksums, compare with each index, and build the indexes anew."""
    with database.transaction() as conn:
        for table in schema.metadata.sorted_tables:
            counted = []
            for way in ("enable_indexscan", "enable_seqscan"):
                conn.execute(text(f"SET LOCAL {way} = off"))
                query = select(func.count()).select_from(table).where(*_by_key(table))
                counted.append(conn.execute(query).scalar_one())
                conn.execute(text(f"SET LOCAL {way} = on"))
            if counted[0] != counted[1]:
                return f"{table.name}: {counted[0]} rows, {counted[1]} in the index"
            conn.execute(text(f'REINDEX TABLE "{table.name}"'))
    return "ok"


def _by_key(table: Table) -> list[ColumnElement[bool]]:
    return [column.is_not(None) for column in table.primary_key.columns]
