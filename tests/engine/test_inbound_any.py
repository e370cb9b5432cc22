"""Whatever is written to us, by whomever: no wrong opt-out, no leak, no loop, no exception."""

import random
import string

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from reminders.domain.inbound import Keyword, Signal, read_keyword
from reminders.engine import inbound, reading
from reminders.engine.inbound import MOST_KEPT, MOST_STRANGERS, Taken
from reminders.providers.base import Inbound
from reminders.store import schema, schema_inbound
from tests.engine.clinic import Clinic, at, row

OURS = "+46701740699"
KNOWN = ("+46701740605", "+46701740606")
WORDS = ["STOPP", "Stopp!", "stop.", "START", "Hjälp", "ja", "NEJ", "Avboka", "Kan vi byta?", ""]
TEXTS = st.one_of(
    st.sampled_from(WORDS),
    st.text(max_size=200),
    st.text(alphabet=string.printable + "\x00\ud800åäö\u202e\u200b😊", max_size=60),
    st.sampled_from(WORDS).map(lambda word: f"  {word} \n{word.lower()}"),
    st.just("STOPP" * 1000),
)
SENDERS = st.one_of(
    st.sampled_from(KNOWN),
    st.sampled_from(["+46701740690", "+4670174069", "Telia", "", "' OR 1=1 --", OURS, "+" * 500]),
    st.from_regex(r"\+467017406[0-9]{2}", fullmatch=True),
    st.text(max_size=20),
)
MESSAGES = st.tuples(
    SENDERS,
    TEXTS,
    st.sampled_from([None, None, None, *Signal]),
    st.one_of(st.integers(0, 10**9).map(str), st.text(min_size=1, max_size=400)),
)


def clinic_of_two(folder) -> Clinic:
    """Return a clinic with two families who can answer it."""
    sms = {"provider": "sandbox", "sender": OURS, "two_way": True}
    url = f"sqlite:///{folder / 'reminders.db'}"
    clinic = Clinic(folder, url, at("2026-11-30 12:00"), clinics__internet__sms=sms)
    clinic.read(row("B1"), row("B2", "2026-12-03 09:00", phone="070-174 06 06", born="2018-03-03"))
    clinic.plan()
    return clinic


def stops(text: str, signal: Signal | None) -> bool:
    return signal is Signal.STOP or read_keyword(text, signal) is Keyword.STOP


def all_is_well(clinic: Clinic, asked: set[str]) -> None:
    """Check what must hold after anything that was written."""
    with clinic.runtime.database.reading() as conn:
        outs = set(conn.execute(select(schema.opt_out.c.address)).scalars())
        assert outs <= asked
        to = conn.execute(select(schema.contact.c.phone).distinct()).scalars().all()
        assert set(to) == set(KNOWN)
        requests = conn.execute(select(func.count()).select_from(schema.request)).scalar_one()
        per_day = (inbound.MOST_ANSWERS + 1) * len(KNOWN)
        assert requests <= per_day
        kept = conn.execute(select(func.count()).select_from(schema_inbound.inbound)).scalar_one()
        strangers = MOST_STRANGERS + 2 * len(asked)
        assert kept <= (MOST_KEPT + 2) * len(KNOWN) + strangers + MOST_KEPT * 30
        cancelled = select(schema.appointment.c.id).where(schema.appointment.c.status != "booked")
        assert conn.execute(cancelled).first() is None


def write_all(clinic: Clinic, messages: list[tuple[str, str, Signal | None, str]]) -> None:
    """Let all of it come in at one moment, send what follows, and check."""
    asked: set[str] = set()
    for sender, text, signal, ref in messages:
        came = Inbound("sandbox", ref, sender, OURS, text, signal)
        now = clinic.clock.now()
        taken = clinic.runtime.in_transaction(inbound.receive, clinic.runtime, came, now)
        assert taken in set(Taken)
        if stops(text, signal):
            asked.add(reading.plain(sender))
    all_is_well(clinic, asked)
    clinic.until("2026-11-30 12:30")
    for sent in clinic.texts():
        assert sent.to[-3:] in {"605", "606"}


@settings(max_examples=12, suppress_health_check=list(HealthCheck))
@given(st.lists(MESSAGES, max_size=25))
@example([(KNOWN[0], "Stopp by", None, "1"), (KNOWN[0], "stop it please", None, "2")])
def test_whatever_is_written(tmp_path_factory, messages):
    """Random and hostile texts stop nobody who did not ask, tell nobody anything, never loop."""
    clinic = clinic_of_two(tmp_path_factory.mktemp("any"))
    try:
        write_all(clinic, messages)
    finally:
        clinic.end()


def random_messages(count: int, seed: int) -> list[tuple[str, str, Signal | None, str]]:
    """Return so many messages: known and unknown senders, keywords, noise, any signs there are."""
    chance = random.Random(seed)

    def text() -> str:
        if chance.random() < 0.5:
            return chance.choice(WORDS)
        signs = (chr(chance.randrange(0x110000)) for _ in range(chance.randrange(80)))
        return "".join(signs)

    def sender() -> str:
        if chance.random() < 0.4:
            return chance.choice(KNOWN)
        return chance.choice(["Telia", "", OURS, f"+4670174{chance.randrange(10_000):04}"])

    signals = [None, None, None, None, *Signal]
    return [
        (sender(), text(), chance.choice(signals), str(chance.randrange(count * 5)))
        for _ in range(count)
    ]


@pytest.mark.long
def test_ten_thousand_texts(tmp_path):
    """Ten thousand random and hostile texts in one moment hold the same."""
    clinic = clinic_of_two(tmp_path)
    try:
        write_all(clinic, random_messages(10_000, 7))
    finally:
        clinic.end()
