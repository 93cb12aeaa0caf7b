"""The seven experiments: their files, and each of them whole at tiny scale."""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tiny_study import write_checkpoints, write_corpora

from nserbench.benchmark.experiments import catalogue
from nserbench.benchmark.experiments.catalogue import read_experiment
from nserbench.benchmark.experiments.layout import EVERY_LAYER, read_layout
from nserbench.benchmark.experiments.run import BlockProblem, run_apart
from nserbench.benchmark.experiments.summaries import FOLDER, NUMBERS, summaries
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.study.grid_file import Overrides
from nserbench.benchmark.study.request import Request
from nserbench.benchmark.study.toml_checks import BadGrid
from nserbench.cli.experiment import experiment
from nserbench.errors import BadSpec, CorpusMissing, NothingToRun, UnknownName
from nserbench.leaderboard.published.data import read_published
from nserbench.leaderboard.report.report import make_report
from nserbench.leaderboard.report.source import ReportData
from nserbench.upstreams.systems import trnet
from nserbench.upstreams.systems.cnn6 import Embedder

TABLES = {"Table III": 1, "Table IV": 2, "Table V": 4, "Table VI": 6, "Table VII": 7}
MARKS = {"\N{EN DASH}", "n/a"}
"""Entries of a complete report that are no number."""


@dataclass(frozen=True)
class Tiny:
    """Corpora, weights and one folder of results for all experiments."""

    folder: Path
    variables: dict[str, str]
    checkpoints: dict[str, str]

    def run(self, number: int, more: str = "") -> Result:
        weights = [f"--checkpoint {name}={at}" for name, at in self.checkpoints.items()]
        line = f"{number} --epochs 1 --limit 24 --device cpu {' '.join(weights)} {more}"
        folders = f"--out {self.folder}/results --store {self.folder}/store"
        runner = CliRunner(env=self.variables)
        return runner.invoke(experiment, shlex.split(f"{line} {folders}"))

    def source(self, number: int) -> ReportData:
        overrides = Overrides({"epochs": 1, "limit": 24}, checkpoints=self.checkpoints)
        plugins = Plugins(installed=False)
        results = self.folder / "results"
        return ReportData(read_experiment(number), overrides, plugins, results)


@pytest.fixture(scope="module")
def tiny(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    folder = tmp_path_factory.mktemp("experiments")
    variables = write_corpora(folder / "corpora", test_data)
    return Tiny(folder, variables, write_checkpoints(folder / "weights"))


def test_each_experiment_has_a_summary_and_lists_its_tables_and_figures() -> None:
    assert [one["name"] for one in summaries()] == list("1234567")
    assert [one["shows"] for one in summaries()] == [
        "Table III",
        "Table IV",
        "Fig. 3, Fig. 4",
        "Table V, Fig. 5",
        "Fig. 6",
        "Table VI",
        "Table VII",
    ]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_the_rows_of_the_paper_in_its_order(name: str) -> None:
    every = read_published("paper").tables
    printed = [one for one in every if one.name.partition(",")[0] == name]
    (part,) = [one for one in read_experiment(TABLES[name]).parts if one.name == name]

    rows = [str(line) for line in part.rows if line.printed]

    assert all([row.label for row in one.rows] == rows for one in printed)


@pytest.mark.parametrize("name", TABLES)
def test_a_row_runs_the_upstream_that_the_published_row_is_compared_with(
    name: str,
) -> None:
    every = read_published("paper").tables
    (printed, *_) = [one for one in every if one.name.partition(",")[0] == name]
    source = ReportData(
        read_experiment(TABLES[name]), Overrides(), Plugins(installed=False), Path()
    )
    by_label = {row.label: row.ours for row in printed.rows}
    (part,) = [one for one in source.experiment.parts if one.name == name]

    for line in part.rows:
        runs = line.upstream != "speechlm"  # which takes a checkpoint
        if runs and line.printed and line.downstream != EVERY_LAYER:
            assert source.result_rows[line] in by_label[str(line)]


@pytest.mark.parametrize("number", NUMBERS)
def test_every_row_is_run_and_every_pair_that_is_run_has_a_row(number: int) -> None:
    one = read_experiment(number)

    run = {
        (upstream, head)
        for block in one.grid.blocks
        for upstream in block.request.upstreams
        for head in block.request.downstreams
    }

    assert run == {(line.upstream, line.downstream) for line in one.lines()}


@pytest.mark.parametrize("number", NUMBERS)
def test_the_columns_are_those_of_the_paper(number: int) -> None:
    source = ReportData(
        read_experiment(number), Overrides(), Plugins(installed=False), Path()
    )
    printed = {
        (place.corpus, place.condition)
        for part in source.experiment.parts
        for table in source.printed_tables(part)
        for column in table.columns
        for place in column.ours
    }

    asked = {key for row in source.experiment.lines() for key in source.columns(row)}

    assert asked == printed or not printed


@pytest.mark.parametrize(
    ("name", "blocks"),
    [
        ("HSF", [("HSF", 6, ["fc"])]),
        ("hsf: egemaps", [("HSF", 1, ["fc"])]),
        ("is09", [("HSF", 1, ["fc"])]),
        ("Proposed", [("ASR", 1, ["ladapter"])]),
    ],
)
def test_a_part_is_chosen_by_its_block_or_its_row(
    name: str, blocks: list[tuple[str, int, list[str]]]
) -> None:
    chosen = read_experiment(1).only([name]).grid.blocks

    assert blocks == [
        (one.name, len(one.request.upstreams), one.request.downstreams)
        for one in chosen
    ]


def test_heads_of_one_upstream_stay_in_one_block() -> None:
    chosen = read_experiment(2).only(["Encoder: Last", "Encoder: Mean"]).grid.blocks

    ((upstreams, heads),) = [
        (one.request.upstreams, one.request.downstreams) for one in chosen
    ]
    assert (upstreams, heads) == (["whisper-enc"], ["last", "mean"])


def test_the_error_of_an_unknown_part_lists_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="unknown block or row 'HSD'"):
        read_experiment(1).only(["HSD"])
    with pytest.raises(UnknownName, match="known: 1, 2, 3, 4, 5, 6, 7"):
        read_experiment(8)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ({"title": "a", "upstream": "mel"}, "lacks the key 'downstream'"),
        ({"title": "a", "downstream": "mean"}, "lacks the key 'upstream'"),
        ({"upstream": "mel", "downstream": "mean"}, "lacks the key 'title'"),
        ({"title": "a", "heads": "b"}, "unknown key 'heads'"),
    ],
)
def test_a_row_that_lacks_a_key_or_has_an_unknown_one_is_refused(
    line: dict[str, str], told: str
) -> None:
    part = {"name": "T", "kind": "table", "caption": "c", "rows": [line]}

    with pytest.raises(BadGrid, match=rf"\[\[report\]\] number 1, row 1.*{told}"):
        read_layout([part])


def test_a_row_that_no_block_runs_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (FOLDER / "5.toml").read_text(encoding="utf-8")
    odd = text.replace('"Whisper", upstream = "whisper"', '"Whisper", upstream = "mel"')
    (tmp_path / "5.toml").write_text(odd, encoding="utf-8")
    monkeypatch.setattr(catalogue, "FOLDER", tmp_path)

    with pytest.raises(BadGrid, match="experiment 5: no block runs the row Whisper"):
        read_experiment(5)


def test_a_report_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(BadGrid, match="'kind' must be one of table, layers, conf"):
        read_layout([{"name": "T", "kind": "pie", "caption": "c", "rows": []}])


def where(problem: BlockProblem) -> str:
    """Return the upstreams, corpora and noises of a part that was not run."""
    asked = problem.request
    noises = ["in", *asked.noises] if asked.noises else []
    words = [*asked.upstreams, "on", *asked.corpora, *noises]
    return f"{problem.block}, {' '.join(words)}"


def test_a_missing_corpus_does_not_stop_the_other_parts() -> None:
    whole = Request(
        upstreams=["a", "b"],
        downstreams=["h"],
        corpora=["x-park", "y", "x-human"],
    )

    def act(request: Request) -> tuple[list[str], list[str]]:
        if "y" in request.corpora:
            raise CorpusMissing("no y")
        if "b" in request.upstreams:
            raise NothingToRun("b cannot be")
        return list(request.upstreams), list(request.corpora)

    done, troubles = run_apart("block", whole, act)

    assert done == [(["a"], ["x-park", "x-human"])]
    assert [(where(one), one.reason, one.impossible) for one in troubles] == [
        ("block, a on y", "no y", False),
        ("block, b on x-park x-human", "b cannot be", True),
        ("block, b on y", "no y", False),
    ]


def test_a_missing_noise_does_not_stop_the_other_noises() -> None:
    whole = Request(
        upstreams=["a"],
        downstreams=["h"],
        corpora=["x"],
        noises=["clean", "park", "human"],
    )

    def act(request: Request) -> list[str]:
        if "park" in request.noises:
            raise CorpusMissing("no park")
        return list(request.noises)

    done, troubles = run_apart("block", whole, act)
    joint, (trouble,) = run_apart("block", replace(whole, protocol="+multi"), act)

    assert done == [["clean"], ["human"]]
    assert [where(one) for one in troubles] == ["block, a on x in park"]
    assert (joint, where(trouble)) == ([], "block, a on x in clean park human")


def test_a_missing_corpus_is_reported_once_and_not_for_each_noise() -> None:
    whole = Request(
        upstreams=["a"], downstreams=["h"], corpora=["x"], noises=["clean", "park"]
    )

    def act(request: Request) -> None:
        raise CorpusMissing("no x")

    _, troubles = run_apart("block", whole, act)

    assert [(where(one), one.request) for one in troubles] == [
        ("block, a on x in clean park", whole)
    ]


def test_a_block_without_errors_is_run_once_and_undivided() -> None:
    whole = Request(upstreams=["a", "b"], downstreams=["h"], corpora=["x"])
    seen: list[Request] = []

    run_apart("block", whole, seen.append)

    assert seen == [whole]


def test_an_unexpected_error_is_not_caught() -> None:
    whole = Request(upstreams=["a", "b"], downstreams=["h"], corpora=["x"])

    def act(request: Request) -> None:
        if request == whole:
            raise CorpusMissing("no x")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run_apart("block", whole, act)


def test_a_row_of_an_experiment_runs_on_folders_laid_out_as_the_corpora(
    tiny: Tiny,
) -> None:
    result = tiny.run(3, "--only 'WavLM (FZ)'")

    assert result.exit_code == 0, result.stderr[-2000:]
    sections = make_report(tiny.source(3)).sections
    (wavlm,) = [one for one in sections if "WavLM (FZ)" in one.title]
    values = {name: {shown.text for shown in row} for (name,), row in wavlm.rows}
    assert [name for name, texts in values.items() if texts == {"n/a"}] == [
        f"L{layer}" for layer in range(4, 13)
    ]
    assert all("[" in text for layer in range(4) for text in values[f"L{layer}"])
    assert any("the model has no such layer" in line for line in wavlm.notes)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let TRNet have two channels in place of 64, whatever its card says."""
    monkeypatch.setattr(
        trnet, "Embedder", lambda bands, _, dim: Embedder(bands, 2, dim)
    )


@pytest.mark.slow
@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("number", NUMBERS)
def test_a_complete_experiment_runs_at_tiny_scale(tiny: Tiny, number: int) -> None:
    result = tiny.run(number)

    assert result.exit_code == 0, result.stderr[-2000:]
    for section in make_report(tiny.source(number)).sections:
        assert section.rows
        for names, row in section.rows:
            assert len(row) == len(section.heads)
            for shown in row:
                text = shown.text.partition(" (")[0]
                assert text in MARKS or text[0].isdigit(), (names, shown)


@pytest.mark.slow
def test_a_second_run_runs_no_cell(tiny: Tiny) -> None:
    tiny.run(5)

    result = tiny.run(5)

    assert "20 cells, 20 already there" in result.stderr


def test_a_typo_is_reported_before_the_first_cell(tiny: Tiny) -> None:
    for more in ("-c demoo", "--checkpoint whispr=x", "--protocol papr"):
        result = tiny.run(7, more)

        assert isinstance(result.exception, UnknownName)
    assert isinstance(tiny.run(7, "--protocol paper+epochs=0").exception, BadSpec)
