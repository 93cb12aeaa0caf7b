import functools
import importlib
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from layers import valid
from numpy.typing import NDArray
from tiny_s3prl import SAVE, save_s3prl
from torch import Tensor
from transformers import Wav2Vec2FeatureExtractor, Wav2Vec2Model

from nserbench.upstreams import s3prl as module
from nserbench.upstreams.base import Batch
from nserbench.upstreams.groups import GroupSpec
from nserbench.upstreams.loading.configs import describe_s3prl
from nserbench.upstreams.s3prl import S3prl

# Imported after our module, which suppresses the warnings of the first import.
S3PRLUpstream = importlib.import_module("s3prl.nn").S3PRLUpstream
Checkpoint = Callable[[str], str | None]
Opened = Callable[[str], S3prl]

DESCRIBED = {
    "wav2vec2_local": GroupSpec(range(4), 32, 50.0),
    "hubert_local": GroupSpec(range(4), 32, 50.0),
    "wavlm_local": GroupSpec(range(4), 32, 50.0),
    "apc_local": GroupSpec(range(3), 32, 100.0),
    "decoar_local": GroupSpec(range(1, 2), 2048, 100.0),
    "hf_wav2vec2_custom": GroupSpec(range(4), 32, 50.0),
    "fbank": GroupSpec(range(1, 2), 240, 100.0),
    "mfcc": GroupSpec(range(1, 2), 39, 100.0),
}
LEAST = 1_040  # samples
SLOW = {"decoar_local": pytest.mark.slow}  # comes in one size only, 270 MB
NAMES = [pytest.param(name, marks=SLOW.get(name, ())) for name in DESCRIBED]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """Return a function that saves random weights in a family's own format, once."""
    folder = tmp_path_factory.mktemp("checkpoints")

    @functools.cache
    def saved(name: str) -> str | None:
        return str(save_s3prl(folder, name)) if name in SAVE else None

    return saved


@pytest.fixture(scope="module")
def opened(checkpoint: Checkpoint) -> Opened:
    """Return a function that loads an upstream of a family, once."""
    return functools.cache(lambda name: S3prl(options(name, checkpoint(name)), "cpu"))


@pytest.fixture(scope="module")
def waves() -> list[NDArray[np.float32]]:
    """Return noise of 1 s, of the least that every family can read, and of 0.6 s."""
    chance = np.random.default_rng(5)
    lengths = (16_000, LEAST, 9_601)
    return [chance.normal(0.0, 0.1, length).astype(np.float32) for length in lengths]


def options(name: str, checkpoint: str | None = None) -> dict[str, str | None]:
    return {"name": name, "checkpoint": checkpoint}


def by_s3prl(
    name: str, source: str | None, waves: list[Any]
) -> list[tuple[list[Tensor], list[Tensor]]]:
    """Let S3PRL give the states of each wave and their lengths."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of what s3prl uses of torch
        library = S3PRLUpstream(name, path_or_url=source).eval()
        return [
            library(torch.tensor(wave)[None], torch.tensor([len(wave)]))
            for wave in waves
        ]


@pytest.mark.parametrize("name", NAMES)
def test_states_are_those_of_s3prl(
    name: str, opened: Opened, checkpoint: Checkpoint, waves: list[Any]
) -> None:
    expected = by_s3prl(name, checkpoint(name), waves)

    group = opened(name).extract(Batch.of(*waves))["hidden"]

    for place, (states, lengths) in enumerate(expected):
        assert group.lengths[place] == lengths[0]
        theirs = torch.cat(states)
        kept = len(theirs) - name.startswith("hf_")  # the last one is normalised
        assert (valid(group, place) - theirs)[:kept].abs().max() < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_groups_are_those_described(
    name: str, opened: Opened, checkpoint: Checkpoint, waves: list[Any]
) -> None:
    described = describe_s3prl(options(name, checkpoint(name))).groups

    groups = opened(name).extract(Batch.of(*waves))

    assert described == {"hidden": DESCRIBED[name]}
    spec, states = described["hidden"], groups["hidden"].states
    assert states.dtype == torch.float32
    assert states.shape[0] == len(spec.layers)
    assert states.shape[3] == spec.dim
    assert groups["hidden"].lengths[0] == spec.rate


@pytest.mark.parametrize("name", NAMES)
def test_an_utterance_is_the_same_alone_and_in_a_batch(
    name: str, opened: Opened, waves: list[Any]
) -> None:
    together = opened(name).extract(Batch.of(*waves))["hidden"]

    for place, wave in enumerate(waves):
        alone = opened(name).extract(Batch.of(wave))["hidden"]
        assert torch.equal(valid(together, place), valid(alone))


@pytest.mark.parametrize("name", NAMES[:-2])
def test_gradients_reach_the_weights_in_training(
    name: str, checkpoint: Checkpoint, waves: list[Any]
) -> None:
    upstream = S3prl(options(name, checkpoint(name)), "cpu")
    upstream.model.train()

    states = upstream.forward(Batch.of(*waves))["hidden"].states
    states.square().mean().backward()

    reached = [it for it in upstream.model.parameters() if it.grad is not None]
    assert sum(bool(it.grad.any()) for it in reached if it.grad is not None) > 5
    assert len(states) == len(DESCRIBED[name].layers)


def test_the_last_state_of_a_prenorm_model_is_normalised(
    opened: Opened, checkpoint: Checkpoint, waves: list[Any]
) -> None:
    folder = str(checkpoint("hf_wav2vec2_custom"))
    library = Wav2Vec2Model.from_pretrained(folder).eval()
    heard = Wav2Vec2FeatureExtractor()(
        waves[0], sampling_rate=16_000, return_tensors="pt"
    )

    states = opened("hf_wav2vec2_custom").extract(Batch.of(waves[0]))["hidden"].states

    with torch.no_grad():
        out = library(heard.input_values, output_hidden_states=True)
    frames = out.last_hidden_state.shape[1]
    assert not torch.allclose(out.hidden_states[-1], out.last_hidden_state, atol=0.1)
    assert (states[-1, :, :frames] - out.last_hidden_state).abs().max() < 1e-5


@pytest.mark.parametrize("name", ["wav2vec2_local", "fbank"])
def test_short_clips_are_read(name: str, opened: Opened) -> None:
    lengths = range(LEAST, LEAST + 640, 79)
    chance = np.random.default_rng(6)
    waves = [chance.normal(0.0, 0.1, length).astype(np.float32) for length in lengths]

    group = opened(name).extract(Batch.of(*waves))["hidden"]

    stride = 16_000 / (DESCRIBED[name].rate or 0)
    assert group.lengths.tolist() == [math.ceil(it / stride) for it in lengths]
    assert group.states.isfinite().all()


def test_a_clip_that_s3prl_cannot_frame_is_refused(opened: Opened) -> None:
    with pytest.raises(ValueError, match="s3prl:fbank cannot read 801 samples"):
        opened("fbank").extract(Batch.of(np.ones(801, "f")))


def test_the_upstream_is_loaded_ready_to_use(opened: Opened) -> None:
    loaded = opened("hubert_local")

    assert isinstance(loaded.model, S3PRLUpstream)
    assert not loaded.model.training
    assert loaded.parameter_count() > 10_000
    assert opened("fbank").parameter_count() == 0


def test_files_are_those_of_the_checkpoint(checkpoint: Checkpoint) -> None:
    found = {
        name: [file.name for file in module.files(options(name, checkpoint(name)))]
        for name in ("wavlm_local", "hf_wav2vec2_custom", "mfcc")
    }

    assert found == {
        "wavlm_local": ["wavlm_local"],
        "hf_wav2vec2_custom": [
            "config.json",
            "model.safetensors",
            "preprocessor_config.json",
        ],
        "mfcc": [],
    }
