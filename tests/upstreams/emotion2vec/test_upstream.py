"""emotion2vec, compared with what its authors' own code gave for the same weights."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import emotion2vec_oracle as oracle
import pytest
import torch
from tiny_emotion2vec import emotion2vec, reference, save_emotion2vec

from nserbench.errors import BadSpec, CheckpointMissing
from nserbench.upstreams.base import Batch
from nserbench.upstreams.cards import EMOTION2VEC
from nserbench.upstreams.emotion2vec.config import describe_emotion2vec
from nserbench.upstreams.emotion2vec.upstream import Emotion2vec
from nserbench.upstreams.groups import GroupSpec

Save = Callable[[object], Path]


@pytest.fixture
def base() -> dict[str, Any]:
    """Return what a checkpoint holds, to be changed."""
    return emotion2vec("base")


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Return a function that writes a checkpoint."""

    def write(content: object) -> Path:
        file = tmp_path / "model.pt"
        torch.save(content, file)
        return file

    return write


def options(place: Path) -> dict[str, Any]:
    return {"checkpoint": str(place), "revision": None}


def load(place: Path) -> Emotion2vec:
    return Emotion2vec(options(place), "cpu")


@pytest.mark.parametrize("size", ["base", "plus"])
def test_every_layer_is_that_of_the_authors_code(size: str, tmp_path: Path) -> None:
    upstream = load(save_emotion2vec(tmp_path, size))

    for wave in oracle.waves():
        states = upstream.extract(Batch.of(wave))["encoder"].states[:, 0]

        expected = torch.from_numpy(reference()[f"{size} {len(wave)}"])
        assert states[:, :: oracle.STRIDE].shape == expected.shape
        assert (states[:, :: oracle.STRIDE] - expected).abs().max() < 1e-5


def test_batch_mates_change_nothing_and_padding_is_zero(tmp_path: Path) -> None:
    upstream = load(save_emotion2vec(tmp_path))
    waves = oracle.waves()

    together = upstream.extract(Batch.of(*waves))["encoder"]

    for place, wave in enumerate(waves):
        alone = upstream.extract(Batch.of(wave))["encoder"]
        length = int(together.lengths[place])
        assert length == (len(wave) - 400) // 320 + 1
        assert torch.equal(together.states[:, place, :length], alone.states[:, 0])
        assert not together.states[:, place, length:].any()


def test_the_sizes_are_read_without_torch(tmp_path: Path) -> None:
    folder = save_emotion2vec(tmp_path)
    code = (
        "import sys; from nserbench.upstreams.emotion2vec.config import *;"
        f"print(describe_emotion2vec({options(folder)!r}));"
        "print({'torch', 'numpy'} & set(sys.modules))"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    groups = {"encoder": GroupSpec(range(6), 24, 50.0)}
    assert said.stdout == f"{groups}\nset()\n", said.stderr


def test_what_only_pre_training_uses_is_not_read(
    base: dict[str, Any], save: Save
) -> None:
    wave = oracle.waves()[1]
    expected = load(save(base)).extract(Batch.of(wave))["encoder"].states
    base["model"] |= {"_ema": torch.ones(2), "proj.weight": torch.ones(9, 24)}
    base["optimizer_history"] = [{"num_updates": 3}]

    found = load(save(base)).extract(Batch.of(wave))["encoder"].states

    assert torch.equal(found, expected)


def without(content: dict[str, Any], name: str) -> None:
    del content["model"][name]


def odd_shape(content: dict[str, Any], name: str) -> None:
    content["model"][name] = torch.ones(3, 5)


FC = "blocks.0.mlp.fc1"


@pytest.mark.parametrize(
    ("change", "name", "error", "said"),
    [
        (without, f"{FC}.bias", CheckpointMissing, r"1 tensors are missing.*fc1\.bias"),
        (without, f"{FC}.weight", BadSpec, "is no emotion2vec: it has no .*fc1"),
        (odd_shape, "blocks.0.attn.proj.weight", BadSpec, "contradicts itself"),
        (odd_shape, "modality_encoders.AUDIO.extra_tokens", BadSpec, "3 dimensions"),
    ],
)
def test_a_checkpoint_that_is_not_whole_is_refused(
    base: dict[str, Any],
    save: Save,
    change: Callable[[dict[str, Any], str], None],
    name: str,
    error: type[Exception],
    said: str,
) -> None:
    change(base, name)

    with pytest.raises(error, match=said):
        load(save(base))


def test_another_file_is_refused(save: Save) -> None:
    with pytest.raises(BadSpec, match=r"no emotion2vec: it has no .*alibi_scale"):
        describe_emotion2vec(options(save({"model": {"w": torch.ones(2)}})))


def test_objects_that_could_run_code_are_refused(
    base: dict[str, Any], save: Save
) -> None:
    file = save({**base, "args": argparse.Namespace(lr=1)})

    with pytest.raises(BadSpec, match=r"could run code: argparse\.Namespace\n.*keep"):
        load(file)


@pytest.mark.parametrize(("files", "said"), [(0, r"has no \*.pt"), (2, "name one: ")])
def test_a_folder_without_one_file_of_weights_is_refused(
    tmp_path: Path, files: int, said: str
) -> None:
    for number in range(files):
        (tmp_path / f"{number}.pt").touch()

    with pytest.raises(CheckpointMissing, match=said):
        describe_emotion2vec(options(tmp_path))


@pytest.mark.parametrize(
    ("checkpoint", "seen", "complete"),
    [("base", "iemocap", True), ("plus_seed", "emodb", False)],
)
def test_the_card_says_which_corpora_it_was_trained_on(
    checkpoint: str, seen: str, complete: bool
) -> None:
    plain = {key: one.default for key, one in EMOTION2VEC.all_options().items()}

    data = EMOTION2VEC.training_data(
        plain | {"checkpoint": f"emotion2vec/emotion2vec_{checkpoint}"}
    )

    assert data is not None
    assert seen in data.corpora
    assert data.complete is complete
