"""A tracker that logs each cell for TensorBoard.

Turn it on with ``--plugin nserbench.leaderboard.trackers.tensorboard``. Each cell is a
run, with a folder of its own in ``NSERBENCH_TENSORBOARD``, or in ``runs`` by default.
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
        if result.answers is not None:
            writer.add_figure("confusion", draw_confusion(result))
        _add_numbers(writer, result)


def _writer(folder: Path) -> SummaryWriter:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtra("the tracker TensorBoard", "trackers") from error
    return SummaryWriter(folder)


def _add_numbers(writer: SummaryWriter, result: Result) -> None:
    """Add metrics and costs; means over folds are shown beside the cell's names."""
    values = scores(result)
    means = {name: values[name] for name in values if name.endswith("/mean")}
    for name, value in {**values, **costs(result)}.items():
        if name not in means:
            writer.add_scalar(name, value)
    # add_hparams begins a second file of the same run, after which a running
    # TensorBoard does not read the first again.
    writer.flush()
    writer.add_hparams(hyperparameters(result), means, run_name=".")
