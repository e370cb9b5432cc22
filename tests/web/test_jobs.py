"""Uploaded files are read beside the pages: each clinic's in turn, no clinic's behind another's."""

import io
import threading
import time
from collections.abc import Callable

import pytest

from reminders.engine import importing
from reminders.engine.importing import Options
from reminders.web.jobs import Job, Jobs, Step
from tests.engine.clinic import HEAD, Clinic, row

OTHER = {"phone": "08-123 456 78"}
PATIENCE = 30


def arrive(job: Job, *steps: Step) -> None:
    """Wait until a file has come so far."""
    for _ in range(PATIENCE * 100):
        if job.step in steps:
            return
        time.sleep(0.01)
    pytest.fail(f"it is still {job.step}")


def test_no_clinic_waits_for_the_file_of_another(
    open_clinic: Callable[..., Clinic], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one clinic's file is being read, another clinic's is read, and shown."""
    runtime = open_clinic(clinics__other=OTHER).runtime
    jobs, go_on, stage = Jobs(runtime), threading.Event(), importing.stage

    def slow(of, clinic: str, *given, **more):
        if clinic == "internet":
            assert go_on.wait(PATIENCE)
        return stage(of, clinic, *given, **more)

    monkeypatch.setattr(importing, "stage", slow)
    files = [
        jobs.begin(runtime, clinic, "a.csv", io.BytesIO((HEAD + row()).encode()), Options())
        for clinic in ("internet", "internet", "other")
    ]
    arrive(files[2], Step.READY)
    assert [job.step for job in files[:2]] == [Step.READING, Step.READING]
    go_on.set()
    for job in files:
        arrive(job, Step.READY)
        jobs.throw_away(runtime, job)
    jobs.close()


def test_no_clinic_loses_its_file_for_those_of_another(
    open_clinic: Callable[..., Clinic], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that waits for a yes stays, whatever others choose; of one's own the oldest goes."""
    monkeypatch.setattr("reminders.web.jobs.KEPT", 2)
    runtime = open_clinic(clinics__other=OTHER).runtime
    jobs = Jobs(runtime)

    def choose(clinic: str, content: str = HEAD + row()) -> Job:
        job = jobs.begin(runtime, clinic, "a.csv", io.BytesIO(content.encode()), Options())
        arrive(job, Step.READY, Step.REFUSED)
        return job

    waits = choose("internet")
    first, refused, last = choose("other"), choose("other", ""), choose("other")
    assert jobs.waiting("internet") == [waits]
    assert jobs.waiting("other") == [last, first]
    assert jobs.find("other", refused.id) is None
    newest = choose("other")
    assert jobs.waiting("other") == [newest, last]
    jobs.close()


@pytest.mark.parametrize("name", ["😀" * 80 + ".csv", "å" * 125 + ".csv", ".", "a" * 300])
def test_a_file_of_any_name_is_read(clinic: Clinic, name: str) -> None:
    """A name may be longer than the disk takes, or none."""
    jobs = Jobs(clinic.runtime)
    job = jobs.begin(
        clinic.runtime, "internet", name, io.BytesIO((HEAD + row()).encode()), Options()
    )
    arrive(job, Step.READY, Step.REFUSED)
    assert len(job.file_name.encode()) <= 120
    jobs.throw_away(clinic.runtime, job)
    jobs.close()
