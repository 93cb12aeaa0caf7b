from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as lib
from hf_checks import Wave, described, hf
from layers import difference, valid
from tiny_towers import save_ast

from nserbench.upstreams.base import Batch
from nserbench.upstreams.groups import GroupSpec


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an audio spectrogram transformer that reads 1.3 s at once."""
    return save_ast(tmp_path_factory.mktemp("ast"))


def test_frames_of_a_spectrogram_transformer_are_its_patches_in_time(
    folder: Path, sound: Callable[..., Wave]
) -> None:
    wave = sound(9_000, 1)
    model = lib.ASTModel.from_pretrained(folder).eval()
    extractor = lib.ASTFeatureExtractor.from_pretrained(folder)
    inputs = extractor(wave, sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        states = list(model(**inputs, output_hidden_states=True).hidden_states)
        states[-1] = model.layernorm(states[-1])
    theirs = torch.stack(states)[:, 0, 2:].numpy()
    bands = (48 - 16) // 10 + 1
    by_band = np.stack(np.split(theirs, bands, axis=1))

    ours = valid(hf(folder).extract(Batch.of(wave))["encoder"])

    assert described(folder) == {"encoder": GroupSpec(range(4), 16, 10.0)}
    spectrum = 1 + (len(wave) - 400) // 160
    inside = [start for start in range(0, 128, 10) if start + 16 <= spectrum]
    assert ours.shape == (4, len(inside), 16)
    assert difference(ours, torch.tensor(by_band.mean(0)[:, : len(inside)])) < 1e-5


def test_padding_to_a_fixed_length_is_no_frame(
    folder: Path, sound: Callable[..., Wave]
) -> None:
    upstream = hf(folder)
    waves = [sound(length, length) for length in (1_600, 8_000, 16_000, 20_720)]

    groups = [upstream.extract(Batch.of(wave))["encoder"] for wave in waves]

    assert [int(group.lengths[0]) for group in groups] == [1, 4, 9, 12]


def test_a_clip_beyond_what_it_reads_at_once_is_read_in_pieces(
    folder: Path, sound: Callable[..., Wave]
) -> None:
    upstream = hf(folder)
    wave = sound(48_000, 4)

    whole = valid(upstream.extract(Batch.of(wave))["encoder"])

    pieces = [wave[:20_720], wave[19_200:39_920], wave[38_400:]]
    apart = [valid(upstream.extract(Batch.of(piece))["encoder"]) for piece in pieces]
    assert whole.shape[1] == ((1 + (48_000 - 400) // 160) - 16) // 10 + 1
    assert difference(whole, torch.cat(apart, dim=1)) < 1e-6


@pytest.mark.parametrize("length", [20_721, 21_999, 22_000, 23_599, 23_600, 41_300])
def test_frames_go_on_evenly_from_piece_to_piece(
    length: int, folder: Path, sound: Callable[..., Wave]
) -> None:
    encoder = hf(folder).extract(Batch.of(sound(length, 1)))["encoder"]

    inside = [at for at in range(0, length, 1_600) if at + 2_800 <= length]
    assert encoder.lengths.tolist() == [len(inside)]


def test_an_extractor_of_another_length_is_set_to_that_of_the_model(
    tmp_path: Path, sound: Callable[..., Wave]
) -> None:
    folder = save_ast(tmp_path)
    wave = Batch.of(sound(9_000, 1))
    theirs = valid(hf(folder).extract(wave)["encoder"])
    lib.ASTFeatureExtractor(num_mel_bins=48).save_pretrained(folder)

    ours = valid(hf(folder).extract(wave)["encoder"])

    assert torch.equal(ours, theirs)
