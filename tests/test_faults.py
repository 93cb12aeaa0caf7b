"""The quick ones of the faults that are brought about while the real program runs."""

from pathlib import Path
from random import Random

import pytest
import run_faults
from faults.fault import Fault, NotPossible, Seen

ALL = run_faults.all_faults()
QUICK = [fault for fault in ALL if fault.quick]
PAGE = "before\n<!-- faults -->\nold\n<!-- end: faults -->\nafter\n"


@pytest.mark.parametrize("fault", QUICK, ids=lambda fault: str(fault.name))
def test_a_fault_does_no_harm(fault: Fault, tmp_path: Path) -> None:
    for seed in range(fault.quick):
        (folder := tmp_path / str(seed)).mkdir()
        try:
            fault.attempt(folder, Random(seed))
        except NotPossible as missing:
            pytest.skip(str(missing))


def test_no_two_faults_of_a_group_have_one_name() -> None:
    names = [(fault.group, fault.name) for fault in ALL]

    assert len(set(names)) == len(names)


def breaks(folder: Path, random: Random) -> Seen:
    """Break a promise in about half of the attempts."""
    assert random.random() < 0.5, "a promise is broken"
    return Seen(f"{random.randint(0, 9)} of 80 clips", "Error: it | broke")


@pytest.fixture
def tried(capsys: pytest.CaptureFixture[str]) -> run_faults.Tried:
    found = run_faults.Tried(Fault("Kills", "a break", breaks, 20), 20)
    for seed in range(20):
        run_faults.attempt(found, seed)
    return found


def test_a_table_has_what_was_lost_what_was_said_and_the_failures(
    tried: run_faults.Tried,
) -> None:
    failures = len(tried.failures)

    assert 0 < failures < 20
    lost = sorted(int(seen.lost[0]) for seen in tried.seen)
    assert tried.row() == (
        f"| a break | 20 | {lost[0]} to {lost[-1]} of 80 clips "
        f"| Error: it \\| broke | {failures} |"
    )


def test_a_loss_without_a_number_is_written_as_it_is() -> None:
    lost = [Seen("the cell that hung", ""), Seen("the cell that hung", "")]
    tried = run_faults.Tried(Fault("Plugins", "a hang", breaks, 2), 2, lost)

    assert tried.row() == "| a hang | 2 | the cell that hung |  | 0 |"


def test_an_attempt_is_repeated_by_its_seed(
    tried: run_faults.Tried, capsys: pytest.CaptureFixture[str]
) -> None:
    again = run_faults.Tried(tried.fault, 20)

    for seed in range(20):
        run_faults.attempt(again, seed)

    assert again.seen == tried.seen
    assert "a break, seed 19, " in capsys.readouterr().out


def test_a_fault_that_is_not_possible_here_is_left_out_with_a_reason() -> None:
    def impossible(folder: Path, random: Random) -> Seen:
        raise NotPossible("there is no mount")

    found = run_faults.Tried(Fault("Kills", "full disk", impossible, 3), 3)

    run_faults.attempt(found, 0)

    assert (
        found.row() == "| full disk | 0 | nothing | left out: there is no mount | 0 |"
    )


def test_tables_replace_those_of_the_same_faults_in_the_page(
    tried: run_faults.Tried, tmp_path: Path
) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    other = run_faults.Tried(Fault("Scale", "cells", breaks, 1), 1)

    run_faults.write([other], page, all_of_them=True)
    run_faults.write([tried], page, all_of_them=False)
    run_faults.write([tried], page, all_of_them=False)

    text = page.read_text()
    assert text.startswith("before\n<!-- faults -->\n")
    assert text.endswith("<!-- end: faults -->\nafter\n")
    assert "old" not in text
    assert text.count(tried.row()) == 1
    assert text.count(other.row()) == 1
    assert text.index("### Kills") < text.index("### Scale")
