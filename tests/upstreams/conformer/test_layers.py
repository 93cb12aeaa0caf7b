from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conformer_checks import (
    BATCH,
    LONG_ENOUGH,
    WAVES,
    alone,
    layers_of,
    library_search,
    options,
)
from layers import valid
from tiny_conformer import HYPERPARAMS
from torch import Tensor

from nserbench.upstreams.base import Batch
from nserbench.upstreams.cards import CONFORMER
from nserbench.upstreams.conformer.config import describe_conformer
from nserbench.upstreams.groups import GroupSpec

pytest.importorskip("nserbench.upstreams.conformer.model", exc_type=ImportError)

from nserbench.upstreams.conformer.model import Conformer


def test_groups_are_those_that_the_configuration_tells(
    folder: Path, conformer: Conformer
) -> None:
    groups = conformer.extract(BATCH)

    specs = describe_conformer(options(folder)).groups
    assert list(groups) == list(specs) == ["encoder", "decoder"]
    for name, spec in specs.items():
        layers, utterances, _, dim = groups[name].states.shape
        assert (layers, utterances, dim) == (len(spec.layers), 4, spec.dim)
        assert groups[name].states.dtype == torch.float32


def test_the_configuration_describes_layers_and_rate(folder: Path) -> None:
    assert describe_conformer(options(folder)).groups == {
        "encoder": GroupSpec(range(3), 16, rate=25.0),
        "decoder": GroupSpec(range(4), 16, rate=None),
    }


@pytest.mark.parametrize(
    ("said", "instead", "rate"),
    [
        ("strides: (2, 2)", "strides: [2, 1]", 50.0),
        ("    strides: (2, 2)\n", "", 25.0),
        ("n_fft: 400", "hop_length: 20", 12.5),
    ],
)
def test_the_rate_follows_the_front_end(
    copy: Path, said: str, instead: str, rate: float
) -> None:
    (copy / "hyperparams.yaml").write_text(HYPERPARAMS.replace(said, instead))

    assert describe_conformer(options(copy)).groups["encoder"].rate == rate


def test_encoder_frames_are_one_for_each_40_ms(conformer: Conformer) -> None:
    encoder = conformer.extract(BATCH)["encoder"]

    frames = [-(-(len(wave) // 160 + 1) // 4) for wave in WAVES]
    assert encoder.lengths.tolist() == frames


def test_encoder_layers_are_those_of_the_library(
    conformer: Conformer, library: Any
) -> None:
    encoder = library.mods.decoder.model.encoder
    entering: list[Tensor] = []
    encoder.register_forward_pre_hook(
        lambda _, __, given: entering.append(given["src"]), with_kwargs=True
    )
    for wave in WAVES:
        entering.clear()
        blocks = layers_of(encoder, library.encode_batch, *alone(wave))
        last = library.encode_batch(*alone(wave))[0]

        ours = valid(conformer.extract(Batch.of(wave))["encoder"])

        theirs = torch.stack([entering[0][0], *blocks[:-1], last])
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
        torch.testing.assert_close(ours[-1], encoder.norm(blocks[-1]))


def test_decoder_layers_are_those_of_the_library(
    conformer: Conformer, library: Any
) -> None:
    model = library.mods.decoder.model
    for wave in LONG_ENOUGH:
        with torch.no_grad():
            heard = library.encode_batch(*alone(wave))
        room = int(heard.shape[1] * 0.5)
        tokens = torch.tensor([[1, *library_search(library, wave)][:room]])
        embedded = model.custom_tgt_module(tokens)
        first = embedded + model.positional_encoding_decoder(embedded)
        blocks = layers_of(model.decoder, model.decode, tokens, heard)
        last, _ = model.decode(tokens, heard, torch.tensor([heard.shape[1]]))

        ours = valid(conformer.extract(Batch.of(wave))["decoder"])

        theirs = torch.stack([first[0], *blocks[:-1], last[0]])
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_decoder_states_are_those_of_the_search_step_by_step(
    conformer: Conformer, library: Any
) -> None:
    decoder = library.mods.decoder.model.decoder
    for wave in LONG_ENOUGH:
        steps = layers_of(decoder, library_search, library, wave)
        last_tokens = torch.stack([step[-1] for step in steps])

        ours = valid(conformer.extract(Batch.of(wave))["decoder"])

        theirs = last_tokens.reshape(-1, 3, 16).transpose(0, 1)
        assert ours.shape[1] == theirs.shape[1]  # a frame for each token chosen
        torch.testing.assert_close(ours[1:-1], theirs[:-1], rtol=0, atol=1e-5)
        norm = decoder.norm(theirs[-1])
        torch.testing.assert_close(ours[-1], norm, rtol=0, atol=1e-5)


def test_an_utterance_is_the_same_alone_and_in_a_batch(conformer: Conformer) -> None:
    together = conformer.extract(BATCH)

    assert len(set(together["decoder"].lengths.tolist())) > 2  # else nothing is padded
    for place, wave in enumerate(WAVES):
        one = conformer.extract(Batch.of(wave))
        for name in together:
            assert torch.equal(valid(together[name], place), valid(one[name]))


def test_the_encoder_alone_is_the_same_to_the_bit_without_a_search(
    conformer: Conformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = conformer.extract(BATCH)["encoder"]
    monkeypatch.delattr(Conformer, "_search")

    alone = conformer.extract(replace(BATCH, groups=frozenset({"encoder"})))

    assert alone.keys() == {"encoder"}
    assert torch.equal(alone["encoder"].states, both.states)


def test_loading_again_returns_the_same_to_the_bit(
    folder: Path, conformer: Conformer
) -> None:
    torch.manual_seed(99)

    again = Conformer(options(folder), "cpu").extract(BATCH)

    for name, group in conformer.extract(BATCH).items():
        assert torch.equal(group.states, again[name].states)


@pytest.mark.parametrize("group", ["encoder", "decoder"])
def test_gradients_reach_the_front_end(conformer: Conformer, group: str) -> None:
    conformer.model.zero_grad()

    conformer.forward(BATCH)[group].states.square().sum().backward()

    first = next(weights for weights in conformer.encode.parameters())
    assert first.grad is not None
    assert first.grad.abs().sum() > 0


def test_the_shortest_clip_of_the_card_has_features(conformer: Conformer) -> None:
    wave = WAVES[0][: CONFORMER.min_samples]

    features = conformer.extract(Batch.of(wave))

    assert all(bool(group.states.isfinite().all()) for group in features.values())


def test_an_empty_wave_is_refused(conformer: Conformer) -> None:
    with pytest.raises(ValueError, match="a wave must have samples"):
        conformer.extract(Batch.of(WAVES[0], WAVES[0][:0]))
