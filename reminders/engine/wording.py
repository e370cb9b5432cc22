"""The words of a visit's messages, as their readers see them: told anew from what is kept.

No text is kept. What went out is filled in again from the version of the template that went and
the facts of that moment; its keyed digest tells whether it is word for word what was sent.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from reminders.domain.contact import Contact
from reminders.domain.plan import Case
from reminders.domain.twins import knew_besides
from reminders.engine.runtime import Runtime
from reminders.engine.showing import Shown
from reminders.engine.texts import Composer
from reminders.errors import TemplateError
from reminders.message.render import Library, Rendered
from reminders.store import outbox, templates
from reminders.store.database import Connection
from reminders.store.handed import Handed, handed
from reminders.store.views import Line


@dataclass(frozen=True, slots=True)
class Words:
    """One message's text. `exact`: word for word what was sent; None if it has not gone."""

    rendered: Rendered
    exact: bool | None


def words_of(
    conn: Connection, runtime: Runtime, shown: Shown, now: datetime
) -> Mapping[int, Words]:
    """Return the text of each message of a visit that has one, by message id."""
    lines, case = shown.lines, shown.case
    if not lines:
        return {}
    went = handed(conn, [line.message.id for line in lines])
    contacts = sorted({line.message.key.contact for line in lines})
    shared = outbox.addresses(conn, contacts, now)
    approved = Library(templates.approved(conn))
    found: dict[int, Words] = {}
    for line in lines:
        siblings = shared[line.message.key.contact].siblings
        attempt = went.get(line.message.id)
        library = approved.of(line.visit.clinic) if attempt is None else Library(attempt.sources)
        words = _words(runtime, library, case, line, attempt, now, siblings)
        if words is not None:
            found[line.message.id] = words
    return found


def _words(
    runtime: Runtime,
    library: Library,
    case: Case,
    line: Line,
    attempt: Handed | None,
    now: datetime,
    siblings: Collection[str],
) -> Words | None:
    message = line.message
    practice = runtime.practices[line.visit.clinic]
    rule = practice.rule.get(message.key.rule)
    person = next((c for c in case.contacts if c.id == message.key.contact), None)
    if rule is None or person is None:
        return None
    clinic = runtime.clinic(line.visit.clinic)
    composer = Composer(library, clinic, practice, runtime.digest)
    visit = replace(case.appointment, truth=message.truth)
    at = attempt.filled_in_at if attempt else max(message.due_at, now)
    before, refs = knew_besides(case.history, case.twins, message, practice)
    try:
        rendered = composer.compose(
            rule,
            message.key.channel,
            visit,
            _reader(person, library, rule.template, line),
            at,
            short=message.short,
            siblings={*siblings, *refs},
            knew=before,
        )
    except TemplateError:
        return None
    exact = runtime.digest(rendered.body) == attempt.body_digest if attempt else None
    return Words(rendered, exact)


def _reader(person: Contact, library: Library, template: str, line: Line) -> Contact:
    """Return the contact with a language that the library has, their own before any other."""
    language = library.language_for(template, line.message.key.channel, person.language)
    return replace(person, language=language or person.language)
