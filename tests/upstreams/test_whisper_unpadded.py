from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from layers import difference, each, only, valid
from numpy.typing import NDArray
from transformers import WhisperFeatureExtractor

from nserbench.cards import ConfiguredCard, bind
from nserbench.spec import parse_spec
from nserbench.upstreams.base import Batch, UpstreamCard
from nserbench.upstreams.cards import nserbench_upstreams
from nserbench.upstreams.whisper import Whisper

Wave = NDArray[np.float32]
MakeSound = Callable[..., Wave]
OpenWhisper = Callable[..., Whisper]

CARDS = {card.name: card for card in nserbench_upstreams()}
WHISPERS = ["whisper", "whisper-enc", "whisper-dec", "whisper-en", "whisper-cn"]


def bound(text: str) -> ConfiguredCard[UpstreamCard]:
    spec = parse_spec(text)
    return bind(CARDS[spec.name], spec)


@pytest.fixture(scope="module")
def unpadded(multilingual: Path, open_whisper: OpenWhisper) -> Whisper:
    """Return the multilingual Whisper, loaded to read audio without padding."""
    return open_whisper(multilingual, pad=False)


@pytest.mark.parametrize("name", WHISPERS)
def test_padding_as_before_changes_no_identity_and_none_is_another(name: str) -> None:
    plain, typed, other = (bound(name + end) for end in ("", ":pad=yes", ":pad=no"))

    assert (
        plain.key_options()
        == typed.key_options()
        == {"language": plain.options["language"]}
    )
    assert typed.label == name
    assert other.key_options() == {**plain.key_options(), "pad": "no"}
    assert other.label == f"{name}:pad=no"


def test_thirty_seconds_have_the_same_features_with_and_without_padding(
    whisper: Whisper, unpadded: Whisper, sound: MakeSound
) -> None:
    thirty = Batch.of(sound(480_000))

    with torch.no_grad():
        padded, alone = (
            one.forward_and_transcribe(thirty) for one in (whisper, unpadded)
        )

    assert alone.texts == padded.texts
    for name, group in padded.features.items():
        assert torch.equal(alone.features[name].states, group.states)


def test_each_utterance_has_the_frames_that_it_has_with_padding(
    whisper: Whisper, unpadded: Whisper, batch: Batch
) -> None:
    padded, alone = (one.extract(batch)["encoder"] for one in (whisper, unpadded))

    assert alone.lengths.tolist() == padded.lengths.tolist() == [50, 16, 1, 95]
    assert alone.states.shape == padded.states.shape
    for place in range(4):
        assert difference(valid(alone, place), valid(padded, place)) > 1e-3


def test_the_input_of_the_first_block_is_the_same_but_for_the_last_frame(
    whisper: Whisper, unpadded: Whisper, batch: Batch
) -> None:
    padded, alone = (one.extract(batch)["encoder"] for one in (whisper, unpadded))

    for place in (0, 1, 3):
        inputs = [valid(group, place)[:1] for group in (alone, padded)]
        assert difference(*(states[:, :-1] for states in inputs)) < 1e-5
        assert difference(*inputs) > 1e-3


def test_the_encoder_reads_no_frame_beyond_the_audio(
    unpadded: Whisper, batch: Batch
) -> None:
    read: list[int] = []
    hooks = [
        layer.register_forward_pre_hook(lambda _, args: read.append(args[0].shape[1]))
        for layer in unpadded.model.model.encoder.layers
    ]

    unpadded.transcribe(only(batch, 3))

    for hook in hooks:
        hook.remove()
    assert read == [95] * len(hooks)


def test_features_and_transcript_do_not_depend_on_the_other_utterances(
    unpadded: Whisper, batch: Batch
) -> None:
    together = unpadded.forward_and_transcribe(batch)
    texts = unpadded.transcribe(batch)

    assert together.texts == texts
    for place, one in enumerate(each(batch)):
        alone = unpadded.forward_and_transcribe(one)
        assert alone.texts == [texts[place]]
        for name, group in together.features.items():
            assert torch.equal(valid(group, place), valid(alone.features[name]))


def test_the_encoder_alone_is_the_same_to_the_bit(
    unpadded: Whisper, batch: Batch
) -> None:
    both = unpadded.extract(batch)["encoder"]

    alone = unpadded.extract(replace(batch, groups=frozenset({"encoder"})))

    assert alone.keys() == {"encoder"}
    assert torch.equal(alone["encoder"].states, both.states)


def test_only_the_last_frame_of_the_mel_differs_from_that_of_padded_audio(
    sound: MakeSound,
) -> None:
    extractor = WhisperFeatureExtractor()
    wave = np.concatenate([sound(15_000), 0.2 * np.ones(1_001, np.float32)])

    padded, alone = (
        extractor(wave, sampling_rate=16_000, max_length=samples).input_features[0]
        for samples in (480_000, 16_320)
    )

    assert alone.shape == (80, 102)
    np.testing.assert_allclose(alone[:, :-1], padded[:, :101], atol=1e-5)


def test_fine_tuning_without_padding_reaches_encoder_and_decoder(
    unpadded: Whisper, batch: Batch
) -> None:
    groups = unpadded.forward(only(batch, 0))

    losses = [group.states.square().sum() for group in groups.values()]
    torch.stack(losses).sum().backward()

    model = unpadded.model.model
    for half in (model.encoder, model.decoder):
        gradient = half.layers[0].fc1.weight.grad
        assert gradient is not None
        assert gradient.abs().sum() > 0
    unpadded.model.zero_grad()


def test_the_encoder_draws_dropout_in_training_alone(
    unpadded: Whisper, batch: Batch
) -> None:
    def states() -> Sequence[torch.Tensor]:
        return [unpadded.extract(only(batch, 0))["encoder"].states for _ in range(2)]

    still = states()
    unpadded.model.train()
    moved = states()
    unpadded.model.eval()

    assert torch.equal(*still)
    assert not torch.equal(moved[0][0], moved[1][0])


def test_a_real_transcript_is_read_from_the_audio_alone(
    test_data: Path, open_whisper: OpenWhisper
) -> None:
    clip = test_data / "english/cmu_arctic_us_axb_a0004.flac"
    wave, _ = soundfile.read(clip, dtype="float32")
    real = open_whisper(test_data / "models/whisper-tiny.en", pad=False)

    texts = real.transcribe(Batch.of(wave))

    assert texts == ["Lord, but I am glad to see you again, Phil."]
