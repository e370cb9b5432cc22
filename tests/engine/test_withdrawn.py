"""What an import takes back: the planned texts that go no more are told before it is applied."""

import pytest

from tests.engine.clinic import Clinic

HEAD = "boknings-id;starttid;besökstyp;mobil;roll;födelsedatum;status;skyddad;samtycke-sms\n"


def line(
    phone: str = "070-174 06 01",
    *,
    ref: str = "B1",
    start: str = "2026-12-04 10:00",
    status: str = "bokad",
    protected: str = "nej",
    consent: str = "ja",
) -> str:
    place = f"{ref};{start};Videobesök;{phone};vårdnadshavare;2018-01-01"
    return f"{place};{status};{protected};{consent}\n"


BOTH = (line(), line("070-174 06 02"))


@pytest.mark.parametrize(
    ("rows", "withdrawn", "messages"),
    [
        (BOTH, 0, 0),
        ((line(consent="nej"), BOTH[1]), 2, 2),
        ((line(consent="kanske"), BOTH[1]), 2, 2),
        ((BOTH[1],), 2, 2),
        ((line(protected="ja"), line("070-174 06 02", protected="ja")), 4, 0),
        ((line(status="avbokad"), line("070-174 06 02", status="avbokad")), 4, 2),
        ((line(start="2026-12-05 10:00"), line("070-174 06 02", start="2026-12-05 10:00")), 0, 6),
    ],
)
def test_texts_that_go_no_more_are_told(
    clinic: Clinic, rows: tuple[str, ...], withdrawn: int, messages: int
) -> None:
    """A refusal, an unclear one, who is gone, a protection and a cancellation take texts back."""
    clinic.read(*BOTH, head=HEAD, confirmations=False)
    clinic.plan()
    sends = clinic.read(*rows, head=HEAD, apply=False).sends
    assert (sends.withdrawn, sends.messages) == (withdrawn, messages)
    before = planned(clinic)
    clinic.read(*rows, head=HEAD)
    clinic.plan()
    assert len(before - planned(clinic)) >= withdrawn


def planned(clinic: Clinic) -> set[tuple[int, str]]:
    """Return the messages that wait, by row and what they are about."""
    lines = clinic.show("B1").lines
    return {
        (one.message.id, one.message.key.rule) for one in lines if one.message.state == "planned"
    }


def test_what_goes_no_more_of_visits_that_the_file_lacks_is_told(clinic: Clinic) -> None:
    """A refusal stands for all visits of the patient: those of another week are counted too."""
    head = HEAD.replace("boknings-id", "patient-id;boknings-id")
    clinic.read("P1;" + line(), "P1;" + line(ref="B2", start="2026-12-10 10:00"), head=head)
    clinic.plan()
    sends = clinic.read("P1;" + line(consent="nej"), head=head, apply=False).sends
    assert (sends.withdrawn, sends.messages) == (4, 0)
