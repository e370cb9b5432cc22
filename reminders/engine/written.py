"""The templates as they are written in their folders, approved or not: whose, and where."""

import functools
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path

from reminders.config import Config
from reminders.domain.template import Name, Source
from reminders.errors import TemplateError
from reminders.message.lint import Finding
from reminders.message.sources import read_all, read_sources, read_texts
from reminders.resources import templates

Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Texts:
    """The templates of some folders, and by file why others cannot be read."""

    found: Mapping[Name, Source]
    faults: Mapping[str, TemplateError]


Written = Mapping[str, Texts]
"""Every clinic's texts, by "", and by its key all that a clinic with its own would send.

What is wrong is told once: of a clinic only what is not wrong with every clinic's.
"""


def shipped_texts() -> Mapping[Name, Source]:
    """Return the templates that come with the program."""
    return read_sources(templates())


def template_folders(config: Config, clinic: str = "") -> list[Path]:
    """Return the folders that templates are read from; a later one overrides an earlier."""
    own = [config.templates_folder, *_own(config, clinic)]
    return [templates(), *(config.path(folder) for folder in own if folder)]


def _own(config: Config, clinic: str) -> list[str]:
    folder = config.clinics[clinic].templates_folder if clinic else None
    return [folder] if folder else []


def have_own(config: Config) -> list[str]:
    """Return the clinics that have a folder of their own."""
    return [key for key in config.clinics if _own(config, key)]


def written(config: Config, clinics: Iterable[str]) -> Written:
    """Return every clinic's texts and those of these; nobody has looked into them."""
    stamps = functools.cache(_stamp)

    def read(clinic: str) -> Texts:
        folders = tuple(template_folders(config, clinic))
        return _read(folders, tuple(stamps(folder) for folder in folders))

    shared = read("")
    return {"": shared, **{key: _of(config, key, shared, read(key)) for key in clinics}}


def looked_into(config: Config) -> Written:
    """Return the same of each clinic with a folder, but of the texts only those that are whole."""

    def read(clinic: str) -> Texts:
        return Texts(*read_all(*template_folders(config, clinic)))

    shared = read("")
    return {"": shared, **{key: _of(config, key, shared, read(key)) for key in have_own(config)}}


def _of(config: Config, clinic: str, shared: Texts, found: Texts) -> Texts:
    known = {file: str(fault) for file, fault in shared.faults.items()}
    faults = {file: at for file, at in found.faults.items() if known.get(file) != str(at)}
    # A folder that is away for a while does not mean that every text was taken out of it.
    away = any(not config.path(own).is_dir() for own in _own(config, clinic))
    return Texts({} if away else found.found, faults)


def _stamp(folder: Path) -> Stamp:
    """Return what tells that a file of a folder has been written since it was read."""
    # By the folders' own entries: a page asks this each time it is shown.
    if not folder.is_dir():
        return ()
    found = [(str(folder), 0, 0)]
    for language in sorted(entry.path for entry in os.scandir(folder) if entry.is_dir()):
        for entry in sorted(os.scandir(language), key=attrgetter("name")):
            if entry.is_file():
                seen = entry.stat()
                found.append((entry.path, seen.st_mtime_ns, seen.st_size))
    return tuple(found)


@functools.lru_cache(maxsize=32)
def _read(folders: tuple[Path, ...], _stamps: tuple[Stamp, ...]) -> Texts:
    return Texts(*read_texts(*folders))


def in_its_folder(config: Config, clinic: str, finding: Finding) -> Finding:
    """Return a finding of a clinic's text with the file named as the clinic's, where it is."""
    for own in _own(config, clinic):
        if (config.path(own) / finding.file).is_file():
            return replace(finding, file=str(Path(own) / finding.file))
    return finding
