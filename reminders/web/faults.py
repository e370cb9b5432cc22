"""What is wrong with files and texts, in the pages' languages: and what would be right."""

from collections.abc import Iterator, Mapping

from markupsafe import Markup

from reminders.engine.vetting import NotApprovableError
from reminders.errors import RefusedFileError, RemindersError
from reminders.intake.problems import SHOWN, WHOLE_FILE, Problem
from reminders.message.lint import Finding
from reminders.store.aside import Aside, BadLine
from reminders.store.import_pages import ProblemLine
from reminders.web.language import N_, Speaking

PROBLEMS: Mapping[str, str] = {
    "unreadable_file": N_(
        "The file cannot be read. Look whether it is open in another program, and choose it again."
    ),
    "empty_file": N_(
        "The file is empty. The first line names the columns, and each line below is a booking."
    ),
    "not_text": N_(
        "The file is neither text nor a spreadsheet that can be read. Open it and save it as"
        " .xlsx or CSV."
    ),
    "password": N_(
        "The file is locked with a password. Open it, take the password away, and save it."
    ),
    "broken_sheet": N_("The spreadsheet is damaged. Open it and save it again, or save it as CSV."),
    "too_large": N_(
        "The spreadsheet is too large to be a list of bookings. Copy the bookings to a new one,"
        " or save it as CSV."
    ),
    "mixed_encoding": N_(
        "The file mixes two ways of writing letters. Export it again, as CSV UTF-8 where there"
        " is a choice."
    ),
    "nul_character": N_("The file holds signs that no text has: it is damaged. Export it again."),
    "open_quote": N_(
        "A quotation mark is never closed. Put the text between quotation marks, and write each"
        " one inside it twice."
    ),
    "cut_off": N_(
        "The file ends in the midst of a row: it is cut off. Export it again. If it is whole, put a"
        " line break at its end."
    ),
    "too_long": N_(
        "A row or a cell is far too long. Look whether the file is a list of bookings, one on"
        " each line."
    ),
    "missing_column": N_(
        "A column that is needed is missing. The first line has to name the booking's reference"
        " (such as boknings-id), the time of the visit (datum and tid, or start) and an address"
        " (mobil or e-post)."
    ),
    "repeated_column": N_("Two columns mean the same thing. Take one of them away."),
    "unknown_field": N_(
        "The clinic's setting for columns names a field that there is none of. Whoever runs the"
        " program corrects it."
    ),
    "contradiction": N_(
        "Two rows of one booking say different things. Leave the row that is true, and export"
        " again."
    ),
    "broken_row": N_(
        "The row is broken: its cells do not fit the header, or it goes on in the next line."
        " Export every cell of a row, also the empty ones, and put a text with a line break or a"
        " delimiter between quotation marks."
    ),
    "bad_ref": N_(
        "The booking's reference is missing, cannot be read, or has an identity number in it."
        " Export the number that the booking system has for the booking."
    ),
    "bad_time": N_(
        "The date or the time cannot be read. Write the date like 2026-12-01 and the time like"
        " 09:00."
    ),
    "ambiguous_date": N_("The date can be read in two ways. Write it like 2026-12-01."),
    "impossible_time": N_(
        "The time does not exist that night, as the clocks are put forward. Write the time that"
        " is meant."
    ),
    "doubled_time": N_(
        "The time comes twice that night, as the clocks are put back. Say which is meant, like"
        " 2026-10-25 02:30+02:00 for the first."
    ),
    "past_time": N_(
        "The time has already passed. If the visit is still to come, correct the date."
    ),
    "far_time": N_("The date is more than three years ahead. Correct the year."),
    "unknown_status": N_(
        "It is not clear whether the visit is booked or cancelled, or it is said to be over before"
        " its time. Write bokad or avbokad, or correct the date. A word of the clinic's own goes"
        " into its settings: booked_words or cancelled_words."
    ),
    "formula": N_("The cell holds a formula, and is not read. Write the value itself."),
    "lost_digits": N_(
        "The number has lost its digits to a spreadsheet (4.67E+10). Format the column as text,"
        " fill it in again, and export again."
    ),
    "no_kind": N_(
        "The kind of visit is missing, so it is not taken for a video visit. Write the kind."
    ),
    "bad_phone": N_(
        "The mobile number cannot be read. Write one number alone, like 070-174 06 05."
    ),
    "not_mobile": N_(
        "The number is not a mobile number, so no SMS can reach it. Write a mobile number, like"
        " 070-174 06 05."
    ),
    "bad_email": N_(
        "The email address cannot be read. Write one address alone, like name@example.org, with"
        " no å, ä or ö before the @."
    ),
    "unknown_role": N_(
        "It is not clear whether the person is the patient or a guardian. Write patient or"
        " vårdnadshavare."
    ),
    "bad_consent": N_(
        "It is not clear whether consent is given; it is taken as refused. Write ja or nej."
    ),
    "bad_wish": N_(
        "It is not clear what the person wishes, so it is taken as not said. Write sms or"
        " e-post for the channel, hours like 08:00-15:00, or ja or nej."
    ),
    "bad_yes_no": N_(
        "A yes or a no cannot be read. Write ja or nej. Until then a protected identity is"
        " taken for one, and a login of their own as not known."
    ),
    "bad_birth_date": N_(
        "The birth date cannot be read, or cannot be right. Write it like 2012-06-30."
    ),
    "other_birth_date": N_(
        "Two rows have different birth dates for one patient, so neither is believed: unless it is"
        " clear that the patient logs in themselves, the texts say who logs in at either age."
        " Leave the patient's own birth date alone, also on the rows of guardians, and export"
        " again."
    ),
    "bad_identity": N_(
        "The identity number cannot be right. Write it like 20120630-1234, or leave it out and"
        " give the birth date. It is never kept."
    ),
    "bad_patient": N_(
        "The patient's number is too long, or has signs that cannot be shown. Write the number"
        " itself."
    ),
    "no_contact": N_(
        "There is nobody to send a message to. Write a mobile number or an email address."
    ),
}
"""What is wrong with a file or a row of it, and what would be right."""

FINDINGS: Mapping[str, str] = {
    "broken": N_("It cannot be read as a template: %(what)s"),
    "missing": N_("Texts are missing: write them. Until then another language goes out. %(what)s"),
    "private_word": N_("It says “%(what)s”, which tells what the visit is about. Leave it out."),
    "clinic_name": N_("It says the clinic's name. Give the phone number alone."),
    "link": N_("It has a link, and people are told not to trust links in an SMS. Take it away."),
    "sender": N_("A sender is at most 11 letters a-z, digits and spaces, or a number like +46..."),
    "not_gsm": N_(
        "It has %(what)s, for which the whole text costs more than double. Write it otherwise."
    ),
    "too_long": N_("It takes %(what)s parts for some readers. Shorten it."),
    "unknown_name": N_("There is no value called “%(what)s” to show. Correct the name."),
    "unreachable": N_(
        "None of the sample readers is shown this branch. Look whether its question is right."
    ),
    "not_said": N_("It no longer tells everybody what %(what)s of the handout says. Put it back."),
}
"""What a check finds in a text. `what` is the word, the sign or the number that it is about."""

PLACE = N_("%(file)s, line %(line)s: %(what)s")
LINE = N_("Line %(line)s: %(what)s")
UNUSABLE = N_("The file cannot be used, and nothing was changed.")

ASIDE: Mapping[str, str] = {
    "too_much": N_(
        "It would move, cancel or correct %(changed)s of the %(known)s known bookings in it: more"
        " than %(most)s percent. Look at it, and import it if it is right."
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
    "unexpected": N_(
        "The program could not manage it, and the fault is its own. Put a new export in the folder;"
        " if that is refused too, tell whoever looks after the program: its log names the error."
    ),
}
"""Why a file of the watched folder waits, or is refused."""


def problem(one: ProblemLine | BadLine | Problem, speaking: Speaking) -> str:
    """Return what is wrong with a row: in English as the reader of files says it."""
    if speaking.language == "en" or one.code not in PROBLEMS:
        return one.message
    return str(speaking.text(PROBLEMS[one.code]))


def finding(one: Finding, speaking: Speaking) -> str:
    """Return what a check finds in a text: in English as the check says it."""
    if speaking.language == "en":
        return one.message
    return str(speaking.text(FINDINGS[one.code.value], what=one.what))


def aside(entry: Aside, speaking: Speaking) -> str:
    """Return why a file of the watched folder waits, or is refused."""
    return str(speaking.text(ASIDE[entry.file.why], **entry.file.numbers))


def refusal(error: RemindersError, speaking: Speaking) -> Markup:
    """Return what an error says, with what a check or a file's reader has found as pages say it."""
    if isinstance(error, RefusedFileError) and error.problems:
        return _refused_file(error, speaking)
    if not isinstance(error, NotApprovableError):
        return speaking.error(error)
    found = (
        speaking.text(PLACE, file=one.file, line=one.line, what=finding(one, speaking))
        for one in error.findings
    )
    return speaking.text(error.sentence, found=Markup("; ").join(found))


def _refused_file(error: RefusedFileError, speaking: Speaking) -> Markup:
    """Return why a file is refused: its first problems, each with its line."""
    more = len(error.problems) - SHOWN
    said = [speaking.text(UNUSABLE), *_places(error, speaking)]
    if more > 0:
        said.append(speaking.text("… and %(number)s more", number=more))
    return Markup(" ").join(said)


def _places(error: RefusedFileError, speaking: Speaking) -> Iterator[Markup]:
    for one in error.problems[:SHOWN]:
        if isinstance(one, Problem):
            what = problem(one, speaking)
            whole = one.code in WHOLE_FILE
            yield Markup.escape(what) if whole else speaking.text(LINE, line=one.line, what=what)
