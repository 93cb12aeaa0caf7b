import json

import pytest
import torch
import transformers as lib
from hf_checks import (
    Checkpoint,
    described,
    hf,
)
from safetensors.torch import load_file, save_file
from tiny_hf import save_tokenizer

from nserbench.cards import bind
from nserbench.errors import BadSpec, CheckpointMissing
from nserbench.spec import Spec
from nserbench.upstreams.base import Batch
from nserbench.upstreams.cards import nserbench_upstreams

CARDS = {card.name: card for card in nserbench_upstreams()}


@pytest.mark.parametrize("name", ["wav2vec2", "hubert", "wavlm"])
def test_a_checkpoint_of_another_type_is_refused(
    name: str, checkpoint: Checkpoint
) -> None:
    other = checkpoint("conformer")

    with pytest.raises(BadSpec, match=rf"no {name}: .*'wav2vec2-conformer'\n.* hf:/"):
        CARDS[name].describe({"checkpoint": str(other), "revision": None})


@pytest.mark.parametrize(
    ("name", "lost", "message"),
    [
        ("wav2vec2", "hidden_size", "the encoder of .*: it has no hidden_size"),
        ("wav2vec2", "num_hidden_layers", "encoder of .*: it has no num_hidden_layers"),
        ("wav2vec2", "conv_stride", "the encoder of .*: it has no conv_stride"),
        ("hubert+gpt2", "encoder", "the encoder of .*: it has no 'encoder'"),
        ("moonshine", "decoder_num_hidden_layers", "the decoder of .*: it has no "),
    ],
)
def test_a_configuration_that_does_not_say_enough_is_refused(
    name: str, lost: str, message: str, copied: Checkpoint
) -> None:
    file = copied(name) / "config.json"
    config = json.loads(file.read_text())
    del config[lost]
    file.write_text(json.dumps(config))

    with pytest.raises(BadSpec, match=message):
        described(file.parent)


@pytest.mark.parametrize("told", ["describe", "checkpoint_files", "open"])
def test_a_hub_id_that_is_not_found_is_answered_with_what_hf_takes(told: str) -> None:
    one = bind(CARDS["hf"], Spec("hf", positional="nobody/nothing"))
    device = ["cpu"] if told == "open" else []

    with pytest.raises(
        CheckpointMissing, match="a copy in a folder: --upstream hf:FOLDER"
    ):
        getattr(one.card, told)(one.options, *device)


def test_code_of_the_hub_is_never_run(copied: Checkpoint) -> None:
    file = copied("wav2vec2") / "config.json"
    config = json.loads(file.read_text())
    config["auto_map"] = {"AutoModel": "modeling_mine.Mine"}
    file.write_text(json.dumps(config))

    with pytest.raises(BadSpec, match="never run"):
        described(file.parent)


def test_a_type_that_is_not_read_is_refused(copied: Checkpoint) -> None:
    file = copied("wav2vec2") / "config.json"
    file.write_text(file.read_text().replace('"wav2vec2"', '"wav3vec"'))

    with pytest.raises(BadSpec, match=r"'wav3vec', which hf does not read\n  hf reads"):
        hf(file.parent)


def test_layers_that_the_configuration_does_not_describe_are_refused(
    checkpoint: Checkpoint, batch: Batch
) -> None:
    upstream = hf(checkpoint("hubert"))
    upstream.model.encoder.layers = upstream.model.encoder.layers[:2]

    with pytest.raises(BadSpec, match=r"returns 3 layers of width 16, .* 4 of 16"):
        upstream.extract(batch)


def test_a_checkpoint_that_does_not_say_how_it_wants_audio_is_refused(
    copied: Checkpoint,
) -> None:
    folder = copied("wavlm")
    (folder / "preprocessor_config.json").unlink()

    with pytest.raises(CheckpointMissing, match=r"wanted: preprocessor_config\.json"):
        hf(folder)


def test_audio_at_another_rate_is_refused(copied: Checkpoint) -> None:
    folder = copied("wavlm")
    lib.Wav2Vec2FeatureExtractor(sampling_rate=24_000).save_pretrained(folder)

    with pytest.raises(BadSpec, match="24000 Hz, not at 16000"):
        hf(folder)


def test_a_decoder_without_a_tokenizer_is_refused(copied: Checkpoint) -> None:
    folder = copied("moonshine")
    for file in folder.glob("*token*"):
        file.unlink()

    with pytest.raises(CheckpointMissing, match="no tokenizer that can be loaded"):
        hf(folder)


def test_a_decoder_with_the_tokenizer_of_another_is_refused(
    copied: Checkpoint,
) -> None:
    folder = copied("moonshine")
    save_tokenizer(folder, tokens=10)

    with pytest.raises(CheckpointMissing, match="has 10 tokens, they have 40"):
        hf(folder)


def test_incomplete_weights_are_refused(copied: Checkpoint) -> None:
    file = copied("hubert") / "model.safetensors"
    weights = load_file(file)
    del weights["encoder.layers.2.attention.k_proj.weight"]
    save_file(weights, file, {"format": "pt"})

    with pytest.raises(CheckpointMissing, match=r"1 tensors are missing.*k_proj"):
        hf(file.parent)


@pytest.mark.parametrize("name", ["wav2vec2", "speech_to_text"])
def test_weights_with_more_layers_than_the_configuration_says_are_refused(
    name: str, copied: Checkpoint
) -> None:
    file = copied(name) / "config.json"
    config = json.loads(file.read_text())
    key = "num_hidden_layers" if name == "wav2vec2" else "decoder_layers"
    file.write_text(json.dumps(config | {key: config[key] - 1}))

    with pytest.raises(CheckpointMissing, match=r"more layers than its config\.json"):
        hf(file.parent)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_numbers_are_refused(
    value: float, copied: Checkpoint
) -> None:
    file = copied("hubert") / "model.safetensors"
    weights = load_file(file)
    weights["encoder.layers.2.attention.k_proj.weight"][3, 2] = value
    save_file(weights, file, {"format": "pt"})

    with pytest.raises(CheckpointMissing, match=r"NaN or infinite.*k_proj"):
        hf(file.parent)


def test_weights_in_parts_are_read_and_refused_without_their_index(
    copied: Checkpoint, batch: Batch
) -> None:
    folder = copied("hubert")
    whole = hf(folder).extract(batch)["encoder"].states
    lib.AutoModel.from_pretrained(folder).save_pretrained(folder, max_shard_size="9KB")
    (folder / "model.safetensors").unlink(missing_ok=True)
    index = folder / "model.safetensors.index.json"

    assert torch.equal(hf(folder).extract(batch)["encoder"].states, whole)
    index.unlink()
    with pytest.raises(CheckpointMissing, match=rf"no index of them\n.*{index.name}"):
        hf(folder)


def test_weights_that_end_too_soon_are_refused(copied: Checkpoint) -> None:
    file = copied("hubert") / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])

    with pytest.raises(CheckpointMissing, match="cannot be read"):
        hf(file.parent)


def test_weights_as_the_hub_has_them_are_read(copied: Checkpoint, batch: Batch) -> None:
    folder = copied("wav2vec2")
    theirs = hf(folder).extract(batch)["encoder"].states
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    old = {
        "wav2vec2."
        + name.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): weight
        for name, weight in weights.items()
        if name != "masked_spec_embed"  # some lack it, and it is not used
    }
    torch.save(old | {"lm_head.weight": torch.ones(3)}, folder / "pytorch_model.bin")

    states = hf(folder).extract(batch)["encoder"].states

    assert "wav2vec2.encoder.pos_conv_embed.conv.weight_g" in old
    torch.testing.assert_close(states, theirs)


def test_half_precision_weights_are_used_in_single(copied: Checkpoint) -> None:
    folder = copied("wav2vec2")
    lib.AutoModel.from_pretrained(folder).half().save_pretrained(folder)

    model = hf(folder).model

    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert not model.training
