"""A corpus that the settings give a name is named as any other."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Command = Callable[..., Result]
Refused = Callable[[str], str]


@pytest.fixture
def mine(notes: str) -> str:
    """Call the corpus ``mine`` in the settings; return its name."""
    with Path("nserbench.toml").open("a") as stream:
        stream.write(f'[corpora]\nmine = "{notes}"\n')
    return "mine"


def test_it_is_listed_and_checked(nserbench: Command, mine: str) -> None:
    listed = json.loads(nserbench("list corpora --json").stdout)["corpora"]
    checked = json.loads(nserbench("doctor --json").stdout)

    assert {"name": mine, "origin": "settings"}.items() <= listed[-1].items()
    assert [report["name"] for report in checked] == [mine, "hiss"]


def test_its_results_are_those_of_the_list_under_another_name(
    nserbench: Command, mine: str, notes: str
) -> None:
    run = "run -u mel -d mean --epochs 1 --store store"

    nserbench(f"{run} -c {mine},{mine}-hiss@5 -o named")
    nserbench(f"{run} -c {notes} -o plain")

    names = sorted(path.name for path in Path("named").iterdir() if path.is_dir())
    (plain,) = (path.name for path in Path("plain").iterdir() if path.is_dir())
    assert [name.split("_")[2:4] for name in names] == [
        ["mine", "clean"],
        ["mine", "hiss@5"],
    ]
    assert names[0].rpartition("_")[2] == plain.rpartition("_")[2]


def test_a_folder_whose_name_is_nearly_that_of_a_corpus_is_told(
    nserbench: Command, mine: str
) -> None:
    with Path("nserbench.toml").open("a") as stream:
        stream.write('[paths]\nemobd = "x"\nrooms = "y"\n')

    warned = nserbench("list corpora").stderr

    assert "has 'emobd', which no corpus is called: did you mean 'emodb'?" in warned
    assert "rooms" not in warned


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "the manifest notes.csv does not exist\n  correct its path\n"),
        ("path,label\na.wav,high\n", "notes.csv, line 1: there is no column 'speaker'"),
        ("path,label,speaker\na.wav,,s0\n", "notes.csv, line 2: 'label' is missing"),
    ],
)
def test_what_is_wrong_with_its_list_is_told_by_its_name(
    refused: Refused, mine: str, content: str | None, problem: str
) -> None:
    Path("notes.csv").unlink()
    if content is not None:
        Path("notes.csv").write_text(content)

    told = refused(f"run -u mel -d mean -c {mine}-hiss@5")

    assert told.startswith(f"nserbench.toml: 'mine' in [corpora]: {problem}")


def test_an_unknown_corpus_may_be_one_of_another_settings_file(
    refused: Refused, mine: str
) -> None:
    told = refused(f"run -u mel -d mean -c {mine},laboratory")

    assert told.startswith("unknown corpus 'laboratory'")
    assert "under [corpora] in the settings file (--config FILE)" in told


def test_a_corpus_that_cannot_be_split_is_named(refused: Refused, mine: str) -> None:
    told = refused(f"run -u mel -d mean -c {mine} --limit 1")

    assert told.startswith("mine: all utterances are of one speaker")


def test_it_is_refused_beside_its_own_list(
    refused: Refused, mine: str, notes: str
) -> None:
    told = refused(f"run -u mel -d mean -c {mine} -c manifest:{Path.cwd()}/notes.csv")

    assert told == (
        "mine and manifest:path=notes are one corpus under two names: they have the "
        "same files, labels and folds\n  leave one of the two out\n"
    )


@pytest.mark.parametrize("other", ["tested=0", "classes=low+high"])
def test_it_runs_beside_itself_with_other_options(
    nserbench: Command, mine: str, other: str
) -> None:
    planned = nserbench(f"run -u mel -d mean -c {mine} -c {mine}:{other} --dry-run")

    assert planned.exit_code == 0, planned.stderr


def test_who_types_a_name_for_a_list_reads_how_to_give_one(
    refused: Refused, notes: str
) -> None:
    told = refused(f"run -u mel -d mean -c {notes},name=mine")

    assert told.startswith("unknown option 'name' of corpus 'manifest'\n")
    assert told.endswith(
        'to give it a name, write NAME = "manifest:path=FILE" under [corpora] in '
        "nserbench.toml\n"
    )
