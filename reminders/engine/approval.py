"""Templates and their approval: the engine sends the last approved version of each."""

import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from pathlib import Path

from reminders.config import Config
from reminders.domain.contact import Channel
from reminders.domain.template import Source
from reminders.engine.runtime import Runtime
from reminders.errors import TemplateError
from reminders.message.lint import Finding, broken
from reminders.message.render import Library
from reminders.message.sources import check, read_texts
from reminders.message.syntax import file_name
from reminders.resources import templates
from reminders.store import templates as store
from reminders.store.database import Connection
from reminders.store.ledger import Fact, write
from reminders.store.templates import Approval

Name = tuple[str, str, Channel]
_Disk = tuple[Mapping[Name, Source], Mapping[str, TemplateError]]
"""The templates as they are written, and by file why others cannot be read."""


def template_folders(config: Config) -> list[Path]:
    """Return the folders that templates are read from; a later one overrides an earlier."""
    own = config.templates_folder
    return [templates(), *([config.path(own)] if own else [])]


def on_disk(runtime: Runtime) -> dict[Name, Source]:
    """Return the templates as they are written now, approved or not; nobody has checked them.

    Raise TemplateError, with file and line, if one of them cannot be read.
    """
    found, faults = _disk(runtime)
    for fault in faults.values():
        raise fault
    return dict(found)


def _disk(runtime: Runtime) -> _Disk:
    folders = tuple(template_folders(runtime.config))
    return _read(folders, _stamp(folders))


def _stamp(folders: tuple[Path, ...]) -> tuple[tuple[str, int, int], ...]:
    """Return what tells that a file has been written since it was read."""
    # By the folders' own entries: a page asks this each time it is shown.
    there = [folder for folder in folders if folder.is_dir()]
    found = [(str(folder), 0, 0) for folder in there]
    for folder in there:
        for language in sorted(entry.path for entry in os.scandir(folder) if entry.is_dir()):
            for entry in sorted(os.scandir(language), key=attrgetter("name")):
                if entry.is_file():
                    seen = entry.stat()
                    found.append((entry.path, seen.st_mtime_ns, seen.st_size))
    return tuple(found)


@functools.lru_cache(maxsize=4)
def _read(
    folders: tuple[Path, ...],
    _stamp: tuple[tuple[str, int, int], ...],
) -> _Disk:
    return read_texts(*folders)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A template whose present text nobody has approved; `approved` is what goes out meanwhile."""

    source: Source
    approved: Source | None


@dataclass(frozen=True, slots=True)
class Pending:
    """What a person has to see to in the template files: texts to approve, and broken files.

    Drafts are left out unless they are asked for: languages that no clinic has chosen and nobody
    has ever approved. One broken file keeps no other text from being approved.
    """

    waiting: tuple[Waiting, ...]
    broken: tuple[Finding, ...]


def pending(
    runtime: Runtime, approved: Sequence[Source], languages: AbstractSet[str] | None = None
) -> Pending:
    """Return what waits beside these, the last approved versions, and what cannot be read.

    In these languages alone, drafts or not, if any are named.
    """
    written, unread = _disk(runtime)
    chosen = languages_sent(runtime, approved) if languages is None else languages
    there = {"", *chosen}  # a folder that is missing has no language
    faults = {file: fault for file, fault in unread.items() if file.partition("/")[0] in there}
    found = []
    for item in still_waiting(approved, written, chosen):
        try:
            check(item.source)  # only of these: an approved text has been checked
        except TemplateError as fault:
            faults[file_name(item.source)] = fault
        else:
            found.append(item)
    told = (broken(file, str(fault)) for file, fault in faults.items())
    return Pending(tuple(found), tuple(dict.fromkeys(told)))


def waiting(conn: Connection, runtime: Runtime) -> list[Waiting]:
    """Return the templates on disk that differ from their last approved version; no drafts."""
    return list(pending(runtime, store.approved(conn)).waiting)


def still_waiting(
    approved: Sequence[Source], written: Mapping[Name, Source], languages: AbstractSet[str]
) -> list[Waiting]:
    """Return what of these, written on disk, waits beside the last approved versions."""
    known = {(source.language, source.name, source.channel): source for source in approved}
    return [
        Waiting(source, known.get(name))
        for name, source in sorted(written.items())
        if source.language in languages
        and (known.get(name) is None or known[name].version != source.version)
    ]


def languages_sent(runtime: Runtime, approved: Sequence[Source]) -> frozenset[str]:
    """Return the languages that a clinic has chosen or a person approved; others are drafts."""
    chosen = {code for clinic in runtime.config.clinics.values() for code in clinic.languages}
    return frozenset(chosen | {source.language for source in approved})


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


def approvals(items: Iterable[Waiting], *, changes_meaning: bool) -> list[Approval]:
    """Return what is approved of these; a text that is new has no meaning to change."""
    return [Approval(one.source, changes_meaning and one.approved is not None) for one in items]


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
                },
            )
            for one in approvals
        ],
    )
    store.replan_render_failures(conn, now)


class Shelf:
    """The approved templates, compiled; compiled anew only when an approval has come."""

    def __init__(self) -> None:
        self._versions: frozenset[tuple[str, str, str, str]] | None = None
        self._library = Library(())

    def library(self, conn: Connection) -> Library:
        """Return the approved templates as they stand in the database."""
        versions = store.approved_versions(conn)
        if versions != self._versions:
            self._library = Library(store.approved(conn))
            self._versions = versions
        return self._library
