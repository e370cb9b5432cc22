"""Runs seeds: `python -m tests.simulation --seeds N --first K --jobs J`."""

import argparse
import json
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial

from tests.simulation.seed import Result, run_seed
from tests.simulation.setting import tidy

VISITS_A_YEAR = 250 * 60


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; return 1 if there was a violation."""
    chosen = _parser().parse_args(arguments)
    if chosen.seed_trace is not None:
        return _trace(chosen.seed_trace)
    began = time.perf_counter()
    totals = Totals()
    seeds = range(chosen.first, chosen.first + chosen.seeds)
    for result in run_many(seeds, chosen.jobs):
        totals.add(result)
        for violation in result.violations:
            print(f"seed {result.seed}: {violation}", flush=True)
    if chosen.doublecheck:
        totals.check_again(seeds[: chosen.doublecheck], chosen.jobs)
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
    parser.add_argument("--seed-trace", type=int, metavar="S", help="print what happens in seed S")
    return parser


def _trace(seed: int) -> int:
    result = run_seed(seed, keep_lines=True)
    print("\n".join(result.lines))
    for violation in result.violations:
        print(f"VIOLATION {violation}")
    return 1 if result.violations else 0


def run_many(seeds: Sequence[int], jobs: int) -> Iterator[Result]:
    """Run seeds in so many processes; yield what each showed, in order."""
    if jobs == 1:
        yield from map(run_seed, seeds)
        tidy()
        return
    # Fresh processes: each has its own hash seed, so that no order rests on chance unseen.
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(partial(run_seed), seeds, chunksize=1)


class Totals:
    """What all seeds showed together."""

    def __init__(self) -> None:
        self.seeds = 0
        self.visits = 0
        self.sent = 0
        self.violations = 0
        self.first_bad: int | None = None
        self.faults: Counter[str] = Counter()
        self.crash_points: dict[str, list[int]] = {}
        self.traces: dict[int, str] = {}
        self.cpu = 0.0

    def add(self, result: Result) -> None:
        """Add one seed."""
        self.seeds += 1
        self.visits += result.visits
        self.sent += result.sent
        self.cpu += result.seconds
        self.violations += len(result.violations)
        if result.violations and self.first_bad is None:
            self.first_bad = result.seed
        self.faults.update(result.faults)
        self.traces[result.seed] = result.trace
        for label, (passed, died) in result.crash_points.items():
            count = self.crash_points.setdefault(label, [0, 0])
            count[0] += passed
            count[1] += died

    def check_again(self, seeds: Sequence[int], jobs: int) -> None:
        """Run seeds once more, in new processes: each must leave the same trace."""
        for result in run_many(seeds, jobs):
            if result.trace != self.traces[result.seed]:
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
