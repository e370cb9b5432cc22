"""What is wrong with a text that waits for approval, and whether that keeps it from going out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from reminders.domain.template import Source, sent_by
from reminders.engine.approval import Waiting
from reminders.engine.runtime import Runtime
from reminders.engine.written import in_its_folder
from reminders.errors import UsageError
from reminders.message.lint import ALWAYS, Code, Finding, lint

NEVER_SENT = frozenset(
    {Code.BROKEN, Code.UNKNOWN_NAME, Code.PRIVATE_WORD, Code.CLINIC_NAME, Code.LINK}
)
"""With one of these a text is not approved: it would tell too much, or reach nobody."""

_NOT_OF_A_TEXT = frozenset({Code.MISSING, Code.SENDER})


@dataclass(frozen=True, slots=True)
class Vetted:
    """A waiting text, and what a check finds in it: each thing once, for whichever clinic."""

    waiting: Waiting
    findings: tuple[Finding, ...]

    @property
    def may_go(self) -> bool:
        """Tell whether it may be approved; what else is found is for a person to judge."""
        return not self.worst

    @property
    def worst(self) -> tuple[Finding, ...]:
        """Return what keeps it from being approved."""
        return tuple(finding for finding in self.findings if finding.code in NEVER_SENT)


def vet(
    runtime: Runtime, items: Sequence[Waiting], approved: Iterable[Source], now: datetime
) -> list[Vetted]:
    """Check each text as whoever it is of would send it, beside those that are approved already."""
    before = list(approved)
    together = [*before, *(item.source for item in items)]
    of_languages: dict[tuple[str, str], tuple[Finding, ...]] = {}
    vetted = []
    for item in items:
        source = item.source
        owner = source.clinic
        found = list(_findings(runtime, owner, [source], now))
        place = (owner, source.language)
        if source.name in ALWAYS and place not in of_languages:
            same = [one for one in sent_by(together, owner) if one.language == source.language]
            lost = _findings(runtime, owner, same, now, sent_by(before, owner))
            of_languages[place] = tuple(f for f in lost if f.code is Code.NOT_SAID)
        if source.name in ALWAYS:
            channel = f".{source.channel.value}."
            found += [f for f in of_languages[place] if channel in f.file]
        told = (in_its_folder(runtime.config, owner, finding) for finding in found)
        vetted.append(Vetted(item, tuple(dict.fromkeys(told))))
    return vetted


def _findings(
    runtime: Runtime,
    owner: str,
    sources: Sequence[Source],
    now: datetime,
    before: Sequence[Source] = (),
) -> Iterator[Finding]:
    for key, clinic in runtime.config.clinics.items():
        if owner not in {"", key}:
            continue
        for finding in lint(sources, key, clinic, now, before).findings:
            if not finding.setting and finding.code not in _NOT_OF_A_TEXT:
                yield finding


class NotApprovableError(UsageError):
    """Texts say too much, or cannot be filled in; `findings` has what to put right."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        told = "; ".join(finding.told for finding in findings)
        super().__init__(
            "Nothing was approved. Put it right in the file first. %(found)s", found=told
        )
        self.findings = tuple(findings)


def insist(vetted: Iterable[Vetted]) -> None:
    """Raise NotApprovableError if one of these must not be approved."""
    worst = [finding for one in vetted for finding in one.worst]
    if worst:
        raise NotApprovableError(worst)
