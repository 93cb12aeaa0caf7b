"""What stands behind a name changes between two runs: no table has both."""

import csv
import io
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from click.testing import Result
from notes import write_noise

Command = Callable[..., Result]
Process = Callable[..., subprocess.CompletedProcess[str]]

UPSTREAM = """
import nserbench as nb

class Power(nb.Upstream):
    def forward(self, batch):
        frames = [wave.unfold(0, 160, 160) for wave in batch.tensors()]
        return {"rms": nb.LayerGroup.pad([one.std(1)[None, :, None] for one in frames])}

@nb.hookimpl
def nserbench_upstreams():
    return [nb.UpstreamCard(name="rms", load=Power, min_samples=160)]
"""
READER = """
import torch
import nserbench as nb

class Length(nb.Upstream):
    def forward(self, batch):
        counts = [torch.full((1, 1, 1), float(len(text))) for text in batch.texts]
        return {"length": nb.LayerGroup.pad(counts)}

@nb.hookimpl
def nserbench_upstreams():
    reads = frozenset({"texts"})
    return [nb.UpstreamCard(name="length", load=Length, reads=reads)]
"""
GAIN = """
from pathlib import Path
import nserbench as nb

class Gain(nb.Upstream):
    def __init__(self, options, device):
        super().__init__(options, device)
        self.gain = float(options["file"].read_text())

    def forward(self, batch):
        frames = [self.gain * wave.unfold(0, 160, 160) for wave in batch.tensors()]
        return {"rms": nb.LayerGroup.pad([one.std(1)[None, :, None] for one in frames])}

@nb.hookimpl
def nserbench_upstreams():
    option = nb.Option(help="the gain", default=Path("gain.txt"))
    options = {"file": option}
    return [nb.UpstreamCard(name="gain", load=Gain, min_samples=160, options=options)]
"""
HEAD = """
import torch
import nserbench as nb

class Line(torch.nn.Linear):
    def __init__(self, groups, classes, options):
        super().__init__(sum(group.dim for group in groups.values()), classes)

    def forward(self, features):
        means = [one.states[-1].mean(1) for one in features.values()]
        return super().forward(torch.cat(means, 1))

@nb.hookimpl
def nserbench_downstreams():
    return [nb.DownstreamCard(name="line", load=Line)]
"""


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each result be finished a second after the one before."""
    seconds = count()
    start = datetime(2026, 1, 1, tzinfo=UTC)
    monkeypatch.setattr(
        "nserbench.benchmark.running.assemble._now",
        lambda: (start + timedelta(seconds=next(seconds))).isoformat(),
    )


@pytest.fixture
def shown(nserbench: Command) -> Callable[[], dict[str, str]]:
    """Return a function that returns the status of each cell, and the warnings."""

    def read() -> dict[str, str]:
        printed = nserbench("leaderboard --format csv --metric uar")
        rows = csv.DictReader(io.StringIO(printed.stdout))
        status = {
            f"{one['upstream']} {one['downstream']} {one['condition']}": one["status"]
            for one in rows
        }
        return {**status, "": " ".join(printed.stderr.split())}

    return read


@pytest.mark.parametrize(
    ("old", "new", "left_out"),
    [
        ("one.std(1)", "one.mean(1)", "rms mean clean"),
        ("states[-1].mean(1)", "states[-1].sum(1)", "mel line clean"),
    ],
)
def test_results_of_code_that_was_changed_are_left_out(
    process: Process,
    shown: Callable[[], dict[str, str]],
    notes: str,
    old: str,
    new: str,
    left_out: str,
) -> None:
    files = {Path("own.py"): UPSTREAM, Path("head.py"): HEAD}
    for file, code in files.items():
        file.write_text(code)
    run = f"run --plugin own.py --plugin head.py --epochs 1 -c {notes}"
    process(f"{run} -u rms,mel -d mean,line")
    assert set(shown().values()) == {"done", ""}
    for file, code in files.items():
        file.write_text(code.replace(old, new))

    process(f"{run} -u rms -d line")

    found = shown()
    warning = found.pop("")
    assert [cell for cell, one in found.items() if one == "left out"] == [left_out]
    assert "with other code than the newest" in warning
    assert "run them again" in warning


def test_results_that_were_trained_in_noise_of_another_file_are_left_out(
    nserbench: Command, shown: Callable[[], dict[str, str]], notes: str
) -> None:
    write_noise(Path("own.wav"), seed=3)
    with Path("nserbench.toml").open("a") as stream:
        stream.write('own = "own.wav"\n')
    noisy = f"-c {notes} --noise hiss --snr 5"
    run = f"run --epochs 1 --protocol probe+unseen-noise=own {noisy}"
    nserbench(f"{run} -u mel -d mean,fc")
    write_noise(Path("own.wav"), seed=4)

    nserbench(f"{run} -u mel -d fc")

    found = shown()
    assert found["mel mean hiss@5"] == "left out"
    assert found["mel fc hiss@5"] == "done"
    assert "other noise in the training set than the newest" in found[""]


@pytest.fixture
def noise_set(notes: str) -> Path:
    """Name a folder of one file as the noise ``own``; return the file."""
    file = Path("set/one.wav")
    file.parent.mkdir()
    with Path("nserbench.toml").open("a") as stream:
        stream.write('own = "set"\n')
    return write_noise(file, seed=3)


def test_results_in_a_set_of_noises_whose_files_have_changed_are_left_out(
    nserbench: Command,
    shown: Callable[[], dict[str, str]],
    notes: str,
    noise_set: Path,
) -> None:
    run = f"run --epochs 1 -c {notes} --noise own --snr 5"
    nserbench(f"{run} -u mel -d mean,fc")
    size = noise_set.stat().st_size
    write_noise(noise_set, seed=4)
    assert noise_set.stat().st_size == size

    nserbench(f"{run} -u mel -d fc")

    found = shown()
    assert (found["mel mean own@5"], found["mel fc own@5"]) == ("left out", "done")
    assert "other noise or mixing than the newest" in found[""]
    drawn = nserbench("plot confusion -o figure.svg")
    robust = nserbench("leaderboard --robustness")
    for told in (drawn.stderr, robust.stderr):
        assert "other noise or mixing than the newest" in " ".join(told.split())


def test_a_cell_is_run_again_when_a_set_of_noises_that_it_trained_in_has_changed(
    nserbench: Command,
    shown: Callable[[], dict[str, str]],
    notes: str,
    noise_set: Path,
) -> None:
    noisy = f"-c {notes} --noise hiss --snr 5"
    run = f"run --epochs 1 --protocol probe+unseen-noise=own {noisy} -u mel -d mean"
    nserbench(run)
    write_noise(noise_set, seed=4)

    again = nserbench(run)

    assert "cells: 1 done" in again.stdout
    assert "other noise in the training set than the newest" in shown()[""]


def test_a_cell_that_hears_nothing_can_be_run_again_after_a_noise_has_changed(
    nserbench: Command, shown: Callable[[], dict[str, str]], notes: str
) -> None:
    with Path("nserbench.toml").open("a") as stream:
        stream.write('own = "own.wav"\n')
    Path("reader.py").write_text(READER)
    file = Path(notes.removeprefix("manifest:"))
    header, *rows = file.read_text().splitlines()
    lines = [f"{row},{'x' * number}" for number, row in enumerate(rows, start=1)]
    file.write_text("\n".join([f"{header},text", *lines]))
    run = f"run --plugin reader.py -d mean --epochs 1 -c {notes} --noise own -u"
    for seed in (3, 4):
        write_noise(Path("own.wav"), seed=seed)
        nserbench(f"{run} mel")
        if seed == 3:
            nserbench(f"{run} length")
    assert shown()["length mean own@0"] == "left out"

    nserbench(f"{run} length")

    assert shown()["length mean own@0"] == "done"


def test_results_of_a_file_in_an_option_that_was_changed_are_left_out(
    nserbench: Command, shown: Callable[[], dict[str, str]], notes: str
) -> None:
    Path("gain.py").write_text(GAIN)
    run = f"run --plugin gain.py -u gain -d mean --epochs 1 -c {notes} --noise"
    Path("gain.txt").write_text("1")
    nserbench(f"{run} clean")
    Path("gain.txt").write_text("2")

    nserbench(f"{run} hiss")

    found = shown()
    assert found["gain mean clean"] == "left out"
    assert found["gain mean hiss@0"] == "done"


def test_a_figure_of_some_rows_has_no_result_that_is_left_out(
    nserbench: Command, notes: str
) -> None:
    run = f"run -u mel --epochs 1 -c {notes} --noise hiss -d"
    nserbench(f"{run} mean")
    write_noise(Path("hiss.wav"), seed=9)
    nserbench(f"{run} fc")

    drawn, refused = (
        nserbench(f"plot confusion -d {head} -o {head}.svg") for head in ("fc", "mean")
    )

    assert drawn.exit_code == 0, drawn.output
    assert refused.exit_code == 1
    assert "is left out" in " ".join(refused.stderr.split())
    assert "there is nothing to draw for confusion" in refused.stderr


def test_rows_that_were_trained_in_other_conditions_share_no_column(
    nserbench: Command, shown: Callable[[], dict[str, str]], notes: str
) -> None:
    run = f"run -u mel -d mean --epochs 1 -c {notes} --protocol probe+multi --noise"
    nserbench(f"{run} clean,hiss --snr 5")

    nserbench(f"{run} clean,hiss --snr 5,0".replace("mean", "fc"))

    found = shown()
    assert (found["mel mean clean"], found["mel fc clean"]) == ("left out", "done")
    assert "run all conditions in one command" in found[""]


def test_a_file_under_the_name_of_a_known_noise_is_told(
    nserbench: Command, notes: str
) -> None:
    write_noise(Path("own.wav"), seed=5)
    with Path("nserbench.toml").open("a") as stream:
        stream.write('human = "own.wav"\n')
    says = "the noise human is a file of the settings, not the noise that usually has"

    told = nserbench(f"run -u mel -d mean --epochs 1 -c {notes} --noise human,hiss")
    table = nserbench("leaderboard --format markdown")

    assert told.exit_code == 0, told.output
    assert f"manifest:path=notes: {says}" in " ".join(told.output.split())
    assert f"- manifest:path=notes: {says}" in table.stdout
    assert "the noise hiss" not in table.stdout + told.output


def test_a_cell_is_run_again_when_texts_have_been_corrected(
    nserbench: Command, shown: Callable[[], dict[str, str]], notes: str
) -> None:
    file = Path(notes.removeprefix("manifest:"))
    header, *rows = file.read_text().splitlines()
    run = f"run -u mel -d mean --epochs 1 -c {notes}"

    def write(text: Callable[[int], str]) -> None:
        lines = [f"{row},{text(number)}" for number, row in enumerate(rows)]
        file.write_text("\n".join([f"{header},text", *lines]))

    write(lambda number: "all the same")
    nserbench(run)
    write(str)

    again = nserbench(run)

    assert "cells: 1 done" in again.stdout
    found = shown()
    assert found["mel mean clean"] == "done"
    assert "1 result with other texts than the newest is left out" in found[""]
