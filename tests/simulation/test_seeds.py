"""Seeds of the virtual world: faults of every kind, and nothing that anybody could complain of."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.simulation import running
from tests.simulation.__main__ import Totals, main
from tests.simulation.knobs import Fault, draw
from tests.simulation.running import Kept, run_many
from tests.simulation.seed import Result, Seed, run_seed

SEEDS = 200
LONG_SEEDS, LONG_YEARS = 6000, 10
FOUND = (37, 76)
"""Seeds that found a defect once."""

TRANSACTIONS = (
    "_apply_polled",
    "_attributed",
    "_begin",
    "_settle_searches",
    "_wanted",
    "add_opt_out",
    "add_rows",
    "apply_some",
    "apply_whole",
    "begin_parts",
    "by_callback",
    "cancel",
    "check_rules",
    "claim",
    "clear_some",
    "clinic_id",
    "hand_back",
    "held_by",
    "hold",
    "last_tick",
    "look",
    "move",
    "record",
    "release",
    "release_clock",
    "remove_opt_out",
    "resend",
    "stamp",
    "take_waiting",
    "view",
)
CALLS = (
    "far.find:before",
    "far.send:after",
    "far.send:before",
    "far.status:before",
    "far_mail.send:after",
    "far_mail.send:before",
    "far_mail.status:before",
)
CRASH_POINTS = frozenset(CALLS) | {
    f"{name}:{when}_commit" for name in TRANSACTIONS for when in ("before", "after")
}
"""Where a process may die. One that is not here, or that is not passed any more, is told."""


def test_a_calm_seed_tells_everybody() -> None:
    """Without faults, messages go out and the judge finds nothing."""
    result = run_seed(1, calm=True)
    assert result.violations == []
    assert result.sent > 5


def test_seeds() -> None:
    """Whatever goes wrong in them, nobody has anything to complain of; and all of it has gone wrong."""
    totals = Totals()
    bad = {}
    # What is rare may not have come in two hundred seeds: then a few more are lived through.
    for seeds in (range(SEEDS), *(range(n, n + 20) for n in range(SEEDS, 2 * SEEDS, 20))):
        for result in run_many(seeds, 2):
            totals.add(result)
            if result.violations:
                bad[result.seed] = result.violations
        if not never_came(totals) and not never_died(totals):
            break
    assert bad == {}
    assert never_came(totals) == []
    assert never_died(totals) == []
    assert totals.crash_points.keys() == CRASH_POINTS


def never_came(totals: Totals) -> list[Fault]:
    """Return the faults that have not come."""
    return [fault for fault in Fault if not totals.faults[fault]]


def never_died(totals: Totals) -> list[str]:
    """Return the crash points at which no process has died."""
    passed = totals.crash_points
    return sorted(at for at in CRASH_POINTS | passed.keys() if not passed.get(at, (0, 0))[1])


def test_same_seed_same_trace() -> None:
    """A seed lives the same life again, in another process with another hash seed as well."""
    lives = {seed: run_seed(seed) for seed in FOUND}
    assert [life.violations for life in lives.values()] == [[], []]
    again = {result.seed: result.trace for result in run_many(FOUND, 2)}
    assert again == {seed: life.trace for seed, life in lives.items()}
    assert len(set(again.values())) == len(FOUND)


def test_the_runner_ends_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The runner's last line is an object with the figures."""
    assert main(["--seeds", "1", "--first", "5", "--jobs", "1", "--json"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(said) == {
        "seeds",
        "clinic_years",
        "violations",
        "faults",
        "crash_points",
        "seconds",
    }


def test_a_clinic_with_a_whole_days_visits() -> None:
    """Many visits that begin at one time are told apart, and nobody has anything to complain of."""
    dense = draw(0, dense=True)
    world = Seed(replace(dense, days=1, visits=40))
    result = world.run()
    starts = Counter(booking.present.starts_at for booking in world.book.bookings.values())
    assert result.violations == []
    assert result.visits >= 40
    assert result.sent > 60
    assert max(starts.values()) > 1


def test_a_run_that_was_ended_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written down is not run again; a line that was cut off is; other sources are told."""
    file = tmp_path / "kept.jsonl"
    first = list(run_many([5, 6], 1, kept=Kept(file)))
    whole = file.read_text("utf-8")
    file.write_text(whole[:-40], "utf-8")  # it was ended as it wrote
    ran: list[int] = []

    def run(seed: int, *, dense: bool) -> Result:
        ran.append(seed)
        return run_seed(seed, dense=dense)

    monkeypatch.setattr(running, "run_seed", run)
    again = list(run_many([5, 6], 1, kept=Kept(file)))
    assert ran == [6]
    assert [r.trace for r in again] == [r.trace for r in first]
    assert [r.crash_points for r in again] == [r.crash_points for r in first]
    assert again[0].faults == first[0].faults
    assert len(list(run_many([5, 6], 1, kept=Kept(file)))) == 2
    assert ran == [6]
    monkeypatch.setattr(running, "program", lambda: "another")
    assert main(["--seeds", "1", "--keep", str(file)]) == 2


@pytest.mark.long
def test_many_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    """Six thousand seeds and ten clinic-years find nothing; each fault has come a hundred times."""
    assert main(["--seeds", str(LONG_SEEDS), "--years", str(LONG_YEARS), "--json"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said["seeds"] >= LONG_SEEDS
    assert said["clinic_years"] >= LONG_YEARS
    assert min(said["faults"].get(fault, 0) for fault in Fault) >= 100
    assert said["crash_points"].keys() == CRASH_POINTS
    assert min(said["crash_points"].values()) >= 100
