"""Compare two cells with a recomputation that shares no code with the project."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recomputed
import soundfile
import torch
from click.testing import CliRunner
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from nserbench.benchmark.results.read_results import read_results
from nserbench.cli import main

CLASSES = ("high", "low", "rising")


def voice(generator: Any, label: str, pitch: float) -> Any:
    """Return a buzz of 0.6 to 1.4 s whose pitch depends on the class."""
    time = np.arange(int(16_000 * generator.uniform(0.6, 1.4))) / 16_000
    slope = {"high": 0, "low": 0, "rising": 60}[label]
    base = pitch * {"high": 1.5, "low": 1.0, "rising": 1.1}[label]
    phase = 2 * np.pi * (base * time + slope * time**2 / 2)
    buzz = sum(np.sin(order * phase) / order for order in range(1, 20))
    return 0.05 * buzz + 0.03 * generator.standard_normal(len(time))


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Write 36 voices of 4 speakers in 2 folds, and a noise; return the manifest."""
    generator = np.random.default_rng(5)
    lines = ["path,id,label,speaker,fold"]
    for number in range(36):
        speaker, label = number % 4, CLASSES[number // 4 % 3]
        name = f"v{number:02}"
        wave = voice(generator, label, 110 + 30 * speaker)
        soundfile.write(tmp_path / f"{name}.wav", wave, 16_000, "FLOAT")
        lines.append(f"{name}.wav,{name},{label},s{speaker},{speaker // 2}")
    file = tmp_path / "list.csv"
    file.write_text("\n".join(lines))
    noise = np.cumsum(generator.standard_normal(9 * 16_000)) * 1e-3
    soundfile.write(tmp_path / "hum.wav", noise - noise.mean(), 16_000, "FLOAT")
    Path("nserbench.toml").write_text(f'[noises]\nhum = "{tmp_path / "hum.wav"}"\n')
    return file


@pytest.mark.parametrize("head", ["mean", "bigru"])
def test_probabilities_and_metrics_are_those_of_a_recomputation(
    manifest: Path, tmp_path: Path, head: str
) -> None:
    words = ["run", "-u", "mel", "-d", head, "-c", f"manifest:path={manifest}"]
    words += ["--noise", "hum", "--snr", "3", "--protocol", "probe", "--epochs", "5"]

    done = CliRunner().invoke(main, words)

    assert done.exit_code == 0, done.output
    (result,) = read_results(tmp_path / "results")
    found = result.predictions
    assert found is not None
    noise, store = manifest.with_name("hum.wav"), tmp_path / "store"
    again = dict(recomputed.probabilities(manifest, noise, 3.0, store, head))
    theirs = torch.stack([again[name] for name in found.utterances]).numpy()
    # Frames are stored as float16, where two close values may round apart.
    atol = 1e-4 if head == "bigru" else 1e-5
    np.testing.assert_allclose(found.probabilities, theirs, atol=atol)
    assert_metrics(manifest, tmp_path / "results", again)


def assert_metrics(manifest: Path, results: Path, again: dict[str, Any]) -> None:
    """Compare the metrics that the leaderboard writes with scikit-learn's."""
    rows = list(csv.DictReader(manifest.read_text().splitlines()))
    metrics = {
        "uar": balanced_accuracy_score,
        "accuracy": accuracy_score,
        "f1_macro": lambda true, said: f1_score(true, said, average="macro"),
    }
    words = ["leaderboard", str(results), "--format", "csv"]
    table = CliRunner().invoke(main, [*words, "--metric", ",".join(metrics)])
    shown = {row["metric"]: row for row in csv.DictReader(table.stdout.splitlines())}
    for name, metric in metrics.items():
        each = []
        for fold in ("0", "1"):
            own = [row for row in rows if row["fold"] == fold]
            said = [CLASSES[int(again[row["id"]].argmax())] for row in own]
            each.append(metric([row["label"] for row in own], said))
        assert float(shown[name]["value"]) == pytest.approx(np.mean(each), abs=1e-12)
