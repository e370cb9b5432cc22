"""Trying a template on sample people: which branches they get, and what each is told."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from reminders.config import ClinicConfig
from reminders.domain.contact import Channel
from reminders.domain.template import Source
from reminders.message.context import Context, make_context
from reminders.message.marks import Marks, marked, used_values
from reminders.message.render import FAULTS
from reminders.message.samples import Sample, extremes, samples

T = TypeVar("T")

REMEMBERED = 1000
"""So many templates' results are remembered for one clinic: each is judged by itself."""

_MOST_CLINICS = 8

_NO_MATTER = {"imports", "rules", "templates_folder", "watch"}
"""What of a clinic no text depends on: two that differ in these alone have the same readers."""


@dataclass(frozen=True, slots=True)
class Readers:
    """Sample people of one clinic, and the facts in words of each language, made once.

    `bare` is the clinic without what it need not have, and `whole` with all of it.
    """

    people: Sequence[Sample]
    clinic: ClinicConfig
    bare: ClinicConfig
    whole: ClinicConfig
    _contexts: dict[tuple[str, Channel, str, int], Context] = field(default_factory=dict)
    _results: dict[Source, Any] = field(default_factory=dict)

    def context(self, source: Source, sample: Sample, clinic: ClinicConfig) -> Context:
        """Return a sample's facts in words of a template's language."""
        key = (source.language, source.channel, sample.name, id(clinic))
        if key not in self._contexts:
            made = make_context(source.language, source.channel, sample.facts, clinic)
            self._contexts[key] = made
        return self._contexts[key]

    def remember(self, judge: Callable[[Source, "Readers"], T], source: Source) -> T:
        """Return what `judge` says of a template; it is asked once, and is always the same one."""
        if source not in self._results:
            if len(self._results) >= REMEMBERED:
                self._results.clear()
            self._results[source] = judge(source, self)
        result: T = self._results[source]
        return result


_known: dict[object, Readers] = {}


def readers_for(clinic: ClinicConfig, languages: Iterable[str], now: datetime) -> Readers:
    """Return the sample people of a clinic, as it is configured, in the week of `now` (UTC)."""
    people = tuple(samples(clinic, now))
    key = (clinic.model_dump_json(exclude=_NO_MATTER), frozenset(languages), people)
    if key not in _known:
        if len(_known) >= _MOST_CLINICS:
            _known.clear()
        _known[key] = Readers(people, clinic, *extremes(clinic, languages))
    return _known[key]


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of trying a template: `lost` are the lines of branches that nobody gets.

    `said` is what it tells each reader. `different` are those whose texts differ: an email is as
    it is by the branches it takes, so that one of each is enough.
    """

    said: Mapping[str, frozenset[str]] = field(default_factory=dict)
    lost: tuple[int, ...] = ()
    different: tuple[Sample, ...] = ()


def try_out(source: Source, readers: Readers) -> Tried:
    """Show a template to everybody. Who fills it in will find what cannot be filled in."""
    try:
        return _try_out(source, readers)
    except FAULTS:
        return Tried(different=tuple(readers.people))


def _try_out(source: Source, readers: Readers) -> Tried:
    marks, clinic = marked(source), readers.clinic
    taken: set[int] = set()
    said: dict[str, frozenset[str]] = {}
    ways: dict[object, Sample] = {}
    alike: dict[object, Marks] = {}
    for way in (clinic, readers.whole, readers.bare):
        if way is readers.bare and taken >= marks.branches.keys():
            break
        for sample in readers.people:
            context = readers.context(source, sample, way)
            same = used_values(source, context)
            if same not in alike:
                alike[same] = marks.look(context)
                taken |= alike[same].taken
            if way is clinic:
                own = alike[same].taken if source.channel is Channel.EMAIL else same
                ways.setdefault(own, sample)
            if way is readers.whole:
                # Where nothing is set, there is nothing to say: that is no fault of the text.
                said[sample.name] = alike[same].said
    lost = dict.fromkeys(line for n, line in marks.branches.items() if n not in taken)
    return Tried(said, tuple(lost), tuple(ways.values()))
