"""Who has to be phoned, as a rule over messages alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reminders.domain.appointment import Truth, VisitStatus
from reminders.domain.contact import Channel
from reminders.domain.message import Key, Message
from reminders.domain.reasons import Reason
from reminders.domain.state import State
from reminders.domain.unheard import AT_ONCE, Awaited, Unheard, unheard

NOW = datetime(2026, 11, 30, 11, tzinfo=UTC)
TRUTH = Truth(NOW + timedelta(days=3), VisitStatus.BOOKED)


def message(
    number: int,
    state: State,
    due: timedelta = timedelta(0),
    *,
    reason: Reason | None = None,
    contact: int = 1,
    address: str = "a",
) -> Message:
    """Return a message of the present version, sent when it was due if it was sent."""
    sent = state not in {State.PLANNED, State.SUPPRESSED, State.FAILED}
    return Message(
        number,
        Key(1, "booked", contact, Channel.SMS, number),
        state,
        TRUTH,
        NOW + due,
        TRUTH.starts_at,
        address,
        reason=reason,
        sent_at=NOW + due if sent else None,
    )


def phoned(*messages: Message) -> list[Unheard]:
    """Return whom to phone."""
    return unheard(TRUTH, 1, messages, Awaited(frozenset({"moved"})), NOW)


LOST = message(1, State.UNDELIVERED, -timedelta(minutes=5), reason=Reason.NOT_DELIVERED)
CALL = [Unheard(1, Reason.NOT_DELIVERED)]


@pytest.mark.parametrize(("due", "calls"), [(AT_ONCE, []), (2 * AT_ONCE, CALL)])
def test_one_more_try_is_waited_for(due: timedelta, calls: list[Unheard]) -> None:
    """Another text to an address that failed is waited for if it goes out soon, and no longer."""
    assert phoned(LOST, message(2, State.PLANNED, due)) == calls


def test_another_address_is_another_chance() -> None:
    """What is planned to an address that has not failed will tell them."""
    assert phoned(LOST, message(2, State.PLANNED, 2 * AT_ONCE, address="b")) == []


def test_a_text_that_arrived_after_one_that_did_not_is_enough() -> None:
    """Who has been told of the visit as it is needs no phone, whatever failed besides."""
    assert phoned(LOST, message(2, State.DELIVERED)) == []
    assert phoned(message(1, State.DELIVERED, -2 * AT_ONCE), LOST) == []


def test_whose_texts_are_suppressed_is_phoned_only_if_nobody_is_told() -> None:
    """One parent who wants no texts needs no phone while the other gets them."""
    no = message(1, State.SUPPRESSED, reason=Reason.OPTED_OUT)
    assert phoned(no) == [Unheard(1, Reason.OPTED_OUT)]
    assert phoned(no, message(2, State.DELIVERED, contact=2, address="b")) == []


@pytest.mark.parametrize(
    ("believed", "due", "calls"),
    [(2, 1, False), (1, 1, True), (1, 2, True), (1, 0, False)],
)
def test_news_has_to_come_before_the_time_that_they_count_on(
    believed: int, due: int, calls: bool
) -> None:
    """News that is due when they already wait, or later, is too late; what goes now is the soonest."""
    before = Truth(NOW + timedelta(hours=believed), VisitStatus.BOOKED)
    knew = replace(message(1, State.DELIVERED, -timedelta(days=1)), truth=before)
    coming = replace(
        message(2, State.PLANNED, timedelta(hours=due)),
        key=Key(1, "moved", 1, Channel.SMS, 0),
        counts_on=before.starts_at,
    )
    expected = [Unheard(1, Reason.NEWS_TOO_LATE, before)]
    assert phoned(knew, coming) == (expected if calls else [])


def test_what_is_unclear_is_said() -> None:
    """A text whose fate is unknown is shown, though it counts as told."""
    assert phoned(message(1, State.UNKNOWN)) == [Unheard(1, Reason.NO_ANSWER, unclear=True)]


BUSY = message(1, State.PLANNED, -AT_ONCE, reason=Reason.PROVIDER_BUSY)
LATER = message(2, State.PLANNED, 24 * AT_ONCE)
OVER = replace(message(1, State.EXPIRED, reason=Reason.DEADLINE_PASSED), attempts=9)
PUT_OFF = [Unheard(1, Reason.PROVIDER_BUSY)]


@pytest.mark.parametrize(
    ("first", "second", "calls"),
    [
        (BUSY, LATER, PUT_OFF),
        (OVER, LATER, PUT_OFF),
        (replace(BUSY, due_at=NOW - AT_ONCE / 2), LATER, []),
        (replace(BUSY, due_at=NOW, not_after=NOW + AT_ONCE), LATER, PUT_OFF),
        (BUSY, replace(LATER, address_key="b"), []),
        (replace(BUSY, reason=None), LATER, []),
        (BUSY, message(2, State.DELIVERED), []),
    ],
)
def test_an_address_that_is_put_off_waits_in_vain(
    first: Message, second: Message, calls: list[Unheard]
) -> None:
    """After an hour nobody waits for a busy provider, nor for a later text to the same address."""
    assert phoned(first, second) == calls
