"""The folder of the page."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from older_results import as_older

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.read_results import read_result
from nserbench.errors import NserbenchError
from nserbench.leaderboard.page import write as write_module
from nserbench.leaderboard.page.details import details
from nserbench.leaderboard.page.index import cell_id, index
from nserbench.leaderboard.page.sources import read_made
from nserbench.leaderboard.page.write import as_script, write_page
from nserbench.leaderboard.tables.series import (
    costs,
    on_pareto_front,
    snr_curves,
    wer_points,
)
from nserbench.leaderboard.tables.summary import Score, SummaryEntry, summary_table

Add = Callable[..., Path]
VENDOR = Path(write_module.__file__).parent / "vendor"
MEGABYTE = 1_000_000


def data(script: Path) -> Any:
    return json.loads(script.read_text(encoding="utf-8").split(" = ", 1)[1][:-2])


def test_a_stored_metric_is_not_read(root: Path, add: Add, tmp_path: Path) -> None:
    folder = as_older(add(right="11101010"))
    write_page(root, tmp_path / "before", ["uar"])
    file = folder / "result.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    content["metrics"]["uar"] |= {"mean": 0.99, "low": 0.98, "folds": {"1": 0.99}}
    content["confusion"] = [[8, 0], [0, 8]]
    file.write_text(json.dumps(content), encoding="utf-8")

    write_page(root, tmp_path / "after", ["uar"])

    for one in (tmp_path / "before").rglob("*.js"):
        other = tmp_path / "after" / one.relative_to(tmp_path / "before")
        assert other.read_bytes() == one.read_bytes()


def test_the_index_holds_the_numbers_of_the_table_and_the_curves(
    root: Path, add: Add, tmp_path: Path
) -> None:
    for seed, right in enumerate(("11101010", "11001110")):
        for condition in ("park@0", "park@5"):
            add(condition=condition, right=right, seed=seed)

    write_page(root, tmp_path / "site", ["f1_macro"])

    found = data(tmp_path / "site" / "data" / "index.js")
    table = summary_table(root, [one["name"] for one in found["metrics"]])
    assert table.metrics[0] == "f1_macro"
    for cell, entry in zip(found["cells"], table.entries.values(), strict=True):
        for numbers, score in zip(cell["scores"], entry.scores.values(), strict=True):
            wanted = [score.value, score.low, score.high, int(score.tied)]
            assert numbers == pytest.approx(wanted, abs=1e-5)
    (curve,) = snr_curves(table, "f1_macro")
    assert found["snr"][0]["x"] == [point.x for point in curve.points]
    assert [one[0] for one in found["snr"][0]["scores"][0]] == pytest.approx(
        [point.score.value for point in curve.points], abs=1e-5
    )


def test_error_rates_and_costs_are_those_of_the_figures(
    root: Path, add: Add, tmp_path: Path
) -> None:
    for seed, seconds in enumerate((2.0, 4.0)):
        add(
            seed=seed,
            recognition={"measure": "CER", "rate": 0.1 * (seed + 1)},
            costs={
                "extraction_seconds": seconds,
                "training_seconds": 1.0,
                "trainable_parameters": 12,
            },
        )

    write_page(root, tmp_path / "site", ["uar"])

    (cell,) = data(tmp_path / "site" / "data" / "index.js")["cells"]
    table = summary_table(root, ["uar"])
    results = [read_result(one) for one in sorted(root.iterdir())]
    (cost,), (point,) = costs(table, results, "uar"), wer_points(table, results, "uar")
    assert cell["measured"]["cost"] == [
        cost.seconds,
        cost.trainable_parameters,
        cost.frozen_parameters,
    ]
    assert cell["measured"]["rate"] == [point.measure, pytest.approx(point.rate)]


def test_the_pareto_front_of_the_page_is_that_of_the_figure(
    root: Path, add: Add, tmp_path: Path
) -> None:
    # To two digits both take 100 s, so that the better one beats the other.
    rivals = ("mean", "11110000", 100.4), ("last", "11111110", 104.9)
    for head, right, seconds in rivals:
        times = {"extraction_seconds": seconds, "training_seconds": 0.0}
        add(head=head, right=right, costs=times)
    add(head="bigru")

    write_page(root, tmp_path / "site", ["uar"])

    cells = data(tmp_path / "site" / "data" / "index.js")["cells"]
    table = summary_table(root, ["uar"])
    results = [read_result(one) for one in sorted(root.iterdir())]
    marked = on_pareto_front(costs(table, results, "uar"))
    assert [one["front"][0] for one in cells if "front" in one] == marked
    assert sorted(marked) == [False, True]


def test_results_of_several_folders_are_on_one_page(
    root: Path, add: Add, tmp_path: Path
) -> None:
    add()
    folder = add("whisper")
    other = tmp_path / "other" / folder.name
    other.parent.mkdir()
    folder.rename(other)

    write_page([root, other.parent], tmp_path / "site", ["uar"])

    rows = data(tmp_path / "site" / "data" / "index.js")["rows"]
    assert rows == [["mel", "mean"], ["whisper", "mean"]]
    assert len(list((tmp_path / "site" / "predictions").iterdir())) == 2


def test_a_page_is_replaced_and_other_files_in_its_folder_are_kept(
    root: Path, add: Add, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    add()
    add("whisper")
    write_page(root, site, ["uar"])
    (site / "CNAME").write_text("example.org")
    for folder in root.glob("whisper*"):
        folder.rename(tmp_path / folder.name)

    write_page(root, site, ["uar"])

    assert len(list((site / "data" / "cells").iterdir())) == 1
    assert (site / "CNAME").read_text() == "example.org"
    assert sorted(one.name for one in site.iterdir()) == [
        "CNAME",
        "assets",
        "data",
        "index.html",
        "predictions",
        "vendor",
    ]


def test_only_cells_whose_results_have_changed_are_made_again(
    root: Path, add: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    changed = as_older(add()) / "predictions.csv"
    write_page(root, site, ["uar"])
    add("whisper")
    made = []

    def counted(*arguments: Any) -> Any:
        made.append(arguments[0][0].upstream)
        return details(*arguments)

    monkeypatch.setattr(write_module, "details", counted)
    for _ in range(2):
        write_page(root, site, ["uar"])
    one, *_ = (site / "predictions").iterdir()
    one.unlink()
    write_page(root, site, ["uar"])
    text = changed.read_text(encoding="utf-8")
    changed.write_text(text.replace("u0,ann", "v0,ann"), encoding="utf-8")
    write_page(root, site, ["uar"])

    assert made[:1] == ["whisper"]
    assert len(made) == 3
    assert made[2] == "mel"
    assert one.is_file()


def test_a_page_that_is_written_again_is_the_same_to_the_byte(
    root: Path, add: Add, tmp_path: Path
) -> None:
    for condition in ("clean", "park@0"):
        add(condition=condition, right="11110111")
        add("whisper", condition=condition)

    for name in ("one", "two"):
        write_page(root, tmp_path / name, ["uar"])

    first = [one for one in (tmp_path / "one").rglob("*") if one.is_file()]
    for file in first:
        other = tmp_path / "two" / file.relative_to(tmp_path / "one")
        assert other.read_bytes() == file.read_bytes()
    assert data(tmp_path / "one/data/index.js")["finished"] == "2026-11-22"


def test_a_folder_of_something_else_is_refused(
    root: Path, add: Add, tmp_path: Path
) -> None:
    add()
    (tmp_path / "mine" / "data").mkdir(parents=True)

    with pytest.raises(NserbenchError, match="it has data, but no page"):
        write_page(root, tmp_path / "mine", ["uar"])


def test_no_data_can_end_its_script() -> None:
    script = as_script("a", {"</script><!--": "\u2028 é"})

    assert "<" not in script
    assert script.isascii()
    assert json.loads(script[4:-2]) == {"</script><!--": "\u2028 é"}


def test_the_page_itself_has_no_script_or_style() -> None:
    page = (VENDOR.parent / "assets" / "index.html").read_text(encoding="utf-8")

    assert re.findall(r"<script(?! src=)|<style|style=|https?:|\son\w+=", page) == []
    assert "default-src 'none'; script-src 'self' file:; style-src 'self'" in page
    assert "unsafe" not in page


def test_no_text_becomes_markup() -> None:
    scripts = (VENDOR.parent / "assets").rglob("*.js")

    for script in scripts:
        text = script.read_text(encoding="utf-8")
        assert not re.search("innerHTML|outerHTML|insertAdjacent|document.write", text)


def test_the_libraries_are_those_that_were_published() -> None:
    table = (VENDOR / "README.md").read_text(encoding="utf-8")

    for file in [*VENDOR.glob("*.js"), *VENDOR.glob("*.css")]:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        line = next(line for line in table.splitlines() if f"`{file.name}`" in line)
        assert f"`{digest}`" in line


def test_the_page_of_2000_cells_is_below_3_megabytes(
    root: Path, add: Add, tmp_path: Path
) -> None:
    folder = add(condition="park@0")
    table = summary_table(root, ["uar", "f1_macro", "f1_weighted", "accuracy"])
    (row,), (column,) = table.rows, table.columns
    numbers = np.random.default_rng(0)

    def score() -> Score:
        low, value, high = sorted(numbers.uniform(size=3).tolist())
        return Score(value, low, high, tied=True)

    heads = [f"single:groups=encoder,layer={layer}" for layer in range(1, 26)]
    rows = [
        replace(
            row, upstream=f"whisper:checkpoint=openai/whisper-{size}", downstream=head
        )
        for size in ("large-v2", "small.en")
        for head in heads
    ]
    columns = [
        replace(column, corpus=corpus, condition=f"{noise}@{snr}")
        for corpus in ("iemocap", "casia")
        for noise in "abcd"
        for snr in (-10, -5, 0, 5, 10)
    ]
    entries = {
        (one, where): SummaryEntry(
            "done", {name: score() for name in table.metrics}, (0, 1, 2), 5531, 10
        )
        for one in rows
        for where in columns
    }
    large = replace(table, rows=rows, columns=columns, entries=entries)
    write_page(root, tmp_path / "site", ["uar"])

    text = as_script(
        "nserbench.index",
        index(
            large,
            {
                cell_id(*key): {
                    "rate": ("WER", 0.1234),
                    "cost": (1234.567, 1234567, 987654321),
                }
                for key in entries
            },
            Plugins(),
        ),
    )

    assert len(entries) == 2000
    assert folder.is_dir()
    own = sum(
        file.stat().st_size
        for name in ("index.html", "assets", "vendor")
        for file in [tmp_path / "site" / name, *(tmp_path / "site" / name).rglob("*")]
        if file.is_file()
    )
    assert own + len(text) < 3 * MEGABYTE


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', '{"a": {}}', "[" * 100_000])
def test_a_damaged_list_of_what_the_page_was_made_from_is_not_used(
    tmp_path: Path, text: str
) -> None:
    file = tmp_path / "made.json"
    file.write_text(text)

    assert read_made(file) == {}


def test_the_predictions_to_download_are_those_of_the_result_that_is_shown(
    root: Path, add: Add, tmp_path: Path
) -> None:
    newest = add(right="11101010", digest="ab" * 20)
    old = newest.rename(tmp_path / "old")
    shown = add(right="10001010", digest="ab" * 20)
    old.rename(root / "zz")

    write_page(root, tmp_path / "site", ["uar"])

    (copy,) = (tmp_path / "site/predictions").iterdir()
    assert copy.read_bytes() == (shown / "predictions.csv").read_bytes()
