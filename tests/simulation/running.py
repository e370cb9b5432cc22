"""Running seeds: in several processes, one after the other, and on with a run that was ended."""

import hashlib
import json
import multiprocessing
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

from tests.simulation.seed import Result, run_seed
from tests.simulation.setting import fast_place, live_in, tidy

ROOT = Path(__file__).resolve().parents[2]
AHEAD = 4
"""So many seeds a process are handed out before the first of them has come back."""


def run_many(
    seeds: Iterable[int], jobs: int, *, dense: bool = False, kept: "Kept | None" = None
) -> Generator[Result, None, None]:
    """Run seeds in so many processes; yield what each showed, in order. They may have no end."""
    kept = kept or Kept()
    for result in _run(seeds, jobs, dense, kept):
        kept.keep(result)
        yield result


def _run(
    seeds: Iterable[int], jobs: int, dense: bool, kept: "Kept"
) -> Generator[Result, None, None]:
    if jobs == 1:
        for seed in seeds:
            yield kept.of(seed, dense) or run_seed(seed, dense=dense)
        tidy()
        return
    # Fresh processes: each has its own hash seed, so that no order rests on chance unseen.
    fresh = multiprocessing.get_context("spawn")
    under_way: deque[Result | Future[Result]] = deque()
    with tempfile.TemporaryDirectory(prefix="reminders-seeds-", dir=fast_place()) as folder:
        pool = ProcessPoolExecutor(jobs, fresh, initializer=live_in, initargs=(folder,))
        try:
            for seed in seeds:
                under_way.append(kept.of(seed, dense) or pool.submit(run_seed, seed, dense=dense))
                if len(under_way) >= AHEAD * jobs:
                    yield _come(under_way.popleft())
            while under_way:
                yield _come(under_way.popleft())
        finally:
            pool.shutdown(cancel_futures=True)


def _come(result: Result | Future[Result]) -> Result:
    return result if isinstance(result, Result) else result.result()


class Kept:
    """What seeds have shown, in a file, a line each: a run of hours can be ended and gone on with."""

    def __init__(self, path: Path | None = None) -> None:
        """Read `path`, if there is such a file. Raise ValueError if another program began it."""
        self._path = path
        self._known: dict[tuple[int, bool], Result] = {}
        if path is None:
            return
        if not path.exists():
            path.write_text(json.dumps({"program": program()}) + "\n", "utf-8")
        whole = path.read_bytes()
        whole = whole[: whole.rfind(b"\n") + 1]  # it may have been ended as it wrote
        first, *lines = whole.splitlines()
        if json.loads(first)["program"] != program():
            raise ValueError(f"{path} was begun with other sources. Name another file.")
        path.write_bytes(whole)
        for line in lines:
            values = json.loads(line)
            values["faults"] = Counter(values["faults"])
            result = Result(**values, lines=[])
            self._known[result.seed, result.dense] = result

    def of(self, seed: int, dense: bool) -> Result | None:
        """Return what a seed showed, if it was run before."""
        return self._known.get((seed, dense))

    def keep(self, result: Result) -> None:
        """Write down what a seed showed."""
        if self._path is None or (result.seed, result.dense) in self._known:
            return
        self._known[result.seed, result.dense] = result
        values = {name: value for name, value in vars(result).items() if name != "lines"}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")


def program() -> str:
    """Return a digest of what runs: the sources of the program and of its simulation, and Python."""
    digest = hashlib.sha256(sys.version.encode())
    for folder in ("reminders", "tests/simulation", "templates"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in {".py", ".txt", ".md", ".toml"}:
                digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
