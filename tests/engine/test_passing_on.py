"""A channel that is down: the text goes another way while it helps, and never both ways."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from reminders.domain.contact import Channel
from reminders.domain.outcome import Ambiguous, Outcome, OutgoingMessage, Refusal, Rejected
from reminders.engine.calls import call_list
from reminders.providers.sandbox import Sandbox
from reminders.store import clinics, views
from tests.engine.clinic import Clinic, at, row

Make = Callable[..., Clinic]
STOPPED = Rejected("20003", Refusal.CONFIGURATION)
AWAY = Rejected("not_connected", Refusal.THROTTLED)
EMAIL = "a@example.org"


class Lines:
    """The ways to the providers: on a channel with an answer here, every text gets it."""

    def __init__(self, **says: Outcome) -> None:
        self.says = {Channel(channel): outcome for channel, outcome in says.items()}
        self.asked: list[Channel] = []

    def __call__(self, _name: str, setup) -> Sandbox:
        lines = self

        class Away(Sandbox):
            async def send(self, message: OutgoingMessage) -> Outcome:
                lines.asked.append(message.channel)
                return lines.says.get(message.channel) or await super().send(message)

        return Away(setup)


def day_before(clinic: Clinic, ref: str = "B1") -> list[tuple[str, str]]:
    """Return channel and state of the day-before messages, in the order made."""
    return [(s[1], s[2]) for s in clinic.states(ref) if s[0] == "day_before"]


@pytest.mark.parametrize("says", [STOPPED, AWAY])
def test_the_email_goes_once_the_phone_is_out_of_reach(open_clinic: Make, says: Outcome) -> None:
    """After five minutes the email goes, and no SMS follows once the channel is back."""
    lines = Lines(sms=says)
    clinic = open_clinic(make_provider=lines)
    clinic.read(row(email=EMAIL))
    clinic.until("2026-12-01 10:04:30")
    assert clinic.texts() == []
    clinic.until("2026-12-01 10:08")
    assert [text.channel for text in clinic.texts()] == ["email"]
    lines.says.clear()
    clinic.until("2026-12-02 09:00")
    assert len(clinic.texts()) == 1
    assert day_before(clinic) == [("sms", "suppressed"), ("email", "delivered")]


def test_lost_answers_for_long_are_late_and_go_another_way(open_clinic: Make) -> None:
    """Looked for and absent, a text is late from when it was due, and its email goes in time."""
    clinic = open_clinic(make_provider=Lines(sms=Ambiguous("timeout")))
    clinic.read(row(email=EMAIL), row("B2", phone="0701740611"))
    late = 0
    for minute in range(15, 60, 5):
        clinic.until(f"2026-12-01 10:{minute}")
        with clinic.runtime.database.reading() as conn:
            late = max(late, views.health(conn, clinic.clock.now()).overdue)
    assert late > 0
    assert [text.channel for text in clinic.texts()] == ["email"]


def test_a_hiccup_leaves_the_text_its_way(open_clinic: Make) -> None:
    """A channel that is back within minutes sends what waited for it."""
    lines = Lines(sms=STOPPED)
    clinic = open_clinic(make_provider=lines)
    clinic.read(row(email=EMAIL))
    clinic.until("2026-12-01 10:02")
    lines.says.clear()
    clinic.until("2026-12-01 11:00")
    assert [text.channel for text in clinic.texts()] == ["sms"]


def test_a_text_with_little_time_leaves_half_of_it_to_the_next_way(open_clinic: Make) -> None:
    """Booked shortly before, with ten minutes left in which the text helps, the email has five."""
    clinic = open_clinic(
        make_provider=Lines(sms=STOPPED),
        rules={"soon": {"before": "24h", "not_after": "-2m", "template": "day_before"}},
    )
    clinic.clock.set(at("2026-12-02 09:50"))
    clinic.read(row(email=EMAIL))
    clinic.until("2026-12-02 09:57")
    assert [text.channel for text in clinic.texts()] == ["email"]
    assert clinic.texts()[0].at < "2026-12-02 09:56"


def test_a_channel_down_all_day_is_tried_with_each_new_text(open_clinic: Make) -> None:
    """What falls due later tries the channel first, so that it comes back by itself."""
    lines = Lines(sms=STOPPED)
    clinic = open_clinic(make_provider=lines)
    clinic.read(row(email=EMAIL), row("B2", "2026-12-02 13:00", phone="0701740611", email="b@x.se"))
    clinic.until("2026-12-01 12:59")
    lines.says.clear()
    assert clinic.until("2026-12-01 13:05").down == []
    assert [text.channel for text in clinic.texts()] == ["email", "sms"]


def test_where_no_way_works_the_first_waits_and_each_was_tried(open_clinic: Make) -> None:
    """With both channels down one message at a time waits; the one that is back first sends."""
    lines = Lines(sms=AWAY, email=AWAY)
    clinic = open_clinic(make_provider=lines)
    clinic.read(row(email=EMAIL))
    clinic.until("2026-12-01 11:30")
    assert clinic.texts() == []
    assert set(lines.asked) == {Channel.SMS, Channel.EMAIL}
    assert sum(state == "planned" for _, state in day_before(clinic)) == 1
    assert len(day_before(clinic)) <= 3
    del lines.says[Channel.SMS]
    clinic.until("2026-12-01 12:00")
    assert [text.channel for text in clinic.texts()] == ["sms"]


def test_where_both_were_down_the_email_that_is_back_goes(open_clinic: Make) -> None:
    """Another's email tells that the channel is back: what waited for the SMS goes by it, once."""
    lines = Lines(sms=AWAY, email=AWAY)
    clinic = open_clinic(make_provider=lines)
    clinic.read(
        row(email=EMAIL),
        row(email=EMAIL, role="patient"),
        row("B2", "2026-12-02 12:30", phone="", email="b@example.org"),
    )
    clinic.until("2026-12-01 10:40")
    del lines.says[Channel.EMAIL]
    clinic.until("2026-12-01 12:40")
    assert [text.to[0] for text in clinic.texts()] == ["b", "a"]
    del lines.says[Channel.SMS]
    clinic.until("2026-12-02 09:00")
    assert [text.channel for text in clinic.texts()] == ["email", "email"]


def test_an_email_that_cannot_go_hands_back_to_the_phone(open_clinic: Make) -> None:
    """Where the next way does not work either, the first is tried again, and sends."""
    lines = Lines(sms=AWAY, email=AWAY)
    clinic = open_clinic(make_provider=lines)
    clinic.read(row(email=EMAIL))
    clinic.until("2026-12-01 10:09")
    del lines.says[Channel.SMS]
    clinic.until("2026-12-01 10:40")
    assert [text.channel for text in clinic.texts()] == ["sms"]


def test_a_text_that_may_have_been_taken_blocks_the_other_way(open_clinic: Make) -> None:
    """While it is not known whether an SMS went, no email goes."""
    lines = Lines(sms=Ambiguous("timeout"))
    clinic = open_clinic(make_provider=lines)
    clinic.read(row(email=EMAIL))
    clinic.until("2026-12-01 10:00:20")
    lines.says[Channel.SMS] = STOPPED
    clinic.read(row("B2", "2026-12-02 10:01", phone="0701740611"))
    clinic.until("2026-12-01 10:00:40")
    assert [text.channel for text in clinic.texts()] == []
    clinic.until("2026-12-01 10:40")
    assert [text.channel for text in clinic.texts()] == ["email"]


def test_two_with_one_phone_and_one_mailbox_get_one_text(open_clinic: Make) -> None:
    """Guardians with one number and one mailbox get one email, and no SMS beside it."""
    lines = Lines(sms=STOPPED)
    clinic = open_clinic(make_provider=lines)
    clinic.read(row(email=EMAIL), row(email=EMAIL, role="patient"))
    clinic.until("2026-12-01 10:30")
    lines.says.clear()
    clinic.until("2026-12-02 09:00")
    assert [text.channel for text in clinic.texts()] == ["email"]


def test_a_flood_keeps_to_the_rate_of_the_mail(open_clinic: Make) -> None:
    """What goes another way goes no faster than that sender may, each family's once."""
    provider = Lines(sms=STOPPED)
    clinic = open_clinic(make_provider=provider, clinics__internet__email__messages_per_second=2)
    many = range(10, 40)
    clinic.read(*[row(f"B{n}", phone=f"07017406{n}", email=f"a{n}@example.org") for n in many])
    clinic.until("2026-12-01 10:20")
    assert len(clinic.texts()) == len(many)
    lines = [line for n in many for line in clinic.show(f"B{n}").lines if line.sent_at]
    assert {line.message.key.channel for line in lines} == {Channel.EMAIL}
    assert len(lines) == len(many)
    times = sorted(line.sent_at for line in lines if line.sent_at)
    assert (times[-1] - times[0]).total_seconds() >= len(many) / 2 - 2


def to_phone(clinic: Clinic) -> list[tuple[str | None, str]]:
    """Return the visits and reasons of the worklist; the page's list has to say the same."""
    items = [item for item in clinic.worklist() if item.kind == "call"]
    with clinic.runtime.database.reading() as conn:
        clinic_id = clinics.find_clinic_id(conn, "internet") or 0
        page = call_list(conn, clinic.runtime, clinic_id, clinic.clock.now())
    assert [call.item for call in page.waiting] == items
    return [(item.ref, item.reason) for item in items]


@pytest.mark.parametrize(
    "says", [STOPPED, AWAY, Rejected("429", Refusal.THROTTLED, timedelta(minutes=40))]
)
def test_who_has_no_other_way_is_phoned_while_there_is_time(
    open_clinic: Make, says: Outcome
) -> None:
    """A phone alone: on the list an hour after the text was due, and off it once it has gone."""
    lines = Lines(sms=says)
    clinic = open_clinic(make_provider=lines)
    clinic.read(row(), row("B2", phone="070-174 06 11", email=EMAIL))
    clinic.until("2026-12-01 10:30")
    assert to_phone(clinic) == []
    clinic.until("2026-12-01 11:01")
    assert to_phone(clinic) == [("B1", "out_of_reach")]
    lines.says.clear()
    clinic.until("2026-12-01 12:30")
    assert to_phone(clinic) == []
    assert [text.channel for text in clinic.texts()] == ["email", "sms"]


def test_near_the_visit_they_stay_on_the_list(open_clinic: Make) -> None:
    """Neither a text that has expired nor one that is yet to come takes anybody off it."""
    clinic = open_clinic("2026-12-02 07:00", make_provider=Lines(sms=STOPPED))
    clinic.read(row())
    for moment in ("09:05", "09:44", "09:50"):
        clinic.until(f"2026-12-02 {moment}")
        assert to_phone(clinic) == [("B1", "out_of_reach")]


def test_a_visit_booked_just_before_is_phoned_within_minutes(open_clinic: Make) -> None:
    """Of a visit that begins in ten minutes the family is on the list in five."""
    clinic = open_clinic(make_provider=Lines(sms=STOPPED))
    clinic.clock.set(at("2026-12-02 09:50"))
    clinic.read(row())
    clinic.until("2026-12-02 09:56")
    assert to_phone(clinic) == [("B1", "out_of_reach")]


class Full(Sandbox):
    """A mailbox that its server puts off all day, beside others that take everything."""

    full = True

    async def send(self, message: OutgoingMessage) -> Outcome:
        """Put off what goes to the full one."""
        if message.to.startswith("full") and Full.full:
            return Rejected("452 4.2.2", Refusal.THROTTLED)
        return await super().send(message)


def test_who_is_put_off_while_the_channel_works_is_phoned(open_clinic: Make) -> None:
    """One full mailbox, and no phone: on the list after an hour until it has gone, as others go."""
    rules = {
        "soon": {"before": "2h", "not_after": "-15m", "template": "day_before"},
        "fifteen_minutes": {"before": "15m", "not_after": "-1m"},
    }
    clinic = open_clinic(
        "2026-12-02 09:50", make_provider=lambda _name, setup: Full(setup), rules=rules
    )
    others = [
        row(f"C{n}", f"2026-12-02 {n // 6}:{n % 6}0", phone="", email=f"c{n}@x.se")
        for n in range(12 * 6 - 1, 14 * 6)
    ]
    clinic.read(row(start="2026-12-02 12:00", phone="", email="full@example.org"), *others)
    clinic.until("2026-12-02 10:30")
    assert to_phone(clinic) == []
    for moment in ("11:01", "11:42", "11:50", "11:58"):
        clinic.until(f"2026-12-02 {moment}")
        assert [ref for ref, _ in to_phone(clinic)] == ["B1"]


def test_who_was_put_off_is_off_the_list_once_it_has_gone(
    open_clinic: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mailbox that takes it in the end needs no phone any more."""
    clinic = open_clinic(make_provider=lambda _name, setup: Full(setup))
    clinic.read(row(phone="", email="full@example.org"), row("B2"))
    clinic.until("2026-12-01 11:30")
    assert to_phone(clinic) != []
    monkeypatch.setattr(Full, "full", False)
    clinic.until("2026-12-01 13:00")
    assert to_phone(clinic) == []
