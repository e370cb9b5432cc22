"""The text of one message, from what is true at the moment it is for."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from reminders.config import ClinicConfig
from reminders.domain.appointment import Appointment, age_at
from reminders.domain.contact import Channel, Contact
from reminders.domain.rules import Event, Practice, Rule
from reminders.errors import TemplateError
from reminders.message.render import Facts, Library, Rendered

REF_TAIL = 4
"""How many characters of a booking reference tell two siblings' visits apart."""


@dataclass(frozen=True, slots=True)
class Composer:
    """Fills in the approved templates for one clinic. `digest` makes names that tell nothing."""

    library: Library
    clinic: ClinicConfig
    practice: Practice
    digest: Callable[[str], str]

    def compose(
        self,
        rule: Rule,
        channel: Channel,
        visit: Appointment,
        contact: Contact,
        now: datetime,
        *,
        short: bool = False,
        sibling: bool = False,
    ) -> Rendered:
        """Return the text as it is right at `now` (UTC).

        The contact's language comes first, then the clinic's in order. Raise TemplateError if no
        approved template is there, or it cannot be filled in.
        """
        languages = [*([contact.language] if contact.language else []), *self.clinic.languages]
        source = self.library.pick(rule.template, channel, languages)
        if source is None:
            raise TemplateError(f"no approved template {rule.template!r} for {channel.value}")
        shows_ref = rule.when is Event.BOOKED or sibling
        facts = Facts(
            starts_at=visit.truth.starts_at,
            now=now,
            status=visit.truth.status,
            age=age_at(visit.birth_date, visit.truth.starts_at, self.practice.zone),
            role=contact.role,
            short=short,
            ref_tail=visit.ref[-REF_TAIL:] if shows_ref else None,
            visit_key=self.digest(f"visit {visit.id}"),
            version=visit.version,
        )
        rendered = self.library.render(source, facts, self.clinic)
        if contact.language in {None, rendered.language}:
            return rendered
        return replace(rendered, instead_of=contact.language)
