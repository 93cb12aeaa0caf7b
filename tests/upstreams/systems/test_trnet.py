"""TRNet: its losses by hand, what is mixed, its teacher."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from nserbench.cards import bind
from nserbench.spec import parse_spec
from nserbench.upstreams.base import Batch
from nserbench.upstreams.mel import Mel
from nserbench.upstreams.pair_upstream import PairUpstream, open_with_teacher
from nserbench.upstreams.systems.cards import TRNET
from nserbench.upstreams.systems.trnet import Backbone, TRNet
from nserbench.upstreams.systems.trnet_options import SAMPLES

Wave = NDArray[np.float32]
SMALL = "width=2,dim=6,enhance=none"


def opened(options: str = SMALL) -> Any:
    """Return TRNet with a teacher, both with random weights."""
    torch.manual_seed(0)
    bound = bind(TRNET, parse_spec(f"trnet:{options}"))
    return open_with_teacher(TRNET, bound.options, "cpu")


def waves(seed: int, *lengths: int) -> list[Wave]:
    rng = np.random.default_rng(seed)
    return [0.1 * rng.standard_normal(n).astype(np.float32) for n in lengths]


def spectrum(wave: Wave) -> NDArray[np.float64]:
    """Return the log-mel spectrogram of five seconds, in float64."""
    mel = Mel({}, "cpu").extract(Batch.of(np.resize(wave, SAMPLES)))["mel"]
    return np.asarray(mel.states[0, 0], dtype=np.float64)


@pytest.fixture
def pair() -> tuple[Batch, Batch]:
    """Return two enhanced clips with their noisy ones, and the clean twins."""
    enhanced, noisy, clean = (waves(seed, 30_000, 99_000) for seed in range(3))
    return replace(Batch.of(*enhanced), unenhanced=noisy), Batch.of(*clean)


def test_the_losses_are_half_the_mean_squares_from_the_clean_spectrum_and_the_teacher(
    pair: tuple[Batch, Batch],
) -> None:
    model = opened()
    batch, clean = pair
    share = 0.25
    with torch.no_grad():
        model.model.share.bias.fill_(share)

    losses = model.forward_and_losses(batch, clean).losses

    spectral, embedding = [], []
    for row in range(2):
        noisy, enhanced = spectrum(batch.unenhanced[row]), spectrum(batch.waves[row])
        mixed = share * noisy + (1 - share) * enhanced
        spectral.append(0.5 * np.mean((mixed - spectrum(clean.waves[row])) ** 2))
        own = model.extract(batch)["embedding"].states[0, row, 0].double().numpy()
        taught = model.teacher.extract(clean)["embedding"].states[0, row, 0].numpy()
        embedding.append(0.5 * np.mean((own - taught) ** 2))
    np.testing.assert_allclose(losses["spectral"].detach(), spectral, rtol=1e-4)
    np.testing.assert_allclose(losses["embedding"].detach(), embedding, rtol=1e-4)


def test_weights_of_losses_are_options(pair: tuple[Batch, Batch]) -> None:
    half, whole = opened(), opened(f"{SMALL},spectral=1,embedding=0")

    losses, other = (model.forward_and_losses(*pair).losses for model in (half, whole))

    torch.testing.assert_close(2 * losses["spectral"], other["spectral"])
    assert other["embedding"].tolist() == [0.0, 0.0]


def test_the_share_of_noisy_speech_learns_from_the_spectrum(
    pair: tuple[Batch, Batch],
) -> None:
    model = opened()

    model.forward_and_losses(*pair).losses["spectral"].sum().backward()

    assert model.model.share.weight.grad.abs().min() > 0
    assert model.model.embedder.values.weight.grad is None


def test_the_embedding_is_scaled_and_shifted_by_the_share(
    pair: tuple[Batch, Batch],
) -> None:
    model = opened()
    batch = replace(pair[0], unenhanced=())
    network = model.model
    with torch.no_grad():
        found = model.forward(batch)["embedding"].states[0, :, 0]
        spectra = [spectrum(wave) for wave in batch.waves]
        embedded = network.embedder(torch.tensor(np.stack(spectra)).float())
        half = torch.tensor([[0.5]])
        wanted = network.scale(half) * embedded + network.shift(half)

    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_the_teacher_is_the_backbone_alone_without_an_enhancer() -> None:
    model = opened()
    bound = bind(TRNET, parse_spec("trnet:refine=no,enhance=none"))

    assert isinstance(model, TRNet)
    assert isinstance(model.teacher, Backbone)
    assert TRNET.teacher_options(model.options) == model.teacher.options
    assert TRNET.teacher_options(bound.options) is None
    network: Any = model.model
    assert not any("teacher" in name for name in network.state_dict())


def test_a_short_clip_is_repeated_to_five_seconds() -> None:
    (short,) = waves(0, 20_000)
    model = opened()

    once = model.extract(Batch.of(short))["embedding"].states
    filled = model.extract(Batch.of(np.tile(short, 4)))["embedding"].states

    assert torch.equal(once, filled)
    assert isinstance(model, PairUpstream)
