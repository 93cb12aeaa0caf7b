"""MLKD: its losses by hand, what the student begins with, what stays as it is."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny_models import save_tiny

from nserbench.cards import bind
from nserbench.errors import BadSpec
from nserbench.spec import parse_spec
from nserbench.upstreams.base import Batch
from nserbench.upstreams.cards import WAV2VEC2
from nserbench.upstreams.systems.cards import MLKD

Wave = NDArray[np.float32]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny wav2vec 2.0 of three blocks."""
    return save_tiny(tmp_path_factory.mktemp("tiny"), "wav2vec2")


def opened(checkpoint: Path, options: str = "") -> Any:
    torch.manual_seed(0)
    typed = f"mlkd:checkpoint={checkpoint},layers=1+3{options}"
    return MLKD.open(bind(MLKD, parse_spec(typed)).options, "cpu")


@pytest.fixture
def teacher(checkpoint: Path) -> Any:
    """Return the whole wav2vec 2.0, as its own upstream."""
    bound = bind(WAV2VEC2, parse_spec(f"wav2vec2:checkpoint={checkpoint}"))
    return WAV2VEC2.open(bound.options, "cpu")


def batch(seed: int) -> Batch:
    rng = np.random.default_rng(seed)
    lengths = (6_000, 8_000)
    return Batch.of(*(0.1 * rng.standard_normal(n).astype(np.float32) for n in lengths))


@pytest.mark.parametrize("heads", ["yes", "no"])
def test_the_losses_are_distances_from_the_layers_of_clean_speech(
    checkpoint: Path, teacher: Any, heads: str
) -> None:
    model = opened(checkpoint, f",l1=0.5,cosine=2,heads={heads}")
    noisy, clean = batch(1), batch(2)

    with torch.no_grad():
        losses = model.forward_and_losses(noisy, clean).losses

    given, layers = model.extract(noisy)["encoder"], teacher.extract(clean)["encoder"]
    for row, frames in enumerate(given.lengths.tolist()):
        output = given.states[-1, row, :frames].numpy().astype(float)
        l1, cosine = [], []
        for head, layer in zip(model.model["heads"], (1, 3), strict=True):
            guess = output
            if heads == "yes":
                weight, bias = head.weight.detach().numpy(), head.bias.detach().numpy()
                guess = output @ weight.T + bias
            wanted = layers.states[layer, row, :frames].numpy()
            l1.append(np.abs(guess - wanted).mean())
            sizes = np.linalg.norm(guess, axis=1) * np.linalg.norm(wanted, axis=1)
            cosine.append(1 - np.mean((guess * wanted).sum(1) / sizes))
        assert float(losses["l1"][row]) == pytest.approx(0.5 * np.mean(l1), rel=1e-4)
        assert float(losses["cosine"][row]) == pytest.approx(
            2 * np.mean(cosine), rel=1e-3
        )


def test_the_student_begins_as_the_first_blocks_of_the_teacher(
    checkpoint: Path, teacher: Any
) -> None:
    student = opened(checkpoint).extract(batch(0))["encoder"]

    whole = teacher.extract(batch(0))["encoder"]
    assert student.states.shape[0] == 3
    torch.testing.assert_close(student.states, whole.states[:3])


def test_no_weight_of_the_teacher_is_trained_or_saved(checkpoint: Path) -> None:
    model = opened(checkpoint)

    losses = model.forward_and_losses(batch(0), batch(1)).losses
    sum(losses.values()).sum().backward()

    names = {name for name, weights in model.model.named_parameters()}
    assert {name.split(".")[0] for name in names} == {"student", "heads"}
    assert not any(".layers.2." in name for name in names)


def test_layers_that_the_teacher_lacks_are_refused(checkpoint: Path) -> None:
    bound = bind(MLKD, parse_spec(f"mlkd:checkpoint={checkpoint}"))

    with pytest.raises(BadSpec, match=r"layers= asks for layer 12.* layers 0 to 3"):
        MLKD.describe(bound.options)


def test_an_unknown_layer_is_refused() -> None:
    with pytest.raises(BadSpec, match="layers=1\\+x"):
        bind(MLKD, parse_spec("mlkd:layers=1+x"))
