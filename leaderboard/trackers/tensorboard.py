"""A tracker that logs each cell for TensorBoard.

``--plugin nserbench.leaderboard.trackers.tensorboard`` turns it on. Each cell is a run,
a folder of its own in ``NSERBENCH_TENSORBOARD``, or in ``runs`` where that is not set.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import nserbench
from nserbench.errors import MissingExtra
from nserbench.leaderboard.trackers import (
    costs,
    curves,
    draw_confusion,
    hyperparameters,
    run_name,
    scores,
)

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from nserbench.benchmark.results.result import Result

FOLDER = "NSERBENCH_TENSORBOARD"
"""The environment variable that names the folder of all runs."""


@nserbench.hookimpl
def nserbench_cell_finished(result: Result) -> None:
    """Log a cell: names, metrics, costs, training curves, confusion matrix.

    Raises:
        MissingExtra: if TensorBoard is not installed.
    """
    with _writer(Path(os.environ.get(FOLDER) or "runs") / run_name(result)) as writer:
        for name, epoch, value in curves(result):
            writer.add_scalar(name, value, epoch)
        if result.reason is not None:
            writer.add_text(result.status, result.reason)
        if result.predictions is not None:
            writer.add_figure("confusion", draw_confusion(result))
        _add_numbers(writer, result)


def _writer(folder: Path) -> SummaryWriter:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtra("the tracker TensorBoard", "trackers") from error
    return SummaryWriter(folder)


def _add_numbers(writer: SummaryWriter, result: Result) -> None:
    """Add metrics and costs; the headlines go beside the names of the cell."""
    found = scores(result)
    headlines = {name: one for name, one in found.items() if name.endswith("/mean")}
    for name, value in {**found, **costs(result)}.items():
        if name not in headlines:
            writer.add_scalar(name, value)
    # It begins a second file of the same run. TensorBoard, which may be reading,
    # never comes back to the first.
    writer.flush()
    writer.add_hparams(hyperparameters(result), headlines, run_name=".")
