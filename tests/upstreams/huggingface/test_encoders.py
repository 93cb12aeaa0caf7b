from typing import Any

import numpy as np
import pytest
import torch
import transformers as lib
from hf_checks import Checkpoint, assert_described, hf, library_encoder
from layers import difference, each, valid
from tiny_hf import ENCODERS, EVERY
from torch import Tensor

from nserbench.cards import bind
from nserbench.spec import Spec
from nserbench.upstreams.base import Batch, is_inside
from nserbench.upstreams.cards import nserbench_upstreams

CARDS = {card.name: card for card in nserbench_upstreams()}


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


@pytest.mark.parametrize(
    ("name", "passes"), [("hubert", 3), ("hubert-large", 1), ("hubert-batch-norm", 3)]
)
def test_only_models_that_padding_does_not_change_read_a_batch_at_once(
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
    upstream = card.open(options, "cpu")
    model: Any = upstream.model
    frozen = [
        weight
        for key, weight in model.named_parameters()
        if is_inside(key, card.describe(options).frozen)
    ]
    for weight in frozen:
        weight.requires_grad_(False)

    upstream.forward(batch)["encoder"].states.square().mean().backward()

    assert frozen
    assert all(weight.grad is None for weight in frozen)
    reached = [weight.grad for weight in model.encoder.layers.parameters()]
    assert all(grad is not None and grad.any() for grad in reached[-4:])
