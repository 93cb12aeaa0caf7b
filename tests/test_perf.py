"""The benchmarks run, and print lines in the form that `make bench` reads."""

import importlib.util
import re
import resource
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

PERF = Path(__file__).parents[1] / "perf"
SCRIPTS = sorted(PERF.glob("[!_]*.py"))
LINE = r"[a-z-]+ \d+\.\d\d \(bar \d+\.\d\d\) (ok|short)"


@pytest.fixture(autouse=True)
def beside_its_helpers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Import the helpers of a script as if Python ran the script."""
    monkeypatch.syspath_prepend(PERF)
    monkeypatch.setenv("PYTHONPATH", str(PERF))


def script(name: str) -> ModuleType:
    """Import a script, under a name that no package has."""
    spec = importlib.util.spec_from_file_location(f"perf_{name}", PERF / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses resolve their annotations
    spec.loader.exec_module(module)
    return module


def names(lines: list[str]) -> list[str]:
    """Return the names of the figures, if every line has its form."""
    assert [line for line in lines if not re.fullmatch(LINE, line)] == []
    return [line.split()[0] for line in lines]


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.stem)
def test_a_script_measures_nothing_when_it_is_imported(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script(file.stem)

    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("verdict", "ratio", "line"),
    [
        ("at_least", 15.0, "x 15.00 (bar 15.00) ok"),
        ("at_least", 14.9, "x 14.90 (bar 15.00) short"),
        ("at_most", 15.0, "x 15.00 (bar 15.00) ok"),
        ("at_most", 15.1, "x 15.10 (bar 15.00) short"),
    ],
)
def test_a_line_says_whether_the_bar_is_met(
    verdict: str, ratio: float, line: str
) -> None:
    assert getattr(script("_measure"), verdict)("x", ratio, 15) == line


def test_measures_take_turns_and_the_median_counts() -> None:
    turns = []

    def measure(name: str, found: list[float]) -> float:
        turns.append(name)
        return found.pop()

    a, b = [9.0, 1.0, 2.0], [5.0, 4.0, 6.0]
    found = script("_measure").medians(
        lambda: measure("a", a), lambda: measure("b", b), rounds=3
    )

    assert (found, turns) == ([2.0, 5.0], ["a", "b"] * 3)


def test_pooled_heads() -> None:
    module = script("pooled")

    lines = module.report(module.make_study((20, 30, 40), 2, 16), 1, 1)

    assert names(lines) == ["pooled-study-dataloader", "pooled-study-index-tensors"]


def test_the_store(tmp_path: Path) -> None:
    module = script("store")

    lines = module.report(tmp_path, module.make_states(3, 8), 1)

    assert names(lines) == ["store-read", "store-write"]


def test_both_readers_of_the_store_read_the_same_bytes(tmp_path: Path) -> None:
    module = script("store")
    states = module.make_states(2, 8)
    features = module.fill(module.Store(tmp_path), states)

    for key, (file, start, size) in module.where(features).items():
        own = features.read("frames", key, "encoder", module.READ)
        assert own.tobytes() == file.read_bytes()[start : start + size]
        assert np.array_equal(own, states[key][1:])


def test_extraction(tmp_path: Path) -> None:
    module = script("extraction")
    model = module.save_model(tmp_path / "model")
    table = module.write_clips(tmp_path / "clips", 10, (0.1, 0.2))

    assert names([module.report_rate(tmp_path, model, table, 1)]) == ["extraction"]
    peak = module.peak_of(model, table, tmp_path / "store")
    assert peak == resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    cores = module.report_cores(tmp_path, module.wav2vec2(model), table, 1)
    assert names(cores) == ["extraction-two-cores", "extraction-neighbour"]


def test_the_plain_loop_computes_what_extraction_stores(tmp_path: Path) -> None:
    module = script("extraction")
    model = module.save_model(tmp_path / "model")
    table = module.write_clips(tmp_path / "clips", 10, (0.1, 0.2))
    store = module.Store(tmp_path / "store")
    job = module.make_job(module.wav2vec2(model), table, store)
    module.fill(job, store, module.ModelCache("cpu"))

    loop = module.PlainLoop(model)

    for key, clip in zip(job.keys, job.clips, strict=True):
        own = job.extraction.features(store).read("pooled", key, "encoder", range(5))
        np.testing.assert_allclose(own, loop.extract(clip.utterance.path), atol=1e-5)


def test_the_command_line() -> None:
    assert names(script("cli").report(1)) == ["cli-start"]


def test_the_leaderboard(tmp_path: Path) -> None:
    lines = script("leaderboard").report(tmp_path, 3, 5, 1)

    assert names(lines) == [
        "leaderboard-csv",
        "leaderboard-growth",
        "leaderboard-again",
    ]


@pytest.mark.slow
def test_a_whole_cell(tmp_path: Path) -> None:
    module = script("cell")

    lines = module.report(module.Bench(tmp_path, 10), 1)

    assert names(lines) == ["cell-weighted-sum", "cell-ladapter", "cell-checks"]


@pytest.mark.slow
def test_workers(tmp_path: Path) -> None:
    module = script("workers")

    lines = module.report(module.OneCell(tmp_path, 10, 1), 1)

    assert names(lines) == ["one-cell-two-workers"]


def test_a_plan(tmp_path: Path) -> None:
    module = script("plan")

    lines = module.report(tmp_path, 20, [module.Grid("plan-pooled", ("mean",), 2)], 1)

    assert names(lines) == ["plan-pooled"]


def test_matrix_products(monkeypatch: pytest.MonkeyPatch) -> None:
    module = script("matmul")
    monkeypatch.setattr(module, "SHORTEST", 1e-6)

    assert names(module.figures([8], 32)) == ["matmul-encoder", "matmul-decoder"]


def test_growth(tmp_path: Path) -> None:
    lines = script("growth").report(tmp_path, 3, (2, 3), 1)

    assert names(lines) == ["ledger-growth", "task-growth"]


def test_memory_of_fits(tmp_path: Path) -> None:
    lines = script("memory").report(tmp_path, 24, 2)

    assert names(lines) == ["fits-memory"]
    assert lines[0].startswith("fits-memory 1.00 ")
