"""Every family of upstreams with weights can be fine-tuned."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_models import save_tiny
from tuned import weights_of

from nserbench.benchmark.extraction.extract import ModelCache
from nserbench.benchmark.jobs.prepare import prepare
from nserbench.benchmark.results.read_results import read_results
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.study.study import Study
from nserbench.progress import Silent
from nserbench.upstreams.whisper import Whisper

Ask = Callable[..., Study]


FAMILIES = {
    "whisper": "whisper:checkpoint={}",
    "asr": "conformer:checkpoint={}",
    "speechlm": "speechlm:checkpoint={}",
    "emotion2vec": "emotion2vec:checkpoint={},lora=2",
    "bert": "bert:checkpoint={},text={{whisper:checkpoint=WHISPER}}",
    "hubert": "hubert:checkpoint={}",
    "speech_to_text": "hf:{}",
    "wav2vec2-bert": "hf:{}",
    "hubert_local": "s3prl:hubert_local,checkpoint={}",
}
SLOW = {"hubert", "speech_to_text", "speechlm"}
"""Families whose code the others share in part: slow tests."""


@pytest.mark.usefixtures("short_searches")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
        for name in FAMILIES
    ],
)
def test_every_family_with_weights_can_be_fine_tuned(
    name: str, study: Ask, runner: Runner, tmp_path: Path
) -> None:
    typed = FAMILIES[name].format(save_tiny(tmp_path, name))
    if "WHISPER" in typed:
        typed = typed.replace("WHISPER", str(save_tiny(tmp_path, "whisper")))
    asked = study(
        upstreams=[typed],
        finetune="joint",
        epochs=1,
        limit=8,
    )

    runner.run(asked)

    (result,) = read_results(runner.results)
    assert result.status == "done", result.reason
    (job,) = prepare(asked, runner.store, Silent())
    assert job.tuning is not None
    before = weights_of(job, ModelCache("cpu"))
    after = weights_of(job.folds(runner.store)[0], ModelCache("cpu"))
    moved = {key for key, one in after.items() if not one.equal(before[key])}
    assert moved
    for module in job.tuning.frozen:
        assert any(f".{module}." in f".{key}" for key in before)
        assert not any(f".{module}." in f".{key}" for key in moved)


def test_a_head_on_the_encoder_fine_tunes_whisper_without_a_search(
    study: Ask,
    runner: Runner,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(Whisper, "_search")
    folder = save_tiny(tmp_path, "whisper")
    config = json.loads((folder / "config.json").read_text())
    config |= {"dropout": 0.0, "decoder_layerdrop": 0.0}  # as published
    (folder / "config.json").write_text(json.dumps(config))

    runner.run(
        study(
            upstreams=[f"whisper-enc:checkpoint={folder}"],
            finetune="joint",
            epochs=1,
            limit=8,
        )
    )

    (result,) = read_results(runner.results)
    assert result.status == "done", result.reason
    assert result.recognition == {}


@pytest.mark.usefixtures("short_searches")
def test_an_upstream_of_text_is_fine_tuned_on_all_conditions(
    study: Ask, runner: Runner, tmp_path: Path
) -> None:
    whisper, bert = (str(save_tiny(tmp_path, name)) for name in ("whisper", "bert"))
    typed = FAMILIES["bert"].format(bert).replace("WHISPER", whisper)

    runner.run(
        study(
            upstreams=[typed],
            finetune="joint",
            epochs=1,
            limit=8,
            noises=["clean", "human"],
            protocol="probe+multi",
        )
    )

    results = read_results(runner.results)
    assert [one.status for one in results] == ["done", "done"], results[0].reason
