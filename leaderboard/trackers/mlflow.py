"""A tracker that logs each cell to MLflow.

Turn it on with ``--plugin nserbench.leaderboard.trackers.mlflow``. MLflow's own
variables ``MLFLOW_TRACKING_URI`` and ``MLFLOW_EXPERIMENT_NAME`` set where it logs.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import nserbench
from nserbench.errors import MissingExtra, NserbenchError
from nserbench.leaderboard.trackers import (
    costs,
    curves,
    draw_confusion,
    hyperparameters,
    run_name,
    scores,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from nserbench.benchmark.results.result import Result

EXPERIMENT = "nserbench"
"""Name of the experiment, unless ``MLFLOW_EXPERIMENT_NAME`` sets another."""
BATCH = 1000
"""Most metrics that MLflow takes at once."""


@nserbench.hookimpl
def nserbench_cell_finished(result: Result) -> None:
    """Log a cell: names, metrics, costs, training curves, confusion matrix, files.

    Raises:
        MissingExtra: if MLflow is not installed.
        NserbenchError: if MLflow cannot log to ``MLFLOW_TRACKING_URI``.
    """
    client = _client()
    run = client.create_run(_experiment(client), run_name=run_name(result))
    for name, value in hyperparameters(result).items():
        client.log_param(run.info.run_id, name, value)
    client.set_tag(run.info.run_id, "digest", result.digest)
    if result.reason is not None:
        client.set_tag(run.info.run_id, "reason", result.reason)
    _log_numbers(client, run.info.run_id, result)
    if result.answers is not None:
        _log_files(client, run.info.run_id, result)
    failed = result.status == "failed"
    client.set_terminated(run.info.run_id, "FAILED" if failed else "FINISHED")


def _client() -> MlflowClient:
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        raise MissingExtra("the tracker MLflow", "trackers") from error
    try:
        return MlflowClient()
    except MlflowException as error:
        raise NserbenchError(
            f"MLflow cannot log: {error}\n"
            "  set MLFLOW_TRACKING_URI to a server such as http://localhost:5000, to\n"
            "  a folder, with MLFLOW_ALLOW_FILE_STORE=true, or to a database such as\n"
            "  sqlite:///mlflow.db, which needs `pip install mlflow`"
        ) from error


def _experiment(client: MlflowClient) -> str:
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
    known = client.get_experiment_by_name(name)
    return client.create_experiment(name) if known is None else known.experiment_id


def _log_numbers(client: MlflowClient, run: str, result: Result) -> None:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)  # ms
    numbers = {**scores(result), **costs(result)}
    steps = [(name, 0, value) for name, value in numbers.items()] + list(curves(result))
    metrics = [Metric(_allowed(name), value, now, step) for name, step, value in steps]
    for start in range(0, len(metrics), BATCH):
        client.log_batch(run, metrics=metrics[start : start + BATCH])


def _allowed(name: str) -> str:
    """Return a metric's name with only the characters that MLflow allows."""
    return re.sub(r"[^\w./ -]", "_", name, flags=re.ASCII)


def _log_files(client: MlflowClient, run: str, result: Result) -> None:
    assert result.answers is not None  # noqa: S101 - the caller checks it
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "predictions.csv"
        result.answers.write_csv(file)
        client.log_artifact(run, str(file))
    client.log_figure(run, draw_confusion(result), "confusion.png")
