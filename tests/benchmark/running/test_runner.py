import dataclasses
import itertools
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from torch import nn

import nserbench
from nserbench.benchmark.extraction import extract as module
from nserbench.benchmark.jobs import fit as fits
from nserbench.benchmark.jobs.head import save_head
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.read_results import read_result, read_results
from nserbench.benchmark.results.result import PREDICTIONS, RESULT, Result
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.store.leases import living_leases
from nserbench.benchmark.study.study import Study
from nserbench.benchmark.training.fit_one import predict
from nserbench.downstreams.base import DownstreamCard
from nserbench.errors import BadAudio, NserbenchError
from nserbench.progress import Silent

Ask = Callable[..., Study]


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count extractions of a condition, and trainings of a fold."""
    counts: Counter[str] = Counter()

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            counts[name] += 1
            return function(*args)

        return call

    monkeypatch.setattr(module, "extract", counted("passes", module.extract))
    monkeypatch.setattr(fits, "save_head", counted("trainings", save_head))
    return counts


def test_every_cell_gets_a_folder_with_its_result_and_predictions(
    ask: Ask, runner: Runner
) -> None:
    study = ask(downstreams=["mean,bigru"], noises=["clean", "hiss"], seeds=[0, 1])

    report = runner.run(study)

    assert report.outcomes == {"done": 8, "already there": 0}
    assert sorted(report.folders) == sorted(runner.results.iterdir())
    for folder, cell in zip(report.folders, study.cells, strict=True):
        assert {path.name for path in folder.iterdir()} == {PREDICTIONS, RESULT}
        result = read_result(folder)
        assert (result.downstream, result.condition, result.seed, result.protocol) == (
            cell.downstream.label,
            str(cell.condition),
            cell.seed,
            "probe+epochs=2",
        )


def test_the_same_command_again_runs_nothing(
    ask: Ask, runner: Runner, work: Counter[str]
) -> None:
    said = {"downstreams": ["mean,bigru"], "noises": ["clean", "hiss"]}
    first = runner.run(ask(**said))
    before = {path: path.stat().st_mtime_ns for path in runner.results.rglob("*")}
    work.clear()

    again = runner.run(ask(**said))

    assert again.outcomes == {"already there": 4}
    assert again.folders == first.folders
    assert not work
    assert before == {p: p.stat().st_mtime_ns for p in runner.results.rglob("*")}


@pytest.mark.parametrize(
    ("said", "work_wanted"),
    [
        ({"seeds": [0, 1]}, {"trainings": 2}),
        ({"downstreams": ["mean,last"]}, {"trainings": 2}),
        ({"noises": ["clean", "hiss"]}, {"passes": 1, "trainings": 2}),
        ({"epochs": 3}, {"trainings": 2}),
        ({"downstreams": ["mean,bigru"]}, {"passes": 1, "trainings": 2}),
    ],
)
def test_only_new_extractions_and_trainings_are_run(
    ask: Ask,
    runner: Runner,
    work: Counter[str],
    said: dict[str, Any],
    work_wanted: dict[str, int],
) -> None:
    runner.run(ask())
    work.clear()

    runner.run(ask(**said))

    assert work == work_wanted


def test_a_deleted_result_is_made_again_without_training(
    ask: Ask, runner: Runner, work: Counter[str]
) -> None:
    (folder,) = runner.run(ask()).folders
    answers = (folder / PREDICTIONS).read_bytes()
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    work.clear()

    runner.run(ask())

    assert not work
    assert (folder / PREDICTIONS).read_bytes() == answers


def head_card(load: str) -> DownstreamCard:
    return DownstreamCard(name="faulty", summary="", source="", licence="", load=load)


class Faulty(nn.Module):
    """A head that raises the error that is set, or else has constant scores."""

    error: Exception | None = None

    def __init__(self, groups: object, classes: int, options: object) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(classes))

    def forward(self, features: Any) -> torch.Tensor:
        if Faulty.error is not None:
            raise Faulty.error
        return self.scores.expand(features["mel"].states.shape[1], -1)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NserbenchError("the head is sick"), "the head is sick"),
        (
            RuntimeError("mat1 and mat2 do not fit"),
            "RuntimeError: mat1 and mat2 do not fit (test_runner.py, line ",
        ),
    ],
)
def test_a_head_that_fails_gets_a_result_with_the_reason_and_is_tried_again(
    ask: Ask,
    runner: Runner,
    plugins: Plugins,
    offer: Callable[[str, object], str],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    reason: str,
) -> None:
    plugins.downstreams.add(head_card(offer("Faulty", Faulty)), "the test")
    study = ask(downstreams=["last,faulty,mean"])
    monkeypatch.setattr(Faulty, "error", error)

    report = runner.run(study)

    assert report.outcomes == {"done": 2, "failed": 1, "already there": 0}
    failed = read_result(report.folders[1])
    assert (failed.status, failed.predictions) == ("failed", None)
    assert str(failed.reason).startswith(reason)
    monkeypatch.setattr(Faulty, "error", None)

    again = runner.run(study)

    assert again.outcomes == {"already there": 2, "done": 1}
    assert again.folders == report.folders
    assert read_result(report.folders[1]).status == "done"


def test_an_upstream_that_fails_in_one_condition_still_runs_the_others(
    ask: Ask,
    runner: Runner,
    plugins: Plugins,
    levels: Any,
    offer: Callable[[str, object], str],
) -> None:
    calls = itertools.count(1)

    def sick_at_the_30th(options: object, device: str) -> object:
        model = levels.card.open(options, device)

        def extract(batch: Any) -> Any:
            if next(calls) == 30:
                raise RuntimeError("out of memory")
            return type(model).extract(model, batch)

        model.extract = extract
        return model

    card = dataclasses.replace(
        levels.card, name="sick", load=offer("sick", sick_at_the_30th)
    )
    plugins.upstreams.add(card, "the test")
    study = ask(
        upstreams=["sick"],
        downstreams=["mean,last"],
        noises=["clean", "hiss"],
        snrs=[0, 5],
    )

    report = runner.run(study)

    assert report.outcomes == {"done": 4, "failed": 2, "already there": 0}
    reasons = [read_result(folder).reason for folder in report.folders]
    told = "RuntimeError: out of memory (test_runner.py, line "
    assert [str(one).startswith(told) for one in reasons] == [0, 0, 1, 1, 0, 0]


@pytest.mark.parametrize(
    "place", ["os.fsync", "nserbench.benchmark.store.weights_files.write_whole"]
)
def test_a_full_disk_ends_the_run_and_finished_cells_are_kept(
    ask: Ask, runner: Runner, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    runner.run(ask())

    # A function of the standard library, since one of this file would be a plugin's.
    full = Mock(side_effect=OSError(28, "No space left on device"))
    monkeypatch.setattr(place, full)
    with pytest.raises(OSError, match="No space left"):
        runner.run(ask(seeds=[0, 1]))
    monkeypatch.undo()

    report = runner.run(ask(seeds=[0, 1]))

    assert report.outcomes == {"already there": 1, "done": 1}


def test_a_cell_that_cannot_exist_gets_a_result_with_the_reason(
    ask: Ask, runner: Runner
) -> None:
    report = runner.run(ask(downstreams=["mean,weighted-sum"]))

    assert report.outcomes == {"not applicable": 1, "done": 1, "already there": 0}
    refused = {one.downstream: one for one in read_results(runner.results)}
    assert refused["weighted-sum"].status == "not applicable"
    assert refused["weighted-sum"].reason == "mel has one layer: nothing to fuse"


def test_broken_audio_is_refused_before_anything_is_extracted(
    ask: Ask, runner: Runner, notes: Path, work: Counter[str]
) -> None:
    for name in ("s0_low_0", "s3_high_2"):
        (notes.parent / f"{name}.wav").write_bytes(b"no audio")

    with pytest.raises(BadAudio, match=r"(?s)^2 audio files .*s0_low_0.*s3_high_2"):
        runner.run(ask())

    assert not work


def test_a_tracker_is_called_once_for_each_finished_cell(
    ask: Ask,
    runner: Runner,
    plugins: Plugins,
    offer: Callable[[str, object], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[tuple[str, str, bool]] = []

    class Tracker:
        @nserbench.hookimpl
        def nserbench_cell_finished(self, result: Result) -> None:
            written = (runner.results / result.folder / RESULT).is_file()
            heard.append((result.downstream, result.status, written))

    plugins._manager.register(Tracker())
    plugins.downstreams.add(head_card(offer("Faulty", Faulty)), "the test")
    monkeypatch.setattr(Faulty, "error", NserbenchError("sick"))
    study = ask(downstreams=["mean,faulty,weighted-sum,last"])

    runner.run(study)
    first = list(heard)
    runner.run(study)

    assert first == [
        ("mean", "done", True),
        ("faulty", "failed", True),
        ("last", "done", True),
    ]
    assert heard[3:] == [("faulty", "failed", True)]


def test_edition_and_skipped_utterances_of_a_corpus_are_printed_before_the_run(
    ask: Ask, runner: Runner, result_of: Callable[[Runner], Result]
) -> None:
    study = ask()
    ((label, opened),) = study.corpora.items()
    special = dataclasses.replace(
        opened.corpus, edition="half", left_out={"s9_low_0": "it is broken"}
    )
    told: list[str] = []

    class Heard(Silent):
        def note(self, text: str) -> None:
            told.append(text)

    runner.progress = Heard()
    runner.run(
        dataclasses.replace(
            study, corpora={label: dataclasses.replace(opened, corpus=special)}
        )
    )

    assert told == [f"{label}: half", f"{label}: s9_low_0 is left out: it is broken"]
    notes = result_of(runner).notes
    assert (notes["edition"], notes["left_out"]) == ("half", special.left_out)


def test_progress_receives_every_step(ask: Ask, runner: Runner) -> None:
    class Heard:
        def __init__(self) -> None:
            self.stages: list[list[Any]] = []
            self.total: tuple[int, int] | None = None
            self.outcomes: list[str] = []
            self.lefts: list[float | None] = []

        def stage(self, name: str, total: int, unit: str) -> None:
            self.stages.append([name, unit, total, 0])

        def advance(self, steps: int = 1) -> None:
            self.stages[-1][-1] += steps

        def note(self, text: str) -> None:
            raise AssertionError(text)

        def cells(self, total: int, done: int) -> None:
            self.total = total, done

        def cell(self, cell: object, outcome: str) -> None:
            self.outcomes.append(outcome)

        def left(self, seconds: float | None) -> None:
            self.lefts.append(seconds)

    heard = Heard()
    runner.progress = heard

    runner.run(ask(downstreams=["mean,bigru"]))

    assert heard.total == (2, 0)
    assert [(unit, total) for _, unit, total, _ in heard.stages] == [
        ("clips", 24),
        ("clips", 24),
        ("epochs", 2 * 2),  # the pooled heads, in two folds
        ("folds", 2),  # which only have to be tested
        ("epochs", 2 * 2),
    ]
    assert all(total == steps for _, _, total, steps in heard.stages)
    assert heard.outcomes == ["done", "done"]
    assert heard.lefts[-1] == 0


def test_files_that_a_run_uses_are_leased_while_it_runs(
    ask: Ask, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner.run(ask(downstreams=["mean,bigru"]))
    shutil.rmtree(runner.results)
    root = runner.store.root
    files = [*root.glob("features/*/*.safetensors"), *root.glob("fits/*")]
    leased: list[bool] = []

    def noted(*args: Any) -> Any:
        (living,) = living_leases(root)
        leased.extend(living.covers(file, root) for file in files)
        return predict(*args)

    monkeypatch.setattr(fits, "predict", noted)

    runner.run(ask(downstreams=["mean,bigru"]))

    assert leased
    assert all(leased)


def test_results_that_are_deleted_while_a_command_runs_are_not_counted_as_done(
    ask: Ask, runner: Runner
) -> None:
    class Deletes(Silent):
        def cell(self, name: str, outcome: str) -> None:
            if "last" in name:
                shutil.rmtree(runner.results)

    runner.progress = Deletes()

    report = runner.run(ask(downstreams=["mean,last"]))

    assert report.outcomes == {"done": 0, "deleted": 2, "already there": 0, "failed": 0}


def test_old_temporary_files_of_killed_processes_are_deleted(
    ask: Ask, runner: Runner
) -> None:
    runner.run(ask())
    old, new = runner.store.root / "fits/.old.ab", runner.store.root / "fits/.new.cd"
    for file in (old, new):
        file.write_bytes(b"")
    os.utime(old, (0, 0))

    runner.run(ask())

    assert not old.exists()
    assert new.exists()


def test_a_folder_that_cannot_be_written_is_enough_where_all_is_done(
    ask: Ask, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"downstreams": ["mean,weighted-sum"]}
    runner.run(ask(**said))
    read_only = Mock(side_effect=OSError(30, "Read-only file system"))
    for place in (
        "nserbench.benchmark.running.runner.write_result",
        "nserbench.benchmark.running.runner.tempfile.TemporaryFile",
        "nserbench.benchmark.store.whole_files.write_whole",
    ):
        monkeypatch.setattr(place, read_only)

    assert runner.run(ask(**said)).outcomes == {
        "not applicable": 1,
        "already there": 1,
    }
