"""The commands for what people wish and write: what they print, and the ways they end."""

from pathlib import Path

import pytest

from tests.cli.conftest import Installation, booking

NUMBER = "+46701740699"


@pytest.fixture
def two_way(here: Installation) -> Installation:
    """Return an installation that can receive, with one visit."""
    text = here.config.read_text("utf-8")
    sender = 'sender = "Videobesok"'
    assert sender in text
    here.config.write_text(text.replace(sender, f'sender = "{NUMBER}"\ntwo_way = true'), "utf-8")
    here.take(booking("B1"))
    return here


def write(installation: Installation, words: str, exits: int = 0) -> str:
    """Let the patient write to the clinic; return what became of it."""
    path = Path(installation.folder) / "answer.txt"
    path.write_text(words, "utf-8")
    answer = installation.json(
        "inbound", "add", "--from", "+46701740605", "--text-file", path, exits=exits
    )
    outcome: str = answer["outcome"]
    return outcome


def test_a_number_is_read_as_people_write_it(two_way: Installation):
    """A STOP that staff type in without the country stops the number; no number is refused."""
    path = two_way.folder / "answer.txt"
    path.write_text("STOPP", "utf-8")
    two_way.ok("inbound", "add", "--from", "070-174 06 05", "--text-file", path)
    assert [one["address"] for one in two_way.json("optout", "list")["addresses"]] == [
        "+46701740605"
    ]
    assert two_way.run("inbound", "add", "--from", "12", "--text-file", path).exit_code == 2


def test_a_yes_after_a_no_is_told_with_it(two_way: Installation):
    """After NEJ and JA the worklist and the list of answers say both, and when the YES came."""
    since = "YES has been answered since, "
    write(two_way, "Nej")
    [item] = [i for i in two_way.json("worklist")["items"] if i["kind"] == "answer"]
    assert item["yes_at"] is None
    assert since not in two_way.ok("worklist")
    write(two_way, "Ja")
    [item] = [i for i in two_way.json("worklist")["items"] if i["kind"] == "answer"]
    [answer] = two_way.json("inbound", "list")["answers"]
    assert (item["reason"], item["yes_at"]) == ("wrote_no", answer["yes_at"])
    assert item["yes_at"] is not None
    assert since in item["sentence"]
    for command in (("worklist",), ("inbound", "list")):
        assert since in " ".join(two_way.ok(*command).split())


def test_an_answer_from_list_to_done(two_way: Installation):
    """What somebody wrote is listed with its words, stands on the worklist, and is ticked off."""
    assert write(two_way, "Kan vi byta tid?") == "taken"
    [answer] = two_way.json("inbound", "list")["answers"]
    assert (answer["ref"], answer["text"], answer["reason"]) == (
        "B1",
        "Kan vi byta tid?",
        "wrote_other",
    )
    assert answer["contact"] == "patient …605"
    [item] = [i for i in two_way.json("worklist")["items"] if i["kind"] == "answer"]
    assert item["id"] == answer["id"]
    assert "byta" not in two_way.ok("worklist")
    assert "byta" in two_way.ok("inbound", "list")
    assert two_way.json("inbound", "done", answer["id"]) == {"done": [answer["id"]]}
    assert two_way.json("inbound", "list")["count"] == 0
    assert two_way.json("inbound", "list", "--days", 1)["answers"][0]["text"] is None
    assert two_way.run("inbound", "done", answer["id"]).exit_code == 4


def test_an_answer_to_a_name_is_not_kept(here: Installation):
    """Without two_way there is no number to write to, and nothing is kept."""
    assert write_to_nobody(here).exit_code == 2
    words = ("inbound", "add", "--from", "+46701740605", "--to", NUMBER, "--text-file")
    path = Path(here.folder) / "answer.txt"
    assert here.json(*words, path, exits=1) == {"outcome": "not_ours"}


def write_to_nobody(installation: Installation):
    path = Path(installation.folder) / "answer.txt"
    path.write_text("Hej", "utf-8")
    return installation.run("inbound", "add", "--from", "+46701740605", "--text-file", path)


def test_a_confirmation_is_shown(two_way: Installation):
    """Who has answered JA stands in `show`, for people and for scripts."""
    write(two_way, "Ja!")
    shown = two_way.json("show", "B1")
    assert shown["confirmed_at"] == "2026-11-30T12:00:00+01:00"
    assert shown["confirmed_by"] == shown["people"][0]["id"]
    assert "Confirmed by patient …605" in two_way.ok("show", "B1")


def test_wishes_at_the_desk(here: Installation):
    """`contact set` records wishes, `contact list` and `show` tell them, and they are planned."""
    here.take(booking("B1", email="saga@example.org"))
    [person] = here.json("contact", "list", "B1")["people"]
    changed = here.json(
        *("contact", "set", "B1", person["id"]),
        *("--prefers", "e-post", "--no-sms", "08:00-15:00", "--consent-sms", "no"),
    )
    assert (changed["prefers"], changed["no_sms"]) == ("email", "08:00-15:00")
    assert changed["consent"]["sms"]["status"] == "refused"
    assert changed["consent"]["sms"]["source"] == "staff"
    assert "no SMS 08:00-15:00" in here.ok("show", "B1")
    planned = [m for m in here.json("show", "B1")["messages"] if m["state"] == "planned"]
    assert {m["channel"] for m in planned} == {"email"}
    words = ("contact", "set", "B1", person["id"], "--prefers", "none", "--no-sms", "none")
    assert here.json(*words)["no_sms"] is None


@pytest.mark.parametrize(
    ("words", "exits", "says"),
    [
        ((), 2, "--from-13"),
        (("--no-sms", "8"), 2, "21:00-08:00"),
        (("--prefers", "brev"), 2, "sms, email or none"),
        (("--consent-sms", "perhaps"), 2, "yes or no"),
        (("--from-13", "yes"), 2, "guardian"),
    ],
)
def test_wishes_that_cannot_be_recorded(here: Installation, words, exits: int, says: str):
    """What is not clear, or is no guardian's to choose, is refused with what would be right."""
    here.take(booking("B1"))
    [person] = here.json("contact", "list", "B1")["people"]
    result = here.run("contact", "set", "B1", person["id"], *words)
    assert result.exit_code == exits
    assert says in result.stderr


def test_a_contact_that_is_not_there(here: Installation):
    """An unknown booking or person ends with 4."""
    here.take(booking("B1"))
    assert here.run("contact", "list", "B9").exit_code == 4
    assert here.run("contact", "set", "B1", 999, "--prefers", "sms").exit_code == 4


def test_an_own_login_leaves_the_worklist(here: Installation):
    """`own-login yes` takes the visit off the check of logins; `unknown` puts it back."""
    here.take(booking("B1"))
    kinds = [item["kind"] for item in here.json("worklist")["items"]]
    assert kinds == ["login"]
    assert "own-login" in here.ok("worklist")
    assert here.json("own-login", "B1", "yes") == {"ref": "B1", "own_login": "confirmed"}
    assert here.json("worklist")["count"] == 0
    here.ok("own-login", "B1", "unknown")
    assert here.json("worklist")["count"] == 1
    assert here.run("own-login", "B1", "perhaps").exit_code == 2


def test_the_address_to_set_at_the_provider(two_way: Installation):
    """The address where answers come in is told, with its secret; without a public one, what to do."""
    assert "No clinic has" in two_way.ok("inbound", "address")
    env = {
        "REMINDERS_CLINICS__INTERNET__SMS__PROVIDER": "elks46",
        "REMINDERS_PROVIDERS__ELKS46__USERNAME": "u",
        "REMINDERS_PROVIDERS__ELKS46__PASSWORD": "p",
    }
    assert "public_url" in two_way.run("inbound", "address", env=env).stdout
    env["REMINDERS_WEB__PUBLIC_URL"] = "https://r.example.org"
    said = two_way.run("inbound", "address", env=env).stdout
    assert "https://r.example.org/hooks/internet/sms/inbound?key=" in said
    assert "sms_url" in said
