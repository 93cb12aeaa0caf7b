import json
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import transformers as lib
from hf_checks import (
    Checkpoint,
    Wave,
    assert_described,
    hf,
    library_encoder,
    library_inputs,
)
from layers import difference, valid
from tiny_hf import WRITERS

from nserbench.cards import bind
from nserbench.errors import BadSpec
from nserbench.spec import Spec
from nserbench.upstreams.base import Batch
from nserbench.upstreams.cards import nserbench_upstreams
from nserbench.upstreams.huggingface.model import SpeechEncoder, SpeechEncoderDecoder

CARDS = {card.name: card for card in nserbench_upstreams()}


@pytest.mark.parametrize("name", WRITERS)
def test_layers_of_both_halves_are_those_of_the_library_step_by_step(
    name: str, checkpoint: Checkpoint, sound: Callable[..., Wave]
) -> None:
    library = lib.AutoModelForSpeechSeq2Seq.from_pretrained(checkpoint(name)).eval()
    waves = [sound(length, length) for length in (16_161, 1_600, 150_000)]

    with torch.no_grad():
        heard = hf(checkpoint(name)).forward_and_transcribe(Batch.of(*waves))

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


@pytest.mark.parametrize("name", WRITERS)
def test_the_encoder_alone_is_the_same_to_the_bit_without_a_search(
    name: str, checkpoint: Checkpoint, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = hf(checkpoint(name))
    both = upstream.extract(batch)["encoder"]
    monkeypatch.delattr(SpeechEncoderDecoder, "_search")

    alone = upstream.extract(replace(batch, groups=frozenset({"encoder"})))

    assert alone.keys() == {"encoder"}
    assert torch.equal(alone["encoder"].states, both.states)


def test_a_transcript_that_ends_has_a_frame_for_its_end(
    checkpoint: Checkpoint, batch: Batch
) -> None:
    upstream = hf(checkpoint("hubert+gpt2"))
    upstream.model.generation_config.suppress_tokens = [0, 1, *range(3, 40)]

    heard = upstream.forward_and_transcribe(batch)

    assert heard.texts == ("", "", "")
    assert heard.features["decoder"].lengths.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "settings",
    [
        {"num_beams": 4, "num_return_sequences": 3, "early_stopping": True},
        {"return_dict_in_generate": True, "output_scores": True},
        {"no_repeat_ngram_size": 1, "repetition_penalty": 9.0, "min_length": 6},
        {"do_sample": True, "temperature": 9.0, "top_k": 3},
        {"max_length": 2},
    ],
)
def test_a_transcript_is_greedy_whatever_else_the_checkpoint_is_set_to(
    settings: dict[str, object], copied: Checkpoint, batch: Batch
) -> None:
    folder = copied("speech_to_text")
    theirs = hf(folder).forward_and_transcribe(batch)
    file = folder / "generation_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))

    ours = hf(folder).forward_and_transcribe(batch)

    assert ours.texts == theirs.texts
    for name, group in theirs.features.items():
        assert torch.equal(ours.features[name].states, group.states)


def test_a_token_that_is_forced_has_no_frame(copied: Checkpoint, batch: Batch) -> None:
    folder = copied("speech_to_text")
    file = folder / "generation_config.json"
    settings = json.loads(file.read_text()) | {"forced_bos_token_id": 5}
    file.write_text(json.dumps(settings))
    library = lib.AutoModelForSpeechSeq2Seq.from_pretrained(folder).eval()
    wave = batch.waves[0]
    inputs = library_inputs("speech_to_text", wave)

    with torch.no_grad():
        heard = hf(folder).forward_and_transcribe(Batch.of(wave))
        tokens = library.generate(**inputs, do_sample=False, max_new_tokens=7)
        states = library(
            **inputs, decoder_input_ids=tokens[:, :-1], output_hidden_states=True
        ).decoder_hidden_states
    decoder = heard.features["decoder"]
    words = [f"w{token}" for token in tokens[0].tolist() if token > 2]
    assert tokens[0, 1] == 5
    assert heard.texts[0].split() == words
    assert decoder.lengths.tolist() == [tokens.shape[1] - 2]
    assert difference(valid(decoder), torch.stack(states)[:, 0, 1:]) < 1e-5


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        (("decoder_start_token_id", "bos_token_id"), "begins a transcript\n.*start"),
        (("eos_token_id",), "ends a transcript\n.*wanted: eos_token_id"),
    ],
)
def test_a_decoder_that_does_not_say_where_transcripts_begin_or_end_is_refused(
    lost: tuple[str, ...], message: str, copied: Checkpoint
) -> None:
    folder = copied("speech_to_text")
    file = folder / "generation_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | dict.fromkeys(lost)))

    with pytest.raises(BadSpec, match=message):
        hf(folder)


def test_a_transcript_fits_into_the_positions_of_the_decoder(
    checkpoint: Checkpoint, batch: Batch
) -> None:
    upstream = hf(checkpoint("wav2vec2+bert"))
    upstream.model.config.decoder.max_position_embeddings = 5
    upstream.model.generation_config.suppress_tokens = [0, 1, 2, *range(8, 40)]

    decoder = upstream.extract(batch)["decoder"]

    assert decoder.lengths.tolist() == [5, 5, 5]


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


@pytest.mark.parametrize(
    ("name", "kind", "writes"),
    [("conformer", SpeechEncoder, False), ("moonshine", SpeechEncoderDecoder, True)],
)
def test_only_a_checkpoint_with_a_decoder_transcribes(
    name: str, kind: type, writes: bool, checkpoint: Checkpoint
) -> None:
    one = bind(CARDS["hf"], Spec("hf", positional=str(checkpoint(name))))

    assert one.card.can_transcribe(one.options) is writes
    assert isinstance(one.card.open(one.options, "cpu"), kind)
