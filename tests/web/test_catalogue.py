"""The pages say everything in both languages."""

import re
from datetime import UTC, datetime

from reminders.intake.problems import ProblemCode
from reminders.message.samples import samples
from reminders.web.language import Speaking, words
from reminders.web.wording import PROBLEMS
from tests.message.people import CLINIC
from tests.web.sentences import sentences


def test_each_sentence_is_there_in_swedish() -> None:
    """Each sentence of the pages has a Swedish one, with no value that the English one lacks."""
    known = vars(words("sv"))["_catalog"]
    for said, place in sentences().items():
        keys = [said[0]] if len(said) == 1 else [(said[0], 0), (said[0], 1)]
        for english, key in zip(said, keys, strict=True):
            assert key in known, f"{place}: {english}"
            values = set(re.findall(r"%\((\w+)\)s", known[key]))
            assert values <= {*re.findall(r"%\((\w+)\)s", english), "count"}, f"{place}: {english}"


def test_values_are_escaped_and_sentences_are_not() -> None:
    """What a file or a person wrote can put no markup into a page."""
    told = Speaking("sv").text("Imported %(time)s by %(who)s", time="i dag", who="<script>")
    assert str(told) == "Inläst i dag av &lt;script&gt;"
    assert Speaking("en").plural("One visit", "%(count)s visits", 2) == "2 visits"


def test_each_problem_is_explained() -> None:
    """Each code of what can be wrong with a file has its sentence on the pages."""
    assert {code.value for code in ProblemCode} - set(PROBLEMS) == set()


def test_each_sample_reader_has_a_swedish_name() -> None:
    """Whoever reads a text on the pages is told in the user's language, part by part."""
    names = [one.name for one in samples(CLINIC, datetime(2026, 12, 1, 9, tzinfo=UTC))]
    parts = {part for name in names for part in name.split(", ")}
    assert {
        part
        for part in parts
        if part not in vars(words("sv"))["_catalog"] and not part[-1].isdigit()
    } == set()
