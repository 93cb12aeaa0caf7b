import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Command = Callable[..., Result]

SCRIBE = """
import nserbench as nb

@nb.hookimpl
def nserbench_upstreams():
    groups = {"one": nb.GroupSpec(range(1, 2), 1, None)}
    facts = {"summary": "", "source": "", "licence": "", "transcribes": True}
    return [
        nb.UpstreamCard(name="scribe", load="scribe:Scribe", groups=groups, **facts)
    ]

class Scribe(nb.Transcriber):
    def forward_and_transcribe(self, batch):
        import torch

        ones = torch.ones(len(batch.ids), dtype=torch.int64)
        loud = [abs(wave).mean() > 0.2 for wave in batch.waves]
        group = nb.LayerGroup(torch.zeros(1, len(ones), 1, 1), ones)
        texts = ["low low" if it else "low" for it in loud]
        return nb.Recognised({"one": group}, texts)
"""


@pytest.fixture
def scribe() -> str:
    Path("scribe.py").write_text(SCRIBE)
    return "-u scribe --plugin scribe.py"


@pytest.fixture
def told(notes: str) -> str:
    """Add the text `Low!` to every utterance of the corpus."""
    file = Path(notes.removeprefix("manifest:"))
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    with file.open("w", newline="") as stream:
        table = csv.DictWriter(stream, [*rows[0], "text"])
        table.writeheader()
        table.writerows(row | {"text": "Low!"} for row in rows)
    return notes


def test_the_error_rate_of_each_condition_is_printed(
    nserbench: Command, told: str, scribe: str
) -> None:
    noises = "--noise clean --noise hiss --snr 0,-40"

    answer = nserbench(f"transcribe {scribe} -c {told} {noises} --json")

    rows = json.loads(answer.stdout)
    assert [(row["condition"], row["measure"], row["rate"]) for row in rows] == [
        ("clean", "WER", 0.0),
        ("hiss@0", "WER", 1.0),
        ("hiss@-40", "WER", 1.0),
    ]
    assert {row["utterances"] for row in rows} == {24}


def test_error_rates_are_of_the_clips_that_have_a_text(
    nserbench: Command, told: str, scribe: str
) -> None:
    file = Path(told.removeprefix("manifest:"))
    file.write_text(file.read_text().replace("Low!", "", 1))

    (row,) = json.loads(nserbench(f"transcribe {scribe} -c {told} --json").stdout)
    lines = nserbench(f"transcribe {scribe} -c {told}").stdout.splitlines()

    assert (row["rate"], row["utterances"], row["clips"]) == (0.0, 23, 24)
    assert lines[3].split()[:5] == ["clean", "23", "of", "24", "0.0"]


def test_against_clean_needs_no_reference(
    nserbench: Command, notes: str, scribe: str
) -> None:
    noisy = f"transcribe {scribe} -c {notes} --noise hiss"

    unknown = json.loads(nserbench(f"{noisy} --json").stdout)
    known = json.loads(nserbench(f"{noisy} --wer-against clean --json").stdout)

    assert "rate" not in unknown[0]
    assert known[0]["rate"] == 1.0


def test_the_table_has_no_unknown_rates_and_names_the_reference(
    nserbench: Command, notes: str, scribe: str
) -> None:
    lines = nserbench(f"transcribe {scribe} -c {notes}").stdout.splitlines()

    assert lines[0] == "scribe on manifest:path=notes, against the corpus's texts"
    assert lines[3].split() == ["clean", "24"]


def test_transcripts_are_written_next_to_their_references(
    nserbench: Command, told: str, scribe: str
) -> None:
    nserbench(f"transcribe {scribe} -c {told} --noise hiss --snr 0 -o out.csv")

    with Path("out.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 24
    assert {(row["reference"], row["transcript"]) for row in rows} == {
        ("Low!", "low low")
    }


@pytest.mark.parametrize(
    "command",
    ["transcribe -u {scribe}", "run -d mean --epochs 1 -u {scribe}"],
    ids=["transcribe", "run"],
)
def test_a_language_that_the_checkpoint_lacks_is_noted(
    nserbench: Command, told: str, scribe: str, command: str
) -> None:
    knows = "reads={'waves', 'languages'}, languages='scribe:known',"
    plugin = SCRIBE.replace('name="scribe",', f'name="scribe", {knows}')
    Path("scribe.py").write_text(f"{plugin}\nknown = lambda options: {{'en', 'de'}}\n")
    list_ = Path(told.removeprefix("manifest:"))
    header, *rows = list_.read_text().splitlines()
    spoken = [f"{row},{'fr' if n % 3 else 'de'}" for n, row in enumerate(rows)]
    list_.write_text("\n".join([f"{header},language", *spoken]))

    answer = nserbench(f"{command.format(scribe=scribe[3:])} -c {told}")

    says = (
        "scribe does not know the language fr: 16 of 24 clips of manifest:path=notes "
        "get an English prompt"
    )
    assert says in answer.stderr
    assert "language de" not in answer.stderr
    if command.startswith("run"):
        table = nserbench("leaderboard --format markdown")
        assert f"- {says}" in table.stdout


def test_an_upstream_that_cannot_transcribe_is_refused(
    refused: Callable[[str], str], notes: str
) -> None:
    assert refused(f"transcribe -u mel -c {notes}").startswith(
        "mel writes no transcripts\n  an upstream that does: whisper"
    )


def test_a_corpus_without_texts_is_told_to_have_no_error_rates(
    nserbench: Command, notes: str, scribe: str
) -> None:
    answer = nserbench(f"transcribe {scribe} -c {notes}")

    assert "manifest:path=notes has no texts to compare with" in answer.stderr
