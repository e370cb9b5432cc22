"""Judging by kind: what is said of the first of many alike is what each would be told by itself."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import product

from sqlalchemy import text

from reminders.domain.gate import Go, gate
from reminders.domain.state import State
from reminders.engine.approval import Shelf
from reminders.engine.difference import Difference
from reminders.engine.judging import Judge
from reminders.message.sms import measure
from reminders.store import cases, looks
from tests.engine.clinic import Clinic, row

COPIES = 3


def lines() -> list[str]:
    """Return visits that differ in what a claim looks at, three of each kind; some share phones."""
    found: list[str] = []
    for born, email in product(("2016-05-01", "2008-05-01", ""), ("", "{}@example.org")):
        for _ in range(COPIES):
            ref = f"B{len(found)}"
            phone = f"070-174 06 {5 + len(found):02}"
            found.append(row(ref, phone=phone, email=email.format(ref), born=born))
    siblings = (row(f"S{n}", phone="070-174 06 99", born="2016-05-01") for n in range(2))
    return [*found, *siblings, *(row(f"B{n}", phone="070-174 06 98") for n in range(COPIES))]


CHANGES = (
    "UPDATE contact SET phone = phone || '7' WHERE (id / 3) % 4 = 1 AND phone IS NOT NULL",
    "UPDATE consent SET status = 'refused' WHERE (contact_id / 3) % 7 = 3",
    (
        "INSERT INTO opt_out (clinic_id, address, source, recorded_at)"
        " SELECT 1, phone, 'test', '2026-12-01 00:00:00' FROM contact WHERE (id / 3) % 11 = 4"
        " AND phone IS NOT NULL ON CONFLICT DO NOTHING"
    ),
    "UPDATE contact SET language = 'en' WHERE (id / 3) % 3 = 1",
    "UPDATE contact SET prefers = 'email' WHERE (id / 3) % 5 = 2",
    "UPDATE contact SET no_sms_from = '08:00:00', no_sms_until = '12:00:00' WHERE (id / 3) % 13 = 5",
    "UPDATE contact SET guardian_from_13 = true WHERE (id / 3) % 4 = 0",
    "UPDATE patient SET protected = true WHERE (id / 3) % 5 = 1",
    "UPDATE appointment SET kind = 'Fysiskt besök' WHERE (id / 3) % 6 = 2",
    "UPDATE contact SET removed_at = '2026-12-01 00:00:00' WHERE (id / 3) % 8 = 3",
    (
        "UPDATE message SET due_at = not_after, next_at = not_after WHERE (id / 3) % 7 = 2"
        " AND state = 'planned'"
    ),
)
"""What somebody else may write between planning and sending."""


def test_each_message_is_judged_as_if_it_were_alone(clinic: Clinic) -> None:
    """Verdict, contact and text are those of the message itself; and kinds are shared."""
    clinic.read(*lines())
    clinic.until("2026-12-01 09:00")
    runtime, now = clinic.runtime, clinic.clock.now()
    verdicts: Counter[str] = Counter()
    kinds: set[int] = set()
    judges: list[Judge] = []
    judged = 0
    for change, hours in product(("SELECT 1", *CHANGES), (2, 14, 24)):
        at = now + timedelta(hours=hours, minutes=50)
        with runtime.database.transaction() as conn:
            conn.execute(text(change))
            ids = list(conn.execute(text("SELECT id FROM appointment ORDER BY id")).scalars())
            found, library = looks.read(conn, ids), Shelf().library(conn)
            judge = Judge(conn, runtime, library, at)
            judges.append(judge)
            for case in cases.load_cases(conn, ids, runtime.digest):
                look = found[case.appointment.id]
                practice = runtime.practices[look.clinic]
                for message in case.history:
                    if message.state is not State.PLANNED:
                        continue
                    kind, age = judge.judge(message.id, look, practice)
                    judged += 1
                    kinds.add(id(kind))
                    verdict = gate(message, case, practice, at)
                    verdicts[type(verdict).__name__] += 1
                    if not isinstance(verdict, Go):
                        assert kind.verdict == verdict
                        continue
                    assert isinstance(kind.verdict, Go)
                    assert look.people[kind.place][0] == verdict.contact.id
                    lone = Judge(conn, runtime, library, at)
                    own, _ = lone.judge(message.id, look, practice)
                    shared = judge.text(kind, look, age, frozenset())
                    assert shared == lone.text(own, look, age, frozenset())
                    assert kind.valid_until == own.valid_until
    assert set(verdicts) == {"Go", "Wait", "Stop", "Replan"}, verdicts
    assert len(kinds) < judged * 0.75


def test_two_moved_alike_are_told_of_a_new_login_by_their_own_birthdays(clinic: Clinic) -> None:
    """Of two who move from one time to another, the one who turns 13 between is told what is new."""

    def read(start: str, *, apply: bool = True) -> Difference:
        born = {"B1": "2013-12-10", "B2": "2013-11-10"}
        return clinic.read(
            *(
                row(ref, start, phone=f"070-174 06 {ref[1:]:0>2}", role="patient", born=day)
                for ref, day in born.items()
            ),
            confirmations=True,
            apply=apply,
        )

    read("2026-12-02 10:00")
    clinic.until("2026-11-30 12:05")
    shown = read("2026-12-20 10:00", apply=False).sends
    read("2026-12-20 10:00")
    clinic.until("2026-11-30 12:10")
    moved = [text for text in clinic.texts() if text.body.startswith("Ny tid")]
    assert {text.to[-1]: "ny inloggning" in text.body for text in moved} == {"1": True, "2": False}
    clinic.until("2026-12-20 11:00")
    assert shown.segments == sum(measure(text.body).segments for text in clinic.texts()[2:])


def test_rows_say_what_the_planner_reads(clinic: Clinic) -> None:
    """A visit made of the compared rows is the visit that the planner loads."""
    clinic.read(*lines())
    clinic.until("2026-12-01 11:00")
    with clinic.runtime.database.transaction() as conn:
        for change in CHANGES:
            conn.execute(text(change))
        ids = list(conn.execute(text("SELECT id FROM appointment ORDER BY id")).scalars())
        found, reader = looks.read(conn, ids), looks.Reader(conn)
        for case in cases.load_cases(conn, ids, clinic.runtime.digest):
            look = found[case.appointment.id]
            assert reader.case(look, clinic.runtime.digest) == replace(case, requests=())
