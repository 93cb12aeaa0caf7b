"""A tiny wav2vec 2.0 on ``demo``, fine-tuned with heads."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as lib
from tuned import FAST

from nserbench.benchmark.finetuning.finetune import fine_tune
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.read_results import read_results
from nserbench.benchmark.results.result import Result
from nserbench.benchmark.running import ensure_features as provision
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.study.request import Request
from nserbench.benchmark.study.study import Study, make_study
from nserbench.settings import Settings

Ask = Callable[..., Study]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a wav2vec 2.0 of three blocks that reads a batch at once."""
    folder = tmp_path_factory.mktemp("tiny") / "w2v"
    torch.manual_seed(0)
    config = lib.Wav2Vec2Config(
        hidden_size=64,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=128,
        conv_dim=(32,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        initializer_range=0.2,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        conv_bias=True,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        feat_proj_dropout=0.0,
        layerdrop=0.9,
        mask_time_prob=0.9,
    )
    lib.Wav2Vec2Model(config).save_pretrained(folder)
    lib.Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


@pytest.fixture
def study(checkpoint: Path, plugins: Plugins) -> Ask:
    """Return a function that makes a study of the tiny checkpoint on ``demo``."""

    def make(*options: str, **said: Any) -> Study:
        upstream = ",".join([f"wav2vec2:checkpoint={checkpoint}", *options])
        plain: dict[str, Any] = {
            "upstreams": [upstream],
            "downstreams": ["last"],
            "corpora": ["demo"],
            "protocol": FAST,
            "epochs": 2,
            "limit": 8,
        }
        return make_study(Request(**plain | said), plugins, Settings())

    return make


@pytest.fixture
def result(study: Ask, runner: Runner) -> Callable[..., Result]:
    """Return a function that runs a study of one cell: its result."""

    def run(*options: str, **said: Any) -> Result:
        report = runner.run(study(*options, **said))
        (folder,) = report.folders
        return next(
            one for one in read_results(runner.results) if one.folder == folder.name
        )

    return run


@pytest.fixture
def tunings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which the fold of every fine-tuning is added."""
    folds: list[str] = []

    def tune(tuning: Any, split: Any, *rest: Any) -> None:
        folds.append(split.fold)
        fine_tune(tuning, split, *rest)

    monkeypatch.setattr(provision, "fine_tune", tune)
    return folds
