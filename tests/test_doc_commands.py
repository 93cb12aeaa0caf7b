"""Every command of the pages runs, in the order of its page, in a made-up lab."""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet
from click.testing import CliRunner
from once import made_once
from pages import ROOT, file_name, typed, with_blocks, words_of
from tiny_lab import Lab, write_lab

from nserbench.cli import main
from nserbench.upstreams.loading import hub

SHORT = {"--epochs": "1", "--limit": "20", "--device": "cpu"}
"""Added to each command that trains, unless the page says otherwise. Heads on frames
are narrower, too, and babble has fewer voices."""

NOT_RUN = {
    "docker": "builds and runs an image",
    "eval": "the completion of a shell",
    "git": "clones from the network",
    "hf": "downloads weights",
    "mkdir": "folders of an image",
    "make": "installs everything; the Makefile's own commands are on these pages",
    "source": "the tests have their environment",
    "pip": "installs from the network",
    "pytest": "run by the test of the page about plugins in test_doc_blocks.py",
    "python3": "makes an environment",
    "python": "writes pictures of the repository, or trains for half an hour",
    "tensorboard": "serves until it is stopped",
    ".venv/bin/python": "takes another project's code; see CONTRIBUTING",
}
"""Programs that are not run, and why."""


QUICK = {
    "compare.md",
    "doctor.md",
    "figures.md",
    "first-hour.md",
    "mel.md",
    "noise.md",
    "page.md",
    "read-the-leaderboard.md",
}
"""Pages that every run of the tests goes through; the others are slow tests."""

RED = re.compile(r"^doctor( |$)")
"""Commands that may end with exit code 1: `doctor` says that corpora are too small."""


@dataclass(frozen=True)
class Instead:
    """What replaces the end of a command that cannot run here, and why."""

    added: str
    reason: str


INSTEAD = {
    r"^run .*--on dask://": Instead("--dry-run", "needs the scheduler of a cluster"),
    r"^run .*--on slurm": Instead("--dry-run", "submits jobs"),
    r"^experiment .*--on slurm": Instead("--plan", "submits jobs"),
    r"^download \w": Instead("--help", "downloads a corpus"),
    r"s3prl:distilhubert": Instead("--help", "loads weights from S3PRL's server"),
}
"""Commands that contact other machines, by a pattern in their words."""


@pytest.fixture(scope="session")
def lab(of_all_processes: Path) -> Lab:
    return made_once(of_all_processes / "lab", write_lab)


@pytest.fixture
def finished(of_all_processes: Path) -> Path:
    """Return the results of a small study: two seeds, clean speech and two SNRs."""
    made_once(folder := of_all_processes / "finished", finish)
    return folder / "results"


def finish(folder: Path) -> None:
    words = "run -u mel -d mean -c demo --noise clean,park --snr 0,5 --seeds 2 "
    words += f"--store {folder}/store --out {folder}/results"
    short = [word for pair in SHORT.items() for word in pair]
    done = CliRunner().invoke(main, [*shlex.split(words), *short])
    assert done.exit_code == 0, done.output


def of_two_seeds(results: Path) -> list[str]:
    """Return the digests of two cells that differ in their seed alone."""
    found = [json.loads(file.read_text()) for file in results.rglob("result.json")]
    clean = [one for one in found if one["cell"]["condition"] == "clean"]
    return [one["digest"] for one in sorted(clean, key=lambda one: one["cell"]["seed"])]


@dataclass
class Reader:
    """Somebody who types what a page says, in one folder."""

    lab: Lab
    stands_for: dict[str, str]
    monkeypatch: pytest.MonkeyPatch

    def type(self, line: str) -> None:
        """Do what one line of a page says, or write the file that a block is."""
        if name := file_name(line):
            Path(name).write_text(line)
            return
        program, *words = words_of(line)
        if program == "export":
            self._export(words)
        elif program == "cd":
            self.monkeypatch.chdir(words[0])
        elif program == "nserbench":
            self._run(words)
        else:
            assert program in NOT_RUN, line

    def _export(self, words: list[str]) -> None:
        for word in words:
            name, value = word.split("=", 1)
            known = {**self.lab.variables, "NSERBENCH_EMOBOX_AUDIO": ""}
            assert name in known or name in os.environ, word
            assert value

    def _run(self, words: list[str]) -> None:
        words = [self.stands_for.get(word, word) for word in words]
        line = shlex.join(words)
        for pattern, instead in INSTEAD.items():
            if re.search(pattern, line):
                words = [*words, instead.added]
        if words[0] in ("run", "plan", "experiment"):
            missing = (it for it in SHORT.items() if it[0] not in words)
            words = [*words, *(word for pair in missing for word in pair)]
        with self.monkeypatch.context() as patch:
            if "--on" not in words:  # other processes have the true width
                patch.setattr("nserbench.downstreams.bigru.UNITS", 8)
                patch.setattr("nserbench.downstreams.ladapter.UNITS", 8)
            patch.setattr("nserbench.corpora.noise.generated.CROWDS", 1)
            done = CliRunner().invoke(main, words, prog_name="nserbench")
        told = f"{shlex.join(words)}\n{done.output}"
        assert isinstance(done.exception, SystemExit | None), told
        assert "Error: " not in done.output, told
        assert done.exit_code == 0 or RED.match(line), told


@pytest.fixture
def reader(
    lab: Lab, finished: Path, monkeypatch: pytest.MonkeyPatch, short_searches: None
) -> Iterator[Reader]:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(lab.hub))
    monkeypatch.setenv("HF_HUB_CACHE", str(lab.hub))  # of worker processes
    monkeypatch.delenv("NSERBENCH_RESULTS")
    for name, value in lab.variables.items():
        monkeypatch.setenv(name, value)
    for name, target in lab.files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).symlink_to(target)
    for copy in ("results", "lab-a/results", "lab-b/results"):
        shutil.copytree(finished, copy)
    two = of_two_seeds(finished)
    names = "mel x mean x demo clean", "mel x bigru x demo clean"
    cells = dict(zip(("0c78", "caa0", *names), two * 2, strict=True))
    hub._from_hub.cache_clear()
    yield Reader(lab, cells, monkeypatch)
    hub._from_hub.cache_clear()


def pages() -> list[ParameterSet]:
    """Return the pages with commands; those that take long are slow tests."""
    found = [page for page in with_blocks("console") if page.name != "plugins.md"]
    return [
        pytest.param(
            page,
            id=page.name,
            marks=[] if page.name in QUICK else pytest.mark.slow,
        )
        for page in found
    ]


@pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask")
@pytest.mark.parametrize("page", pages())
def test_every_command_of_a_page_works(page: Path, reader: Reader) -> None:
    for line in typed(page, "python", "toml", "csv"):
        reader.type(line)


def demo() -> list[str]:
    """Return the commands of `make demo`, without the installation."""
    done = subprocess.run(
        ["make", "--dry-run", "demo"], cwd=ROOT, capture_output=True, text=True
    )
    recipe = done.stdout.replace("\\\n", " ").replace(".venv/bin/", "")
    return [line for line in recipe.splitlines() if line.startswith("nserbench ")]


READ = ROOT / "docs/read-the-leaderboard.md"
PRINTED: dict[Path, Callable[[], Iterable[str]]] = {
    ROOT / "README.md": demo,
    READ: lambda: typed(READ),
}
"""The commands that print the tables of a page."""
MARKED = re.compile(r"<!-- printed -->\n\n(.*?)\n\n<!-- end: printed -->", re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("page", PRINTED, ids=lambda page: page.name)
def test_the_tables_of_a_page_are_what_the_program_prints(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NSERBENCH_RESULTS")
    tables = MARKED.findall(page.read_text())

    told = ""
    for line in PRINTED[page]():
        words = shlex.split(line)[1:]
        if words[0] == "leaderboard" and "--format" not in words:
            words += ["--format", "markdown"]
        told += CliRunner().invoke(main, words).stdout

    assert tables
    assert [table for table in tables if table not in told] == []
