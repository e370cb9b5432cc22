"""Planning by shape: a visit that looks like an earlier one gets the same plan, in its own names."""

from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta

from dateutil.relativedelta import relativedelta
from hypothesis import given, settings
from hypothesis import strategies as st

from reminders.domain.alike import Planner
from reminders.domain.appointment import Appointment, age_at
from reminders.domain.contact import Contact, Reach
from reminders.domain.message import Message
from reminders.domain.outbox import difference
from reminders.domain.plan import Case, plan
from tests.domain.test_properties import BEGINNINGS, EVENTS, Beginning, Happening, begin, happens
from tests.domain.world import STOCKHOLM


def renamed(case: Case) -> Case:
    """Return the same visit of other people: other ids and addresses, in the same order."""
    contacts = tuple(
        replace(
            contact,
            id=contact.id * 3 + 1000,
            reach={
                channel: replace(reach, address_key=f"other-{reach.address_key}")
                for channel, reach in contact.reach.items()
            },
        )
        for contact in case.contacts
    )
    history = tuple(
        replace(
            message,
            id=message.id * 7 + 50,
            key=message.key._replace(contact=message.key.contact * 3 + 1000),
            address_key=message.address_key and f"other-{message.address_key}",
        )
        for message in case.history
    )
    return replace(
        case,
        appointment=replace(case.appointment, id=77, ref="other"),
        contacts=contacts,
        history=history,
    )


@settings(max_examples=40)
@given(BEGINNINGS, st.lists(EVENTS, min_size=2, max_size=8))
def test_visits_of_one_shape_get_one_plan(beginning: Beginning, story: list[Happening]) -> None:
    """In any story, the plan taken from a visit of the same shape is the visit's own plan."""
    world = begin(beginning)
    for step in story:
        happens(world, step)
        planner = Planner(world.practice, world.now)
        planner.outcome(world.case)
        for case in (world.case, renamed(world.case)):
            outcome = planner.outcome(case)
            own = plan(case, world.practice, world.now)
            visit = own.appointment
            known = (outcome.version, outcome.known_at, outcome.planned_at)
            assert known == (visit.version, visit.known_at, visit.planned_at)
            assert list(outcome.changes) == difference(case, own, world.practice)


DAYS = st.dates(date(1900, 1, 1), date(2100, 1, 1))
LEAP_DAYS = st.integers(475, 524).map(
    lambda n: date(n * 4, 2, 29) if n != 475 else date(1904, 2, 29)
)


@given(DAYS | LEAP_DAYS, st.integers(0, 110), st.integers(-3, 3), st.integers(0, 23))
def test_ages_are_counted_as_the_calendar_does(
    born: date, years: int, days: int, hour: int
) -> None:
    """An age is the whole years that the calendar counts, also for those born on a leap day."""
    day = born + relativedelta(years=years) + timedelta(days=days)
    instant = datetime(day.year, day.month, day.day, hour, 30, tzinfo=UTC)
    local = instant.astimezone(STOCKHOLM).date()
    if local >= born:
        assert age_at(born, instant, STOCKHOLM) == relativedelta(local, born).years


def test_every_field_that_a_plan_may_look_at_is_in_the_shape() -> None:
    """A field that is added has to be placed: among what a shape has, or among mere names."""
    known = {
        Appointment: "id clinic ref kind truth changed_at version planned known_at planned_at"
        " confirm birth_date protected own_login clinic_id patient_id",
        Contact: "id role reach language wishes",
        Reach: "address_key consent opted_out",
        Message: "id key state truth due_at not_after address_key short attempts reason retryable"
        " sent_at request_id calendar counts_on says_own_login",
        Case: "appointment contacts history requests twins",
    }
    for kind, names in known.items():
        assert {field.name for field in fields(kind)} == set(names.split()), kind
