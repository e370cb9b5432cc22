"""Staff's commands, the ways they end, and what they print for scripts."""

import pytest
from freezegun.api import FrozenDateTimeFactory
from sqlalchemy import update

from reminders.cli.session import login, opened
from reminders.config import load_config
from reminders.daemon import sole_sender
from reminders.store.schema import message
from reminders.wiring import open_store
from tests.cli.conftest import HEADER, Installation, booking


@pytest.fixture
def busy(here: Installation) -> Installation:
    """Return an installation with three visits on one day and one the day after."""
    here.take(
        booking("B1", phone="070-174 06 05"),
        booking("B2", time="15:00", phone="070-174 06 06"),
        booking("B3", time="16:00", phone="", email="some.one@example.org"),
        booking("B4", day="2026-12-02", phone="070-174 06 08"),
    )
    return here


def test_show_has_the_keys_of_the_contract(busy: Installation):
    """`show --json` gives the visit, its messages and its ledger."""
    shown = busy.json("show", "B1")
    expected = {"clinic", "ref", "kind", "starts_at", "status", "version", "messages", "ledger"}
    assert expected <= set(shown)
    assert shown["starts_at"] == "2026-12-01T14:00:00+01:00"
    promised = {"rule", "contact", "channel", "state", "due_at", "not_after", "reason"}
    assert all(promised <= set(message) for message in shown["messages"])
    assert {"at", "actor", "event"} <= set(shown["ledger"][0])


def test_show_of_an_unknown_booking_ends_with_4(busy: Installation):
    """A reference that is not there ends with 4 and prints nothing for scripts."""
    result = busy.run("show", "B9", "--json")
    assert (result.exit_code, result.stdout) == (4, "")
    assert "B9" in result.stderr


def test_show_of_a_row_that_is_held_back_says_why(busy: Installation):
    """The worklist has it, so it is not unknown: the file, its line and what is wrong are named."""
    busy.take(booking("B1"), booking("B7", phone="08-123 456"))
    result = busy.run("show", "B7")
    assert result.exit_code == 4
    told = " ".join(result.stderr.split())
    assert "no booking B7 at clinic internet yet: its row in bookings.csv is held back" in told
    assert "Line 3: " in told
    assert "mobile" in told
    assert busy.run("cancel", "B7").exit_code == 4


def test_reasons_are_sentences_in_the_language_of_the_terminal(busy: Installation):
    """A Swedish terminal reads Swedish reasons, any other English ones."""
    assert "no confirmations to be sent" in busy.run("show", "B1").stdout
    assert "utan att bekräftelser" in busy.run("show", "B1", env={"LANG": "sv_SE.UTF-8"}).stdout


def test_a_protected_patient_is_explained(here: Installation):
    """A visit that nobody may be told of says so, and says to phone."""
    here.take(booking("B1", protected="ja"))
    assert "identity is protected" in " ".join(here.ok("show", "B1").split())


def test_timeline_shows_what_goes_out_when(busy: Installation):
    """`timeline` lists the coming messages in order, within the hours asked for."""
    soon = busy.json("timeline", "--hours", 4)
    assert [m["ref"] for m in soon["messages"]] == ["B1", "B2"]
    week = busy.json("timeline", "--hours", 100)
    assert week["count"] == len(week["messages"]) > 4
    assert [m["due_at"] for m in week["messages"]] == sorted(m["due_at"] for m in week["messages"])
    assert "patient …605" in busy.ok("timeline")


def test_cancel_by_reference(busy: Installation):
    """A cancelled visit sends nothing to those who have heard nothing of it."""
    done = busy.json("cancel", "B1", "B2")
    assert (done["count"], done["refs"]) == (2, ["B1", "B2"])
    shown = busy.json("show", "B1")
    assert shown["status"] == "cancelled"
    assert not [
        m for m in shown["messages"] if m["state"] == "planned" and m["rule"] != "cancelled"
    ]


def test_a_visit_is_cancelled_once(busy: Installation):
    """One that is cancelled already is said to be, and nothing is written down of it again."""
    busy.ok("cancel", "B1")
    told = busy.ok("cancel", "B1", "B2")
    assert "B1 was cancelled already." in told
    assert "Cancelled 1 visit." in told
    assert "Cancelled" not in busy.ok("cancel", "B1")
    assert busy.json("cancel", "B1")["cancelled_already"] == 1
    events = [entry["event"] for entry in busy.json("show", "B1")["ledger"]]
    assert events.count("cancelled_by_hand") == 1


def test_what_goes_only_on_request_is_said_to(busy: Installation):
    """A text that nobody has asked for is told apart from one that would say nothing new."""
    reasons = {one["rule"]: one["reason"] for one in busy.json("show", "B1")["not_planned"]}
    assert reasons["moved"] == "nothing_to_tell"
    assert reasons["help"] == reasons["not_come"] == "on_request"
    assert "asks for it" not in busy.ok("show", "B1")


def test_who_recorded_an_optout_is_kept(busy: Installation):
    """The ledger of the visits that it concerns names who stopped, and who let it be sent again."""
    busy.ok("optout", "add", "070-174 06 05")
    busy.ok("optout", "add", "070-174 06 05")
    busy.ok("optout", "remove", "070-174 06 05")
    acts = [e for e in busy.json("show", "B1")["ledger"] if e["event"].endswith("_contacting")]
    assert [e["event"] for e in acts] == ["stopped_contacting", "started_contacting"]
    assert {e["actor"] for e in acts} == {login()}
    assert "contacting" not in busy.ok("show", "B2")


def test_cancel_of_an_unknown_booking_cancels_none(busy: Installation):
    """One unknown reference among several leaves all of them as they are."""
    assert busy.run("cancel", "B1", "B9").exit_code == 4
    assert busy.json("show", "B1")["status"] == "booked"


def test_cancel_of_a_day_asks_first(busy: Installation):
    """`cancel --day` shows the visits and without a yes cancels none of them."""
    result = busy.run("cancel", "--day", "2026-12-01")
    assert result.exit_code == 1
    assert "B3" in result.stdout
    assert "B4" not in result.stdout
    assert "Would send 2 SMS, 1 email.\n" in result.stdout
    assert "nobody is told" not in result.stdout
    assert busy.json("show", "B1")["status"] == "booked"
    assert busy.json("cancel", "--day", "2026-12-01", "--yes")["count"] == 3
    assert busy.json("show", "B4")["status"] == "booked"


def test_what_cancelling_a_day_would_do_is_json_too(busy: Installation):
    """Without a yes a script reads which visits it would be, and what would be sent."""
    shown = busy.json("cancel", "--day", "2026-12-01", exits=1)
    assert (shown["refs"], shown["count"], shown["applied"]) == (["B1", "B2", "B3"], 3, False)
    assert (shown["sms"], shown["emails"], shown["untold"]) == (2, 1, 0)
    none = busy.json("cancel", "--day", "2026-12-24", exits=1)
    assert (none["refs"], none["applied"], none["sms"]) == ([], False, 0)
    done = busy.json("cancel", "--day", "2026-12-01", "--yes")
    assert (done["refs"], done["applied"]) == (shown["refs"], True)
    assert len(done["messages"]) >= shown["sms"] + shown["emails"]


def test_nothing_is_said_of_nothing(busy: Installation):
    """Where a day has no visits, that alone is said; where nothing would be sent, that."""
    result = busy.run("cancel", "--day", "2026-12-24", "--yes")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "There is no such visit to come: nothing to cancel.\n"
    busy.take(booking("B7", day="2026-12-23", protected="ja"))
    shown = busy.run("cancel", "--day", "2026-12-23").stdout
    assert "Would send nothing. Of 1 visit nobody is told.\n" in shown


def test_cancel_of_one_clinicians_visits(here: Installation):
    """`cancel --clinician` takes that clinician's coming visits, of one day or of all, and no other."""
    rows = [
        f"{booking(ref, day=day, phone=phone)};{who}"
        for ref, day, phone, who in (
            ("B1", "2026-12-01", "070-174 06 05", "A. Berg"),
            ("B2", "2026-12-01", "070-174 06 06", "O. Ek"),
            ("B3", "2026-12-02", "070-174 06 07", "a. berg"),
            ("B4", "2026-12-02", "070-174 06 08", ""),
        )
    ]
    file = here.folder / "bookings.csv"
    file.write_text("\n".join([f"{HEADER};Behandlare", *rows]) + "\n", "utf-8")
    assert here.run("import", file, "--yes").exit_code == 0
    shown = here.run("cancel", "--clinician", "A. Berg", "--day", "2026-12-01")
    assert (shown.exit_code, "B1" in shown.stdout) == (1, True)
    assert [ref for ref in ("B2", "B3", "B4") if ref in shown.stdout] == []
    assert here.json("cancel", "--clinician", "A. Berg", "--yes")["refs"] == ["B1", "B3"]
    assert here.run("cancel", "B2", "--clinician", "A. Berg").exit_code == 2


@pytest.mark.parametrize("words", [(), ("B1", "--day", "2026-12-01"), ("--day", "tomorrow")])
def test_cancel_needs_to_know_what(busy: Installation, words: tuple[str, ...]):
    """Nothing, both ways at once, and a date that cannot be read are refused with 2."""
    assert busy.run("cancel", *words).exit_code == 2


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("2027-03-28 02:30", "2027-03-28 03:30"),
        ("2027-10-31 02:30", "2027-10-31T02:30+01:00"),
        ("soon", "2026-12-01 09:30"),
        ("2026-11-01 10:00", "already passed"),
    ],
)
def test_move_refuses_times_that_are_none(busy: Installation, to: str, says: str):
    """A time that is impossible, doubled, unreadable or past is refused, with what to write."""
    result = busy.run("move", "B1", "--to", to)
    assert result.exit_code == 2
    assert says in result.stderr
    assert busy.json("show", "B1")["starts_at"] == "2026-12-01T14:00:00+01:00"


def test_move_takes_an_offset(busy: Installation):
    """A time with an offset is that instant, shown in the clinic's zone."""
    moved = busy.json("move", "B1", "--to", "2027-06-01T08:30+00:00")
    assert moved["starts_at"] == "2027-06-01T10:30:00+02:00"


def test_resend_and_help_go_out_with_the_next_pass(busy: Installation):
    """What staff ask for is planned for now and sent by `tick`."""
    [line] = busy.json("resend", "B1", "day_before")["messages"]
    assert line["state"] == "planned"
    assert busy.json("help", "B1")["messages"][0]["rule"] == "help"
    assert busy.json("tick")["sent"] == 2


def test_resend_to_nobody_ends_with_1(busy: Installation):
    """Where nobody may get it, it says to phone and ends with 1."""
    busy.ok("optout", "add", "0701740605")
    result = busy.run("resend", "B1", "day_before")
    assert result.exit_code == 1
    assert "Phone instead" in result.stderr


def test_resend_of_an_unknown_rule_names_the_rules(busy: Installation):
    """An unknown rule is refused with those there are."""
    result = busy.run("resend", "B1", "nope")
    assert result.exit_code == 2
    assert "fifteen_minutes" in result.stderr


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("070-174 06 05", "+46701740605"),
        ("+46 70 174 06 05", "+46701740605"),
        ("some.one@Example.ORG", "some.one@example.org"),
    ],
)
def test_an_optout_is_kept_in_its_plain_form(busy: Installation, written: str, kept: str):
    """However an address is written, it is the one that the file had, and it stops at once."""
    assert busy.json("optout", "add", written) == {"address": kept, "added": True}
    assert busy.json("optout", "add", written)["added"] is False
    [entry] = busy.json("optout", "list")["addresses"]
    assert entry["address"] == kept
    ref = "B3" if "@" in kept else "B1"
    assert not [m for m in busy.json("show", ref)["messages"] if m["state"] == "planned"]
    assert busy.run("optout", "remove", written).exit_code == 0
    assert [m for m in busy.json("show", ref)["messages"] if m["state"] == "planned"]
    assert busy.run("optout", "remove", written).exit_code == 4


@pytest.mark.parametrize("address", ["12", "070-174 06 05 mamma", "some.one@"])
def test_an_optout_of_no_address_is_refused(busy: Installation, address: str):
    """What is no address is refused, and not repeated."""
    result = busy.run("optout", "add", address)
    assert result.exit_code == 2
    assert address not in result.output


def test_changed_rules_are_noticed(busy: Installation):
    """A rule that is taken out of the configuration takes its messages with it."""
    text = busy.config.read_text("utf-8")
    busy.config.write_text(text.replace("[rules.day_before]", "[rules.evening]"), "utf-8")
    rules = {m["rule"] for m in busy.json("show", "B1")["messages"] if m["state"] == "planned"}
    assert "day_before" not in rules


def test_status_tells_when_nobody_sends(busy: Installation, clock: FrozenDateTimeFactory):
    """Due messages and nobody at work are not well; after a pass all is."""
    clock.move_to("2026-11-30 13:01:00")
    before = busy.json("status", exits=1)
    assert (before["due"], before["attended"]) == (1, False)
    busy.ok("tick")
    after = busy.json("status")
    assert after["last_tick"] == "2026-11-30T14:01:00+01:00"
    promised = ["due", "overdue", "sending", "unknown", "failed_24h", "delivered_24h"]
    promised += ["oldest_due_seconds", "workers"]
    assert all(type(after[key]) is int for key in promised)


def test_status_tells_what_is_overdue(busy: Installation, clock: FrozenDateTimeFactory):
    """Messages that should have gone ten minutes ago end `status` with 1, and say how late."""
    clock.move_to("2026-11-30 13:10:00")
    result = busy.run("status")
    assert result.exit_code == 1
    assert "the oldest by 10 minutes" in result.stdout


def test_status_of_an_empty_worklist(here: Installation):
    """With nothing to send and nothing to do all is well."""
    here.ok("tick")
    assert here.ok("status").startswith("All is well.")


def test_status_tells_what_waits_for_a_person(busy: Installation, clock: FrozenDateTimeFactory):
    """While a message's fate is not known, not all is well, though the sending is."""
    clock.move_to("2026-11-30 13:01:00")
    busy.ok("tick")
    before = len(busy.json("worklist")["items"])
    database = open_store(load_config(busy.config, {}))
    with database.transaction() as conn:
        lost = update(message).where(message.c.sent_at.is_not(None))
        conn.execute(lost.values(state="unknown", next_at=None, reason="no_answer"))
    database.close()
    shown = busy.ok("status")
    assert "All is well" not in shown
    assert f"{before + 1} lines on the worklist" in shown


def test_tick_prints_its_counts(busy: Installation):
    """`tick --json` gives the six counts of the contract, and no more."""
    counts = busy.json("tick")
    assert set(counts) == {"planned", "sent", "failed", "retried", "expired", "unknown"}


def test_a_tick_beside_a_daemon_says_that_alone(busy: Installation):
    """It does not say that nothing was due, which it has not looked at."""
    with opened(load_config(busy.config)) as runtime, sole_sender(runtime):
        result = busy.run("tick")
        counts = busy.json("tick")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "Another reminders process is sending" in result.stderr
    assert not any(counts.values())


def test_several_clinics_have_to_be_told_apart(busy: Installation):
    """With two clinics a REF needs --clinic, and the error names both."""
    second = '\n[clinics.second]\nphone = "08-465 004 00"\n'
    busy.config.write_text(busy.config.read_text("utf-8") + second, "utf-8")
    result = busy.run("show", "B1")
    assert result.exit_code == 2
    assert "internet, second" in result.stderr
    assert busy.run("show", "B1", "--clinic", "internet").exit_code == 0
    assert busy.run("show", "B1", "--clinic", "second").exit_code == 4
    assert busy.run("show", "B1", "--clinic", "third").exit_code == 2
    assert busy.json("timeline", "--hours", 100)["count"] > 4


def test_that_it_begins_shortly_is_said_only_then(here: Installation):
    """The text for a patient who has not come is refused as long as it would be untrue."""
    here.take(booking("B1"))
    assert here.run("help", "B1", "--not-come").exit_code == 2
    assert here.json("help", "B1")["messages"] != []
