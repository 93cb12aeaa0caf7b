import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from nserbench.benchmark.experiments.catalogue import read_experiment
from nserbench.benchmark.experiments.run import BlockProblem
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.predictions import Predictions
from nserbench.benchmark.study.grid_file import Overrides
from nserbench.benchmark.study.protocol_names import read_protocol
from nserbench.benchmark.study.request import Request
from nserbench.leaderboard.report.drawings import draw_report
from nserbench.leaderboard.report.render import (
    best_cells,
    print_report,
    to_markdown,
)
from nserbench.leaderboard.report.report import PaperReport, make_report
from nserbench.leaderboard.report.source import ReportData
from nserbench.leaderboard.report.tables import Section
from nserbench.leaderboard.tables.summary import summary_table

Add = Callable[..., Path]
PAPER = {"corpus": "casia", "protocol": "paper", "protocol_details": {"version": 1}}


@pytest.fixture
def add(add: Add) -> Add:
    """Return `add` for the version of the protocol that reports show."""
    return partial(add, version=read_protocol("probe", "probe").version)


@pytest.fixture
def report(root: Path) -> Callable[..., PaperReport]:
    """Return a function that reports an experiment, on EmoDB by default."""

    def make(
        number: int, corpora: Sequence[str] | None = ("emodb",), *problems: BlockProblem
    ) -> PaperReport:
        return make_report(source(root, number, corpora, *problems))

    return make


def source(
    root: Path, number: int, corpora: Sequence[str] | None, *problems: BlockProblem
) -> ReportData:
    overrides = Overrides({} if corpora is None else {"corpora": corpora})
    plugins = Plugins(installed=False)
    return ReportData(read_experiment(number), overrides, plugins, root, problems)


def text(section: Section, *names: str) -> list[str]:
    """Return the cells of the row whose last names are these."""
    (cells,) = [
        cells for row, cells in section.rows if tuple(row)[-len(names) :] == names
    ]
    return [cell.text for cell in cells]


def test_pooled_folds_and_suspect_heads_are_marked_as_in_the_leaderboard(
    add: Add, report: Callable[..., PaperReport]
) -> None:
    flags = {"1": ["dead head: it answers anger to all 4 utterances"]}
    labels = np.arange(8) % 2
    one_class_a_fold = Predictions(
        utterances=tuple(f"u{number}" for number in range(8)),
        speakers=tuple(f"s{number // 2}" for number in range(8)),
        folds=("1", "2") * 4,
        classes=("anger", "neutral"),
        labels=labels,
        predicted=labels * 0,
        probabilities=np.eye(2)[labels * 0],
    )
    add("mel", "bigru", predictions=one_class_a_fold, notes={"flags": flags})

    paper_report = report(7)

    (score,) = text(paper_report.sections[0], "BiGRU", "UAR")
    assert score.endswith("]\N{DAGGER}\N{DOUBLE DAGGER}!")
    assert any(line.startswith("\N{DOUBLE DAGGER}: ") for line in paper_report.notes)
    assert any(line.startswith("dead head: ") for line in paper_report.notes)


def test_a_row_has_the_score_and_the_interval_of_the_leaderboard(
    add: Add, report: Callable[..., PaperReport], root: Path
) -> None:
    add("mel", "bigru", right="11110000")
    (entry,) = summary_table(root, ["uar"]).entries.values()
    score = entry.scores["uar"]

    (section,) = report(7).sections

    assert section.heads == ["emodb clean"]
    assert score.low is not None
    assert score.high is not None
    low, high = f"{100 * score.low:.1f}", f"{100 * score.high:.1f}"
    assert text(section, "BiGRU", "UAR") == [f"50.0 [{low}, {high}]\N{DAGGER}"]


def test_the_papers_numbers_are_beside_ours_on_its_corpora_only(
    add: Add, report: Callable[..., PaperReport]
) -> None:
    add("mel", "bigru", right="11111111", **PAPER)
    add("mel", "bigru", right="11111111")

    (ours,), (theirs,) = report(7).sections, report(7, None).sections

    assert theirs.heads == ["CASIA"]
    (shown,) = text(theirs, "BiGRU", "UAR")
    assert re.fullmatch(r"100\.0 \[.*\]\N{DAGGER} \(53\.53\)", shown)
    assert text(theirs, "WavLM (FT)", "F1") == ["not run (52.17)"]
    assert "(" not in text(ours, "BiGRU", "UAR")[0]


def test_a_result_of_another_protocol_is_not_shown(
    add: Add, report: Callable[..., PaperReport]
) -> None:
    add("mel", "bigru", protocol="paper")

    (section,) = report(7).sections

    assert text(section, "BiGRU", "UAR") == ["not run"]


def test_a_row_has_the_remark_of_its_upstream(
    report: Callable[..., PaperReport],
) -> None:
    (section,) = report(1).sections

    assert "NSER: MLDK: our reading of a public abstract" in section.notes
    assert (
        "NSER: MV-BiSSM: built from one line; not the authors' system" in section.notes
    )
    assert text(section, "DCCRN", "UAR") == ["\N{EN DASH}"] + ["not run"] * 3


def test_a_cell_without_a_score_has_its_reason(
    add: Add, report: Callable[..., PaperReport]
) -> None:
    add(
        "mel",
        "bigru",
        right=None,
        status="not applicable",
        reason="mel reads no text",
        classes=(),
    )
    add("wavlm", "last", right=None, status="failed", reason="it broke", classes=())

    (section,) = report(7).sections

    assert text(section, "BiGRU", "F1") == ["n/a"]
    assert text(section, "WavLM (FZ)", "F1") == ["failed"]
    assert (
        "n/a: Mel-Spectrogram: BiGRU (emodb clean): mel reads no text" in section.notes
    )
    assert "failed: Waveform: WavLM (FZ) (emodb clean): it broke" in section.notes


def test_a_missing_checkpoint_is_marked_in_its_own_row_only(
    report: Callable[..., PaperReport],
) -> None:
    asked = Request(upstreams=["wavlm"], downstreams=["last"], corpora=["emodb"])
    gone = BlockProblem("SSL", asked, "no weights\n  get them", impossible=False)

    (section,) = report(7, ["emodb"], gone).sections

    assert text(section, "WavLM (FZ)", "UAR") == ["missing"]
    assert text(section, "HuBERT (FZ)", "UAR") == ["not run"]
    why = "missing: Waveform: WavLM (FZ) (emodb clean): no weights get them"
    assert why in section.notes


def test_the_best_layer_is_the_best_on_the_test_set_and_is_marked(
    add: Add, report: Callable[..., PaperReport]
) -> None:
    for layer, right in enumerate(["11111111", "11000000", "11110011"]):
        add("whisper-enc", f"single:layer={layer}", right=right)
    add("whisper-enc", "last", right="11000011")

    (section,) = report(2).sections

    best, *_ = [row for names, row in section.rows if names[1:] == ("Best", "UAR")]
    assert best[0].text.endswith("L2 of 2")
    assert best[0].text.startswith("75.0 ")
    assert any("chosen this way is too optimistic" in line for line in section.notes)


def test_a_layer_chosen_on_the_test_set_is_never_the_best_of_its_column(
    add: Add, report: Callable[..., PaperReport]
) -> None:
    add("whisper-enc", "single:layer=1", right="11111111")
    add("whisper-enc", "last", right="11000000")
    add("whisper-enc", "mean", right="11111100")

    (section,) = report(2).sections

    best = {section.rows[row][0][1] for row, _ in best_cells(section)}
    assert best == {"Mean"}


def test_the_best_of_each_column_and_metric_is_bold(
    add: Add, report: Callable[..., PaperReport]
) -> None:
    add("mel", "bigru", right="11110011")
    add("wavlm", "last", right="11111111")

    markdown = to_markdown(report(7))

    rows = [line for line in markdown.splitlines() if "| UAR |" in line]
    assert rows[0].startswith("| Mel-Spectrogram | BiGRU | UAR | 75.0 ")
    assert rows[3].startswith("| Waveform | WavLM (FZ) | UAR | **100.0 ")
    assert sum("**" in row for row in rows) == 1


def test_layers_are_in_order_for_each_row_of_the_figure(
    add: Add, report: Callable[..., PaperReport]
) -> None:
    for layer in (10, 9, 0):
        add("whisper-enc", f"single:layer={layer}")

    encoder, decoder, *_ = report(3).sections

    assert [name for (name,), _ in encoder.rows] == [f"L{at}" for at in range(13)]
    assert [name for (name,), row in encoder.rows if row[0].value is not None] == [
        "L0",
        "L9",
        "L10",
    ]
    assert [name for (name,), _ in decoder.rows] == [f"L{at}" for at in range(1, 13)]
    assert text(decoder, "L3") == ["not run"] * 4


def test_a_table_by_noise_is_divided_as_the_papers(
    report: Callable[..., PaperReport],
) -> None:
    ours, theirs = report(4).sections, report(4, None).sections

    assert [section.title.partition(":")[0] for section in ours[:3]] == [
        "Table V, emodb human",
        "Table V, emodb park",
        "Table V, emodb traffic",
    ]
    assert theirs[1].title.startswith("Table V, IEMOCAP - Environment (Park)")
    assert theirs[1].heads == [f"SNR {snr} dB" for snr in (-10, -5, 0, 5, 10)]


def test_confusions_are_shares_of_the_true_class(
    add: Add, report: Callable[..., PaperReport]
) -> None:
    add("whisper", "ladapter", "human@0", right="10111111")

    human = report(4).sections[3]

    assert human.heads == ["predicted anger", "predicted neutral"]
    shown = [(names, [cell.text for cell in row]) for names, row in human.rows[2:5]]
    assert shown == [
        (("human@0", "anger"), ["100.0", "0.0"]),
        (("human@0", "neutral"), ["25.0", "75.0"]),
        (("human@5", ""), ["not run", "not run"]),
    ]


def test_word_error_rates_are_beside_scores(
    add: Add, report: Callable[..., PaperReport]
) -> None:
    recognition = {"measure": "WER", "rate": 0.25, "mean": 0.3}
    add("whisper", "ladapter", recognition=recognition)
    add("whisper", "ladapter", "park@0")

    (section,) = report(5).sections

    assert text(section, "Whisper", "emodb clean")[0] == "25.0 WER"
    assert text(section, "Whisper", "emodb park@0")[0] == "\N{EN DASH}"
    assert any("no reference texts" in line for line in section.notes)
    assert any("no correlation over 1 points" in line for line in section.notes)


def test_the_papers_layers_are_beside_ours_on_its_corpus_only(
    add: Add, report: Callable[..., PaperReport]
) -> None:
    study = {**PAPER, "corpus": "iemocap"}
    add("whisper-enc", "single:layer=12", right="11111111", **study)
    add("whisper-enc", "single:layer=12", right="11111111")

    theirs, decoder, *_ = report(3, None).sections
    ours, *_ = report(3).sections

    shown = text(theirs, "L12")
    assert re.fullmatch(r"100\.0 \[.*\]\N{DAGGER} \(72\.11\)", shown[0])
    assert text(theirs, "L11") == ["not run", "not run (62.61)", "not run", "not run"]
    assert theirs.notes[-1] == (
        "the paper's best layers, according to its text: IEMOCAP L12, IEMOCAP (Human) "
        "L11, IEMOCAP (Environment) Park L12, IEMOCAP (Environment) Traffic L12"
    )
    assert text(decoder, "L4")[1] == "not run (62.20)"
    assert "(" not in "".join(text(ours, "L11"))
    assert not any("the paper" in line for line in ours.notes)


def test_the_papers_error_rates_are_beside_ours_in_percent(
    add: Add, report: Callable[..., PaperReport]
) -> None:
    recognition = {"measure": "WER", "rate": 0.25, "mean": 0.3}
    study = {**PAPER, "corpus": "iemocap"}
    add("whisper", "ladapter", recognition=recognition, **study)

    (theirs,), (ours,) = report(5, None).sections, report(5).sections

    words, f1 = text(theirs, "Whisper", "iemocap clean")
    assert words == "25.0 WER (28)"
    assert f1.endswith("(76.53)")
    assert text(theirs, "Whisper", "iemocap traffic@0") == [
        "not run (30)",
        "not run (74.04)",
    ]
    assert text(theirs, "Conformer", "iemocap human@5") == ["not run (65)", "not run"]
    assert any("r = -0.89, p < 0.001" in line for line in theirs.notes)
    assert any("no correlation over 0 points" in line for line in ours.notes)
    assert text(ours, "Whisper", "emodb clean") == ["not run", "not run"]
    assert not any("the paper" in line for line in ours.notes)


def test_the_papers_error_rates_are_not_beside_error_rates_from_clean_speech(
    root: Path,
) -> None:
    data = replace(source(root, 5, None), against="clean")

    (section,) = make_report(data).sections

    assert text(section, "Whisper", "iemocap clean") == ["not run", "not run (76.53)"]
    assert not any("-0.89" in line for line in section.notes)


def test_a_fine_tuned_row_is_beside_the_papers(
    add: Add, report: Callable[..., PaperReport]
) -> None:
    add("wavlm:finetune=last", "last", right="11111111", **PAPER)

    (section,) = report(7, None).sections

    (shown,) = text(section, "WavLM (FT)", "UAR")
    assert re.fullmatch(r"100\.0 \[.*\]\N{DAGGER} \(53\.89\)", shown)


def test_the_newest_result_says_why_a_cell_has_no_score(
    add: Add, report: Callable[..., PaperReport]
) -> None:
    for reason, finished in (
        ("broke last", "2026-01-01T10:00:00+00:00"),
        ("broke first", "2026-01-01T12:00:00+09:00"),  # 03:00 in UTC
    ):
        add(
            "mel",
            "bigru",
            right=None,
            status="failed",
            reason=reason,
            classes=(),
            provenance={"finished": finished},
        )

    (section,) = report(7).sections

    assert any("broke last" in line for line in section.notes)
    assert not any("broke first" in line for line in section.notes)


def test_results_of_other_studies_in_the_folder_are_not_shown(
    add: Add, report: Callable[..., PaperReport]
) -> None:
    add("mel", "bigru")
    alone = to_markdown(report(7))
    add("mel", "mean")
    add("mel", "bigru", corpus="demo")
    add("whisper", "last", epochs=9)

    assert to_markdown(report(7)) == alone


def test_both_formats_have_every_number_and_show_markup_in_names_as_text(
    add: Add, report: Callable[..., PaperReport]
) -> None:
    add("mel", "bigru", right=None, status="failed", reason="<b>|x|", classes=())
    console = Console(record=True, width=100)

    print_report(report(7), console)
    markdown = to_markdown(report(7))

    printed = console.export_text()
    assert printed.count("failed") == markdown.count("failed") == 3
    assert "&lt;b&gt;\\|x\\|" in markdown
    assert "<b>|x|" in printed


def test_figures_are_drawn_where_there_is_something_to_draw(
    add: Add, root: Path, tmp_path: Path
) -> None:
    add("whisper-enc", "single:layer=1")
    add("whisper-enc", "single:layer=2")

    drawn = dict(draw_report(source(root, 3, ["emodb"]), tmp_path / "drawn"))

    assert [file.name for file in drawn] == ["fig-3.svg", "fig-4.svg"]
    assert (tmp_path / "drawn/fig-3.svg").read_text().startswith("<?xml")
    assert drawn[tmp_path / "drawn/fig-3.svg"] == ""
    assert "there is nothing to draw" in drawn[tmp_path / "drawn/fig-4.svg"]


@pytest.mark.parametrize(("other", "named"), [("ladapter", True), ("bigru", False)])
def test_a_protocol_names_rows_only_where_the_report_has_it_with_other_settings_too(
    add: Add, report: Callable[..., PaperReport], other: str, named: bool
) -> None:
    add("whisper-enc", "mean", epochs=200)
    add("whisper-enc", other, epochs=20)
    add("whisper-enc", "best", protocol="probe+dev")

    lines = [line for line in report(2).notes if line.startswith("protocol probe ")]

    assert lines
    assert all((" x " in line.partition(":")[0]) is named for line in lines)
