"""Mutants: the program with one of its guards taken out. The seeds have to notice each of them.

A mutant is a few lines of source put in place of others when the module is loaded, in a process of
its own: `python -m tests.simulation.mutants`. It stops at the first seed that complains.
"""

import argparse
import importlib.abc
import importlib.machinery
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import CodeType

from tests.simulation.guards import GUARDED, MUTANTS, ROOT, Mutant, Patch

CAUGHT = 3
"""The exit status of a child in which a seed complained."""


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module with the patches in it."""

    def __init__(self, name: str, path: str, patches: Sequence[Patch]) -> None:
        super().__init__(name, path)
        self._patches = patches

    def get_code(self, fullname: str) -> CodeType:
        """Compile the patched source, whatever is cached."""
        source = Path(self.path).read_text("utf-8")
        for patch in self._patches:
            source = patch.applied(source)
        return compile(source, self.path, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, fullname: str, _path: object, _target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return a patched module's specification."""
        patches = [patch for patch in self._mutant.patches if patch.module == fullname]
        if not patches:
            return None
        path = str(patches[0].path)
        loader = _Loader(fullname, path, patches)
        return importlib.machinery.ModuleSpec(fullname, loader, origin=path)


def fits(mutant: Mutant, seed: int) -> bool:
    """Tell whether a seed has what is needed to notice."""
    from tests.simulation.knobs import draw

    knobs = draw(seed)
    has = {str(fault) for fault in knobs.rates}
    has |= {"night"} if knobs.config["quiet_hours"] else set()
    has |= {"guarded"} if knobs.config["environment"] == "test" else set()
    guarded = knobs.config["environment"] == "test" and GUARDED not in mutant.needs
    return not guarded and all(has & need for need in mutant.needs)


def _child(name: str, first: int, count: int) -> int:
    """Run one mutant until a seed complains."""
    mutant = next(m for m in MUTANTS if m.name == name)
    if any(patch.module in sys.modules for patch in mutant.patches):
        raise RuntimeError("the program was loaded before it was changed")
    sys.meta_path.insert(0, _Finder(mutant))
    from tests.simulation.seed import run_seed

    run = 0
    for seed in range(first, first + count):
        if not fits(mutant, seed):
            continue
        run += 1
        result = run_seed(seed)
        if result.violations:
            print(f"caught by seed {seed}, the {run}. run: {result.violations[0]}", flush=True)
            return CAUGHT
    print(f"NOT CAUGHT in {count} seeds, of which {run} were run", flush=True)
    return 0


def _run(mutant: Mutant, first: int, count: int) -> bool:
    command = [sys.executable, "-m", "tests.simulation.mutants", "--one", mutant.name]
    done = subprocess.run(
        [*command, "--first", str(first), "--seeds", str(count)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout.strip().splitlines() or done.stderr.strip().splitlines()[-1:]
    print(f"{mutant.name}: {said[-1] if said else 'nothing said'}", flush=True)
    return done.returncode == CAUGHT


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all mutants, or one; return 1 if one was not caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutants")
    parser.add_argument("--one", help="one mutant, by its name, in this process")
    parser.add_argument("--only", help="the mutants whose names hold these words")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=500, help="how many seeds at most")
    parser.add_argument("--jobs", type=int, default=2)
    chosen = parser.parse_args(arguments)
    if chosen.one:
        return _child(chosen.one, chosen.first, chosen.seeds)
    mutants = [m for m in MUTANTS if not chosen.only or chosen.only in m.name]
    with ThreadPoolExecutor(chosen.jobs) as pool:
        caught = list(pool.map(lambda m: _run(m, chosen.first, chosen.seeds), mutants))
    print(f"{sum(caught)} of {len(mutants)} mutants caught")
    return 0 if all(caught) else 1


if __name__ == "__main__":
    sys.exit(main())
