import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as lib
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch import Tensor

from nserbench.cards import Bound, bind
from nserbench.errors import BadSpec, CheckpointMissing
from nserbench.spec import Spec, parse_spec
from nserbench.upstreams import huggingface
from nserbench.upstreams.base import (
    Batch,
    GroupSpec,
    LayeredFeatures,
    LayerGroup,
    UpstreamCard,
)
from nserbench.upstreams.cards import nserbench_upstreams
from nserbench.upstreams.huggingface import SpeechEncoder, SpeechEncoderDecoder
from nserbench.upstreams.whisper import Whisper

Wave = NDArray[np.float32]
Checkpoint = Callable[[str], Path]

CARDS = {card.name: card for card in nserbench_upstreams()}
SIZE = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "initializer_range": 0.3,
    "layerdrop": 0.9,
}
CONVOLVED = SIZE | {
    "conv_dim": (8,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "mask_time_prob": 0.5,
    "mask_feature_prob": 0.5,
}
LARGE = CONVOLVED | {
    "do_stable_layer_norm": True,
    "feat_extract_norm": "layer",
    "conv_bias": True,
}
SQUEEZED = CONVOLVED | {"conv_dim": (8,) * 13}
DECODER = {
    "vocab_size": 40,
    "d_model": 24,
    "decoder_layers": 2,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 32,
    "init_std": 0.3,
}
ENCODERS: dict[str, tuple[Callable[..., Any], Callable[..., Any], dict[str, Any]]] = {
    "wav2vec2": (lib.Wav2Vec2Model, lib.Wav2Vec2Config, CONVOLVED),
    "hubert": (lib.HubertModel, lib.HubertConfig, CONVOLVED),
    "wavlm": (lib.WavLMModel, lib.WavLMConfig, CONVOLVED),
    "wav2vec2-large": (lib.Wav2Vec2Model, lib.Wav2Vec2Config, LARGE),
    "hubert-large": (lib.HubertModel, lib.HubertConfig, LARGE),
    "wavlm-large": (lib.WavLMModel, lib.WavLMConfig, LARGE),
    "adapted": (lib.Wav2Vec2Model, lib.Wav2Vec2Config, LARGE | {"add_adapter": True}),
    "conformer": (lib.Wav2Vec2ConformerModel, lib.Wav2Vec2ConformerConfig, CONVOLVED),
    "data2vec-audio": (lib.Data2VecAudioModel, lib.Data2VecAudioConfig, CONVOLVED),
    "unispeech-sat": (lib.UniSpeechSatModel, lib.UniSpeechSatConfig, CONVOLVED),
    "sew": (lib.SEWModel, lib.SEWConfig, SQUEEZED),
    "wav2vec2-bert": (lib.Wav2Vec2BertModel, lib.Wav2Vec2BertConfig, SIZE),
}
PRENORM = ("wav2vec2-large", "hubert-large", "wavlm-large", "adapted", "conformer")
PADDED = ("wav2vec2-large", "hubert-large", "adapted")


def bert() -> Any:
    config = lib.BertConfig(
        vocab_size=40, is_decoder=True, add_cross_attention=True, **SIZE
    )
    config.hidden_size = 24
    return lib.BertLMHeadModel(config)


def gpt2() -> Any:
    return lib.GPT2LMHeadModel(
        lib.GPT2Config(
            vocab_size=40,
            n_embd=24,
            n_layer=2,
            n_head=2,
            initializer_range=0.3,
            add_cross_attention=True,
        )
    )


def mbart() -> Any:
    # Its encoder is not used, but its layers are what generate counts.
    return lib.MBartForCausalLM(
        lib.MBartConfig(is_decoder=True, encoder_layers=1, **DECODER)
    )


def joined(encoder: str, decoder: Any) -> Any:
    kind, config, size = ENCODERS[encoder]
    return lib.SpeechEncoderDecoderModel(encoder=kind(config(**size)), decoder=decoder)


def speech_to_text() -> Any:
    config = lib.Speech2TextConfig(
        encoder_layers=1,
        encoder_attention_heads=2,
        encoder_ffn_dim=32,
        conv_channels=16,
        encoder_layerdrop=0.9,
        decoder_layerdrop=0.9,
        **DECODER,
    )
    return lib.Speech2TextForConditionalGeneration(config)


def moonshine() -> Any:
    config = lib.MoonshineConfig(
        vocab_size=40,
        hidden_size=16,
        intermediate_size=32,
        encoder_num_hidden_layers=2,
        decoder_num_hidden_layers=3,
        encoder_num_attention_heads=2,
        decoder_num_attention_heads=2,
        initializer_range=0.3,
    )
    return lib.MoonshineForConditionalGeneration(config)


WRITERS: dict[str, Callable[[], Any]] = {
    "wav2vec2+bert": lambda: joined("wav2vec2", bert()),
    "hubert+gpt2": lambda: joined("hubert", gpt2()),
    "wav2vec2-bert+gpt2": lambda: joined("wav2vec2-bert", gpt2()),
    "adapted+mbart": lambda: joined("adapted", mbart()),
    "speech_to_text": speech_to_text,
    "moonshine": moonshine,
}
EVERY = (*ENCODERS, *WRITERS)


def extractor_of(name: str) -> Any:
    if name == "speech_to_text":
        return lib.Speech2TextFeatureExtractor()
    if name.startswith("wav2vec2-bert"):
        return lib.SeamlessM4TFeatureExtractor()
    return lib.Wav2Vec2FeatureExtractor(return_attention_mask=name in PADDED)


def save_tokenizer(folder: Path, tokens: int = 40) -> None:
    """Write a tokenizer of the words w3, w4, ... behind <pad>, <s> and </s>."""
    words = {"<pad>": 0, "<s>": 1, "</s>": 2}
    words |= {f"w{at}": at for at in range(3, tokens)}
    model = lib.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel(words, unk_token="<pad>")),
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<pad>",
    )
    model.save_pretrained(folder)


def save(name: str, folder: Path) -> Path:
    """Write a tiny checkpoint with random weights."""
    torch.manual_seed(7)
    if name in ENCODERS:
        kind, config, size = ENCODERS[name]
        model = kind(config(**size))
    else:
        model = WRITERS[name]()
        model.generation_config = lib.GenerationConfig(
            decoder_start_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
            suppress_tokens=[0, 1, *range(8, 40)],  # five words are left
        )
        save_tokenizer(folder)
    model.save_pretrained(folder)
    extractor_of(name).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """Give a function from a name to its tiny checkpoint, written once."""
    written: dict[str, Path] = {}

    def give(name: str) -> Path:
        if name not in written:
            written[name] = save(name, tmp_path_factory.mktemp("hf"))
        return written[name]

    return give


@pytest.fixture
def copied(checkpoint: Checkpoint, tmp_path: Path) -> Checkpoint:
    """Give a function from a name to a copy of its checkpoint, to be broken."""
    return lambda name: Path(shutil.copytree(checkpoint(name), tmp_path / name))


@pytest.fixture(autouse=True)
def few_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep transcripts short."""
    monkeypatch.setattr(huggingface, "MOST_TOKENS", 6)


@pytest.fixture(scope="session")
def batch(sound: Callable[..., Wave]) -> Batch:
    """Give three sounds of different lengths."""
    return Batch.of(*(sound(length, length) for length in (16_161, 9_000, 1_600)))


def bound(text: str) -> Bound[UpstreamCard]:
    spec = parse_spec(text)
    return bind(CARDS[spec.name], spec)


def hf(folder: Path) -> Any:
    """Load a checkpoint by the generic card, as the benchmark does."""
    one = bind(CARDS["hf"], Spec("hf", bare=str(folder)))
    return one.card.open(one.options, "cpu")


def described(folder: Path) -> Any:
    one = bind(CARDS["hf"], Spec("hf", bare=str(folder)))
    return one.card.describe(one.options)


def assert_described(groups: LayeredFeatures, folder: Path) -> None:
    """Compare groups of three utterances with what the card says of them."""
    specs = described(folder)
    assert list(groups) == list(specs)
    for name, spec in specs.items():
        layers, utterances, _, dim = groups[name].states.shape
        assert (layers, utterances, dim) == (len(spec.layers), 3, spec.dim)
        assert groups[name].states.dtype == torch.float32


def each(batch: Batch) -> Iterator[Batch]:
    """Give the utterances of a batch one by one."""
    return (Batch.of(wave) for wave in batch.waves)


def valid(group: LayerGroup, place: int = 0) -> Tensor:
    """Give the layers of one utterance without padding."""
    return group.states[:, place, : int(group.lengths[place])]


def difference(ours: Tensor, theirs: Tensor) -> float:
    """Give the largest difference in units of the largest state of each layer."""
    assert ours.shape == theirs.shape
    largest = theirs.abs().amax(dim=(1, 2), keepdim=True)
    return float(((ours - theirs) / largest).abs().max())


def library_inputs(name: str, wave: Wave) -> Any:
    return extractor_of(name)(wave, sampling_rate=16_000, return_tensors="pt")


@torch.no_grad()
def library_encoder(encoder: Any, name: str, wave: Wave) -> Tensor:
    """Give ``(layers, frames, dim)`` as transformers computes them for one wave."""
    inputs = library_inputs(name, wave)
    states = list(encoder(**inputs, output_hidden_states=True).hidden_states)
    if name.startswith(PRENORM):
        states[-1] = encoder.encoder.layer_norm(states[-1])
    frames = states[0].shape[1]
    if name.startswith("wav2vec2-bert"):
        frames = int(inputs["attention_mask"].sum())
    return torch.stack(states)[:, 0, :frames]


@pytest.mark.parametrize("name", ENCODERS)
def test_layers_of_an_encoder_are_those_of_the_library(
    name: str, checkpoint: Checkpoint, batch: Batch
) -> None:
    library = lib.AutoModel.from_pretrained(checkpoint(name)).eval()

    groups = hf(checkpoint(name)).extract(batch)

    assert_described(groups, checkpoint(name))
    for place, wave in enumerate(batch.waves):
        theirs = library_encoder(library, name, wave)
        assert difference(valid(groups["encoder"], place), theirs) < 1e-5


@pytest.mark.parametrize("name", WRITERS)
def test_layers_of_both_halves_are_those_of_the_library_step_by_step(
    name: str, checkpoint: Checkpoint, sound: Callable[..., Wave]
) -> None:
    library = lib.AutoModelForSpeechSeq2Seq.from_pretrained(checkpoint(name)).eval()
    waves = [sound(length, length) for length in (16_161, 1_600, 150_000)]

    with torch.no_grad():
        heard = hf(checkpoint(name)).listen(Batch.of(*waves))

    assert_described(heard.features, checkpoint(name))
    for place, wave in enumerate(waves):
        encoder = library_encoder(library.get_encoder(), name, wave)
        found = torch.no_grad()(library.generate)(
            **library_inputs(name, wave),
            do_sample=False,
            max_new_tokens=6,
            use_cache=False,
            return_dict_in_generate=True,
            output_hidden_states=True,
        )
        steps = [torch.stack(one)[:, 0, -1:] for one in found.decoder_hidden_states]
        words = [f"w{token}" for token in found.sequences[0].tolist() if token > 2]
        ours = {name: valid(one, place) for name, one in heard.features.items()}
        assert difference(ours["encoder"], encoder) < 1e-5
        assert difference(ours["decoder"], torch.cat(steps, dim=1)) < 1e-5
        assert heard.texts[place].split() == words


def test_a_transcript_that_ends_has_a_frame_for_its_end(
    checkpoint: Checkpoint, batch: Batch
) -> None:
    upstream = hf(checkpoint("hubert+gpt2"))
    upstream.model.generation_config.suppress_tokens = [0, 1, *range(3, 40)]

    heard = upstream.listen(batch)

    assert heard.texts == ("", "", "")
    assert heard.features["decoder"].lengths.tolist() == [1, 1, 1]


def test_a_transcript_fits_into_the_positions_of_the_decoder(
    checkpoint: Checkpoint, batch: Batch
) -> None:
    upstream = hf(checkpoint("wav2vec2+bert"))
    upstream.model.config.decoder.max_position_embeddings = 5
    upstream.model.generation_config.suppress_tokens = [0, 1, 2, *range(8, 40)]

    decoder = upstream.extract(batch)["decoder"]

    assert decoder.lengths.tolist() == [5, 5, 5]


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("wav2vec2", {"encoder": GroupSpec(range(4), 16, 50.0)}),
        ("sew", {"encoder": GroupSpec(range(4), 16, 25.0)}),
        ("wav2vec2-bert", {"encoder": GroupSpec(range(4), 16, None)}),
        (
            "adapted+mbart",
            {
                "encoder": GroupSpec(range(4), 16, 50.0),
                "decoder": GroupSpec(range(3), 24, None),
            },
        ),
        (
            "moonshine",
            {
                "encoder": GroupSpec(range(3), 16, None),
                "decoder": GroupSpec(range(4), 16, None),
            },
        ),
    ],
)
def test_the_configuration_alone_tells_layers_width_and_rate(
    name: str, groups: dict[str, GroupSpec], copied: Checkpoint
) -> None:
    folder = copied(name)
    (folder / "model.safetensors").unlink()

    assert described(folder) == groups


def test_describing_needs_no_torch(checkpoint: Checkpoint) -> None:
    script = f"""
import sys
from nserbench.upstreams.cards import HF, WAV2VEC2
assert HF.describe(dict(id={str(checkpoint("adapted+mbart"))!r}, revision=None))
assert WAV2VEC2.describe(
    dict(checkpoint={str(checkpoint("wav2vec2"))!r}, revision=None)
)
heavy = {{"numpy", "pandas", "torch", "transformers"}} & set(sys.modules)
assert not heavy, heavy
"""

    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("name", EVERY)
def test_an_utterance_is_the_same_alone_and_in_a_batch(
    name: str, checkpoint: Checkpoint, batch: Batch
) -> None:
    upstream = hf(checkpoint(name))

    together = upstream.extract(batch)

    assert len(set(together["encoder"].lengths.tolist())) == 3
    for place, one in enumerate(each(batch)):
        alone = upstream.extract(one)
        for key in together:
            both = valid(together[key], place), valid(alone[key])
            assert difference(*both) < 1e-5


@pytest.mark.parametrize(("name", "passes"), [("hubert", 3), ("hubert-large", 1)])
def test_only_models_that_padding_does_not_change_hear_a_batch_at_once(
    name: str, passes: int, checkpoint: Checkpoint, batch: Batch
) -> None:
    upstream = hf(checkpoint(name))
    calls: list[object] = []
    upstream.model.register_forward_hook(lambda *args: calls.append(args))

    upstream.extract(batch)

    assert len(calls) == passes


def test_frames_beyond_an_utterance_are_zero(
    checkpoint: Checkpoint, batch: Batch
) -> None:
    encoder = hf(checkpoint("hubert-large")).extract(batch)["encoder"]

    assert encoder.lengths.tolist() == [50, 27, 4]
    assert not encoder.states[:, 2, 4:].any()


@pytest.mark.parametrize("normalised", [True, False])
def test_audio_is_normalised_as_the_checkpoint_says(
    normalised: bool, copied: Checkpoint, batch: Batch
) -> None:
    folder = copied("wav2vec2-large")
    lib.Wav2Vec2FeatureExtractor(do_normalize=normalised).save_pretrained(folder)
    upstream = hf(folder)
    given: list[Tensor] = []
    upstream.model.register_forward_pre_hook(
        lambda _, args, kwargs: given.append(kwargs["input_values"]), with_kwargs=True
    )

    upstream.extract(batch)

    for place, wave in enumerate(batch.waves):
        heard = given[0][place, : len(wave)].numpy()
        wanted = (wave - wave.mean()) / wave.std() if normalised else wave
        np.testing.assert_allclose(heard, wanted, atol=1e-4)


@pytest.mark.parametrize(
    "name", ["wav2vec2", "hubert-large", "wavlm", "adapted", "hubert+gpt2"]
)
def test_training_mode_neither_drops_layers_nor_masks_audio(
    name: str, checkpoint: Checkpoint, batch: Batch
) -> None:
    upstream = hf(checkpoint(name))
    still = upstream.extract(batch)["encoder"].states
    upstream.model.train()
    for module in upstream.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for share in ("dropout", "activation_dropout", "attention_dropout"):
            if isinstance(getattr(module, share, None), float):
                setattr(module, share, 0.0)

    moving = upstream.extract(batch)["encoder"].states

    torch.testing.assert_close(moving, still)


@pytest.mark.parametrize("name", ["wav2vec2", "hubert", "wavlm", "wavlm-large"])
def test_gradients_reach_the_transformer_and_spare_a_frozen_front_end(
    name: str, checkpoint: Checkpoint, batch: Batch
) -> None:
    card = CARDS[name.removesuffix("-large")]
    options = bind(card, Spec(card.name, {"checkpoint": str(checkpoint(name))})).options
    model: Any = card.open(options, "cpu").model
    frozen = [
        weight
        for key, weight in model.named_parameters()
        if key.startswith(tuple(card.frozen))
    ]
    for weight in frozen:
        weight.requires_grad_(False)
    upstream = card.open(options, "cpu")
    upstream.model = model

    upstream.forward(batch)["encoder"].states.square().mean().backward()

    assert frozen
    assert all(weight.grad is None for weight in frozen)
    reached = [weight.grad for weight in model.encoder.layers.parameters()]
    assert all(grad is not None and grad.any() for grad in reached[-4:])


def test_gradients_reach_both_halves(checkpoint: Checkpoint, batch: Batch) -> None:
    upstream = hf(checkpoint("wav2vec2+bert"))

    groups = upstream.forward(batch)
    sum(group.states.square().mean() for group in groups.values()).backward()

    model = upstream.model
    first = (
        model.encoder.feature_extractor.conv_layers[0].conv.weight,
        model.decoder.bert.encoder.layer[0].output.dense.weight,
    )
    assert all(weight.grad.any() for weight in first)


def test_a_whisper_is_our_own(
    multilingual: Path, whisper: Whisper, batch: Batch
) -> None:
    one = bind(CARDS["hf"], Spec("hf", bare=str(multilingual)))

    upstream = one.card.open(one.options, "cpu")

    assert isinstance(upstream, Whisper)
    assert one.card.can_transcribe(one.options)
    said = CARDS["whisper"].describe({"checkpoint": multilingual, "revision": None})
    assert one.card.describe(one.options) == said
    ours, theirs = upstream.extract(batch), whisper.extract(batch)
    torch.testing.assert_close(ours["decoder"].states, theirs["decoder"].states)


@pytest.mark.parametrize(
    ("name", "kind", "writes"),
    [("conformer", SpeechEncoder, False), ("moonshine", SpeechEncoderDecoder, True)],
)
def test_only_a_checkpoint_with_a_decoder_transcribes(
    name: str, kind: type, writes: bool, checkpoint: Checkpoint
) -> None:
    one = bind(CARDS["hf"], Spec("hf", bare=str(checkpoint(name))))

    assert one.card.can_transcribe(one.options) is writes
    assert isinstance(one.card.open(one.options, "cpu"), kind)


def test_the_generic_card_takes_an_id_with_and_without_its_key() -> None:
    label = bound("hf:id=org/name").label

    assert label == bound("hf:org/name").label == "hf:id=org/name"


def test_the_files_of_the_generic_card_are_those_of_the_checkpoint(
    checkpoint: Checkpoint,
) -> None:
    one = bind(CARDS["hf"], Spec("hf", bare=str(checkpoint("sew"))))

    files = [file.name for file in one.card.checkpoint_files(one.options)]

    assert files == ["config.json", "model.safetensors", "preprocessor_config.json"]


def test_cards_of_the_cross_lingual_experiment_name_their_checkpoints() -> None:
    english, mandarin = bound("whisper-en"), bound("whisper-cn")

    assert english.options["checkpoint"] == "openai/whisper-small.en"
    assert english.options["language"] is None
    assert mandarin.options["checkpoint"] == "Jingmiao/whisper-small-chinese_base"
    assert mandarin.options["language"] == "zh"


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
        ("wav2vec2", "hidden_size", "encoder: it has none of d_model, hidden_size"),
        ("wav2vec2", "num_hidden_layers", "encoder: it has none of encoder_layers"),
        ("hubert+gpt2", "encoder", "encoder: it has none of encoder_layers"),
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


def test_code_of_the_hub_is_never_run(copied: Checkpoint) -> None:
    file = copied("wav2vec2") / "config.json"
    config = json.loads(file.read_text())
    config["auto_map"] = {"AutoModel": "modeling_mine.Mine"}
    file.write_text(json.dumps(config))

    with pytest.raises(BadSpec, match="never run"):
        described(file.parent)


def test_a_type_that_the_library_does_not_know_is_refused(copied: Checkpoint) -> None:
    file = copied("wav2vec2") / "config.json"
    file.write_text(file.read_text().replace('"wav2vec2"', '"wav3vec"'))

    with pytest.raises(BadSpec, match="wav3vec"):
        hf(file.parent)


def test_layers_that_the_configuration_did_not_announce_are_refused(
    checkpoint: Checkpoint, batch: Batch
) -> None:
    upstream = hf(checkpoint("hubert"))
    upstream.model.encoder.layers = upstream.model.encoder.layers[:2]

    with pytest.raises(BadSpec, match=r"gives 3 layers of 16, .* speaks of 4 of 16"):
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


def test_weights_that_are_not_whole_are_refused(copied: Checkpoint) -> None:
    file = copied("hubert") / "model.safetensors"
    weights = load_file(file)
    del weights["encoder.layers.2.attention.k_proj.weight"]
    save_file(weights, file, {"format": "pt"})

    with pytest.raises(CheckpointMissing, match=r"1 tensors are missing.*k_proj"):
        hf(file.parent)


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
