"""Files that are being read, or wait for a yes.

They live in memory: a restart forgets them, and nothing of them has been applied.
"""

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

import structlog

from reminders.engine import aside, importing, planning
from reminders.engine.aside import End, fitting
from reminders.engine.fingerprint import DifferenceChangedError
from reminders.engine.importing import Difference, Options, Staged
from reminders.engine.runtime import Runtime
from reminders.errors import RefusedFileError, RemindersError
from reminders.intake.problems import Problem
from reminders.store.aside import Aside
from reminders.web.language import N_

log = structlog.get_logger()

KEPT = 20
"""So many files of a clinic are known: of more, those that are done with go first."""

STOPPED = N_("The import has stopped. What is left of it is tried again within ten minutes.")
NOT_READ = N_("The file could not be read.")
NOT_COMPARED = N_("The file could not be compared.")
LONGEST_NAME = 120
"""So many bytes of an uploaded file's name are kept."""

BLOCK = 1 << 20


class Step(StrEnum):
    """How far a file has come."""

    READING = "reading"
    COMPARING = "comparing"
    READY = "ready"
    APPLYING = "applying"
    REFUSED = "refused"
    APPLIED = "applied"
    GONE = "gone"


OPEN = frozenset({Step.READING, Step.COMPARING, Step.READY, Step.APPLYING})
"""Nobody has said yes or no, or what was said is being done."""


@dataclass(slots=True)
class Job:
    """One file on its way. Only the import thread writes to it, and only whole values.

    `aside`: it comes from the watched folder, where it waited for a person.
    """

    id: str
    clinic: str
    actor: str
    at: datetime
    file_name: str
    options: Options
    aside: Aside | None = None
    step: Step = Step.READING
    share: float = 0.0
    staged: Staged | None = None
    difference: Difference | None = None
    said: RemindersError | None = None
    faults: tuple[Problem, ...] = ()
    changed: bool = False
    begun: bool = False

    def note(self, share: float) -> None:
        """Keep how much of the file is read."""
        self.share = share


class Jobs:
    """The files of one process, and a thread for each clinic that reads its files in turn."""

    def __init__(self, runtime: Runtime, wake: Callable[[], None] | None = None) -> None:
        """Take what wakes a sender in this process; without one, imports are planned here."""
        self._runtime = runtime
        self._plans = wake is None
        self._wake = wake or (lambda: None)
        self._threads: dict[str, ThreadPoolExecutor] = {}
        self._jobs: dict[str, Job] = {}

    def find(self, clinic: str, job_id: str) -> Job | None:
        """Return a clinic's file, or None if it is not known any more."""
        job = self._jobs.get(job_id)
        return job if job is not None and job.clinic == clinic else None

    def waiting(self, clinic: str) -> list[Job]:
        """Return a clinic's files that nobody has said yes or no to, the newest first."""
        return [j for j in reversed(self._of(clinic)) if j.step in OPEN]

    def _of(self, clinic: str) -> list[Job]:
        return [job for job in list(self._jobs.values()) if job.clinic == clinic]

    def reading(self, clinic: str, entry: Aside) -> Job | None:
        """Return the job of a file from the watched folder that somebody looks at already."""
        found = (job for job in self.waiting(clinic) if job.aside and job.aside.id == entry.id)
        return next(found, None)

    def begin(
        self,
        runtime: Runtime,
        clinic: str,
        name: str,
        source: BinaryIO,
        options: Options,
        entry: Aside | None = None,
    ) -> Job:
        """Copy an uploaded file, or one of the watched folder, and begin to read it."""
        now = runtime.clock.now()
        job = Job(runtime.token(), clinic, runtime.actor, now, file_name(name), options, entry)
        folder = tempfile.TemporaryDirectory(prefix="reminders-upload-")
        path = Path(folder.name) / job.file_name
        with path.open("wb") as target:
            while block := source.read(BLOCK):
                target.write(block)
        self._jobs[job.id] = job
        self._forget_old(clinic)
        self._turn(job).submit(self._read, runtime, job, path, folder)
        return job

    def again(self, runtime: Runtime, job: Job, *, changed: bool = False) -> None:
        """Compare a file anew with what is known now."""
        job.step, job.changed = Step.COMPARING, changed
        self._turn(job).submit(self._compare, runtime, job)

    def apply(self, runtime: Runtime, job: Job, expected: str, cancel: frozenset[str]) -> None:
        """Apply a file as it was shown. If that is no longer so, it is compared and shown again.

        A large one is applied aside, in many short steps, while others go on with their work.
        """
        if job.staged is None or job.step is not Step.READY:
            return
        if importing.is_large(runtime, job.staged):
            job.begun, job.step = True, Step.APPLYING
            self._turn(job).submit(self._apply, runtime, job, job.staged, expected, cancel)
        else:
            self._apply(runtime, job, job.staged, expected, cancel)

    def _apply(
        self,
        runtime: Runtime,
        job: Job,
        staged: Staged,
        expected: str,
        cancel: frozenset[str],
    ) -> None:
        options = replace(
            job.options,
            full=job.options.full or bool(cancel),
            cancel_missing=bool(cancel),
            cancel_only=cancel,
        )
        now = runtime.clock.now()
        try:
            importing.apply(runtime, staged, options, now, expected)
        except DifferenceChangedError:
            self.again(runtime, job, changed=True)
            return
        except Exception as error:
            if not job.begun:
                raise
            # What has begun is finished by the next process, or within ten minutes by this one.
            log.error("import_failed", error=type(error).__name__)  # noqa: TRY400 - its text may hold values
            job.said, job.step = RemindersError(STOPPED), Step.REFUSED
            return
        if job.aside is not None:
            aside.put_away(runtime, job.aside, End.DONE, now)
        job.step = Step.APPLIED
        self._wake()
        if self._plans:
            self._turn(job).submit(_plan, runtime)

    def throw_away(self, runtime: Runtime, job: Job) -> None:
        """Forget a file and all that was staged of it; one that is being read, once it has been."""
        if job.step in {Step.READING, Step.COMPARING}:
            self._turn(job).submit(self._throw, runtime, job)
        else:
            self._throw(runtime, job)

    def _throw(self, runtime: Runtime, job: Job) -> None:
        if job.staged is not None and job.step is Step.READY:
            job.step = Step.GONE
            importing.forget(runtime, job.staged)

    def close(self) -> None:
        """Let the threads end."""
        for thread in self._threads.values():
            thread.shutdown(cancel_futures=True)

    def _turn(self, job: Job) -> ThreadPoolExecutor:
        """Return the thread of a file's clinic: no clinic waits for another's large file."""
        if job.clinic not in self._threads:
            self._threads[job.clinic] = ThreadPoolExecutor(1, f"import-{job.clinic}")
        return self._threads[job.clinic]

    def _forget_old(self, clinic: str) -> None:
        theirs = sorted(self._of(clinic), key=lambda job: job.step in OPEN)
        for old in theirs[:-KEPT]:
            self._jobs.pop(old.id, None)
            self.throw_away(self._runtime, old)

    def _read(
        self, runtime: Runtime, job: Job, path: Path, folder: tempfile.TemporaryDirectory[str]
    ) -> None:
        try:
            now = runtime.clock.now()
            job.staged = importing.stage(runtime, job.clinic, path, job.options, now, job.note)
        except RefusedFileError as error:
            job.said = error
            job.faults = tuple(p for p in error.problems if isinstance(p, Problem))
            job.step = Step.REFUSED
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the page has to say so
            log.error("import_failed", error=type(error).__name__)  # noqa: TRY400 - its text may hold values
            job.said, job.step = RemindersError(NOT_READ), Step.REFUSED
            return
        finally:
            folder.cleanup()
        self._compare(runtime, job)

    def _compare(self, runtime: Runtime, job: Job) -> None:
        if job.staged is None:
            return
        job.step = Step.COMPARING
        try:
            now = runtime.clock.now()
            job.difference = importing.look(runtime, job.staged, job.options, now)
            job.step = Step.READY
        except RemindersError as error:
            job.said, job.step = error, Step.REFUSED
        except Exception as error:  # noqa: BLE001 - whatever it is, the page has to say so
            log.error("import_failed", error=type(error).__name__)  # noqa: TRY400 - its text may hold values
            job.said, job.step = RemindersError(NOT_COMPARED), Step.REFUSED


def _plan(runtime: Runtime) -> None:
    """Plan what an import has changed."""
    while runtime.in_step(planning.plan_pending, runtime, runtime.clock.now())[0]:
        pass


def file_name(given: str) -> str:
    """Return a file's own name, harmless and not too long; its ending is kept."""
    name = "".join(sign for sign in Path(given.replace("\\", "/")).name if sign.isprintable())
    stem, dot, ending = name.rpartition(".")
    return fitting(f"{stem}{dot}{ending[:10]}", LONGEST_NAME).strip(". ") or "file.csv"
