from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest

from reminders.domain.outcome import Accepted, Ambiguous, Outcome, Refusal, Rejected
from tests.fakes.twilio_messages import Account
from tests.fakes.twilio_server import FakeTwilio, Fault, Trouble
from tests.providers.contract import BODY, NOW, PHONE, run, sought
from tests.providers.twilio_bench import provider_at, text, twilio

ABSENT = Rejected("absent", Refusal.THROTTLED)


def take(account: Account, at: datetime, **fields: str) -> str:
    """Put a message into the account as if it had been created then; return its name."""
    kept = account.create({"To": PHONE, "From": "Videobesok", "Body": BODY} | fields)
    kept.created = at
    return kept.sid


@pytest.mark.parametrize("trouble", [Trouble.ERROR_AFTER, Trouble.RESET_AFTER, Trouble.GARBAGE])
def test_a_text_whose_answer_was_lost_is_found(trouble: Trouble) -> None:
    """A text that was taken before its answer was lost is found, though it is still queued."""

    async def story() -> None:
        async with twilio() as (fake, provider):
            fake.faults.append(Fault(trouble))
            message = text()
            assert isinstance(await provider.send(message), Ambiguous)
            (sid,) = fake.account.messages
            assert await provider.find(sought(message)) == Accepted(sid, segments=1)

    run(story())


@pytest.mark.parametrize("trouble", [Trouble.ERROR_BEFORE, Trouble.RESET_BEFORE])
def test_a_text_that_was_not_taken_is_absent(trouble: Trouble) -> None:
    """A text that was never taken is proved absent, and so may be sent again."""

    async def story() -> None:
        async with twilio() as (fake, provider):
            fake.faults.append(Fault(trouble))
            message = text()
            assert isinstance(await provider.send(message), Ambiguous)
            assert await provider.find(sought(message)) == ABSENT

    run(story())


def only_an_older_one(account: Account) -> None:
    take(account, NOW - timedelta(minutes=31))


def only_to_another_number(account: Account) -> None:
    take(account, NOW, To="+46701740699")


def only_another_text(account: Account) -> None:
    take(account, NOW, Body="Something else")


def only_a_failed_one(account: Account) -> None:
    account.settle(take(account, NOW), "failed", 30008)


def only_a_cancelled_one(account: Account) -> None:
    account.settle(take(account, NOW), "canceled")


@pytest.mark.parametrize(
    "arrange",
    [
        only_an_older_one,
        only_to_another_number,
        only_another_text,
        only_a_failed_one,
        only_a_cancelled_one,
    ],
)
def test_another_text_is_not_taken_for_ours(arrange: Callable[[Account], None]) -> None:
    """An older text, one to somebody else, another text or one that failed is not this attempt."""
    assert found_after(arrange) == ABSENT


def on_a_clock_that_is_behind(account: Account) -> None:
    take(account, NOW - timedelta(minutes=29))


def already_delivered(account: Account) -> None:
    account.settle(take(account, NOW), "delivered")


def undelivered(account: Account) -> None:
    account.settle(take(account, NOW), "undelivered", 30003)


def by_a_trial_account(account: Account) -> None:
    take(account, NOW, Body=f"Sent from your Twilio trial account - {BODY}")


def beyond_the_first_page(account: Account) -> None:
    take(account, NOW)
    for number in range(230):
        take(account, NOW, Body=f"Later {number}")


def after_one_that_failed(account: Account) -> None:
    take(account, NOW)
    account.settle(take(account, NOW), "failed", 30008)


@pytest.mark.parametrize(
    "arrange",
    [
        on_a_clock_that_is_behind,
        already_delivered,
        undelivered,
        by_a_trial_account,
        beyond_the_first_page,
        after_one_that_failed,
    ],
)
def test_our_text_is_found_wherever_it_stands(arrange: Callable[[Account], None]) -> None:
    """A text is found in any later state, pages down, under a small skew and a trial's prefix."""
    assert isinstance(found_after(arrange), Accepted)


def hidden_text(account: Account) -> None:
    account.redact(take(account, NOW), {"Body": ""})


def more_than_can_be_read(account: Account) -> None:
    take(account, NOW)
    for number in range(500):
        take(account, NOW, Body=f"Later {number}")


@pytest.mark.parametrize("arrange", [hidden_text, more_than_can_be_read])
def test_what_cannot_be_told_is_not_called_absent(arrange: Callable[[Account], None]) -> None:
    """Where a text is hidden, or the list is too long to read, the answer is: cannot tell."""
    assert found_after(arrange) is None


@pytest.mark.parametrize("ahead", [timedelta(minutes=3), timedelta(hours=3)])
def test_a_text_is_found_however_far_our_clock_is_ahead(ahead: timedelta) -> None:
    """What Twilio says of the time tells how far ours is wrong: the text is not sent again."""

    async def story() -> None:
        async with twilio() as (fake, provider):
            fake.now = partial((NOW - ahead).replace)
            sid = take(fake.account, NOW - ahead)
            assert await provider.find(sought(text())) == Accepted(sid, segments=1)

    run(story())


def test_other_words_leave_it_open_where_the_words_are_not_known() -> None:
    """After a restored backup, a text that nobody knows may be the one that is looked for."""

    async def story() -> None:
        async with twilio() as (fake, provider):
            sid = take(fake.account, NOW, Body="Something else")
            doubted = replace(sought(text()), any_words=True)
            assert await provider.find(doubted) is None
            assert await provider.find(replace(doubted, others=frozenset({sid}))) == ABSENT

    run(story())


def found_after(arrange: Callable[[Account], None]) -> Outcome | None:
    """Return what `find` says of our text in an account arranged so."""

    async def story() -> Outcome | None:
        async with twilio() as (fake, provider):
            arrange(fake.account)
            return await provider.find(sought(text()))

    return run(story())


def test_a_list_that_cannot_be_had_tells_nothing() -> None:
    """When the list fails, or nothing answers at all, nothing is known."""

    async def story() -> None:
        async with FakeTwilio() as fake, provider_at(fake.settings(timeout=0.2)) as provider:
            fake.broken = True
            assert await provider.find(sought(text())) is None
            assert await provider.status("SM1") is None
        async with provider_at(fake.settings(timeout=0.2)) as provider:
            assert await provider.find(sought(text())) is None
            assert await provider.status("SM1") is None

    run(story())
