import dataclasses
import enum
import functools
import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

from nserbench.upstreams import s3prl_bridge as module
from nserbench.upstreams.base import Batch, GroupSpec, LayerGroup
from nserbench.upstreams.describe import describe_s3prl
from nserbench.upstreams.s3prl_bridge import S3prl, S3PRLUpstream

Checkpoint = Callable[[str], str | None]
Opened = Callable[[str], S3prl]

SMALL = {
    "encoder_layers": 3,
    "encoder_embed_dim": 32,
    "encoder_ffn_embed_dim": 64,
    "encoder_attention_heads": 4,
    "conv_feature_layers": "[(16,10,5)] + [(16,3,2)]*4 + [(16,2,2)]*2",
    "conv_pos": 16,
    "conv_pos_groups": 4,
    "final_dim": 16,
}
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


def plain(config: Any) -> dict[str, Any]:
    """Turn a configuration into what is saved without pickling a class."""
    values = dataclasses.asdict(config).items()
    return {k: v.value if isinstance(v, enum.Enum) else v for k, v in values}


def save_wav2vec2(file: Path) -> None:
    from s3prl.upstream.wav2vec2 import wav2vec2_model as family

    config = family.Wav2Vec2Config(**SMALL)
    saved = {
        "task_cfg": plain(family.AudioPretrainingConfig(normalize=True)),
        "model_cfg": plain(config),
        "model_weight": family.Wav2Vec2Model(config).state_dict(),
    }
    torch.save(saved, file)


def save_hubert(file: Path) -> None:
    from s3prl.upstream.hubert import hubert_model as family

    config, task = (
        family.HubertConfig(label_rate=50.0, **SMALL),
        family.HubertPretrainingConfig(),
    )
    units = [[str(unit) for unit in range(20)]]
    saved = {
        "task_cfg": plain(task),
        "model_cfg": plain(config),
        "model_weight": family.HubertModel(config, task, units).state_dict(),
        "dictionaries_symbols": units,
    }
    torch.save(saved, file)


def save_wavlm(file: Path) -> None:
    from s3prl.upstream.wavlm.WavLM import WavLM, WavLMConfig

    config = WavLMConfig(
        {
            **SMALL,
            "relative_position_embedding": True,
            "num_buckets": 32,
            "max_distance": 80,
            "gru_rel_pos": True,
        }
    )
    torch.save({"cfg": vars(config), "model": WavLM(config).state_dict()}, file)


def save_apc(file: Path) -> None:
    from s3prl.upstream.apc.apc import APC

    size = {"num_layers": 3, "hidden_size": 32, "dropout": 0.1, "residual": True}
    audio = {"feat_type": "fbank", "feat_dim": 80, "frame_length": 25}
    config = {
        "data": {"audio": {**audio, "frame_shift": 10, "cmvn": True}},
        "model": {"paras": {**size, "vq": None}},
    }
    weights = APC(80, **config["model"]["paras"]).state_dict()
    torch.save({"config": config, "model": weights}, file)


def save_decoar(file: Path) -> None:
    from s3prl.upstream.decoar.decoar import Decoar

    torch.save({"model": Decoar().state_dict()}, file)


def save_prenorm(folder: Path) -> None:
    config = Wav2Vec2Config(
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=64,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
        do_stable_layer_norm=True,
        feat_extract_norm="layer",
        layerdrop=0.9,
        apply_spec_augment=False,
    )
    Wav2Vec2Model(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)


SAVE: dict[str, Callable[[Path], None]] = {
    "wav2vec2_local": save_wav2vec2,
    "hubert_local": save_hubert,
    "wavlm_local": save_wavlm,
    "apc_local": save_apc,
    "decoar_local": save_decoar,
    "hf_wav2vec2_custom": save_prenorm,
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """Give a function that saves random weights in a family's own format, once."""
    folder = tmp_path_factory.mktemp("checkpoints")

    @functools.cache
    def saved(name: str) -> str | None:
        if name not in SAVE:
            return None
        torch.manual_seed(40)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what s3prl uses of torch
            SAVE[name](folder / name)
        return str(folder / name)

    return saved


@pytest.fixture(scope="module")
def opened(checkpoint: Checkpoint) -> Opened:
    """Give a function that loads an upstream of a family, once."""
    return functools.cache(lambda name: S3prl(options(name, checkpoint(name)), "cpu"))


@pytest.fixture(scope="module")
def waves() -> list[NDArray[np.float32]]:
    """Give noise of 1 s, of the least that every family can read, and of 0.6 s."""
    chance = np.random.default_rng(5)
    lengths = (16_000, LEAST, 9_601)
    return [chance.normal(0.0, 0.1, length).astype(np.float32) for length in lengths]


def options(name: str, checkpoint: str | None = None) -> dict[str, str | None]:
    return {"name": name, "checkpoint": checkpoint}


def valid(group: LayerGroup, place: int = 0) -> Tensor:
    """Give ``(layers, frames, dim)`` of an utterance, without padding."""
    return group.states[:, place, : int(group.lengths[place])]


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
    described = describe_s3prl(options(name, checkpoint(name)))

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
