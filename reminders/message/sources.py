"""Reading template files: a folder a language, a file a template, with its partial files put in."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from reminders.domain.contact import Channel
from reminders.domain.template import Name, Source
from reminders.errors import TemplateError
from reminders.message.syntax import begin_part, check_syntax, end_part, file_name

ENDINGS = {".sms.txt": Channel.SMS, ".email.md": Channel.EMAIL}
SUBJECT, CALENDAR, NOTE = "Subject: ", "Calendar: ", "Note: "
HEAD = (SUBJECT, CALENDAR, NOTE)
"""What the lines at the head of an email begin with: its subject, its calendar entry, a note."""

VERSION_LENGTH = 16

_INCLUDE = re.compile(r"""\{% include ["'](_[a-z0-9_]+\.j2)["'] %\}""")
_INCLUDE_LIKE = re.compile(r"\{%[-+]?\s*include\b")
_NAME = re.compile(r"[a-z0-9_]+")
_TEXT_SUFFIXES = frozenset({".txt", ".md"})


def read_sources(*folders: Path) -> dict[Name, Source]:
    """Return the templates of these folders; a later folder overrides an earlier one, by file.

    A line `{% include "_name.j2" %}` is replaced by that file of the same language, so that the
    version, a digest of the whole text, covers it. Raise TemplateError with file and line.
    """
    found, faults = read_all(*folders)
    for fault in faults.values():
        raise fault
    return found


def read_all(*folders: Path) -> tuple[dict[Name, Source], dict[str, TemplateError]]:
    """Return the templates of these folders that are whole, and by file what others are not."""
    found, faults = read_texts(*folders)
    for name, source in list(found.items()):
        try:
            check(source)
        except TemplateError as error:
            faults[file_name(source)] = error
            del found[name]
    return found, faults


def read_texts(*folders: Path) -> tuple[dict[Name, Source], dict[str, TemplateError]]:
    """Return the same, but do not look into the texts: whether one is a template, `check` tells."""
    files: dict[str, Path] = {}
    found: dict[Name, Source] = {}
    faults: dict[str, TemplateError] = {}
    for folder in folders:
        files |= _files(folder, faults)
    for key in files:
        language, _, file = key.partition("/")
        ending = next((end for end in ENDINGS if file.endswith(end)), None)
        if ending is None:
            continue
        name, channel = file.removesuffix(ending), ENDINGS[ending]
        try:
            text = _inlined(key, files)
        except TemplateError as error:
            faults[key] = error
        else:
            found[language, name, channel] = make_source(language, name, channel, text)
    return found, faults


def make_source(language: str, name: str, channel: Channel, text: str) -> Source:
    """Return a template with the version that its text has."""
    version = hashlib.sha256(text.encode()).hexdigest()[:VERSION_LENGTH]
    return Source(language, name, channel, text, version)


def _files(folder: Path, faults: dict[str, TemplateError]) -> dict[str, Path]:
    """Return a folder's files by `language/file`; a misspelt name is a fault."""
    if not folder.is_dir():
        faults[str(folder)] = TemplateError(f"There is no template folder {folder}.")
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*/*")):
        key = f"{path.parent.name}/{path.name}"
        if path.name.startswith(".") or not path.is_file():
            continue
        if path.suffix in _TEXT_SUFFIXES and not _well_named(path.name):
            faults[key] = TemplateError(
                f"{key}: is not a template's name. A text message is called like "
                "'day_before.sms.txt', an email like 'day_before.email.md'."
            )
            continue
        found[key] = path
    return found


def _well_named(file: str) -> bool:
    return any(file.endswith(e) and _NAME.fullmatch(file.removesuffix(e)) for e in ENDINGS)


def _inlined(key: str, files: dict[str, Path]) -> str:
    lines = _read(key, files).splitlines()
    return "\n".join(_put_in(key, lines, files)) + "\n"


def _put_in(key: str, lines: Sequence[str], files: dict[str, Path]) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        include = _INCLUDE.fullmatch(line.strip())
        if include is None:
            if _INCLUDE_LIKE.search(line):
                raise TemplateError(
                    f"{key}, line {number}: an include stands alone on its line, written "
                    '{% include "_name.j2" %}.'
                )
            yield line
            continue
        part = f"{key.partition('/')[0]}/{include[1]}"
        if part not in files:
            raise TemplateError(f"{key}, line {number}: there is no file {part}.")
        inner = _read(part, files).splitlines()
        for at, inner_line in enumerate(inner, start=1):
            if _INCLUDE_LIKE.search(inner_line):
                raise TemplateError(f"{part}, line {at}: a partial file cannot include another.")
        yield from (begin_part(include[1]), *inner, end_part(include[1]))


def check(source: Source) -> None:
    """Raise TemplateError, with file and line, on a text that is not a template."""
    check_syntax(source)
    if source.channel is Channel.EMAIL and not source.text.startswith(SUBJECT):
        raise TemplateError(f"{file_name(source)}, line 1: an email begins with '{SUBJECT}'.")


def _read(key: str, files: dict[str, Path]) -> str:
    try:
        return files[key].read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise TemplateError(f"{key}: is not UTF-8 text; save it as UTF-8.") from None
    except OSError as error:
        raise TemplateError(f"{key}: cannot be read ({error.strerror}).") from None
