"""What a provider has reported is believed, whatever comes after it: such a text does not go again."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from reminders.domain.outcome import (
    Accepted,
    Ambiguous,
    Outcome,
    OutgoingMessage,
    Receipt,
    Refusal,
    Rejected,
    Sought,
)
from reminders.domain.reasons import Reason
from reminders.domain.state import State
from reminders.engine import receipts
from reminders.providers.sandbox import Sandbox
from reminders.store import schema
from tests.engine.clinic import Clinic, at, row

Make = Callable[..., Clinic]

ABSENT = Rejected("absent", Refusal.THROTTLED)


class Far(Sandbox):
    """A provider that loses each answer, and lists nothing."""

    tokens: list[str]
    listed: Outcome | None
    listed_next: list[Outcome]
    sought: Sought
    on_send: Callable[[], None]
    on_find: Callable[[], None]

    async def send(self, message: OutgoingMessage) -> Outcome:
        """Take a text, and lose the answer."""
        message.before_write()
        self.tokens.append(message.token)
        self.on_send()
        return Ambiguous("timeout")

    async def find(self, sought: Sought) -> Outcome | None:
        """Say that there is no such text, or nothing."""
        type(self).sought = sought
        self.on_find()
        return self.listed_next.pop(0) if self.listed_next else self.listed

    async def status(self, ref: str) -> Receipt | None:
        """Tell nothing."""
        return None


def _fresh() -> Any:
    """Return a class of its own for each story: a clinic has several such providers."""
    return type("FarOfThis", (Far,), {})


class Story:
    """A clinic whose text of the day before is due on Tuesday at ten; and its provider."""

    def __init__(self, open_clinic: Make, listed: Outcome | None = ABSENT) -> None:
        self.far = _fresh()
        self.far.tokens, self.far.listed, self.far.listed_next = [], listed, []
        self.far.on_send = self.far.on_find = lambda _self: None
        self.clinic = open_clinic(make_provider=lambda _name, setup: self.far(setup))
        self.clinic.read(row("B1", "2026-12-02 10:00"), confirmations=False)

    def report(self, attempt: int, state: State | None) -> bool:
        """Let a report on an attempt come in; tell whether its token is known."""
        runtime, now = self.clinic.runtime, self.clinic.clock.now()
        said = Receipt(f"SM{attempt}", state)
        token = self.far.tokens[attempt]
        return runtime.in_transaction(receipts.by_callback, runtime, token, said, now)

    def state(self) -> str:
        """Return the state of the text."""
        (found,) = [state for rule, _, state, _ in self.clinic.states("B1") if rule == "day_before"]
        return found


@pytest.mark.parametrize("listed", [ABSENT, None])
def test_a_report_before_a_lost_answer_stands(open_clinic: Make, listed: Outcome | None) -> None:
    """The provider has said that it took the text: that its answer was lost puts nothing in doubt."""
    story = Story(open_clinic, listed)
    story.far.on_send = lambda _self: story.report(0, None)
    story.clinic.until("2026-12-01 10:10")
    assert len(story.far.tokens) == 1
    assert story.state() == "accepted"
    assert story.clinic.worklist() == []


def test_a_report_that_comes_while_the_list_is_read_stands(open_clinic: Make) -> None:
    """What the list does not show yet may have been reported meanwhile: it does not go again."""
    story = Story(open_clinic)
    began = story.clinic.clock.now

    def on_find(_self: Far) -> None:
        if began() >= at("2026-12-01 10:02"):  # the horizon has passed: this list decides
            story.report(0, None)

    story.far.on_find = on_find
    story.clinic.until("2026-12-01 10:10")
    assert len(story.far.tokens) == 1
    assert story.state() == "accepted"


@pytest.mark.parametrize("said", [None, State.DELIVERED])
def test_a_late_report_on_an_earlier_attempt_ends_it(open_clinic: Make, said: State | None) -> None:
    """A text thought absent was taken after all, and says so while the next try is looked for."""
    story = Story(open_clinic)
    story.clinic.until("2026-12-01 10:02:30")
    assert len(story.far.tokens) == 2
    assert story.report(0, said)
    story.clinic.until("2026-12-01 10:10")
    assert len(story.far.tokens) == 2
    assert story.state() == ("accepted" if said is None else "delivered")


def test_that_an_earlier_attempt_failed_says_nothing_of_the_last(open_clinic: Make) -> None:
    """The next try may have come through, or may yet go: the report on the first ends nothing."""
    story = Story(open_clinic)
    story.clinic.until("2026-12-01 10:02:30")
    assert story.report(0, State.UNDELIVERED)
    assert story.state() == "unknown"


def test_a_lost_text_is_looked_for_where_it_went(open_clinic: Make) -> None:
    """A number that is corrected meanwhile has its own text; the lost one is found at the old one."""
    story = Story(open_clinic, Accepted("SM0"))
    asked: list[str] = []
    story.far.on_find = lambda far: asked.append(far.sought.to)
    story.clinic.until("2026-12-01 10:00:05")
    story.clinic.read(row("B1", phone="070-174 06 09"), confirmations=False)
    story.far.listed_next = [Accepted("SM0"), Accepted("SM1")]
    story.clinic.until("2026-12-01 10:01")
    assert asked[0] == "+46701740605"
    assert {state for rule, _, state, _ in story.clinic.states("B1") if rule == "day_before"} == {
        "accepted"
    }
    assert len(story.far.tokens) == 2
    with story.clinic.runtime.database.reading() as conn:
        kept = conn.execute(select(schema.attempt.c.address)).scalars().all()
    assert kept == [None, None]


def test_who_has_said_no_at_an_old_number_has_not_said_it_at_the_new(open_clinic: Make) -> None:
    """A report of an opt-out is about the number that the text went to."""
    story = Story(open_clinic, Accepted("SM0"))
    story.clinic.until("2026-12-01 10:00:30")
    story.clinic.read(row("B1", phone="070-174 06 09"), confirmations=False)
    runtime, now = story.clinic.runtime, story.clinic.clock.now()
    said = Receipt("SM0", State.FAILED, Reason.OPTED_OUT_AT_PROVIDER, opt_out=True)
    runtime.in_transaction(receipts.by_callback, runtime, story.far.tokens[0], said, now)
    with runtime.database.reading() as conn:
        assert conn.execute(select(schema.opt_out.c.address)).scalars().all() == []
