"""The people of a visit: how each wants to be contacted, and what they have agreed to."""

from collections.abc import Mapping
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from reminders.cli.screen import indented, iso, local, print_json, say
from reminders.cli.session import (
    AsJson,
    Clinic,
    Ref,
    config_of,
    examples,
    family,
    one_clinic,
    opened,
    zone_of,
)
from reminders.config_rules import parse_quiet
from reminders.domain.appointment import OwnLogin
from reminders.domain.contact import Channel, Consent
from reminders.domain.quiet import QuietHours
from reminders.engine import people
from reminders.engine.people import Changes
from reminders.errors import UsageError
from reminders.intake.words import channel_of, yes_or_no
from reminders.store.people import Patient, Person
from reminders.store.views import masked

NOTHING = frozenset({"none", "inget", "ingen", "unknown", "okänt"})

commands = family()
own_login_commands = family()


@commands.command("list", epilog=examples("reminders contact list B-2041"))
def list_all(ctx: typer.Context, ref: Ref, clinic: Clinic = None, as_json: AsJson = False) -> None:
    """List the people of a visit's patient: wishes, consent, and the number to call each by."""
    config = config_of(ctx)
    key = one_clinic(config, clinic)
    zone = zone_of(config, key)
    with opened(config) as runtime, runtime.database.reading() as conn:
        patient = people.people(conn, key, ref)
    if as_json:
        listed = [person_json(person, zone) for person in patient.people]
        print_json({"ref": ref, "own_login": patient.own_login.value, "people": listed})
    else:
        say("\n\n".join(people_text(patient, zone)) or "There is nobody to contact.")


@commands.command(
    "set",
    epilog=examples(
        "reminders contact set B-2041 17 --from-13 yes",
        "reminders contact set B-2041 17 --no-sms 08:00-15:00 --prefers email",
        "reminders contact set B-2041 17 --no-sms none --consent-sms no",
    ),
)
def change(
    ctx: typer.Context,
    ref: Ref,
    contact: Annotated[
        int, typer.Argument(metavar="CONTACT", help="The number that 'contact list' shows.")
    ],
    prefers: Annotated[
        str | None, typer.Option(metavar="WAY", help="sms or email: tried first; or none.")
    ] = None,
    no_sms: Annotated[
        str | None,
        typer.Option(metavar="HOURS", help="Hours without SMS, like 08:00-15:00; or none."),
    ] = None,
    from_13: Annotated[
        str | None,
        typer.Option(
            "--from-13",
            metavar="ANSWER",
            help="Of a guardian: yes or no, contacted though the patient has the age for a login"
            " of their own; or unknown.",
        ),
    ] = None,
    consent_sms: Annotated[
        str | None, typer.Option(metavar="ANSWER", help="yes or no: agrees to SMS.")
    ] = None,
    consent_email: Annotated[
        str | None, typer.Option(metavar="ANSWER", help="yes or no: agrees to email.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(metavar="LANGUAGE", help="Reads this language, like sv; or none.")
    ] = None,
    informed: Annotated[
        bool, typer.Option("--informed", help="Has been told what the texts say now.")
    ] = False,
    clinic: Clinic = None,
    as_json: AsJson = False,
) -> None:
    """Record how a person wants to be contacted. It holds for all of the patient's visits."""
    wishes = {
        **_wish("prefers", prefers, _way),
        **_wish("no_sms", no_sms, _hours),
        **_wish("from_13", from_13, _yes_or_no),
    }
    consent = {
        channel: Consent.GIVEN if _yes_or_no(text) else Consent.REFUSED
        for channel, text in ((Channel.SMS, consent_sms), (Channel.EMAIL, consent_email))
        if text is not None
    }
    reads = "" if language is not None and language.strip().casefold() in NOTHING else language
    changes = Changes(wishes, consent, informed, reads)
    if changes == Changes():
        raise UsageError("Say what to record, for example --from-13 yes. --help lists the options.")
    config = config_of(ctx)
    key = one_clinic(config, clinic)
    zone = zone_of(config, key)
    with opened(config) as runtime:
        now = runtime.clock.now()
        person = runtime.in_transaction(people.change, runtime, key, ref, contact, changes, now)
    if as_json:
        print_json(person_json(person, zone))
    else:
        say(_person_text(person, zone))


def _wish(name: str, text: str | None, read: Any) -> Mapping[str, object]:
    if text is None:
        return {}
    return {name: None if text.strip().casefold() in NOTHING else read(text)}


def _way(text: str) -> Channel:
    channel = channel_of(text)
    if channel is None:
        raise UsageError(f"{text!r} is no way to contact somebody. Write sms, email or none.")
    return channel


def _hours(text: str) -> QuietHours:
    try:
        hours = parse_quiet(text)
    except ValueError as error:
        raise UsageError(f"--no-sms: {error}.") from None
    if hours is None or hours.start == hours.end:
        raise UsageError("--no-sms: write a span of hours like 08:00-15:00, or none.")
    return hours


def _yes_or_no(text: str) -> bool:
    answer = yes_or_no(text)
    if answer is None:
        raise UsageError(f"{text!r} is no answer. Write yes or no.")
    return answer


@own_login_commands.command(
    "own-login",
    epilog=examples("reminders own-login B-2041 yes", "reminders own-login B-2041 unknown"),
)
def own_login(
    ctx: typer.Context,
    ref: Ref,
    answer: Annotated[str, typer.Argument(metavar="ANSWER", help="yes, no or unknown.")],
    clinic: Clinic = None,
    as_json: AsJson = False,
) -> None:
    """Record whether a visit's patient has a working e-ID of their own.

    Once it is 'yes', the visit is off the worklist's check of logins.
    """
    known = OwnLogin.UNKNOWN
    if answer.strip().casefold() not in NOTHING:
        known = OwnLogin.CONFIRMED if _yes_or_no(answer) else OwnLogin.MISSING
    config = config_of(ctx)
    key = one_clinic(config, clinic)
    with opened(config) as runtime:
        now = runtime.clock.now()
        runtime.in_transaction(people.record_login, runtime, key, ref, known, now)
    if as_json:
        print_json({"ref": ref, "own_login": known.value})
    else:
        say(f"Recorded: {known.value}.")


def person_json(person: Person, zone: ZoneInfo) -> dict[str, Any]:
    """Return a contact for scripts; addresses are masked."""
    wishes = person.wishes
    return {
        "id": person.id,
        "role": person.role.value,
        "phone": masked("", person.phone).strip() if person.phone else None,
        "email": masked("", person.email).strip() if person.email else None,
        "language": person.language,
        "prefers": wishes.prefers.value if wishes.prefers else None,
        "no_sms": hours_text(wishes.no_sms),
        "from_13": wishes.from_13,
        "consent": {
            channel.value: {
                "status": word.status,
                "source": word.source,
                "template_version": word.edition,
                "recorded_at": iso(word.recorded_at, zone),
                "informed_at": iso(word.informed_at, zone),
            }
            for channel, word in sorted(person.words.items())
        },
    }


def hours_text(hours: QuietHours | None) -> str | None:
    """Return a span of hours as it is written."""
    return f"{hours.start:%H:%M}-{hours.end:%H:%M}" if hours else None


def people_text(patient: Patient, zone: ZoneInfo) -> list[str]:
    """Return the people of a patient and what each wishes; nothing where there is nobody."""
    if not patient.people:
        return []
    lines = [f"People (own login: {patient.own_login.value})"]
    return ["\n".join([*lines, *(_person_text(person, zone) for person in patient.people)])]


def _person_text(person: Person, zone: ZoneInfo) -> str:
    addresses = [masked("", a).strip() for a in (person.phone, person.email) if a]
    said = [
        f"{channel.value} {word.status} ({word.source}, {local(word.recorded_at, zone)})"
        for channel, word in sorted(person.words.items())
    ]
    wishes = person.wishes
    if wishes.prefers:
        said.append(f"prefers {wishes.prefers.value}")
    if wishes.no_sms:
        said.append(f"no SMS {hours_text(wishes.no_sms)}")
    if wishes.from_13 is not None:
        said.append("contacted from 13" if wishes.from_13 else "not contacted from 13")
    head = " ".join([str(person.id), person.role.value, *addresses])
    return indented(f"{head}: {'; '.join(said) or 'nothing recorded'}", 2, 6)
