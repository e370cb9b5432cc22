"""Every upcoming message, filled in with the texts as they would go out once all are approved.

What is wrong with one is found before it falls due: a real booking can be what no sample is.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from reminders.domain.message import Message
from reminders.domain.plan import Case
from reminders.domain.state import State
from reminders.domain.template import Source
from reminders.domain.twins import knew_besides
from reminders.engine import approval, gallery
from reminders.engine.gallery import Edit
from reminders.engine.runtime import Runtime
from reminders.engine.texts import Composer
from reminders.engine.written import Written
from reminders.errors import TemplateError
from reminders.message.lint import Finding, broken, in_text
from reminders.message.render import Library
from reminders.message.syntax import file_name
from reminders.store import cases, outbox, templates
from reminders.store.database import Connection

CHUNK = 500


@dataclass(slots=True)
class Proof:
    """How many messages were filled in, and what is wrong with them: by clinic, each thing once.

    `refs` has the bookings that a finding is of; `edits` what each clinic's readers would read
    instead, once what waits is approved.
    """

    edits: list[tuple[str, Edit]]
    messages: int = 0
    refs: dict[tuple[str, Finding], list[str]] = field(default_factory=dict)

    def findings(self) -> Iterator[tuple[str, Finding]]:
        """Yield each finding with its clinic, and in its words the first booking that has it."""
        for (clinic, finding), refs in self.refs.items():
            more = f" and {len(refs) - 1} more" if len(refs) > 1 else ""
            told = f"booking {refs[0]}{more}: {finding.message}"
            yield clinic, replace(finding, message=told)


def prove(conn: Connection, runtime: Runtime, written: Written, now: datetime) -> Proof:
    """Fill in every planned message with the approved texts, or with what is written instead."""
    approved = templates.approved(conn)
    waiting = list(approval.still_waiting(runtime, approved, written))
    gone = {(item.source.clinic, item.source.key) for item in waiting if item.back}
    stays = [source for source in approved if (source.clinic, source.key) not in gone]
    library = Library([*stays, *(item.source for item in waiting if not item.back)])
    proof = Proof(
        [
            (clinic, gallery.edit(runtime, clinic, item, now))
            for clinic in runtime.config.clinics
            for item in waiting
            if _concerns(item.source, clinic, library)
        ]
    )
    sources = {source.identity: source for source in library.all}
    proving = _Proving(conn, runtime, library, now, sources, proof)
    last = 0
    while ids := outbox.planned_visits(conn, last, CHUNK):
        proving.add(ids)
        last = ids[-1]
    return proof


def _concerns(source: Source, clinic: str, library: Library) -> bool:
    """Tell whether a clinic would send this text: one of every clinic's, if it has none itself."""
    if source.clinic:
        return source.clinic == clinic
    sent = library.of(clinic).pick(source.name, source.channel, [source.language])
    return sent is not None and sent.version == source.version


@dataclass(slots=True)
class _Proving:
    conn: Connection
    runtime: Runtime
    library: Library
    now: datetime
    sources: dict[tuple[str, str, str, str], Source]
    proof: Proof
    looked_at: dict[object, tuple[Finding, ...]] = field(default_factory=dict)

    def add(self, ids: Sequence[int]) -> None:
        """Fill in what is planned for these visits."""
        loaded = cases.load_cases(self.conn, ids, self.runtime.digest)
        people = sorted({contact.id for case in loaded for contact in case.contacts})
        places = outbox.addresses(self.conn, people, self.now)
        for case in loaded:
            if case.appointment.clinic not in self.runtime.practices:
                continue
            for message in case.history:
                place = places.get(message.key.contact)
                if message.state is State.PLANNED and place is not None:
                    self._fill(case, message, place.siblings)

    def _fill(self, case: Case, message: Message, siblings: Collection[str]) -> None:
        visit, key = case.appointment, message.key
        practice, clinic = self.runtime.practices[visit.clinic], self.runtime.clinic(visit.clinic)
        rule = practice.rule.get(key.rule)
        person = next((one for one in case.contacts if one.id == key.contact), None)
        if rule is None or person is None:
            return
        self.proof.messages += 1
        library = self.library.of(visit.clinic)
        composer = Composer(library, clinic, practice, self.runtime.digest)
        at = max(message.due_at, self.now)
        before, refs = knew_besides(case.history, case.twins, message, practice)
        try:
            rendered = composer.compose(
                rule,
                key.channel,
                visit,
                person,
                at,
                short=message.short,
                siblings={*siblings, *refs},
                knew=before,
            )
        except TemplateError as error:
            languages = [*filter(None, [person.language]), *clinic.languages]
            source = library.pick(rule.template, key.channel, languages)
            file = file_name(source or Source(languages[0], rule.template, key.channel, "", ""))
            self._note(visit.clinic, visit.ref, broken(file, str(error)))
            return
        identity = (rendered.language, rule.template, key.channel.value, rendered.version)
        seen = (visit.clinic, identity, rendered.body, message.short)
        if seen not in self.looked_at:
            found = in_text(self.sources[identity], rendered, clinic, "")
            self.looked_at[seen] = tuple(found)
        for finding in self.looked_at[seen]:
            self._note(visit.clinic, visit.ref, finding)

    def _note(self, clinic: str, ref: str, finding: Finding) -> None:
        self.proof.refs.setdefault((clinic, finding), []).append(ref)
