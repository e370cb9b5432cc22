"""Malformed files: read or refused in words, imported whole or not at all."""

from pathlib import Path

import pytest

from tests.malformed.__main__ import SHARE, share
from tests.malformed.campaign import campaign
from tests.malformed.files import Maker


def test_no_malformed_file_crashes_or_comes_in_half(tmp_path: Path) -> None:
    """Of two thousand malformed files none crashes the intake, and none is imported in part."""
    tally = campaign(1, 2000, tmp_path, import_every=100)
    assert tally.crashes == []
    assert tally.partial == []
    assert tally.imports == 20
    assert 0 < tally.refused < tally.files
    assert tally.rows > tally.files


def test_the_same_seed_makes_the_same_files() -> None:
    """A file that crashed the intake can be made again from its seed and number."""
    one, other = Maker(7), Maker(7)
    assert [one.make() for _ in range(50)] == [other.make() for _ in range(50)]


@pytest.mark.long
def test_a_million_malformed_files() -> None:
    """Of a million malformed files none crashes the intake, and none is imported in part."""
    for seed in range(1_000_000 // SHARE):
        tally = share(seed, SHARE)
        assert tally.crashes == []
        assert tally.partial == []
