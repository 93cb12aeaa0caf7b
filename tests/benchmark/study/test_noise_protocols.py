"""Whether training hears the noise that is tested."""

import csv
import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from nserbench.benchmark.extraction.export_audio import export
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.results.result import Result
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.study.cell import Condition
from nserbench.benchmark.study.splits import SplitRule
from nserbench.benchmark.study.study import Study
from nserbench.errors import BadSpec, NothingToRun
from nserbench.progress import Silent

Ask = Callable[..., Study]
Prepared = Callable[..., list[Job]]
pytestmark = pytest.mark.usefixtures("levels")

NOISY = {"upstreams": ["levels"], "noises": ["hiss"], "snrs": [0.0]}
DISJOINT = "noise_split=disjoint"


@pytest.fixture
def hum(make_hiss: Callable[..., Path], tmp_path: Path) -> Path:
    """Return another noise."""
    return make_hiss(tmp_path / "hum.wav", seed=5)


def stretches(manifest: Path) -> dict[str, set[int]]:
    """Return the places in the noise file under the speech of each fold."""
    found: dict[str, set[int]] = {}
    with manifest.open(newline="") as stream:
        for row in csv.DictReader(stream):
            start = int(row["offset"])
            samples = soundfile.info(manifest.parent / row["path"]).frames
            found.setdefault(row["fold"], set()).update(range(start, start + samples))
    return found


def test_written_mixtures_of_two_folds_share_noise_unless_it_is_split(
    ask: Ask, tmp_path: Path
) -> None:
    (opened,) = ask(**NOISY).corpora.values()
    split = dataclasses.replace(opened, rule=SplitRule(disjoint=True))

    shared, apart = (
        stretches(export(one, Condition("hiss", 0.0), tmp_path / name, 0, Silent()))
        for name, one in (("shared", opened), ("apart", split))
    )

    assert shared["0"] & shared["1"]
    assert not apart["0"] & apart["1"]
    assert max(apart["0"]) < 24_000 <= min(apart["1"])  # 3 s, cut in two


def test_a_noise_that_is_split_has_other_features(prepared: Prepared) -> None:
    (plain,) = prepared(**NOISY)

    (split,) = prepared(**NOISY, protocol=DISJOINT)

    assert split.extraction.identity != plain.extraction.identity
    assert split.digest != plain.digest
    assert split.protocol["name"] == f"probe+{DISJOINT}+epochs=2"
    assert split.training[0].keys == split.keys


def test_splitting_the_noise_does_not_change_features_of_clean_speech(
    prepared: Prepared,
) -> None:
    (plain,) = prepared(upstreams=["levels"])

    (split,) = prepared(upstreams=["levels"], protocol=DISJOINT)

    assert split.extraction.identity == plain.extraction.identity
    assert split.keys == plain.keys
    assert split.digest != plain.digest


def test_with_loso_each_speaker_has_another_part_of_the_noise(
    prepared: Prepared,
) -> None:
    (job,) = prepared(**NOISY, protocol=f"loso+{DISJOINT}")

    noise = job.extraction.noise
    assert noise is not None
    offsets: dict[str, list[Any]] = {}
    for clip in job.clips:
        key = noise.key(clip.utterance.id, clip.samples, 0)
        offsets.setdefault(clip.utterance.speaker, []).append(key)
    for number, speaker in enumerate(sorted(offsets)):
        assert {offset // 12_000 for offset in offsets[speaker]} == {number}


def test_a_noise_too_short_for_the_folds_is_refused_before_any_model_is_loaded(
    ask: Ask, prepared: Prepared, make_hiss: Callable[..., Path], tmp_path: Path
) -> None:
    short = make_hiss(tmp_path / "short.wav", seconds=0.5)

    with pytest.raises(BadSpec, match=r"each of the 2 parts lasts 0\.25 s, but half"):
        prepared(**NOISY, named={"hiss": short}, protocol=DISJOINT)


def test_the_option_runs_and_is_named_in_the_result(
    ask: Ask, runner: Runner, result_of: Callable[[Runner], Result]
) -> None:
    runner.run(ask(**NOISY, protocol=DISJOINT))

    result = result_of(runner)
    assert result.status == "done", result.reason
    assert result.protocol == f"probe+{DISJOINT}+epochs=2"
    assert "that no other fold has" in str(result.protocol_details["noise"])


def test_unseen_noise_trains_in_one_noise_and_tests_in_another(
    prepared: Prepared, hiss: Path, hum: Path
) -> None:
    named = {"named": {"hiss": hiss, "hum": hum}}
    (plain,) = prepared(**NOISY, **named)
    (other,) = prepared(**NOISY | {"noises": ["hum"]}, **named)

    (job,) = prepared(**NOISY, **named, protocol="unseen-noise=hum")

    assert job.extraction.identity == plain.extraction.identity
    (training,) = job.training
    assert training.extraction.identity == other.extraction.identity
    assert training.keys == other.keys
    assert "trained in hum at the SNR of the test" in job.protocol["noise"]


def test_a_head_trained_in_a_noise_is_reused_for_every_test_noise(
    ask: Ask, runner: Runner, hiss: Path, hum: Path, make_hiss: Any, tmp_path: Path
) -> None:
    third = make_hiss(tmp_path / "third.wav", seed=9)
    named = {"hiss": hiss, "hum": hum, "third": third}

    runner.run(
        ask(
            **NOISY | {"noises": ["hiss", "third"]},
            named=named,
            protocol="unseen-noise=hum",
        )
    )

    assert len(runner.store.fits()) == 2  # one for each fold


def test_a_noise_in_the_training_set_is_not_tested_as_unseen(
    ask: Ask, hiss: Path, hum: Path, tmp_path: Path
) -> None:
    again = shutil.copy(hum, tmp_path / "again.wav")
    study = ask(
        **NOISY | {"noises": ["clean", "hum", "again", "hiss"]},
        named={"hiss": hiss, "hum": hum, "again": Path(again)},
        protocol="unseen-noise=hum",
    )

    refused = {str(cell.condition): cell.refused for cell in study.cells}
    assert refused == {
        "clean": "clean speech has no SNR to train in hum at",
        "hum@0": "hum is not unseen: it is in the training set",
        "again@0": "again is not unseen: hum is drawn from again.wav, hum.wav as well",
        "hiss@0": None,
    }


def test_a_noise_set_that_has_the_training_noise_is_not_unseen(
    ask: Ask, hiss: Path, hum: Path
) -> None:
    with pytest.raises(NothingToRun, match=r"all is not unseen: hum is drawn from hum"):
        ask(
            **NOISY | {"noises": ["all"]},
            named={"hum": hum, "all": hum.parent / "h*.wav"},
            protocol="unseen-noise=hum",
        )


def test_multi_trains_on_the_fold_s_part_of_each_noise(
    prepared: Prepared, hiss: Path, hum: Path
) -> None:
    jobs = prepared(
        **NOISY | {"noises": ["clean", "hiss", "hum"]},
        named={"hiss": hiss, "hum": hum},
        protocol=f"multi+{DISJOINT}",
    )

    for job in jobs:
        assert [part.extraction.alone.condition for part in job.training] == [
            "clean",
            "hiss@0",
            "hum@0",
        ]
        noises = [part.extraction.noise for part in job.training[1:]]
        for clip in job.clips:
            fold = int(clip.utterance.fold)
            for noise in noises:
                assert noise is not None
                key = noise.key(clip.utterance.id, clip.samples, 0)
                assert np.floor_divide(key, 24_000) == fold
