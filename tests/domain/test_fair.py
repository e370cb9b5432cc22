"""Whose messages a claim takes, and how fast a sender may go."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from reminders.domain.contact import Channel
from reminders.domain.fair import Bucket, Front, filled, next_token, shares

NOW = datetime(2026, 12, 1, 7, 45, tzinfo=UTC)


def front(clinic: int, urgency: int = 0) -> Front:
    return Front(clinic, f"clinic-{clinic}", Channel.SMS, urgency, NOW)


def test_every_sender_has_its_part():
    """Senders of one class that have something due share a claim evenly, to the last message."""
    shared = shares([front(1), front(2), front(3)], 500, lambda _: 1000)
    assert sorted(part for _, part in shared) == [166, 167, 167]


def test_what_one_may_not_have_goes_to_the_others():
    """A sender that may have two leaves the rest of its part to the others."""
    shared = shares([front(1), front(2)], 100, lambda sender: 2 if sender[0] == 1 else 1000)
    assert [(f.clinic_id, part) for f, part in shared] == [(1, 2), (2, 98)]


def test_urgent_first():
    """Urgent messages of any sender leave the others what they do not need, and no more."""
    shared = shares([front(1, 1), front(2, 0)], 100, lambda _: 1000)
    assert [(f.clinic_id, part) for f, part in shared] == [(2, 100)]
    shared = shares([front(1, 1), front(2, 0)], 100, lambda s: 30 if s[0] == 2 else 1000)
    assert [(f.clinic_id, part) for f, part in shared] == [(2, 30), (1, 70)]


FRONTS = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 1)), unique=True, max_size=12).map(
    lambda pairs: [front(*pair) for pair in pairs]
)


@given(FRONTS, st.integers(0, 600), st.dictionaries(st.integers(1, 9), st.integers(0, 50)))
def test_never_more_than_there_is_room_for(fronts: list[Front], most: int, rooms: dict[int, int]):
    """No claim is larger than asked for, and no sender gets more than it has room for."""
    shared = shares(fronts, most, lambda sender: rooms.get(sender[0], 1000))
    assert sum(part for _, part in shared) <= most
    for clinic, room in rooms.items():
        assert sum(part for f, part in shared if f.clinic_id == clinic) <= room


def test_a_bucket_fills_and_does_not_overflow():
    """A sender that has been silent may send one second's worth at once, and never more."""
    assert filled(None, 10, NOW).tokens == 10
    empty = Bucket(0.0, NOW)
    assert filled(empty, 10, NOW + timedelta(milliseconds=500)).tokens == 5
    assert filled(empty, 10, NOW + timedelta(hours=1)).tokens == 10
    assert filled(None, 0.5, NOW).tokens == 1


def test_a_clock_that_goes_back_gives_nothing_away():
    """A bucket looked at by a worker whose clock is behind neither fills nor loses anything."""
    kept = Bucket(3.0, NOW)
    assert filled(kept, 10, NOW - timedelta(seconds=5)) == kept


def test_the_next_token():
    """An empty bucket at two a second has a token again after half a second."""
    assert next_token(Bucket(0.0, NOW), 2.0) == NOW + timedelta(seconds=0.5)
    assert next_token(Bucket(4.0, NOW), 2.0) == NOW
