"""The pages say everything in both languages."""

import re
from datetime import UTC, datetime

from reminders.engine import aside
from reminders.intake import addresses
from reminders.intake.problems import Fault, ProblemCode
from reminders.message.lint import Code
from reminders.message.samples import samples
from reminders.web.faults import ASIDE, FINDINGS, PROBLEMS
from reminders.web.language import Speaking, words
from tests.message.people import CLINIC
from tests.web.sentences import errors, sentences


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


def test_each_problem_says_what_would_be_right() -> None:
    """Each code of what can be wrong with a file has Swedish: what is wrong, and what to write."""
    assert set(PROBLEMS) == set(ProblemCode)
    for code, sentence in PROBLEMS.items():
        said = str(Speaking("sv").text(sentence))
        assert said != sentence, code
        assert re.search(r"[.:] [A-ZÅÄÖ]", said), f"{code} does not say what would be right"


def test_each_finding_and_each_wait_is_said_in_swedish() -> None:
    """Each code of a check of texts, and each reason why a file waits, has its Swedish."""
    assert set(FINDINGS) == set(Code)
    assert set(ASIDE) == set(aside.Code)
    swedish = Speaking("sv")
    for code, sentence in FINDINGS.items():
        assert str(swedish.text(sentence, what="X")) != sentence % {"what": "X"}, code


def test_each_error_of_the_pages_is_said_in_swedish() -> None:
    """Whatever the engine and the pages refuse is refused in the user's language too."""
    known = vars(words("sv"))["_catalog"]
    found = list(errors())
    assert len(found) > 30
    for sentence, place in found:
        assert sentence in known, f"{place}: {sentence}"
        values = set(re.findall(r"%\((\w+)\)s", known[sentence]))
        assert values <= set(re.findall(r"%\((\w+)\)s", sentence)), sentence
    for fault in (one for one in vars(addresses).values() if isinstance(one, Fault)):
        if fault.code not in {ProblemCode.FORMULA, ProblemCode.LOST_DIGITS}:
            assert fault.message in known, fault.message


def test_each_sample_reader_has_a_swedish_name() -> None:
    """Whoever reads a text on the pages is told in the user's language, part by part."""
    names = [one.name for one in samples(CLINIC, datetime(2026, 12, 1, 9, tzinfo=UTC))]
    parts = {part for name in names for part in name.split(", ")}
    assert {
        part
        for part in parts
        if part not in vars(words("sv"))["_catalog"] and not part[-1].isdigit()
    } == set()
