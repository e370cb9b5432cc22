"""The mutants are kept true: each still has a place in the program to change."""

import pytest

from tests.simulation.guards import MUTANTS, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_mutant_applies(mutant: Mutant) -> None:
    """What a mutant takes out stands in the program, in one place."""
    sources: dict[str, str] = {}
    for patch in mutant.patches:
        source = sources.get(patch.module) or patch.path.read_text("utf-8")
        sources[patch.module] = patch.applied(source)
        compile(sources[patch.module], str(patch.path), "exec")


def test_there_are_enough_mutants() -> None:
    """At least twenty-five guards are taken out, each under a name of its own."""
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 25
