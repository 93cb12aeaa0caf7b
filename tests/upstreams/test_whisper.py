from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from layers import difference, each, only, valid
from numpy.typing import NDArray
from tiny_whisper import SPOKEN
from torch import Tensor
from transformers import (
    GenerationConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)
from transformers.generation import GenerationMixin

from nserbench.languages import language_code
from nserbench.upstreams import whisper as module
from nserbench.upstreams import whisper_search as search
from nserbench.upstreams.base import Batch
from nserbench.upstreams.cards import WHISPER
from nserbench.upstreams.whisper import Whisper, _language_tokens
from nserbench.upstreams.whisper_search import Attended, WhisperDecoder

Wave = NDArray[np.float32]
MakeSound = Callable[..., Wave]
OpenWhisper = Callable[..., Whisper]


def mel(wave: Wave) -> Tensor:
    """Return the input of Whisper's encoder."""
    extractor = WhisperFeatureExtractor()
    features: Tensor = extractor(
        wave, sampling_rate=16_000, return_tensors="pt"
    ).input_features
    return features


def greedy(
    whisper: Whisper, wave: Wave, prompt: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Let transformers search step by step.

    Returns:
        The whole sequence ``(1, tokens)``, and the states from which each of its tokens
        after the prompt was predicted, ``(layers, tokens, dim)``.
    """
    model, times = whisper.model, prompt[-1] + 1
    own = model.generation_config
    found = GenerationMixin.generate(
        model,
        inputs=mel(wave),
        decoder_input_ids=torch.tensor([prompt]),
        generation_config=GenerationConfig(
            do_sample=False,
            num_beams=1,
            max_new_tokens=224,
            decoder_start_token_id=prompt[0],
            eos_token_id=own.eos_token_id,
            pad_token_id=own.eos_token_id,
            suppress_tokens=[
                *own.suppress_tokens,
                *range(times, model.config.vocab_size),
            ],
            begin_suppress_tokens=own.begin_suppress_tokens,
        ),
        return_dict_in_generate=True,
        output_hidden_states=True,
    )
    steps = [torch.stack(step)[:, 0, -1:] for step in found.decoder_hidden_states]
    return found.sequences, torch.cat(steps, dim=1)


def heard_prompts(whisper: Whisper, batch: Batch) -> list[str]:
    """Return the prompt that the decoder reads first, for each utterance."""
    fed: list[Tensor] = []
    hook = whisper.model.model.decoder.register_forward_pre_hook(
        lambda _, args, kwargs: fed.append(kwargs["input_ids"]), with_kwargs=True
    )
    whisper.transcribe(batch)
    hook.remove()
    return ["".join(whisper.tokenizer.convert_ids_to_tokens(row)) for row in fed[0]]


def prompt_ids(whisper: Whisper, language: str) -> list[int]:
    tokens = ("startoftranscript", language, "transcribe", "notimestamps")
    ids: list[int] = whisper.tokenizer.convert_tokens_to_ids(
        [f"<|{t}|>" for t in tokens]
    )
    return ids


def test_groups_are_those_the_card_announces(
    whisper: Whisper, multilingual: Path, batch: Batch
) -> None:
    options = {"checkpoint": str(multilingual), "revision": None}
    specs = WHISPER.describe(options).groups

    groups = whisper.extract(batch)

    assert list(groups) == list(specs) == ["encoder", "decoder"]
    for name, spec in specs.items():
        layers, utterances, _, dim = groups[name].states.shape
        assert (layers, utterances, dim) == (len(spec.layers), 4, spec.dim)
        assert groups[name].states.dtype == torch.float32


def test_layers_are_those_of_the_library(
    whisper: Whisper, multilingual: Path, batch: Batch
) -> None:
    library = WhisperForConditionalGeneration.from_pretrained(multilingual).eval()
    german = only(batch, 0)
    prompt = prompt_ids(whisper, "de")
    sequence, _ = greedy(whisper, german.waves[0], prompt)

    groups = whisper.extract(german)

    with torch.no_grad():
        out = library(
            mel(german.waves[0]), decoder_input_ids=sequence, output_hidden_states=True
        )
    encoder = torch.stack(out.encoder_hidden_states)[:, 0, :50]
    decoder = torch.stack(out.decoder_hidden_states)[:, 0, len(prompt) - 1 : -1]
    assert difference(valid(groups["encoder"]), encoder) < 1e-5
    assert difference(valid(groups["decoder"]), decoder) < 1e-5
    normalised = library.model.decoder(
        sequence[:, :-1], encoder_hidden_states=out.encoder_last_hidden_state
    ).last_hidden_state[0, len(prompt) - 1 :]
    torch.testing.assert_close(valid(groups["decoder"])[-1], normalised)
    normalised = out.encoder_last_hidden_state[0, :50]
    torch.testing.assert_close(valid(groups["encoder"])[-1], normalised)


def test_decoder_states_are_those_of_the_search_step_by_step(
    whisper: Whisper, batch: Batch
) -> None:
    for one, language in zip(each(batch), ("de", "en", "en", "zh"), strict=True):
        _, states = greedy(whisper, one.waves[0], prompt_ids(whisper, language))

        decoder = whisper.extract(one)["decoder"]

        assert difference(valid(decoder), states) < 1e-5


@pytest.mark.parametrize("gradients", [False, True])
def test_the_encoder_alone_is_the_same_to_the_bit_and_runs_no_decoder(
    whisper: Whisper, batch: Batch, gradients: bool
) -> None:
    ran: list[object] = []
    hook = whisper.model.model.decoder.register_forward_hook(
        lambda *args: ran.append(args)
    )
    with torch.set_grad_enabled(gradients):
        both = whisper.forward(batch)["encoder"]
        ran.clear()
        alone = whisper.forward(replace(batch, groups=frozenset({"encoder"})))
    hook.remove()

    assert alone.keys() == {"encoder"}
    assert torch.equal(alone["encoder"].states, both.states)
    assert torch.equal(alone["encoder"].lengths, both.lengths)
    assert alone["encoder"].states.requires_grad is gradients
    assert ran == []


def test_a_decoder_with_dropout_draws_its_numbers_before_those_of_the_head(
    multilingual: Path, open_whisper: OpenWhisper, batch: Batch
) -> None:
    whisper = open_whisper(multilingual)
    assert whisper.model.config.dropout > 0
    whisper.model.train()

    drawn = []
    for groups in (None, frozenset({"encoder"})):
        torch.manual_seed(0)
        whisper.forward(replace(batch, groups=groups))
        drawn.append(torch.rand(4))

    assert torch.equal(*drawn)


def test_frames_beyond_the_audio_are_left_out(whisper: Whisper, batch: Batch) -> None:
    encoder = whisper.extract(batch)["encoder"]

    assert encoder.lengths.tolist() == [50, 16, 1, 95]  # 320 samples each, rounded up
    assert encoder.states.shape[2] == 95


def test_an_utterance_is_the_same_to_the_bit_alone_and_in_a_batch(
    whisper: Whisper, batch: Batch
) -> None:
    together = whisper.extract(batch)

    # Some end early and leave the search; the others are padded.
    assert len(set(together["decoder"].lengths.tolist())) > 2
    for place, one in enumerate(each(batch)):
        alone = whisper.extract(one)
        for name in together:
            assert torch.equal(valid(together[name], place), valid(alone[name]))


@pytest.mark.parametrize(("close", "expected"), [(search.CLOSE, True), (0.0, False)])
def test_tokens_are_those_alone_even_where_rounding_decides_between_two(
    multilingual: Path,
    open_whisper: OpenWhisper,
    batch: Batch,
    monkeypatch: pytest.MonkeyPatch,
    close: float,
    expected: bool,
) -> None:
    whisper = open_whisper(multilingual)
    weights = whisper.model.proj_out.weight
    with torch.no_grad():
        weights[SPOKEN[1]] = weights[SPOKEN[0]]  # two tokens have equal scores
    (alone,) = whisper.transcribe(only(batch, 1))
    noise, usual = torch.Generator().manual_seed(0), search.CLOSE

    def round_badly(_: object, __: object, scores: Tensor) -> Tensor:
        """Change scores of a batch by almost half of what is taken to be close."""
        if len(scores) == 1:
            return scores
        low, high = scores.aminmax(dim=-1, keepdim=True)
        signs = torch.rand(scores.shape, generator=noise).sub(0.5).sign()
        return scores + 0.49 * usual * (high - low) * signs

    whisper.model.proj_out.register_forward_hook(round_badly)
    monkeypatch.setattr(search, "CLOSE", close)
    thrice = Batch("abc", 3 * [batch.waves[1]], [None] * 3, [None] * 3)

    assert len(alone) > 10
    assert (whisper.transcribe(thrice) == 3 * [alone]) is expected


def test_no_more_are_searched_together_than_the_memory_allows(
    whisper: Whisper, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched = []
    together, find = whisper.transcribe(batch), WhisperDecoder.search

    def noted(decoder: WhisperDecoder, attended: Attended, *rest: Any) -> Any:
        searched.append(sum(values.nbytes for layer in attended for values in layer))
        return find(decoder, attended, *rest)

    monkeypatch.setattr(WhisperDecoder, "search", noted)
    monkeypatch.setattr(module, "SEARCH_MEMORY", 1_500_000)

    assert whisper.transcribe(batch) == together
    assert searched == 2 * [1_152_000]  # with three it would be half as much again


def test_gradients_reach_both_halves(whisper: Whisper, batch: Batch) -> None:
    groups = whisper.forward(batch)

    (groups["encoder"].states.mean() + groups["decoder"].states.mean()).backward()

    model = whisper.model.model
    first = model.encoder.conv1.weight, model.decoder.layers[0].fc1.weight
    assert all(weight.grad.abs().sum() > 0 for weight in first)
    model.zero_grad()


@pytest.mark.parametrize("gradients", [False, True])
def test_the_encoder_runs_once_and_on_each_utterance_alone_unless_it_is_trained(
    whisper: Whisper, batch: Batch, gradients: bool
) -> None:
    calls: list[object] = []
    hook = whisper.model.model.encoder.register_forward_hook(
        lambda *args: calls.append(args)
    )

    with torch.set_grad_enabled(gradients):
        whisper.forward(batch)
    hook.remove()

    assert len(calls) == (1 if gradients else 4)


def test_each_utterance_is_prompted_in_its_language(
    whisper: Whisper, batch: Batch
) -> None:
    languages = ["de", None, "fr", "zh"]  # the checkpoint knows no French

    prompts = heard_prompts(whisper, Batch(batch.ids, batch.waves, [None], languages))

    assert prompts == [
        f"<|startoftranscript|><|{language}|><|transcribe|><|notimestamps|>"
        for language in ("de", "en", "en", "zh")
    ]


def test_the_option_language_wins(
    multilingual: Path, open_whisper: OpenWhisper, batch: Batch
) -> None:
    prompts = heard_prompts(open_whisper(multilingual, "zh"), batch)

    assert prompts == 4 * ["<|startoftranscript|><|zh|><|transcribe|><|notimestamps|>"]


def test_an_english_only_checkpoint_takes_no_language(
    english: Path, open_whisper: OpenWhisper, batch: Batch
) -> None:
    prompts = heard_prompts(open_whisper(english), batch)

    assert prompts == 4 * ["<|startoftranscript|><|notimestamps|>"]


@pytest.mark.parametrize("kind", ["multilingual", "english"])
def test_transcripts_are_those_of_the_library(
    kind: str,
    request: pytest.FixtureRequest,
    open_whisper: OpenWhisper,
    batch: Batch,
) -> None:
    whisper = open_whisper(request.getfixturevalue(kind))
    asked = {"language": "zh", "task": "transcribe"} if whisper.multilingual else {}
    library = [
        whisper.model.generate(mel(wave), max_new_tokens=224, **asked)[0].tolist()
        for wave in batch.waves
    ]
    texts = whisper.tokenizer.batch_decode(library, skip_special_tokens=True)

    ours = whisper.transcribe(Batch(batch.ids, batch.waves, [None], 4 * ["zh"]))

    assert len(set(ours)) > 1
    assert ours == [text.strip() for text in texts]


def test_timestamps_are_never_said(
    clock: Path, open_whisper: OpenWhisper, batch: Batch
) -> None:
    decoder = open_whisper(clock).extract(batch)["decoder"]

    assert decoder.lengths.tolist() == [1, 1, 1, 1]  # nothing but end-of-text is left


def test_an_empty_transcript_has_one_frame(
    clock: Path, open_whisper: OpenWhisper, batch: Batch
) -> None:
    whisper = open_whisper(clock)

    texts, decoder = whisper.transcribe(batch), whisper.extract(batch)["decoder"]

    assert texts == ["", "", "", ""]
    assert decoder.states.shape[2] == 1


def test_a_transcript_is_cut_at_its_longest(
    whisper: Whisper, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = whisper.extract(batch)["decoder"]
    monkeypatch.setattr(module, "MOST_TOKENS", 2)

    cut = whisper.extract(batch)["decoder"]

    assert cut.lengths.tolist() == whole.lengths.clamp(max=2).tolist()
    assert difference(cut.states[:, 1], whole.states[:, 1, :2]) < 1e-5


@pytest.mark.parametrize("samples", [0, 480_001])
def test_a_wave_that_whisper_cannot_read_is_refused(
    whisper: Whisper, sound: MakeSound, samples: int
) -> None:
    for call in (whisper.extract, whisper.transcribe):
        with pytest.raises(ValueError, match=rf"1 to 480000 samples .* got {samples}"):
            call(Batch.of(sound(16_000), sound(samples)))


def test_thirty_seconds_are_read_to_the_end(whisper: Whisper, sound: MakeSound) -> None:
    encoder = whisper.extract(Batch.of(sound(480_000)))["encoder"]

    assert encoder.lengths.tolist() == [1500]


@pytest.fixture(scope="module")
def real(test_data: Path, open_whisper: OpenWhisper) -> Whisper:
    """Return whisper-tiny.en."""
    return open_whisper(test_data / "models/whisper-tiny.en")


@pytest.fixture(scope="module")
def clips(test_data: Path) -> Batch:
    """Return three clips, one in English, and two in German with noise at 0 dB."""
    names = (
        "english/cmu_arctic_us_axb_a0004.flac",
        "corpus/emodb/wav/03a01Wa.flac",
        "corpus/emodb/wav/16b10Td.flac",
    )
    waves = [soundfile.read(test_data / name, dtype="float32")[0] for name in names]
    babble, _ = soundfile.read(
        test_data / "noise/human_coffeeshop.flac", dtype="float32"
    )
    for place in (1, 2):
        noise = babble[: len(waves[place])]
        waves[place] = waves[place] + noise * (waves[place].std() / noise.std())
    return Batch("abc", waves, [None] * 3, ["en", "de", "de"])


def test_real_transcript_is_the_one_known(real: Whisper, clips: Batch) -> None:
    texts = real.transcribe(only(clips, 0))

    assert texts == ["Lord, but I'm glad to see you again, Phil."]


def test_real_states_are_those_of_the_search_alone_and_in_a_batch(
    real: Whisper, clips: Batch
) -> None:
    prompt = real.tokenizer.convert_tokens_to_ids(
        ["<|startoftranscript|>", "<|notimestamps|>"]
    )

    with torch.no_grad():
        together = real.forward_and_transcribe(clips)

    for place, one in enumerate(each(clips)):
        sequence, states = greedy(real, one.waves[0], prompt)
        alone = real.extract(one)
        assert difference(valid(alone["decoder"]), states) < 1e-5
        (text,) = real.tokenizer.batch_decode(sequence, skip_special_tokens=True)
        assert together.texts[place] == text.strip()
        for name, group in together.features.items():
            assert torch.equal(valid(group, place), valid(alone[name]))


def test_tokens_of_languages_are_found_under_old_and_new_codes() -> None:
    names = ["<|de|>", "<|jw|>", "<|tl|>", "<|no|>", "<|0.00|>", "de"]
    tokens = _language_tokens(names)

    assert {language_code(name): tokens[language_code(name)] for name in (
        "German", "jw", "Javanese", "tl", "fil", "nb", "Norwegian",
    )} == {"de": "<|de|>", "jv": "<|jw|>", "fil": "<|tl|>", "no": "<|no|>"}  # fmt: skip
    assert tokens["jw"] == "<|jw|>"
