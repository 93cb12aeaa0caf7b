from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.metrics import METRICS, summarise
from nserbench.benchmark.results.read_results import read_result
from nserbench.benchmark.results.result import Result
from nserbench.errors import MissingExtra
from nserbench.leaderboard.trackers import curves, hyperparameters, mlflow, tensorboard

Add = Callable[..., Path]

TRAINING = {
    "1": {"losses": [1.5, 1.25], "accuracies": [0.25, 0.5], "dev": []},
    "2": {"losses": [1.75, 1.0], "accuracies": [0.5, 0.75], "dev": []},
}
COSTS = {"seconds": 2.5, "store_bytes": 1024, "peak_memory_bytes": None}
NAMES = {
    "upstream": "mel",
    "downstream": "mean",
    "corpus": "emodb",
    "condition": "clean",
    "protocol": "probe",
    "seed": 0,
}


@pytest.fixture
def done(add: Add) -> Result:
    folder = add(right="11101111", notes={"training": TRAINING}, costs=COSTS)
    return read_result(folder)


@pytest.fixture
def failed(add: Add) -> Result:
    folder = add(right=None, status="failed", reason="out of memory", classes=())
    return read_result(folder)


def expected(result: Result) -> dict[str, float]:
    """Return the metrics as `nserbench show` computes them, by the trackers' names."""
    assert result.predictions is not None
    values: dict[str, float] = {"costs/seconds": 2.5, "costs/store_bytes": 1024}
    for name, summary in summarise(result.predictions).items():
        assert summary.low is not None
        assert summary.high is not None
        values |= {f"{name}/value": summary.value, f"{name}/chance": summary.chance}
        values |= {f"{name}/mean": summary.mean, f"{name}/pooled": summary.pooled}
        values |= {f"{name}/low": summary.low, f"{name}/high": summary.high}
        values |= {f"{name}/fold {f}": value for f, value in summary.folds.items()}
    return values


LOGGED = {
    "losses/fold 1": [(1, 1.5), (2, 1.25)],
    "losses/fold 2": [(1, 1.75), (2, 1.0)],
    "accuracies/fold 1": [(1, 0.25), (2, 0.5)],
    "accuracies/fold 2": [(1, 0.5), (2, 0.75)],
}


def test_losses_of_an_upstream_are_curves_and_scales_are_not(add: Add) -> None:
    log = {"losses": [1.5], "scales": {"mel": 0.5}, "terms": {"far": [2.0, 1.0]}}

    found = list(curves(read_result(add(notes={"training": {"1": log}}))))

    assert found == [
        ("losses/fold 1", 1, 1.5),
        ("terms/far/fold 1", 1, 2.0),
        ("terms/far/fold 1", 2, 1.0),
    ]


def test_a_result_without_notes_of_its_training_has_no_curves(failed: Result) -> None:
    assert list(curves(failed)) == []


def test_both_trackers_are_plugins_that_are_called_with_each_cell(
    failed: Result, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nowhere://at.all")
    packages = "nserbench.leaderboard.trackers"
    names = [f"{packages}.mlflow", f"{packages}.tensorboard"]

    (error,) = Plugins(names, installed=False).cell_finished(failed)

    # If one tracker fails, the other is called all the same.
    assert "MLFLOW_TRACKING_URI" in str(error)
    assert len(list(Path("runs").iterdir())) == 1


@pytest.mark.parametrize(
    ("tracker", "package"),
    [(tensorboard, "torch.utils.tensorboard"), (mlflow, "mlflow")],
)
def test_a_missing_package_is_named_with_its_install_command(
    done: Result, monkeypatch: pytest.MonkeyPatch, tracker: ModuleType, package: str
) -> None:
    monkeypatch.setitem(__import__("sys").modules, package, None)

    with pytest.raises(MissingExtra, match=r"pip install 'nserbench\[trackers\]'"):
        tracker.nserbench_cell_finished(done)


# TensorBoard


def events(run: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(run))
    found.Reload()
    return found


def session(found: Any) -> tuple[dict[str, object], set[str]]:
    """Return the hyperparameters of a run, and the metrics shown beside them."""
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    metadata = found.SummaryMetadata("_hparams_/session_start_info")
    start = HParamsPluginData.FromString(
        metadata.plugin_data.content
    ).session_start_info
    metadata = found.SummaryMetadata("_hparams_/experiment")
    experiment = HParamsPluginData.FromString(metadata.plugin_data.content).experiment
    values = {
        name: one.string_value or one.number_value
        for name, one in start.hparams.items()
    }
    return values, {info.name.tag for info in experiment.metric_infos}


def test_tensorboard_gets_all_numbers_of_a_cell(
    done: Result, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NSERBENCH_TENSORBOARD", str(tmp_path / "board"))

    tensorboard.nserbench_cell_finished(done)

    (run,) = (tmp_path / "board").iterdir()
    found = events(run)
    logged = {
        tag: [(event.step, event.value) for event in found.Scalars(tag)]
        for tag in found.Tags()["scalars"]
    }
    last = {tag: points[-1][1] for tag, points in logged.items()}
    numbers = expected(done)
    assert {tag: last[tag] for tag in numbers} == pytest.approx(numbers)
    assert {tag: logged[tag] for tag in LOGGED} == LOGGED
    assert set(logged) == {*numbers, *LOGGED}
    assert found.Tags()["images"] == ["confusion"]
    names, metrics = session(found)
    assert names == {**NAMES, "status": "done"}
    assert metrics == {f"{name}/mean" for name in METRICS}


def test_tensorboard_gets_the_reason_why_a_cell_failed(failed: Result) -> None:
    tensorboard.nserbench_cell_finished(failed)

    (run,) = Path("runs").iterdir()
    assert run.name == f"{failed.folder}-failed"
    found = events(run)
    (event,) = found.Tensors("failed/text_summary")
    assert event.tensor_proto.string_val == [b"out of memory"]
    assert found.Tags()["scalars"] == []
    assert session(found)[0] == {**NAMES, "status": "failed"}


# MLflow


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return a client that writes to files of its own."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(tmp_path / "mlruns"))
    from mlflow import MlflowClient

    return MlflowClient()


def only_run(client: Any, experiment: str = "nserbench") -> Any:
    found = client.get_experiment_by_name(experiment)
    (run,) = client.search_runs([found.experiment_id])
    return run


def test_mlflow_gets_all_numbers_of_a_cell(
    done: Result, client: Any, tmp_path: Path
) -> None:
    mlflow.nserbench_cell_finished(done)

    run = only_run(client)
    last = {name: points[-1][1] for name, points in LOGGED.items()}
    assert run.data.metrics == pytest.approx({**expected(done), **last})
    for name, points in LOGGED.items():
        history = client.get_metric_history(run.info.run_id, name)
        assert [(one.step, one.value) for one in history] == points
    shown = {name: str(value) for name, value in NAMES.items()}
    assert run.data.params == {**shown, "status": "done"}
    assert run.data.tags["digest"] == done.digest
    assert (run.info.run_name, run.info.status) == (done.folder, "FINISHED")
    files = {one.path for one in client.list_artifacts(run.info.run_id)}
    assert files == {"predictions.csv", "confusion.png"}
    copy = client.download_artifacts(run.info.run_id, "predictions.csv", str(tmp_path))
    assert done.predictions is not None
    done.predictions.write_csv(tmp_path / "own.csv")
    assert Path(copy).read_bytes() == (tmp_path / "own.csv").read_bytes()


def test_mlflow_gets_the_reason_why_a_cell_failed(
    failed: Result, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "thesis")

    mlflow.nserbench_cell_finished(failed)

    run = only_run(client, "thesis")
    assert run.info.status == "FAILED"
    assert run.data.tags["reason"] == "out of memory"
    assert run.data.metrics == {}
    assert client.list_artifacts(run.info.run_id) == []


def test_mlflow_takes_long_curves_and_folds_of_any_name(add: Add, client: Any) -> None:
    training: Mapping[str, object] = {"Ses (a)": {"losses": [0.5] * 1500}}
    result = read_result(add(notes={"training": training}))

    mlflow.nserbench_cell_finished(result)

    run = only_run(client)
    history = client.get_metric_history(run.info.run_id, "losses/fold Ses _a_")
    assert [one.step for one in history] == list(range(1, 1501))


def test_trackers_name_a_cell_as_tables_do(done: Result) -> None:
    assert hyperparameters(done) == {**NAMES, "status": "done"}
