"""The text of one message, from what is true at the moment it is for."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime

from reminders.config import ClinicConfig
from reminders.domain.appointment import Appointment, Truth, VisitStatus, age_at
from reminders.domain.contact import Channel, Contact
from reminders.domain.message import Message
from reminders.domain.rules import Event, Practice, Rule
from reminders.domain.template import Source
from reminders.errors import TemplateError
from reminders.message.render import Facts, Library, Rendered
from reminders.message.syntax import uses

REF_TAIL = 4
"""So many digits of a booking's reference a text shows, if no more tell siblings' visits apart."""

_WORD = re.compile(r"[^\W\d_]{2,}")
_NO_DIGIT, _NO_SIGN = re.compile("[^0-9]"), re.compile("[^0-9A-Za-z]")


def ref_tail(ref: str, siblings: Collection[str] = ()) -> str | None:
    """Return the last digits of a booking's reference; None where they tell nothing apart.

    As many as it takes to differ from `siblings`, the other references that a reader could take it
    for. Where their digits are the same, single letters count too: two and more in a row may say
    what the visit is about.
    """
    ends = [_NO_DIGIT.sub("", one) for one in (ref, *siblings)]
    letters = [_NO_SIGN.sub("", _WORD.sub("", one)) for one in (ref, *siblings)]
    return _own_end(*ends) or (_own_end(*letters) if siblings else None)


def _own_end(own: str, *others: str) -> str | None:
    for length in range(REF_TAIL, max(REF_TAIL, *map(len, (own, *others))) + 1):
        if own and own[-length:] not in {other[-length:] for other in others}:
            return own[-length:]
    return None


def _other_time(knew: Truth, truth: Truth) -> datetime | None:
    """Return the time that a reader counts on, where the visit has another now."""
    counts_on = knew.status is VisitStatus.BOOKED and knew.starts_at != truth.starts_at
    return knew.starts_at if counts_on else None


def _is_again(knew: Truth, truth: Truth) -> bool:
    """Tell whether a visit takes place of which its reader was told that it does not."""
    off = replace(truth, status=VisitStatus.CANCELLED)
    return truth.status is VisitStatus.BOOKED and knew == off


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
        siblings: Collection[str] = (),
        knew: Message | None = None,
    ) -> Rendered:
        """Return the text as it is right at `now` (UTC).

        The contact's language comes first, then the clinic's in order. `knew` last told the contact
        something before this version of the visit. Raise TemplateError if no approved template is
        there, or it cannot be filled in.
        """
        source = self._source(rule, channel, contact)
        if source is None:
            raise TemplateError(f"no approved template {rule.template!r} for {channel.value}")
        zone = self.practice.zone
        shows_ref = rule.when is Event.BOOKED or siblings
        tail = ref_tail(visit.ref, siblings) if shows_ref else None
        facts = Facts(
            starts_at=visit.truth.starts_at,
            now=now,
            status=visit.truth.status,
            age=age_at(visit.birth_date, visit.truth.starts_at, zone),
            role=contact.role,
            short=short,
            ref_tail=tail,
            which_unclear=bool(siblings) and tail is None,
            visit_key=self.digest(f"visit {visit.id}"),
            version=visit.version,
            was_at=_other_time(knew.truth, visit.truth) if knew else None,
            again=knew is not None and _is_again(knew.truth, visit.truth),
            was_age=self._was_age(knew, visit) if knew else None,
        )
        rendered = self.library.render(source, facts, self.clinic)
        if contact.language in {None, rendered.language}:
            return rendered
        return replace(rendered, instead_of=contact.language)

    def _was_age(self, knew: Message, visit: Appointment) -> int | None:
        """Return an age that means the login that a reader was told, whatever is known by now."""
        if knew.says_own_login is None:
            return age_at(visit.birth_date, knew.truth.starts_at, self.practice.zone)
        return self.practice.own_from_age - (not knew.says_own_login)

    def tells_age(self, rule: Rule, channel: Channel, contact: Contact) -> bool:
        """Tell whether the text may depend on how old the patient is, to the year."""
        source = self._source(rule, channel, contact)
        return source is None or uses(source.text, "age")

    def _source(self, rule: Rule, channel: Channel, contact: Contact) -> Source | None:
        languages = [*([contact.language] if contact.language else []), *self.clinic.languages]
        return self.library.pick(rule.template, channel, languages)
