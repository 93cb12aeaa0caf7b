from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nserbench.benchmark.store.feature_store import Features, Store
from nserbench.benchmark.store.frame_codes import LEVELS, encode, range_of
from nserbench.benchmark.store.layer_arrays import stored_name

LAYERS, FRAMES, DIM = 3, 40, 6


def frames_of(seed: int) -> NDArray[np.float16]:
    """Return frames whose dimensions differ in size a thousandfold, and in mean."""
    rng = np.random.default_rng(seed)
    sizes = np.array([0.01, 0.1, 1.0, 3.0, 10.0, 1.0])
    means = np.array([0.0, 5.0, -1.0, 0.0, 100.0, 0.0])
    noise = rng.standard_normal((LAYERS, FRAMES, DIM))
    return (means + sizes * noise).astype(np.float16)


def decoded(
    codes: NDArray[np.uint8], ranges: NDArray[np.float32]
) -> NDArray[np.float32]:
    low, step = ranges[:, :1], ranges[:, 1:]
    return low + codes * step


def test_every_value_is_within_half_a_step_of_its_own_dimension() -> None:
    frames = frames_of(0)

    encoded = encode({"encoder": frames})

    codes, ranges = encoded["encoder"], encoded[range_of("encoder")]
    assert [str(array.dtype) for array in (codes, ranges)] == ["uint8", "float32"]
    assert ranges.shape == (LAYERS, 2, DIM)
    wide = frames.astype(np.float64)
    steps = np.ptp(wide, axis=1, keepdims=True) / LEVELS
    error = np.abs(decoded(codes, ranges) - wide)
    assert (error <= 0.5 * steps * (1 + 1e-4) + 1e-5).all()
    deviation = wide.std(axis=1)
    rms = np.sqrt(np.square(error).mean(axis=1))
    assert (rms / deviation).max() < 0.01


def test_the_lowest_and_the_highest_value_of_a_dimension_are_kept() -> None:
    frames = frames_of(1)

    encoded = encode({"encoder": frames})

    back = decoded(encoded["encoder"], encoded[range_of("encoder")])
    for edge in (np.min, np.max):
        np.testing.assert_allclose(edge(back, axis=1), edge(frames, axis=1), rtol=1e-5)


@pytest.mark.parametrize("frames", [1, 7])
def test_a_dimension_that_does_not_change_is_kept_exactly(frames: int) -> None:
    values = np.full((2, frames, 3), 0.1, np.float16)

    encoded = encode({"mel": values})

    assert (encoded["mel"] == 0).all()
    assert (decoded(encoded["mel"], encoded[range_of("mel")]) == values).all()


def test_the_widest_range_of_float16_is_encoded() -> None:
    limit = float(np.finfo(np.float16).max)
    values = np.array([[[-limit], [0.0], [limit]]], np.float16)

    encoded = encode({"mel": values})

    assert encoded["mel"].ravel().tolist() in ([0, 127, 255], [0, 128, 255])


@pytest.fixture
def features(tmp_path: Path) -> Features:
    """Return a store that holds frames of the same utterance in both forms."""
    features = Store(tmp_path).announce({"x": 1})
    for form in ("frames", "frames_int8"):
        features.write(form, {"a": {"encoder": frames_of(2)}}, {"seconds": "1"})
    return features


def test_both_forms_are_stored_beside_each_other_and_neither_is_the_other(
    features: Features,
) -> None:
    layers = range(LAYERS)
    plain = features.read("frames", "a", "encoder", layers)
    codes = features.read("frames_int8", "a", "encoder", layers)
    ranges = features.read("frames_int8", "a", range_of("encoder"), layers)

    assert plain.dtype == np.float16
    np.testing.assert_array_equal(plain, frames_of(2))
    np.testing.assert_allclose(decoded(codes, ranges), plain, atol=0.2)
    for form in ("frames", "frames_int8"):
        assert len(features.shards(form)) == 1
        assert features.keys(form) == {"a"}
        assert features.frames(form, "a", "encoder", layers) == FRAMES


def test_some_layers_are_read_with_their_own_ranges(features: Features) -> None:
    codes = features.read("frames_int8", "a", "encoder", range(1, 3))
    ranges = features.read("frames_int8", "a", range_of("encoder"), range(1, 3))

    np.testing.assert_allclose(decoded(codes, ranges), frames_of(2)[1:], atol=0.2)


def test_what_is_read_together_comes_from_one_pass_however_many_hold_it(
    features: Features,
) -> None:
    upper = range(1, LAYERS)
    name = stored_name("encoder", upper, LAYERS)
    for seed in (3, 4):
        again = frames_of(seed)[1:, : FRAMES - seed]
        key = {3: "a", 4: "b"}[seed]
        features.write("frames_int8", {key: {name: again}}, {"seconds": "1"})

    for key, seed in (("a", 2), ("b", 4)):
        expected = frames_of(seed)[2:]
        layers = range(2, LAYERS)
        codes = features.read("frames_int8", key, "encoder", layers)
        ranges = features.read("frames_int8", key, range_of("encoder"), layers)
        count = features.frames("frames_int8", key, "encoder", layers)
        assert count == codes.shape[1] == {"a": FRAMES, "b": FRAMES - 4}[key]
        np.testing.assert_allclose(
            decoded(codes, ranges), expected[:, :count], atol=0.2
        )


def test_a_damaged_shard_of_codes_is_set_aside_alone(features: Features) -> None:
    (file,) = features.shards("frames_int8")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    notes: list[str] = []
    again = Store(features.folder.parents[1], notes.append).features({"x": 1})

    again.check("frames_int8")

    assert again.keys("frames_int8") == set()
    assert again.keys("frames") == {"a"}
    assert len(notes) == 1
    assert "has changed since it was written" in notes[0]
