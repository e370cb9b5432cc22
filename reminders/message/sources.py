"""Reading template files: a folder a language, a file a template, with its partial files put in."""

import hashlib
import re
from pathlib import Path

from reminders.domain.contact import Channel
from reminders.domain.template import Source
from reminders.errors import TemplateError

ENDINGS = {".sms.txt": Channel.SMS, ".email.md": Channel.EMAIL}
_INCLUDE = re.compile(r"^\{% include '(_[a-z_]+\.j2)' %\}\n", re.MULTILINE)
VERSION_LENGTH = 16

Name = tuple[str, str, Channel]


def read_sources(*folders: Path) -> dict[Name, Source]:
    """Return the templates of these folders; a later folder overrides an earlier one, by template.

    A line `{% include '_name.j2' %}` is replaced by that file of the same language folder, so that
    the version, a digest of the whole text, covers it. Raise TemplateError with file and line.
    """
    found: dict[Name, Source] = {}
    for folder in folders:
        for path in sorted(folder.glob("*/*")):
            ending = next((e for e in ENDINGS if path.name.endswith(e)), None)
            if ending is None:
                continue
            name, language = path.name.removesuffix(ending), path.parent.name
            text = _inlined(path)
            version = hashlib.sha256(text.encode()).hexdigest()[:VERSION_LENGTH]
            channel = ENDINGS[ending]
            found[language, name, channel] = Source(language, name, channel, text, version)
    return found


def _inlined(path: Path) -> str:
    text = _read(path)

    def put_in(match: re.Match[str]) -> str:
        part = path.parent / match[1]
        if not part.is_file():
            line = text[: match.start()].count("\n") + 1
            raise TemplateError(f"{path.name}, line {line}: there is no file {match[1]} beside it.")
        return _read(part)

    return _INCLUDE.sub(put_in, text)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise TemplateError(f"{path.name}: is not UTF-8 text; save it as UTF-8.") from None
    except OSError as error:
        raise TemplateError(f"{path.name}: cannot be read ({error.strerror}).") from None
