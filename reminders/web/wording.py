"""The names that the pages give to rules, channels, states, people and problems."""

import functools
from collections.abc import Mapping

import phonenumbers
from markdown_it import MarkdownIt
from markupsafe import Markup

from reminders.domain.contact import Wishes
from reminders.store.pages import Person
from reminders.web.language import N_, Speaking

LETTERS = 256
"""So many emails are remembered as HTML: the pages of texts show dozens, the same for everybody."""

RULES: Mapping[str, str] = {
    "booked": N_("Confirmation"),
    "moved": N_("New time"),
    "cancelled": N_("Cancellation"),
    "day_before": N_("The day before"),
    "two_days": N_("Two days before"),
    "fifteen_minutes": N_("15 minutes before"),
    "help": N_("Connection help"),
    "not_come": N_("We are waiting for you"),
    "confirmation": N_("Confirmation"),
    "next_steps": N_("After the visit"),
    "reply_stop": N_("Answer to STOP"),
    "reply_start": N_("Answer to START"),
    "reply_cancel": N_("Answer to NO"),
    "reply_other": N_("Answer to other words"),
}
KEYWORDS: Mapping[str, str] = {
    "stop": N_("STOP"),
    "start": N_("START"),
    "help": N_("HELP"),
    "yes": N_("YES"),
    "no": N_("NO"),
    "other": N_("Wrote something else"),
}
LOGINS: Mapping[str, str] = {
    "confirmed": N_("Yes, it works"),
    "missing": N_("There is none"),
    "unknown": N_("Not asked yet"),
}
CHANNELS: Mapping[str, str] = {"sms": N_("SMS"), "email": N_("Email")}
NO_CHANNEL = N_("What the text's rule says")
NO_LANGUAGE = N_("The clinic's own language")
PREFERS: Mapping[str, str] = {"sms": N_("Prefers SMS."), "email": N_("Prefers email.")}
ROLES: Mapping[str, str] = {"patient": N_("Patient"), "guardian": N_("Guardian")}
FROM_13: Mapping[str, str] = {
    "yes": N_("Is to be contacted"),
    "no": N_("Is not to be contacted"),
    "none": N_("Not asked yet"),
}
CONSENTS: Mapping[str, str] = {
    "given": N_("Has said yes"),
    "refused": N_("Has said no"),
    "none": N_("Not asked yet"),
}
PLACES: Mapping[str, str] = {
    "guardian_not_chosen": N_(
        "It is recorded on the visit's page, by the guardian under \u201cCorrect or stop\u201d."
    ),
    "render_failed": N_("The page Texts says what is wrong with it."),
}
"""Where on the pages something is done about a reason."""

HELD: Mapping[str, str] = {"viewer": N_("may look"), "admin": N_("may change")}
STATES: Mapping[str, str] = {
    "planned": N_("Planned"),
    "sending": N_("Being sent"),
    "accepted": N_("Sent"),
    "unknown": N_("Not known"),
    "delivered": N_("Delivered"),
    "undelivered": N_("Not delivered"),
    "failed": N_("Failed"),
    "expired": N_("Too late"),
    "cancelled": N_("Taken back"),
    "suppressed": N_("Not sent"),
}
VISITS: Mapping[str, str] = {"booked": N_("Booked"), "cancelled": N_("Cancelled")}
MACHINES: Mapping[str, str] = {
    "watched folder": N_("the watched folder"),
    "system": N_("the program"),
    "planner": N_("the program"),
    "demo": N_("the example"),
    "inbound": N_("an answer"),
}
"""Who did something, where it was no person."""

LANGUAGES: Mapping[str, str] = {"sv": N_("Swedish"), "en": N_("English")}


def name(names: Mapping[str, str], key: str, speaking: Speaking) -> str:
    """Return what the pages call something; a clinic's own name as it is, made readable."""
    known = names.get(key)
    return str(speaking.text(known)) if known else key.replace("_", " ").capitalize()


def names(known: Mapping[str, str], speaking: Speaking) -> dict[str, str]:
    """Return the answers of a list in the user's language."""
    return {key: str(speaking.text(said)) for key, said in known.items()}


def name_or(known: Mapping[str, str], key: str, speaking: Speaking) -> str:
    """Return what the pages call something; what they have no name for, as it is."""
    return str(speaking.text(known[key])) if key in known else key


def national(phone: str) -> str:
    """Return a number as people of its country write it."""
    try:
        number = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return phone
    style = phonenumbers.PhoneNumberFormat
    home = phonenumbers.region_code_for_number(number) == "SE"
    return phonenumbers.format_number(number, style.NATIONAL if home else style.INTERNATIONAL)


def person(one: Person | None, speaking: Speaking) -> str:
    """Return who somebody is to the visit."""
    return name(ROLES, one.role, speaking) if one else str(speaking.text("Nobody is known"))


def wishes(of: Wishes, age: int, speaking: Speaking) -> list[str]:
    """Return how somebody wants to be contacted, a sentence each."""
    said = []
    if of.prefers:
        said.append(speaking.text(PREFERS[of.prefers.value]))
    if of.no_sms:
        hours = f"{of.no_sms.start:%H:%M}-{of.no_sms.end:%H:%M}"
        said.append(speaking.text("Wants no SMS %(hours)s.", hours=hours))
    if of.from_13 is True:
        said.append(
            speaking.text("Is contacted also when the patient is %(age)s or older.", age=age)
        )
    if of.from_13 is False:
        said.append(
            speaking.text("Is not contacted when the patient is %(age)s or older.", age=age)
        )
    return [str(one) for one in said]


@functools.lru_cache(maxsize=LETTERS)
def letter(text: str) -> Markup:
    """Return Markdown as HTML. Markup in the text itself is escaped, and nothing is loaded."""
    return Markup(_markdown().render(text))  # noqa: S704 - the parser escapes all HTML


@functools.cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False, "breaks": True}).disable("image")


def reader(sample: str, speaking: Speaking) -> str:
    """Return who reads a sample, and when, from its parts: 'patient of 13, tomorrow, sibling'."""
    return ", ".join(_part(part, speaking) for part in sample.split(", "))


def _part(part: str, speaking: Speaking) -> str:
    words, _, age = part.rpartition(" ")
    if age.isdigit():
        return str(speaking.text(f"{words} %(age)s", age=age))
    return str(speaking.text(part))


def changes(counts: Mapping[str, int], speaking: Speaking) -> str:
    """Return what an import changed, in a few words."""
    said = [
        f"{counts[key]} {speaking.text(label)}" for key, label in CHANGES.items() if counts.get(key)
    ]
    return ", ".join(said) or str(speaking.text("nothing"))


CHANGES: Mapping[str, str] = {
    "new": N_("new"),
    "moved": N_("moved"),
    "cancelled": N_("cancelled"),
    "updated": N_("with other changes"),
    "problems": N_("problems"),
}
EARLIER = (N_("(an earlier number)"), N_("(an earlier address)"))
"""What stands for an address that a contact had when a text went."""

READERS = (
    N_("guardian of a child of %(age)s"),
    N_("patient of %(age)s"),
    N_("guardian"),
    N_("patient"),
    N_("age unknown"),
    N_("three weeks ahead"),
    N_("two days ahead"),
    N_("tomorrow"),
    N_("tomorrow morning"),
    N_("later today"),
    N_("in a quarter of an hour"),
    N_("begun"),
    N_("sibling"),
    N_("booked late"),
    N_("booked again"),
    N_("reference alike"),
    N_("moved past the birthday"),
)
ACTS: Mapping[str, str] = {
    "imported": N_("Imported a file"),
    "contact_changed": N_("Recorded what a contact wishes"),
    "own_login": N_("Recorded whether there is a login"),
    "called": N_("Ticked somebody off on the call list"),
    "not_called": N_("Put somebody back on the call list"),
    "moved_by_hand": N_("Moved a visit"),
    "cancelled_by_hand": N_("Cancelled a visit"),
    "asked_to_send": N_("Sent a text by hand"),
    "held": N_("Stopped all sending"),
    "released": N_("Let messages go out again"),
    "template_approved": N_("Approved a text"),
    "contact_corrected": N_("Corrected a contact"),
    "contact_added": N_("Added a contact"),
    "stopped_contacting": N_("Stopped messages to an address"),
    "started_contacting": N_("Let messages go to an address again"),
}
NOTHING = N_("nothing")
UNKNOWN_PERSON = N_("Nobody is known")
