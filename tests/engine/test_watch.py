"""The watched folder: what is put there is imported, refused, or waits for a person."""

import asyncio
import errno
import fcntl
import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from reminders import daemon
from reminders.engine import importing, overview, watch
from reminders.engine.aside import End
from reminders.engine.watch import Watcher
from tests.engine.clinic import HEAD, Clinic, at, row


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder that is watched."""
    path = tmp_path / "exports"
    path.mkdir()
    return path


@pytest.fixture
def watched(open_clinic, folder: Path) -> Clinic:
    """Return a clinic with a watched folder."""
    clinic: Clinic = open_clinic(clinics__internet__watch={"folder": "exports"})
    return clinic


def pass_by(clinic: Clinic, watcher: Watcher, seconds: int = 31) -> dict[End, int]:
    """Look, let time pass, and look again."""
    watcher.look(clinic.clock.now())
    clinic.clock.set(clinic.clock.now() + timedelta(seconds=seconds))
    return watcher.look(clinic.clock.now())


def put(folder: Path, *rows: str, name: str = "bokningar.csv") -> Path:
    """Put a file into the folder."""
    return put_bytes(folder, (HEAD + "".join(rows)).encode(), name=name)


def put_bytes(folder: Path, content: bytes, *, name: str = "bokningar.csv") -> Path:
    """Put such content into the folder, exported at noon: the disk's own clock is another one."""
    path = folder / name
    path.write_bytes(content)
    exported_at = at("2026-11-30 12:00").timestamp()
    os.utime(path, (exported_at, exported_at))
    return path


def report(folder: Path, end: End) -> dict[str, Any]:
    """Return the one report of a kind."""
    (path,) = (folder / end.value).glob("*.report.json")
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def test_a_file_is_read_when_it_has_settled(watched: Clinic, folder: Path):
    """A file that grows is left alone; once it does not change for half a minute it is imported."""
    watcher = Watcher(watched.runtime)
    path = put(folder, row())
    assert sum(pass_by(watched, watcher, 20).values()) == 0
    put(folder, row(), row("B2", phone="070-174 06 06"))
    assert sum(pass_by(watched, watcher, 20).values()) == 0
    assert pass_by(watched, watcher)[End.DONE] == 1
    assert not path.exists()
    assert report(folder, End.DONE)["new"] == 2
    assert watched.show("B2").visit.status == "booked"


def test_a_problem_is_reported_without_the_person(watched: Clinic, folder: Path):
    """The report names line, column and code of a problem, and nothing that stood there."""
    put(folder, row(), row("B2", phone="070-174 06 99 (mamma)"))
    assert pass_by(watched, Watcher(watched.runtime))[End.DONE] == 1
    (problem,) = report(folder, End.DONE)["problems"]
    assert (problem["line"], problem["column"], problem["code"]) == (3, "mobil", "bad_phone")
    assert "mamma" not in json.dumps(report(folder, End.DONE))


def test_a_file_that_is_no_good_is_refused(watched: Clinic, folder: Path):
    """A file that cannot be used is moved away with the reason, and nothing changes."""
    put_bytes(folder, b'ref;start;mobil\n"A1;2026\n')
    assert pass_by(watched, Watcher(watched.runtime))[End.REFUSED] == 1
    assert "quotation mark" in str(report(folder, End.REFUSED)["why"])


def test_a_file_that_changes_too_much_waits(watched: Clinic, folder: Path):
    """A file that would cancel most bookings waits for a person, and nothing is changed."""
    rows = [row(f"B{n}", phone=f"070-174 06 {n:02}") for n in range(10, 20)]
    watched.read(*rows)
    put(folder, *[line.replace("bokad", "avbokad") for line in rows])
    assert pass_by(watched, Watcher(watched.runtime))[End.WAITING] == 1
    assert "10 of the 10" in str(report(folder, End.WAITING)["why"])
    assert watched.show("B10").visit.status == "booked"


def files_to_see_to(clinic: Clinic) -> list[tuple[str, str]]:
    """Return what the worklist has of files, and why."""
    return [(i.reason, i.detail) for i in clinic.worklist() if i.kind == "file"]


def test_a_file_that_waits_stands_on_the_worklist(watched: Clinic, folder: Path):
    """A file that waits or is refused stands there, until a file as new or newer is imported."""
    rows = [row(f"B{n}", phone=f"070-174 06 {n:02}") for n in range(10, 20)]
    watched.read(*rows, exported_at=at("2026-11-30 11:00"))
    put(folder, *[line.replace("bokad", "avbokad") for line in rows])
    (folder / "annan.csv").write_bytes(b'ref;start;mobil\n"A1;2026\n')
    os.utime(folder / "annan.csv", (at("2026-11-30 11:30").timestamp(),) * 2)
    pass_by(watched, Watcher(watched.runtime))
    (why, said), (other, refused) = files_to_see_to(watched)
    assert (why, other) == ("too_much", "unusable")
    assert said.startswith("bokningar.csv: The file would move, cancel or correct 10 of the 10")
    assert "quotation mark" in refused
    assert "\n" not in refused
    watched.read(*rows, exported_at=at("2026-11-30 11:45"))
    assert [reason for reason, _ in files_to_see_to(watched)] == ["too_much"]
    watched.read(*rows, exported_at=at("2026-11-30 12:00"))
    assert files_to_see_to(watched) == []


def test_a_file_set_aside_twice_stands_there_once(watched: Clinic, folder: Path, monkeypatch):
    """If the process dies before the file is moved away, it is read again, and stands there once."""
    put_bytes(folder, b'ref;start;mobil\n"A1;2026\n')

    def dying(*_arguments):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(watch, "_put_away", dying)
        with pytest.raises(SystemExit):
            pass_by(watched, Watcher(watched.runtime))
    assert len(files_to_see_to(watched)) == 1
    pass_by(watched, Watcher(watched.runtime))
    assert len(files_to_see_to(watched)) == 1


def test_numbers_that_change_places_wait_for_a_person(watched: Clinic, folder: Path):
    """A file in which every patient has another's number is nothing that is applied by itself."""
    numbers = [f"070-174 06 {n:02}" for n in range(10, 20)]
    watched.read(*[row(f"B{n}", phone=number) for n, number in enumerate(numbers)])
    shifted = [*numbers[1:], numbers[0]]
    put(folder, *[row(f"B{n}", phone=number) for n, number in enumerate(shifted)])
    assert pass_by(watched, Watcher(watched.runtime))[End.WAITING] == 1
    assert "correct 10 of the 10" in str(report(folder, End.WAITING)["why"])


def test_a_waiting_file_is_not_forgotten_for_one_of_other_visits(watched: Clinic, folder: Path):
    """Only the next export of its name, or a person, takes it away; an empty one does not."""
    rows = [row(f"B{n}", phone=f"070-174 06 {n:02}") for n in range(10, 20)]
    watched.read(*rows, exported_at=at("2026-11-30 11:00"))
    put(folder, *[line.replace("bokad", "avbokad") for line in rows])
    pass_by(watched, Watcher(watched.runtime))
    for name, *lines in (("annat.csv", row("C1")), ("bokningar.csv",)):
        put(folder, *lines, name=name)
        assert pass_by(watched, Watcher(watched.runtime))[End.DONE] == 1
        assert len(files_to_see_to(watched)) == 1
    put(folder, row("C1"))
    assert pass_by(watched, Watcher(watched.runtime))[End.DONE] == 1
    assert files_to_see_to(watched) == []


@pytest.mark.parametrize("end", [End.DONE, End.REFUSED])
def test_the_longest_name_is_kept_short(watched: Clinic, folder: Path, end: End):
    """A name as long as the disk takes is cut where the file is kept, and its ending stays."""
    rows = (row("B1"), row("B1", start="2026-12-03 10:00"))
    put(folder, *rows[: 1 if end is End.DONE else 2], name="å" * 125 + ".csv")
    assert pass_by(watched, Watcher(watched.runtime))[end] == 1
    (kept,) = (folder / end.value).glob("*.csv")
    assert kept.name.endswith("å.csv")
    assert list(folder.glob("*.csv")) == []


def test_a_file_that_cannot_be_moved_is_read_once(watched: Clinic, folder: Path):
    """Those after it are read, it is moved once that can be done, and a new one there is read."""
    (folder / "done").write_text("in the way", "utf-8")
    put(folder, row("A1"), name="a.csv")
    put(folder, row("B1"), name="b.csv")
    watcher = Watcher(watched.runtime)
    assert pass_by(watched, watcher)[End.DONE] == 2
    assert sum(pass_by(watched, watcher).values()) == 0
    put(folder, row("A1"), row("A2"), name="a.csv")
    assert pass_by(watched, watcher)[End.DONE] == 1
    assert watched.show("A2").visit.status == "booked"
    (folder / "done").unlink()
    assert sum(pass_by(watched, watcher).values()) == 0
    assert list(folder.glob("*.csv")) == []
    assert len(list((folder / "done").glob("*.csv"))) == 2


def test_a_strict_clinic_lets_problems_wait(open_clinic, folder: Path):
    """With strict, a file with any problem waits for a person."""
    clinic = open_clinic(clinics__internet__watch={"folder": "exports", "strict": True})
    put(folder, row(), row("B2", phone="x"))
    assert pass_by(clinic, Watcher(clinic.runtime))[End.WAITING] == 1


@pytest.mark.parametrize("at", ["before", "after"])
def test_a_process_that_dies_leaves_the_file(watched: Clinic, folder: Path, monkeypatch, at: str):
    """If the process dies around applying, the file is read again, and changes nothing twice."""
    put(folder, row())
    apply = importing.apply

    def dying(*arguments):
        if at == "after":
            apply(*arguments)
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(importing, "apply", dying)
        with pytest.raises(SystemExit):
            pass_by(watched, Watcher(watched.runtime))
    assert (folder / "bokningar.csv").exists()
    assert pass_by(watched, Watcher(watched.runtime))[End.DONE] == 1
    assert [e.event for e in watched.show("B1").entries].count("imported") == 1


def test_what_is_not_an_export_is_left(watched: Clinic, folder: Path, tmp_path: Path):
    """Hidden files, other files, links and folders stay where they are."""
    put(folder, row(), name=".half.csv")
    put(folder, row(), name="bokningar.csv.part")
    (folder / "folder.csv").mkdir()
    (folder / "link.csv").symlink_to(put(tmp_path, row(), name="elsewhere.csv"))
    assert sum(pass_by(watched, Watcher(watched.runtime)).values()) == 0


def test_two_do_not_look_at_once(watched: Clinic, folder: Path):
    """While one process looks into the folder another does not."""
    put(folder, row())
    watcher = Watcher(watched.runtime)
    with watch._alone(folder) as alone:
        assert alone
        assert sum(pass_by(watched, watcher).values()) == 0
    assert pass_by(watched, watcher)[End.DONE] == 1


def put_of_windows(folder: Path, *rows: str) -> Path:
    """Put a file there whose name a Windows machine has written in its own bytes."""
    return put(folder, *rows, name=os.fsdecode("bokningar från journalen.csv".encode("cp1252")))


def test_a_name_of_windows_is_read_as_it_was_meant(watched: Clinic, folder: Path):
    """A file whose name is not UTF-8 is imported, kept under its name, and refused under it too."""
    put_of_windows(folder, row())
    assert pass_by(watched, Watcher(watched.runtime))[End.DONE] == 1
    (kept,) = (folder / "done").glob("*.csv")
    assert kept.name.endswith(" bokningar från journalen.csv")
    put_of_windows(folder, row(), row(start="2026-12-03 10:00"))
    assert pass_by(watched, Watcher(watched.runtime))[End.REFUSED] == 1
    ((_, said),) = files_to_see_to(watched)
    assert said.startswith("bokningar från journalen.csv: ")


def test_one_file_s_trouble_is_its_own(watched: Clinic, folder: Path, monkeypatch):
    """A file that the program fails at is refused, and stands on the worklist; others are read."""
    put(folder, row("A1"), name="a.csv")
    put(folder, row("B1"), name="b.csv")
    stage = importing.stage

    def failing(runtime, clinic, path, *arguments):
        if path.name == "a.csv":
            raise AssertionError
        return stage(runtime, clinic, path, *arguments)

    monkeypatch.setattr(importing, "stage", failing)
    ends = pass_by(watched, Watcher(watched.runtime))
    assert (ends[End.REFUSED], ends[End.DONE]) == (1, 1)
    assert watched.show("B1").visit.status == "booked"
    put(folder, row("A1"), name="a.csv")
    pass_by(watched, Watcher(watched.runtime))
    assert [why for why, _ in files_to_see_to(watched)] == ["unexpected"]


def test_a_file_taken_away_meanwhile_is_nobody_s_fault(watched: Clinic, folder: Path, monkeypatch):
    """Somebody takes a file out of the folder as it is read: the others are read in the same look."""
    put(folder, row("A1"), name="a.csv")
    put(folder, row("B1"), name="b.csv")
    stage = importing.stage

    def taken(runtime, clinic, path, *arguments):
        (folder / "a.csv").unlink(missing_ok=True)
        return stage(runtime, clinic, path, *arguments)

    monkeypatch.setattr(importing, "stage", taken)
    ends = pass_by(watched, Watcher(watched.runtime))
    assert (ends[End.REFUSED], ends[End.DONE]) == (0, 1)
    assert files_to_see_to(watched) == []


def test_the_daemon_looks_again_whatever_a_look_came_to(watched: Clinic, monkeypatch):
    """A look that fails, however oddly, is not the last one."""
    looks = []

    def look(_watcher, _now):
        looks.append(True)
        if len(looks) == 1:
            raise UnicodeEncodeError("utf-8", "\udce5", 0, 1, "surrogates not allowed")
        leave.set()
        return dict.fromkeys(End, 0)

    monkeypatch.setattr(Watcher, "look", look)
    monkeypatch.setattr(daemon, "WATCH_EVERY", timedelta(0))
    leave = asyncio.Event()
    asyncio.run(daemon.Daemon(watched.runtime)._watch(leave))
    assert len(looks) == 2


def away(clinic: Clinic, watcher: Watcher, minutes: int) -> bool:
    """Look, after so many minutes; tell whether people are told that the folder is away."""
    clinic.clock.set(clinic.clock.now() + timedelta(minutes=minutes))
    watcher.look(clinic.clock.now())
    now = clinic.clock.now()
    seen = clinic.runtime.in_transaction(overview.today, clinic.runtime, "internet", now)
    told = [item.clinic for item in clinic.worklist() if item.kind == "folder"]
    assert (seen.folder is not None) == (told == ["internet"]) == (not seen.all_well)
    return bool(told)


def test_a_folder_that_is_away_is_told_to_people(watched: Clinic, folder: Path):
    """After five minutes it stands on the worklist and on Today; the log says it once, and back."""
    gone = folder.rename(folder.with_name("unmounted"))
    watcher = Watcher(watched.runtime)
    with structlog.testing.capture_logs() as events:
        assert [away(watched, watcher, minutes) for minutes in (0, 4, 1, 60)] == [
            *[False] * 2,
            *[True] * 2,
        ]
        gone.rename(folder)
        assert not away(watched, watcher, 1)
    said = [event["event"] for event in events if event["event"].startswith("watched_folder")]
    assert said == ["watched_folder_away", "watched_folder_back"]
    put(folder, row())
    assert pass_by(watched, watcher)[End.DONE] == 1


def test_each_pass_of_cron_knows_since_when(watched: Clinic, folder: Path):
    """Each pass is a process of its own: since when the folder is away, the database knows."""
    folder.rmdir()
    told = [away(watched, Watcher(watched.runtime), minutes) for minutes in (0, 4, 1)]
    assert told == [False, False, True]


def test_a_folder_that_cannot_be_locked_is_away(watched: Clinic, folder: Path, monkeypatch):
    """Where a share knows no locks nobody can look alone, and that is told as well."""

    def refuse(*_arguments):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    put(folder, row())
    assert [away(watched, Watcher(watched.runtime), minutes) for minutes in (0, 6)] == [False, True]
