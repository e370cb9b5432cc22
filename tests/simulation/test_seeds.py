"""Seeds of the virtual world: faults of every kind, and nothing that anybody could complain of."""

from tests.simulation.seed import run_seed


def test_a_calm_seed_tells_everybody() -> None:
    """Without faults, messages go out and the judge finds nothing."""
    result = run_seed(1, calm=True)
    assert result.violations == []
    assert result.sent > 5
