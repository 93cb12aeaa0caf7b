import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hf_checks import Wave, described, hf
from layers import difference, valid
from tiny_towers import TOWERS, library_features, save_tower
from torch import Tensor
from transformers.utils.import_utils import BACKENDS_MAPPING

from nserbench.cards import bind
from nserbench.errors import BadSpec, CheckpointMissing, MissingExtra
from nserbench.spec import Spec
from nserbench.upstreams.base import Batch
from nserbench.upstreams.cards import HF
from nserbench.upstreams.groups import GroupSpec

Saved = Callable[[str], tuple[Path, Any]]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """Return a function from a name to the folder of a whole model, and the model."""

    def save(name: str) -> tuple[Path, Any]:
        folder = tmp_path_factory.mktemp(name)
        return folder, save_tower(folder, name)

    return cache(save)


@torch.no_grad()
def library_states(name: str, model: Any, wave: Wave) -> Tensor:
    """Return ``(layers, frames, dim)`` of the encoder inside a whole model."""
    tower = TOWERS[name]
    encoder, inputs = tower.encoder(model), library_features(name, wave)
    blocks = encoder.get_submodule(tower.blocks)
    states: list[Tensor] = []
    hooks = [
        blocks[0].register_forward_pre_hook(lambda _, args: states.append(args[0])),
        *(
            block.register_forward_hook(
                lambda _, args, out: states.append(
                    out[0] if isinstance(out, tuple) else out
                )
            )
            for block in blocks
        ),
    ]
    recorded = getattr(tower.run(encoder, inputs), "hidden_states", None)
    for hook in hooks:
        hook.remove()
    for ours, theirs in zip(states[:-1], (recorded or states)[:-1], strict=True):
        assert torch.equal(ours, theirs)
    states[-1] = tower.norm(encoder, states[-1])
    layers = torch.stack([state.reshape(-1, state.shape[-1]) for state in states])
    return layers[:, : tower.frames(inputs)]


@pytest.mark.parametrize("name", TOWERS)
def test_layers_of_an_encoder_are_those_inside_the_whole_model(
    name: str, saved: Saved, sound: Callable[..., Wave]
) -> None:
    folder, model = saved(name)
    upstream = hf(folder)

    for length in (1_600, 16_161, 45_000):
        wave = sound(length, length)
        ours = valid(upstream.extract(Batch.of(wave))["encoder"])

        theirs = library_states(name, model, wave)
        assert ours.shape == theirs.shape
        assert difference(ours, theirs) < 1e-5


@pytest.mark.parametrize("name", TOWERS)
def test_layers_and_rate_are_read_from_the_configuration(
    name: str, saved: Saved
) -> None:
    folder, _ = saved(name)
    tower = TOWERS[name]

    groups = described(folder)

    spec = GroupSpec(range(tower.layers + 1), 16, tower.rate)
    assert groups == {"encoder": spec}


@pytest.mark.parametrize("name", TOWERS)
def test_only_the_weights_of_the_encoder_are_loaded(name: str, saved: Saved) -> None:
    folder, model = saved(name)

    count = hf(folder).parameter_count()

    encoder = TOWERS[name].encoder(model)
    assert count == sum(weights.numel() for weights in encoder.parameters())
    assert count < sum(weights.numel() for weights in model.parameters()) or (
        name == "gemma3n"
    )


@pytest.mark.parametrize(
    "name", [name for name in TOWERS if not name.startswith("seamless")]
)
def test_an_encoder_that_was_saved_alone_is_read_as_inside_its_model(
    name: str, saved: Saved, tmp_path: Path, sound: Callable[..., Wave]
) -> None:
    folder, model = saved(name)
    TOWERS[name].encoder(model).save_pretrained(tmp_path)
    TOWERS[name].extractor().save_pretrained(tmp_path)
    wave = Batch.of(sound(9_000, 1))

    alone = hf(tmp_path).extract(wave)["encoder"]

    assert described(tmp_path) == described(folder)
    assert torch.equal(alone.states, hf(folder).extract(wave)["encoder"].states)


def test_shards_without_weights_of_the_encoder_need_not_be_there(
    tmp_path: Path, sound: Callable[..., Wave]
) -> None:
    model = save_tower(tmp_path, "qwen2_audio", max_shard_size="8KB")
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    places = index["weight_map"].items()
    needed = {file for name, file in places if name.startswith("audio_tower.")}
    for file in tmp_path.glob("model-*.safetensors"):
        if file.name not in needed:
            file.unlink()
    assert len(set(index["weight_map"].values())) > len(needed) > 1
    one = bind(HF, Spec("hf", positional=str(tmp_path)))

    ours = hf(tmp_path).extract(Batch.of(sound(9_000, 1)))["encoder"]

    theirs = library_states("qwen2_audio", model, sound(9_000, 1))
    assert difference(valid(ours), theirs) < 1e-5
    files = {file.name for file in one.card.checkpoint_files(one.options)}
    assert {name for name in files if name.endswith(".safetensors")} == needed
    assert {"config.json", "preprocessor_config.json"} < files


def test_a_shard_of_the_encoder_that_is_not_there_is_named(tmp_path: Path) -> None:
    save_tower(tmp_path, "qwen2_audio", max_shard_size="8KB")
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    lost = index["weight_map"]["audio_tower.layers.1.fc1.weight"]
    (tmp_path / lost).unlink()

    with pytest.raises(CheckpointMissing, match=rf"audio encoder: {lost}\n.*wanted:"):
        hf(tmp_path)


def test_a_model_without_the_weights_of_its_encoder_is_refused(tmp_path: Path) -> None:
    save_tower(tmp_path, "voxtral", max_shard_size="8KB")
    file = tmp_path / "model.safetensors.index.json"
    file.write_text(file.read_text().replace('"audio_tower', '"ears'))

    with pytest.raises(CheckpointMissing, match=r"no weights.*\n.*begin with audio_to"):
        hf(tmp_path)


def test_a_clip_that_is_longer_than_the_model_reads_is_read_in_pieces(
    tmp_path: Path, sound: Callable[..., Wave]
) -> None:
    save_tower(tmp_path, "voxtral")
    wave = sound(520_000, 3)

    encoder = hf(tmp_path).extract(Batch.of(wave))["encoder"]

    assert encoder.lengths.tolist() == [1_625]
    rest = hf(tmp_path).extract(Batch.of(wave[480_000:]))["encoder"]
    assert difference(valid(encoder)[:, 1_500:], valid(rest)) < 1e-6


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("audio_config", None, "it has no 'audio_config'"),
        ("num_hidden_layers", None, "it has no num_hidden_layers"),
        ("num_hidden_layers", "3", "'3', not a whole number"),
        ("hidden_size", 0, "'0', not a whole number"),
    ],
)
def test_a_configuration_that_does_not_describe_its_encoder_is_refused(
    key: str, value: object, message: str, tmp_path: Path
) -> None:
    save_tower(tmp_path, "voxtral")
    file = tmp_path / "config.json"
    config = json.loads(file.read_text())
    place = config if key == "audio_config" else config["audio_config"]
    place[key] = value
    file.write_text(json.dumps(config))

    with pytest.raises(BadSpec, match=rf"(?s){message}.*wanted: config\.json"):
        described(tmp_path)


def test_a_configuration_that_the_library_cannot_read_is_refused(
    tmp_path: Path,
) -> None:
    save_tower(tmp_path, "voxtral")
    file = tmp_path / "config.json"
    config = json.loads(file.read_text())
    config["text_config"]["num_hidden_layers"] = "two"
    file.write_text(json.dumps(config))

    with pytest.raises(BadSpec, match="is no model for VoxtralEncoder"):
        hf(tmp_path)


@pytest.mark.parametrize(
    ("model_type", "message"),
    [
        ("clap", "'clap', which hf does not read: its layers differ in width"),
        ("encodec", r"'encodec', which hf does not read\n  hf reads: .*wav2vec2,"),
    ],
)
def test_a_model_without_layers_over_time_is_refused_with_what_to_do(
    model_type: str, message: str, tmp_path: Path
) -> None:
    content = {"model_type": model_type, "hidden_size": 16, "num_hidden_layers": 2}
    (tmp_path / "config.json").write_text(json.dumps(content))

    with pytest.raises(BadSpec, match=rf"(?s){message}.*plugin of your own"):
        described(tmp_path)


def test_an_encoder_whose_features_need_torchaudio_says_so(
    saved: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = saved("granite_speech")
    _, text = BACKENDS_MAPPING["torchaudio"]
    monkeypatch.setitem(BACKENDS_MAPPING, "torchaudio", (lambda: False, text))

    with pytest.raises(MissingExtra, match=r"pip install 'nserbench\[granite\]'"):
        hf(folder)
