"""The names that the pages give to rules, channels, states, people and problems."""

import functools
from collections.abc import Mapping

import phonenumbers
from markdown_it import MarkdownIt
from markupsafe import Markup

from reminders.domain.contact import Wishes
from reminders.intake.problems import Problem
from reminders.store.aside import BadLine
from reminders.store.import_pages import ProblemLine
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
PROBLEMS: Mapping[str, str] = {
    "broken_row": N_("The row is broken: it has another number of cells than the header."),
    "bad_ref": N_("The booking reference cannot be read."),
    "bad_time": N_("The date or the time cannot be read."),
    "ambiguous_date": N_("The date can be read in two ways. Write it like 2026-12-01."),
    "impossible_time": N_("The time does not exist that night, as the clocks are put forward."),
    "doubled_time": N_("The time comes twice that night, as the clocks are put back."),
    "past_time": N_("The time has already passed."),
    "far_time": N_("The date is very far away: is the year right?"),
    "unknown_status": N_("It is not clear whether the visit is booked or cancelled."),
    "formula": N_("The cell holds a formula, and is not read."),
    "lost_digits": N_("The number has lost its digits to a spreadsheet (4.67E+10)."),
    "no_kind": N_("The kind of visit is missing."),
    "bad_phone": N_("The mobile number cannot be read."),
    "not_mobile": N_("The number is not a mobile number, so no SMS can reach it."),
    "bad_email": N_("The email address cannot be read."),
    "unknown_role": N_("It is not clear whether the person is the patient or a guardian."),
    "bad_consent": N_("It is not clear whether consent is given; it is taken as refused."),
    "bad_yes_no": N_("A yes or a no cannot be read."),
    "bad_birth_date": N_("The birth date cannot be read."),
    "bad_identity": N_("The identity number cannot be read."),
    "bad_patient": N_("The patient's key cannot be read."),
    "bad_wish": N_("It is not clear what the person wishes."),
    "no_contact": N_("There is nobody to send a message to."),
    "unreadable_file": N_("The file cannot be read."),
    "empty_file": N_("The file is empty."),
    "not_text": N_("The file is neither text nor a spreadsheet."),
    "mixed_encoding": N_("The file mixes two ways of writing letters. Export it again."),
    "nul_character": N_("The file holds signs that no text has: it is damaged. Export it again."),
    "open_quote": N_("A quotation mark is never closed."),
    "cut_off": N_("The file ends in the midst of a row: it is cut off. Export it again."),
    "too_long": N_("A row or a cell is far too long."),
    "missing_column": N_("A column that is needed is missing."),
    "repeated_column": N_("Two columns mean the same thing."),
    "unknown_field": N_("The configuration names a field that there is none of."),
    "contradiction": N_("Two rows of one booking say different things."),
    "too_large": N_("The file is too large."),
    "password": N_("The file is locked with a password. Save it without one."),
    "broken_sheet": N_("The spreadsheet is damaged. Save it again, or export as CSV."),
}
ASIDE: Mapping[str, str] = {
    "too_much": N_(
        "It would move or cancel %(changed)s of the %(known)s known bookings in it: more than"
        " %(most)s percent. Look at it, and import it if it is right."
    ),
    "strict": N_(
        "It has rows with problems, and so is not imported by itself. Look at it: put right what"
        " can be, and import it."
    ),
    "older": N_(
        "It is older than the file that was imported last. Put a newer export in the folder."
    ),
    "unusable": N_(
        "It cannot be used, and nothing of it was imported. Put a new export in the folder."
    ),
}
"""Why a file of the watched folder waits, or is refused."""

LANGUAGES: Mapping[str, str] = {"sv": N_("Swedish"), "en": N_("English")}


def name(names: Mapping[str, str], key: str, speaking: Speaking) -> str:
    """Return what the pages call something; a clinic's own name as it is, made readable."""
    known = names.get(key)
    return str(speaking.text(known)) if known else key.replace("_", " ").capitalize()


def names(known: Mapping[str, str], speaking: Speaking) -> dict[str, str]:
    """Return the answers of a list in the user's language."""
    return {key: str(speaking.text(said)) for key, said in known.items()}


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


def problem(one: ProblemLine | BadLine | Problem, speaking: Speaking) -> str:
    """Return what is wrong with a row: in English as the reader of files says it."""
    if speaking.language == "en" or one.code not in PROBLEMS:
        return one.message
    return name(PROBLEMS, one.code, speaking)


@functools.lru_cache(maxsize=LETTERS)
def letter(text: str) -> Markup:
    """Return Markdown as HTML. Markup in the text itself is escaped, and nothing is loaded."""
    return Markup(_markdown().render(text))  # noqa: S704 - the parser escapes all HTML


@functools.cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False, "breaks": True}).disable("image")


def aside(why: str, numbers: Mapping[str, int], speaking: Speaking) -> str:
    """Return why a file of the watched folder waits, or is refused."""
    return str(speaking.text(ASIDE[why], **numbers))


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
SAID = (
    N_("That is more than 5000 visits. Choose fewer days."),
    N_("The new time has already passed. Give a time that is still to come."),
    N_("Write a mobile number or an email address."),
    N_("Write your initials: one to sixteen characters."),
    N_("That contact is no longer there. Look at the visit again."),
    N_("That address is no longer the visit's. Look at the visit again."),
    N_("The patient's identity is protected: no contact is kept. Phone instead."),
    N_("Say whether there is a login of their own."),
    N_("Say whether the person is the patient or a guardian."),
    N_("That row is no longer there. Look at the file's difference again."),
    N_("That text has been edited again, or approved. Look at it again."),
    N_(
        "Somebody has changed one of these visits since they were shown. Nothing was done:"
        " look at them again."
    ),
    N_(
        "The phone number has letters or other signs in it. Write one number alone, like 070-174"
        " 06 05."
    ),
    N_(
        "This is not a whole phone number. Write it like 070-174 06 05, or from another country"
        " like +47 and the number."
    ),
    N_("The phone number takes no text messages. Write a mobile number, like 070-174 06 05."),
    N_(
        "This is not an email address. Write one address alone, like name@example.org, with no å,"
        " ä or ö before the @."
    ),
    N_("The file could not be read."),
    N_("The file could not be compared."),
    N_("The import has stopped. What is left of it is tried again within ten minutes."),
    N_("(an earlier number)"),
    N_("(an earlier address)"),
)
"""What the engine says to people, in words that the pages can say in their language."""

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
)
ACTS: Mapping[str, str] = {
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
