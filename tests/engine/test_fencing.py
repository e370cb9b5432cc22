"""Fencing: a worker that was taken for dead settles nothing that another has in hand."""

from sqlalchemy import select

from reminders.domain.outcome import Accepted, Refusal, Rejected
from reminders.engine.approval import Shelf
from reminders.engine.claiming import Claimed, claim
from reminders.engine.delivery import Sent, record
from reminders.engine.reconcile import take_back_lost
from reminders.store import attempts, schema
from reminders.store.queue import hand_back
from tests.engine.clinic import SECOND, Clinic, at, row


def claimed_again(clinic: Clinic) -> tuple[Claimed, Claimed]:
    """Return two claims of one message: of a worker whose lease ran out, and of the next."""
    clinic.read(row())
    clinic.plan()
    clinic.clock.set(at("2026-12-01 10:00"))
    runtime = clinic.runtime
    first = runtime.in_transaction(claim, runtime, Shelf(), clinic.clock.now(), 10).claimed[0]
    clinic.clock.set(at("2026-12-01 10:02") + SECOND)
    now = clinic.clock.now()
    assert runtime.in_transaction(take_back_lost, runtime, now) == 1
    with runtime.database.transaction() as conn:
        # The provider was asked and does not have it, so it is sent again.
        put_back(conn, first, clinic)
    second = runtime.in_transaction(claim, runtime, Shelf(), now, 10).claimed[0]
    assert second.message_id == first.message_id
    return first, second


def put_back(conn, first: Claimed, clinic: Clinic) -> None:
    conn.execute(
        schema.message.update()
        .where(schema.message.c.id == first.message_id)
        .values(state="planned", next_at=clinic.clock.now())
    )


def state_of(clinic: Clinic, message_id: int) -> str:
    with clinic.runtime.database.reading() as conn:
        query = select(schema.message.c.state).where(schema.message.c.id == message_id)
        return str(conn.execute(query).scalar_one())


def test_a_late_answer_does_not_settle_what_another_has_in_hand(clinic: Clinic) -> None:
    """The answer to a worker that lost its lease changes nothing while the next one sends."""
    first, second = claimed_again(clinic)
    runtime, now = clinic.runtime, clinic.clock.now()
    for outcome in (Accepted("SM1"), Rejected("21211", Refusal.ADDRESS)):
        assert runtime.in_transaction(record, runtime, [Sent(first, outcome)], now) == {}
        assert state_of(clinic, first.message_id) == "sending"
    counts = runtime.in_transaction(record, runtime, [Sent(second, Accepted("SM2"))], now)
    assert counts == {"accepted": 1}


def test_a_late_worker_gives_nothing_back_that_another_has_in_hand(clinic: Clinic) -> None:
    """A worker told to stop cannot give back a message that was taken from it."""
    first, second = claimed_again(clinic)
    now = clinic.clock.now()
    with clinic.runtime.database.transaction() as conn:
        claims = [(first.message_id, first.lease_token, first.attempt_id)]
        assert hand_back(conn, claims, now) == set()
        assert not attempts.stamp(conn, first.attempt_id, first.lease_token, now)
        assert attempts.stamp(conn, second.attempt_id, second.lease_token, now)
    assert state_of(clinic, first.message_id) == "sending"


def test_one_batch_with_good_and_late_answers(clinic: Clinic) -> None:
    """Of a batch, the answers whose lease holds are written down and the late one is not."""
    first, second = claimed_again(clinic)
    now = clinic.clock.now()
    batch = [Sent(first, Rejected("x", Refusal.CONTENT)), Sent(second, Accepted("SM2"))]
    clinic.runtime.in_transaction(record, clinic.runtime, batch, now)
    assert state_of(clinic, first.message_id) == "accepted"
