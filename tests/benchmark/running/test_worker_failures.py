"""Plugins, disks and folds that fail in a worker."""

import pickle
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from shared_grids import GRID, table

from nserbench.benchmark.jobs.prepare import prepare
from nserbench.benchmark.results.result import Result
from nserbench.benchmark.running import workers as module
from nserbench.benchmark.running.executors import TaskExecutor, open_executor
from nserbench.errors import NserbenchError, UnknownName
from nserbench.source_digest import _SOURCES


def test_a_fold_that_fails_fails_its_cell_and_no_other(
    share: Callable[..., Any], threads: TaskExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Mock(side_effect=NserbenchError("training diverged"))
    monkeypatch.setattr("nserbench.benchmark.jobs.fit.train_head", broken)

    results, _ = share(
        replace(threads, workers=4), downstreams=["bigru", "mean"], noises=["clean"]
    )

    assert [result.status for result in results] == ["failed", "done"]


PLUGIN = """
    import os
    import torch
    import nserbench as nb

    class Odd(nb.Upstream):
        def forward(self, batch):
            act(self.options["how"])
            return {"x": nb.LayerGroup(torch.ones(1, len(batch.ids), 1, 2),
                                       torch.ones(len(batch.ids), dtype=torch.int64))}

    @nb.hookimpl
    def nserbench_upstreams():
        groups = {"x": nb.GroupSpec(range(1, 2), 2, None)}
        return [nb.UpstreamCard(name="odd", summary="", source="", licence="",
                                load="odd:Odd", groups=groups,
                                options={"how": nb.Option(help="", default="")})]

    @nb.hookimpl
    def nserbench_cell_finished(result):
        raise ValueError("no tracker")
"""


def write_plugin(act: str) -> str:
    file = Path("odd.py")
    file.write_text(
        f"def act(how):\n    {act}\n\n" + textwrap.dedent(PLUGIN), encoding="utf-8"
    )
    return "odd.py"


RAISED = "{'interrupt': KeyboardInterrupt, 'exit': SystemExit, 'disk': OSError(28)}"


def test_what_a_plugin_raises_in_a_worker_fails_its_cells_alone(
    share: Callable[..., Any],
) -> None:
    plugin = write_plugin(f"raise {RAISED}[how]")
    odd = ["odd:how=interrupt", "odd:how=exit", "odd:how=disk"]

    with open_executor("processes:1", {}) as executor:
        results, _ = share(executor, [plugin], upstreams=[*odd, "mel"])

    assert {one.upstream: one.status for one in results} == {
        **dict.fromkeys(odd, "failed"),
        "mel": "done",
    }


def test_workers_load_plugins_from_a_file_and_report_their_errors(
    share: Callable[..., Any],
) -> None:
    plugin = write_plugin("raise ValueError('it is odd')")

    with open_executor("processes:1", {}) as executor:
        results, told = share(executor, [plugin], upstreams=["odd", "mel"])

    by_name = {one.upstream: one for one in results}
    assert by_name["mel"].status == "done"
    assert by_name["odd"].status == "failed"
    assert "ValueError: it is odd (odd.py, line 2)" in str(by_name["odd"].reason)
    assert any("a tracker failed: ValueError: no tracker" in line for line in told)
    assert any("failed: ValueError: it is odd" in line for line in told)


def test_the_tasks_of_a_worker_that_died_are_started_again(
    share: Callable[..., Any], alone: Callable[..., list[Result]]
) -> None:
    died = "os.path.exists('died') or open('died', 'x').close() or os._exit(9)"
    plugin = write_plugin(died)

    with open_executor("processes:1", {}) as executor:
        results, told = share(executor, [plugin], upstreams=["odd", "mel"])

    assert {one.status for one in results} == {"done"}
    assert any(line.startswith("a worker process died: ") for line in told)
    (mel,) = (one for one in results if one.upstream == "mel")
    assert table([mel]) == table(alone())


def test_a_cell_that_ends_its_worker_fails_by_name_and_the_others_go_on(
    share: Callable[..., Any], alone: Callable[..., list[Result]]
) -> None:
    plugin = write_plugin("os._exit(3)")

    with open_executor("processes:2", {}) as executor:
        results, told = share(executor, [plugin], upstreams=["odd", "mel"])

    odd, mel = sorted(results, key=lambda one: one.upstream != "odd")
    assert odd.status == "failed"
    assert str(odd.reason).startswith("the worker process died whenever it ran")
    assert any("odd" in line and "failed: the worker" in line for line in told)
    assert table([mel]) == table(alone())
    write_plugin("pass")
    _SOURCES.clear()  # as in another process
    with open_executor("processes:1", {}) as executor:
        (result,), _ = share(executor, [plugin], upstreams=["odd"])
    assert result.status == "done"


def test_a_full_disk_ends_the_run(
    share: Callable[..., Any], threads: TaskExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A function of the standard library, since one of this file would be a plugin's.
    full = Mock(side_effect=OSError(28, "No space left on device"))
    monkeypatch.setattr(module, "extract_missing", full)

    with pytest.raises(OSError, match="No space left"):
        share(threads)


def test_the_error_of_a_worker_names_what_it_lacks(
    share: Callable[..., Any], threads: TaskExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make_study(*_: Any) -> None:
        raise UnknownName("upstream", "odd", ["mel"])

    monkeypatch.setattr(module, "make_study", make_study)

    with pytest.raises(NserbenchError, match="unknown upstream 'odd'") as caught:
        share(threads)
    assert type(pickle.loads(pickle.dumps(caught.value))) is NserbenchError


@pytest.mark.parametrize("grid", [{}, GRID], ids=["features", "cells"])
def test_a_worker_that_makes_another_study_is_refused(
    share: Callable[..., Any],
    threads: TaskExecutor,
    monkeypatch: pytest.MonkeyPatch,
    grid: dict[str, Any],
) -> None:
    def prepare_less(*given: Any) -> Any:
        """Leave out the last cell."""
        return prepare(*given)[:-1]

    monkeypatch.setattr(module, "prepare", prepare_less)

    with pytest.raises(NserbenchError, match="makes another study of the same command"):
        share(threads, **grid)
