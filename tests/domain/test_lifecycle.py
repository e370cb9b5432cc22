"""A message's states: the table, the answers of providers, and reports in any order."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminders.domain.lifecycle import (
    FIRST_POLL,
    NOT_REACHED,
    TOLD,
    TRANSITIONS,
    Step,
    TransitionError,
    after_outcome,
    after_receipt,
    backoff,
    check,
)
from reminders.domain.outcome import Accepted, Ambiguous, Outcome, Receipt, Refusal, Rejected
from reminders.domain.reasons import Reason
from reminders.domain.state import State
from tests.domain.world import local

NOW = local("2026-05-12 14:00")
FINAL = {State.DELIVERED, State.UNDELIVERED, State.FAILED, State.EXPIRED}
receipts = st.builds(
    Receipt,
    ref=st.just("ref"),
    state=st.sampled_from([None, State.DELIVERED, State.UNDELIVERED, State.FAILED]),
)
outcomes: st.SearchStrategy[Outcome] = st.one_of(
    st.builds(Accepted, ref=st.just("ref")),
    st.builds(Ambiguous, cause=st.just("timeout")),
    st.builds(
        Rejected,
        code=st.just("1"),
        kind=st.sampled_from(Refusal),
        retry_after=st.none() | st.timedeltas(timedelta(0), timedelta(hours=2)),
    ),
)


def test_the_table_is_whole():
    """Every state has its steps, and the final ones have none."""
    assert set(TRANSITIONS) == set(State)
    assert {state for state, steps in TRANSITIONS.items() if not steps} == FINAL
    assert not TOLD & NOT_REACHED
    assert NOT_REACHED < FINAL


@pytest.mark.parametrize("before", State)
@pytest.mark.parametrize("after", State)
def test_only_the_steps_of_the_table(before: State, after: State):
    """A step that the table has is taken, staying is allowed, and any other is an error."""
    if before == after or after in TRANSITIONS[before]:
        assert check(before, after) is after
    else:
        with pytest.raises(TransitionError, match=f"no step from {before} to {after}"):
            check(before, after)


@given(outcomes, st.integers(-3600, 7200), st.integers(1, 12), st.floats(0, 0.999))
def test_every_answer_leads_to_a_step(outcome: Outcome, left: int, attempt: int, jitter: float):
    """Every answer leads from sending to a state of the table, back to planned only in time."""
    not_after = NOW + timedelta(seconds=left)
    step = after_outcome(outcome, now=NOW, not_after=not_after, attempt=attempt, jitter=jitter)
    assert step.state in TRANSITIONS[State.SENDING]
    if step.state is State.PLANNED:
        assert step.next_at is not None
        assert NOW <= step.next_at <= not_after


@pytest.mark.parametrize(
    ("outcome", "state", "reason"),
    [
        (Accepted("ref"), State.ACCEPTED, None),
        (Ambiguous("timeout"), State.UNKNOWN, Reason.NO_ANSWER),
        (Rejected("1", Refusal.THROTTLED), State.PLANNED, Reason.PROVIDER_BUSY),
        (Rejected("1", Refusal.CONFIGURATION), State.PLANNED, Reason.CHANNEL_DOWN),
        (Rejected("1", Refusal.ADDRESS), State.FAILED, Reason.INVALID_ADDRESS),
        (Rejected("1", Refusal.OPT_OUT), State.FAILED, Reason.OPTED_OUT_AT_PROVIDER),
        (Rejected("1", Refusal.BLOCKED), State.FAILED, Reason.BLOCKED),
        (Rejected("1", Refusal.CONTENT), State.FAILED, Reason.CONTENT_REFUSED),
        (Rejected("1", Refusal.ENVIRONMENT), State.FAILED, Reason.ENVIRONMENT),
    ],
    ids=lambda value: str(getattr(value, "kind", "")) or None,
)
def test_what_an_answer_means(outcome: Outcome, state: State, reason: Reason | None):
    """An answer in good time leads to its state, with its reason."""
    step = after_outcome(
        outcome, now=NOW, not_after=NOW + timedelta(hours=1), attempt=1, jitter=0.5
    )
    assert (step.state, step.reason) == (state, reason)
    assert step.opt_out is (reason is Reason.OPTED_OUT_AT_PROVIDER)
    assert step.channel_down is (reason is Reason.CHANNEL_DOWN)


@pytest.mark.parametrize("kind", [Refusal.THROTTLED, Refusal.CONFIGURATION])
def test_no_other_try_when_it_helps_no_more(kind: Refusal):
    """A refusal that is worth another try ends the text when its time is over."""
    step = after_outcome(
        Rejected("1", kind), now=NOW, not_after=NOW - timedelta(seconds=1), attempt=1, jitter=0
    )
    assert (step.state, step.reason) == (State.EXPIRED, Reason.DEADLINE_PASSED)


def test_the_provider_says_when():
    """The wait that a provider asks for is kept, when it is the longer one."""
    asked = timedelta(minutes=20)
    step = after_outcome(
        Rejected("429", Refusal.THROTTLED, asked),
        now=NOW,
        not_after=NOW + timedelta(hours=1),
        attempt=1,
        jitter=0,
    )
    assert step.next_at == NOW + asked


def test_the_wait_between_tries():
    """Waits double from ten seconds to five minutes, spread over their upper half."""
    assert [backoff(n, 1.0).total_seconds() for n in (1, 2, 3, 6, 60, 9999)] == [
        *(10, 20, 40),
        *(300, 300, 300),
    ]
    assert backoff(3, 0.0).total_seconds() == 20


@given(st.sampled_from([State.SENDING, State.ACCEPTED, State.UNKNOWN]), st.lists(receipts))
def test_reports_in_any_order_end_in_one_state(state: State, reports: list[Receipt]):
    """Each report is a step of the table, and the first final one is the last to change a state."""
    for report in reports:
        step = after_receipt(state, report, NOW)
        if step is None:
            continue
        assert state not in FINAL
        state = check(state, step.state)
        assert after_receipt(state, report, NOW) is None
    said = [report.state for report in reports if report.state is not None]
    if said:
        assert state is said[0]


def test_a_report_on_a_text_thought_absent_ends_it():
    """A report on an attempt that seemed not to have come through keeps it from being sent again.

    One that says only that it is under way is asked about: the one that ends it may be lost.
    """
    delivered = after_receipt(State.PLANNED, Receipt("ref", State.DELIVERED), NOW)
    under_way = after_receipt(State.PLANNED, Receipt("ref", None), NOW)
    assert delivered == Step(State.DELIVERED)
    assert under_way == Step(State.ACCEPTED, next_at=NOW + FIRST_POLL)


@pytest.mark.parametrize(
    "state", sorted(set(State) - {"sending", "accepted", "unknown", "planned"})
)
def test_a_report_on_anything_else_says_nothing(state: State):
    """A report on a message that waits for none changes nothing."""
    assert after_receipt(state, Receipt("ref", State.DELIVERED), NOW) is None


def test_a_report_of_an_opt_out():
    """A report that tells of an opt-out hands it on."""
    report = Receipt("ref", State.UNDELIVERED, Reason.OPTED_OUT_AT_PROVIDER, "21610", opt_out=True)
    step = after_receipt(State.ACCEPTED, report, NOW)
    assert step is not None
    assert (step.state, step.opt_out) == (State.UNDELIVERED, True)
