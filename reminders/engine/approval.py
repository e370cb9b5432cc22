"""Templates and their approval: the engine sends the last approved version of each."""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime

from reminders.domain.template import Name, Source
from reminders.engine.runtime import Runtime
from reminders.engine.written import Written, have_own, in_its_folder, shipped_texts, written
from reminders.errors import TemplateError
from reminders.message.lint import Finding, broken
from reminders.message.render import Library
from reminders.message.sources import check
from reminders.message.syntax import file_name
from reminders.store import templates as store
from reminders.store.database import Connection
from reminders.store.ledger import Fact, write
from reminders.store.templates import Approval, Version


def on_disk(runtime: Runtime) -> dict[Name, Source]:
    """Return every clinic's templates as they are written now; nobody has checked them.

    Raise TemplateError, with file and line, if one of them cannot be read.
    """
    texts = written(runtime.config, ())[""]
    for fault in texts.faults.values():
        raise fault
    return dict(texts.found)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A template whose present text nobody has approved; `approved` is what goes out meanwhile.

    `back`: the clinic's own text is gone from its folder, and `source` is every clinic's that goes
    out once somebody agrees.
    """

    source: Source
    approved: Source | None
    back: bool = False


@dataclass(frozen=True, slots=True)
class Pending:
    """What a person has to see to in the template files: texts to approve, and broken files.

    Drafts are left out unless they are asked for: languages that no clinic has chosen and nobody
    has ever approved. One broken file keeps no other text from being approved.
    """

    waiting: tuple[Waiting, ...]
    broken: tuple[Finding, ...]


def pending(
    runtime: Runtime,
    approved: Sequence[Source],
    languages: AbstractSet[str] | None = None,
    clinic: str | None = None,
) -> Pending:
    """Return what waits beside these, the last approved versions, and what cannot be read.

    In these languages alone, drafts or not, if any are named; of this clinic's own texts and every
    clinic's, if one is.
    """
    owners = {*have_own(runtime.config), *(source.clinic for source in approved)}
    clinics = [key for key in runtime.config.clinics if key in owners and clinic in {None, key}]
    there = written(runtime.config, clinics)
    found: list[Waiting] = []
    told: list[Finding] = []
    for owner, texts in there.items():
        chosen = languages_sent(runtime, approved, owner) if languages is None else languages
        known = {"", *chosen}  # a folder that is missing has no language
        faults = {file: at for file, at in texts.faults.items() if file.partition("/")[0] in known}
        for item in _waiting(approved, there, owner, chosen):
            try:
                check(item.source)  # only of these: an approved text has been checked
            except TemplateError as fault:
                faults[file_name(item.source)] = fault
            else:
                found.append(item)
        findings = (broken(file, str(fault)) for file, fault in faults.items())
        told += (in_its_folder(runtime.config, owner, finding) for finding in findings)
    return Pending(tuple(found), tuple(dict.fromkeys(told)))


def waiting(conn: Connection, runtime: Runtime) -> list[Waiting]:
    """Return the templates on disk that differ from what goes out; no drafts."""
    return list(pending(runtime, store.approved(conn)).waiting)


def still_waiting(
    runtime: Runtime, approved: Sequence[Source], there: Written
) -> Iterator[Waiting]:
    """Yield what of these, written on disk, waits beside the last approved versions; no drafts."""
    once = {source.clinic for source in approved} & runtime.config.clinics.keys() - there.keys()
    everything = {**there, **dict.fromkeys(sorted(once), there[""])}  # no folder of its own now
    for owner in everything:
        yield from _waiting(approved, everything, owner, languages_sent(runtime, approved, owner))


def _waiting(
    approved: Sequence[Source], there: Written, owner: str, languages: AbstractSet[str]
) -> Iterator[Waiting]:
    """Yield the same of one owner: a clinic's, or every clinic's.

    A clinic's own text is one that differs from every clinic's as that is written.
    """
    shared = {source.key: source for source in approved if not source.clinic}
    its_own = {source.key: source for source in approved if source.clinic == owner}
    for key, source in sorted(there[owner].found.items()):
        if source.language not in languages:
            continue
        own, for_all = its_own.get(key), shared.get(key)
        written_for_all = there[""].found.get(key)
        if owner and written_for_all and source.version == written_for_all.version:
            if own and for_all:
                yield Waiting(replace(for_all, clinic=owner), own, back=True)
            continue
        approved_here = own if owner else for_all
        if approved_here is None or approved_here.version != source.version:
            yield Waiting(replace(source, clinic=owner), own or for_all)


def languages_sent(
    runtime: Runtime, approved: Sequence[Source], clinic: str = ""
) -> frozenset[str]:
    """Return the languages that a clinic has chosen or a person approved; others are drafts.

    Of its own texts that clinic alone decides, of every clinic's any.
    """
    clinics = runtime.config.clinics
    deciding = [clinics[clinic]] if clinic else clinics.values()
    chosen = {code for one in deciding for code in one.languages}
    there = (source.language for source in approved if source.clinic in {"", clinic})
    return frozenset(chosen | {*there})


def approve(
    conn: Connection,
    runtime: Runtime,
    actor: str,
    now: datetime,
    languages: AbstractSet[str] | None = None,
    *,
    changes_meaning: bool = False,
) -> Pending:
    """Approve the present text of every waiting template, or of these languages; return them.

    With them is returned which files cannot be read; those wait.
    A draft is approved only where its language is named.
    `changes_meaning`: they say something else than what people have consented to, who then have to
    be told. It counts for a text that has been approved before; a new one changes nothing.
    Messages held back because a template could not be filled in are planned again.
    """
    found = pending(runtime, store.approved(conn), languages)
    approve_these(conn, approvals(found.waiting, changes_meaning=changes_meaning), actor, now)
    return found


def approve_first(
    conn: Connection,
    runtime: Runtime,
    actor: str,
    now: datetime,
    languages: AbstractSet[str],
) -> Pending:
    """Approve the texts of a new installation; what is approved of them, and what is broken.

    Where the installation's own file is broken, the shipped text goes out until it is put right.
    """
    found = approve(conn, runtime, actor, now, languages)
    there = {source.key for source in store.approved(conn) if not source.clinic}
    shipped = [
        Waiting(source, None)
        for key, source in sorted(shipped_texts().items())
        if source.language in languages and key not in there
    ]
    approve_these(conn, approvals(shipped, changes_meaning=False), actor, now)
    return Pending((*found.waiting, *shipped), found.broken)


def approvals(items: Iterable[Waiting], *, changes_meaning: bool) -> list[Approval]:
    """Return what is approved of these; a text that is new has no meaning to change."""
    return [
        Approval(one.source, changes_meaning and one.approved is not None, one.back)
        for one in items
    ]


def approve_these(
    conn: Connection, approvals: Sequence[Approval], actor: str, now: datetime
) -> None:
    """Make these versions the ones that go out; what could not be filled in is planned again."""
    if not approvals:
        return
    store.approve(conn, approvals, actor, now)
    write(
        conn,
        now,
        actor,
        [
            Fact(
                "template_approved",
                detail={
                    "language": one.source.language,
                    "name": one.source.name,
                    "channel": one.source.channel.value,
                    "version": one.source.version,
                    "changes_meaning": one.changes_meaning,
                    **({"clinic": one.source.clinic} if one.source.clinic else {}),
                    **({"back": True} if one.back else {}),
                },
            )
            for one in approvals
        ],
    )
    store.replan_render_failures(conn, now)


class Shelf:
    """The approved templates, compiled; compiled anew only when an approval has come."""

    def __init__(self) -> None:
        self._versions: frozenset[Version] | None = None
        self._library = Library(())

    def library(self, conn: Connection) -> Library:
        """Return the approved templates as they stand in the database."""
        versions = store.approved_versions(conn)
        if versions != self._versions:
            self._library = Library(store.approved(conn))
            self._versions = versions
        return self._library
