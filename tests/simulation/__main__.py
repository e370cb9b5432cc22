"""Runs seeds: `python -m tests.simulation --seeds N --first K --jobs J`."""

import argparse
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.simulation.running import Kept, run_many
from tests.simulation.seed import Result, run_seed

VISITS_A_YEAR = 250 * 60


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; return 1 if there was a violation."""
    chosen = _parser().parse_args(arguments)
    if chosen.seed_trace is not None:
        return _trace(chosen.seed_trace, dense=chosen.dense)
    try:
        kept = Kept(chosen.keep)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    began = time.perf_counter()
    totals = Totals()
    seeds = range(chosen.first, chosen.first + chosen.seeds)
    for result in run_many(seeds, chosen.jobs, dense=chosen.dense, kept=kept):
        totals.add(result)
    if totals.clinic_years < chosen.years:
        more = run_many(itertools.count(chosen.first), chosen.jobs, dense=True, kept=kept)
        for result in more:
            totals.add(result)
            print(f"{totals.clinic_years:.2f} clinic-years so far", flush=True)
            if totals.clinic_years >= chosen.years:
                more.close()
    if chosen.doublecheck:
        totals.check_again(seeds[: chosen.doublecheck], chosen.jobs, dense=chosen.dense)
    totals.tell(time.perf_counter() - began, as_json=chosen.json)
    return 1 if totals.violations else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=2, help="how many processes")
    parser.add_argument("--json", action="store_true", help="end with one object of JSON")
    parser.add_argument(
        "--doublecheck", type=int, default=0, metavar="N", help="run N seeds again and compare"
    )
    parser.add_argument(
        "--dense", action="store_true", help="seeds with a whole day's visits a day"
    )
    parser.add_argument(
        "--years", type=float, default=0, metavar="Y", help="then dense seeds up to Y clinic-years"
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FILE",
        help="write down what each seed showed, and leave out those that are there already",
    )
    parser.add_argument("--seed-trace", type=int, metavar="S", help="print what happens in seed S")
    return parser


def _trace(seed: int, *, dense: bool) -> int:
    result = run_seed(seed, dense=dense, keep_lines=True)
    print("\n".join(result.lines))
    for violation in result.violations:
        print(f"VIOLATION {violation}")
    return 1 if result.violations else 0


class Totals:
    """What all seeds showed together."""

    def __init__(self) -> None:
        self.seeds = 0
        self.visits = 0
        self.sent = 0
        self.violations = 0
        self.first_bad: str | None = None
        self.faults: Counter[str] = Counter()
        self.crash_points: dict[str, list[int]] = {}
        self.traces: dict[tuple[int, bool], str] = {}
        self.cpu = 0.0

    def add(self, result: Result) -> None:
        """Add one seed, and say at once what it complained of."""
        name = f"{'dense ' if result.dense else ''}seed {result.seed}"
        for violation in result.violations:
            print(f"{name}: {violation}", flush=True)
        self.seeds += 1
        self.visits += result.visits
        self.sent += result.sent
        self.cpu += result.seconds
        self.violations += len(result.violations)
        if result.violations and self.first_bad is None:
            self.first_bad = f"{result.seed}{' --dense' if result.dense else ''}"
        self.faults.update(result.faults)
        self.traces[result.seed, result.dense] = result.trace
        for label, (passed, died) in result.crash_points.items():
            count = self.crash_points.setdefault(label, [0, 0])
            count[0] += passed
            count[1] += died

    def check_again(self, seeds: Sequence[int], jobs: int, *, dense: bool = False) -> None:
        """Run seeds once more, in new processes: each must leave the same trace."""
        for result in run_many(seeds, jobs, dense=dense):
            if result.trace != self.traces[result.seed, dense]:
                self.violations += 1
                print(f"seed {result.seed}: another trace the second time")

    @property
    def clinic_years(self) -> float:
        """Return the visits lived through, in years of 250 days of 60 visits."""
        return self.visits / VISITS_A_YEAR

    def tell(self, seconds: float, *, as_json: bool) -> None:
        """Print the sums."""
        print(
            f"{self.seeds} seeds, {self.clinic_years:.3f} clinic-years ({self.visits} visits,"
            f" {self.sent} messages) in {seconds:.0f} s, {self.cpu:.0f} CPU seconds"
        )
        for fault, count in sorted(self.faults.items()):
            print(f"  {count:>8} {fault}")
        died = sum(count[1] > 0 for count in self.crash_points.values())
        print(f"crash points: {died} of {len(self.crash_points)} reached")
        print(f"violations: {self.violations}")
        if self.first_bad is not None:
            print(f"replay: python -m tests.simulation --seed-trace {self.first_bad}")
        if as_json:
            print(
                json.dumps(
                    {
                        "seeds": self.seeds,
                        "clinic_years": round(self.clinic_years, 4),
                        "violations": self.violations,
                        "faults": dict(sorted(self.faults.items())),
                        "crash_points": {
                            label: count[1] for label, count in sorted(self.crash_points.items())
                        },
                        "seconds": round(seconds, 1),
                    }
                )
            )


if __name__ == "__main__":
    sys.exit(main())
