"""Workers share the cells of a study, and get the results of one process."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from scribes import Reader, calls, offer_scribes
from shared_grids import GRID, table

from nserbench.benchmark.extraction.extract import extract_missing
from nserbench.benchmark.jobs.head import save_head
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.result import Result
from nserbench.benchmark.running import workers as module
from nserbench.benchmark.running.executors import TaskExecutor, open_executor
from nserbench.benchmark.store.feature_store import Store


def test_two_processes_return_the_same_probabilities_as_one(
    share: Callable[..., Any], alone: Callable[..., list[Result]]
) -> None:
    with open_executor("processes:2", {}) as executor:
        shared, told = share(executor, **GRID)

    assert len(told) == 4
    assert {line.rpartition(": ")[2] for line in told} == {"done"}
    assert table(shared) == table(alone(**GRID))


def test_tasks_of_one_process_run_one_at_a_time(
    share: Callable[..., Any],
    alone: Callable[..., list[Result]],
    threads: TaskExecutor,
) -> None:
    shared, _ = share(threads, **GRID)

    assert table(shared) == table(alone(**GRID))


def test_no_features_are_extracted_twice(
    share: Callable[..., Any], threads: TaskExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []

    def noted(need: Any, *rest: Any) -> None:
        heard.append(need.extraction.condition)
        extract_missing(need, *rest)

    monkeypatch.setattr(module, "extract_missing", noted)
    monkeypatch.setattr(
        "nserbench.benchmark.extraction.extract.extract", counted := Counted()
    )

    share(threads, **GRID, protocol="probe+clean-train")

    assert sorted(heard) == ["clean", "hiss@0"]
    assert counted.calls == 2
    share(threads, **GRID | {"downstreams": ["last"]})
    assert len(heard) == 2


@pytest.mark.parametrize("heads", [("mean", "bigru"), ("bigru", "mean")])
def test_blocks_of_a_grid_share_their_passes_in_any_order(
    share: Callable[..., Any],
    alone: Callable[..., list[Result]],
    threads: TaskExecutor,
    monkeypatch: pytest.MonkeyPatch,
    heads: tuple[str, str],
) -> None:
    target = "nserbench.benchmark.extraction.extract.extract"
    monkeypatch.setattr(target, counted := Counted())
    noises = {"noises": ["clean", "hiss"]}

    blocks = [{"downstreams": [head], **noises} for head in heads]
    results, _ = share(threads, blocks=blocks)

    assert counted.calls == 2
    assert table(results) == table(alone(**GRID))


def test_a_worker_extracts_only_for_cells_that_have_no_result(
    share: Callable[..., Any], threads: TaskExecutor, tmp_path: Path
) -> None:
    share(threads, downstreams=["bigru"])
    (features,) = Store(tmp_path / "store").all_features()
    (frames,) = features.shards("frames")
    frames.unlink()

    share(threads, blocks=[{"downstreams": ["bigru"]}, {"downstreams": ["last"]}])

    assert features.shards("frames") == []


def test_few_conditions_are_shared_by_utterance_and_few_cells_by_fold(
    share: Callable[..., Any],
    alone: Callable[..., list[Result]],
    threads: TaskExecutor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts: list[list[str]] = []
    fitted: list[Path] = []

    def extracted(need: Any, *rest: Any) -> None:
        parts.append([clip.utterance.id for clip in need.clips.values()])
        extract_missing(need, *rest)

    def saved(file: Path, *rest: Any) -> None:
        fitted.append(file)
        save_head(file, *rest)

    monkeypatch.setattr(module, "extract_missing", extracted)
    monkeypatch.setattr("nserbench.benchmark.jobs.fit.save_head", saved)
    grid: Any = {"downstreams": ["bigru"], "noises": ["clean"]}
    expected = table(alone(**grid))
    fits, fitted[:] = len(fitted), []

    shared, told = share(replace(threads, workers=4), **grid)

    assert table(shared) == expected
    assert [line.rpartition(": ")[2] for line in told] == ["done"]
    assert len(parts) == 4
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    together = [name for part in parts for name in part]
    assert len(set(together)) == len(together) == 24
    assert len(set(fitted)) == len(fitted) == fits


def test_transcripts_are_made_before_the_features_of_upstreams_that_read_them(
    share: Callable[..., Any],
    threads: TaskExecutor,
    plugins: Plugins,
    offer: Callable[[str, object], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    offer_scribes(plugins, offer)
    monkeypatch.setattr(module, "Plugins", lambda *_: plugins)

    results, _ = share(threads, upstreams=["reader:text=scribe", "scribe"])

    assert [one.status for one in results] == ["done", "done"]
    assert calls == {"listen": 24}
    assert len(Reader.read) == 24


def test_features_of_a_fine_tuned_upstream_are_left_to_the_worker_that_fine_tunes_it(
    store: Store,
) -> None:
    upstream = SimpleNamespace(tuned=Path("tuned.safetensors"))
    need = SimpleNamespace(extraction=SimpleNamespace(upstream=upstream))
    needs: Any = [SimpleNamespace(name="tuned", need=need)]

    assert [*module._Tasks(b"", {}, needs, store).passes(2)] == []


def test_a_cell_waits_for_its_own_features_alone(
    share: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    alone: Callable[..., list[Result]],
) -> None:
    extract, run, order = module._extract, module._run, list[str]()
    late = threading.Event()

    def extract_one(study: bytes, name: str, *more: Any) -> Sequence[str]:
        if "clean" not in order:
            order.append("clean")
        else:
            late.wait(60)
            order.append("noise")
        return extract(study, name, *more)

    def run_one(*given: Any) -> Any:
        order.append("cells")
        late.set()
        return run(*given)

    monkeypatch.setattr(module, "_extract", extract_one)
    monkeypatch.setattr(module, "_run", run_one)
    monkeypatch.setattr(module, "_ONE_AT_A_TIME", threading.RLock())
    grid = {"downstreams": ["mean"], "noises": ["clean", "hiss"]}

    with ThreadPoolExecutor(2) as pool:
        shared, _ = share(TaskExecutor(pool, None, workers=1), **grid)

    assert order == ["clean", "cells", "noise", "cells"]
    assert table(shared) == table(alone(**grid))


def test_a_task_uses_the_threads_of_its_executor(share: Callable[..., Any]) -> None:
    with ThreadPoolExecutor(1) as executor:
        (result,), _ = share(TaskExecutor(executor, 3, workers=1))

    assert result.provenance["threads"] == 3


class Counted:
    """Counts the passes of upstreams."""

    def __init__(self) -> None:
        from nserbench.benchmark.extraction.extract import extract

        self.real, self.calls = extract, 0

    def __call__(self, *given: Any) -> None:
        """Count the pass, and run it."""
        self.calls += 1
        self.real(*given)


def test_workers_read_and_write_in_their_own_folders(
    share: Callable[..., Any],
    threads: TaskExecutor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "there").symlink_to(tmp_path)
    moved = {"paths": {str(tmp_path): str(tmp_path / "there")}}
    stores: list[Path] = []

    def opened(root: Path, *more: Any) -> Store:
        stores.append(root)
        return Store(root, *more)

    monkeypatch.setattr(module, "Store", opened)

    (result,), _ = share(threads, cluster=moved)

    assert result.status == "done"
    assert stores == [tmp_path / "store", tmp_path / "there/store"]
