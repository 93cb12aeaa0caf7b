"""SpeechLM, compared with what its authors' own code gave for the same weights."""

import argparse
import pickle
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import speechlm_oracle as oracle
import torch
from numpy.typing import NDArray
from tiny_speechlm import Content, reference, speechlm
from torch import Tensor

from nserbench.errors import BadSpec, CheckpointMissing
from nserbench.upstreams.base import Batch
from nserbench.upstreams.groups import GroupSpec
from nserbench.upstreams.speechlm.config import (
    HOME,
    describe_speechlm,
    speechlm_files,
)
from nserbench.upstreams.speechlm.upstream import SpeechLM

Save = Callable[[object], Path]


@pytest.fixture
def base() -> Content:
    """Return what a cleaned Base checkpoint holds, to be changed."""
    return speechlm("base")


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Return a function that writes a checkpoint."""

    def write(content: object) -> Path:
        file = tmp_path / "speechlm.pt"
        torch.save(content, file)
        return file

    return write


def load(file: Path) -> SpeechLM:
    return SpeechLM({"checkpoint": str(file)}, "cpu")


def layers(upstream: SpeechLM, *waves: NDArray[np.float32]) -> Tensor:
    """Return the layers of both groups, one after another."""
    found = upstream.extract(Batch.of(*waves))
    return torch.cat([found["speech"].states, found["unit"].states])


@pytest.mark.parametrize("size", ["base", "large"])
def test_every_layer_is_that_of_the_authors_code(size: str, save: Save) -> None:
    upstream = load(save(speechlm(size)))

    for wave in oracle.waves():
        found = upstream.extract(Batch.of(wave))

        assert list(found) == ["speech", "unit"]
        for group, it in found.items():
            expected = torch.from_numpy(reference()[f"{size} {group} {len(wave)}"])
            states = it.states[:, 0, :: oracle.STRIDE]
            assert states.shape == expected.shape
            assert (states - expected).abs().max() < 1e-5


def test_batch_mates_change_nothing_and_padding_is_zero(
    base: Content, save: Save
) -> None:
    upstream = load(save(base))
    waves = oracle.waves()

    together = upstream.extract(Batch.of(*waves))

    for place, wave in enumerate(waves):
        alone = upstream.extract(Batch.of(wave))
        for group, it in together.items():
            length = int(it.lengths[place])
            assert length == (len(wave) - 400) // 320 + 1
            assert torch.equal(it.states[:, place, :length], alone[group].states[:, 0])
            assert not it.states[:, place, length:].any()


@pytest.mark.parametrize("size", ["base", "large"])
def test_the_description_says_what_comes_out(size: str, save: Save) -> None:
    file = save(speechlm(size))

    groups = describe_speechlm({"checkpoint": str(file)})

    found = load(file).extract(Batch.of(oracle.waves()[1]))
    assert groups == {
        name: GroupSpec(range(len(it.states)), it.states.shape[-1], 50.0)
        for name, it in found.items()
    }
    assert speechlm_files({"checkpoint": str(file)}) == [file]


def test_the_description_needs_no_torch(base: Content, save: Save) -> None:
    code = (
        "import sys; from nserbench.upstreams.speechlm.config import *;"
        f"describe_speechlm({{'checkpoint': {str(save(base))!r}}});"
        "print({'torch', 'numpy'} & set(sys.modules))"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert said.stdout == "set()\n", said.stderr


@pytest.mark.parametrize(("letter", "units"), [("P", 369), ("H", 505)])
def test_a_checkpoint_as_training_writes_it_has_the_same_features(
    letter: str,
    units: int,
    base: Content,
    save: Save,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    short = oracle.waves()[1]
    expected = layers(load(save(base)), short)
    for name, shape in {
        "label_embs_list.0": (units, 8),
        "label_embs_list.1": (units, 8),
        "unit_embed_tokens.weight": (units, 16),
        "unit_encoder.embed_tokens.weight": (units, 16),
        "unit_encoder_ctc_head.1.weight": (16, 16, 2),
        "unit_encoder_ctc_head.5.weight": (33, 16),
    }.items():
        base["model"][name] = torch.ones(shape)
    base["cfg"]["model"]["label_rate"] = 100 if letter == "P" else 50
    monkeypatch.setitem(sys.modules, "fairseq", types.ModuleType("fairseq"))
    monkeypatch.setitem(sys.modules, "fairseq.data", types.ModuleType("fairseq.data"))
    home = types.ModuleType("fairseq.data.dictionary")
    monkeypatch.setitem(sys.modules, home.__name__, home)
    exec("class Dictionary:\n  symbols = None", home.__dict__)
    dictionary = home.Dictionary()
    dictionary.symbols = ["<s>", "<pad>"]
    state = {"dictionaries": [dictionary]}

    file = save({"args": None, **base, "task_state": state, "criterion": None})
    monkeypatch.undo()

    assert torch.equal(layers(load(file), short), expected)


def test_weights_in_half_precision_are_used_in_single(
    base: Content, save: Save
) -> None:
    short = oracle.waves()[1]
    halved = {name: it.half() for name, it in base["model"].items()}
    single = {name: it.float() for name, it in halved.items()}
    expected = layers(load(save({**base, "model": single})), short)

    found = layers(load(save({**base, "model": halved})), short)

    assert found.dtype == torch.float32
    assert torch.equal(found, expected)


def test_a_gradient_reaches_every_weight(base: Content, save: Save) -> None:
    upstream = load(save(base))

    found = upstream.forward(Batch.of(oracle.waves()[1]))
    (found["speech"].states.pow(3).sum() + found["unit"].states.pow(3).sum()).backward()

    assert upstream.model is not None
    assert not upstream.model.training
    assert upstream.parameter_count() == sum(
        it.numel()
        for name, it in base["model"].items()
        if not name.startswith(("mask_emb", "final_proj_list", "unit_encoder.version"))
        and ".norm_k." not in name
    )
    for name, weight in upstream.model.named_parameters():
        assert weight.grad is not None, name
        if not name.endswith(
            "k_proj.bias"
        ):  # it raises all keys alike: softmax drops it
            assert weight.grad.any(), name


def test_a_wave_below_one_frame_is_refused(base: Content, save: Save) -> None:
    upstream = load(save(base))

    with pytest.raises(ValueError, match="at least 400 samples, got 399"):
        upstream.extract(Batch.of(np.zeros(399, np.float32)))


def test_a_missing_file_is_answered_with_the_authors_address(tmp_path: Path) -> None:
    options = {"checkpoint": str(tmp_path / "nothing.pt")}

    for ask in (describe_speechlm, speechlm_files, lambda it: SpeechLM(it, "cpu")):
        with pytest.raises(CheckpointMissing, match=rf"nothing\.pt\n.*{HOME}"):
            ask(options)


def test_missing_weights_are_refused(base: Content, save: Save) -> None:
    del base["model"]["unit_encoder.layers.1.fc1.bias"]

    with pytest.raises(
        CheckpointMissing, match=r"1 tensors are missing, such as unit_.*1\.fc1\.bias"
    ):
        load(save(base))


def test_unknown_weights_are_refused(base: Content, save: Save) -> None:
    base["model"]["decoder.layers.0.fc1.bias"] = torch.ones(3)

    with pytest.raises(BadSpec, match=r"1 tensors have no place in one, such as deco"):
        load(save(base))


def test_weights_of_another_shape_are_refused(base: Content, save: Save) -> None:
    base["cfg"]["model"]["encoder_ffn_embed_dim"] = 65

    with pytest.raises(BadSpec, match=r"fc1.* has shape \(64.*says \(65"):
        load(save(base))


@pytest.mark.parametrize("content", [{"model": {}}, [1, 2], {"cfg": {"model": {}}}])
def test_a_checkpoint_of_something_else_is_refused(content: object, save: Save) -> None:
    file = save(content)

    with pytest.raises(BadSpec, match=r"no pre-trained SpeechLM: it has no '"):
        describe_speechlm({"checkpoint": str(file)})


def test_a_file_that_is_no_checkpoint_or_a_part_of_one_is_refused(
    base: Content, save: Save
) -> None:
    file = save(base)
    for content in (b"hello", file.read_bytes()[:-100]):
        file.write_bytes(content)

        with pytest.raises(CheckpointMissing, match=r"speechlm.*\.pt cannot be read: "):
            load(file)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("use_rel_pos_enc", False),
        ("activation_fn", "relu"),
        ("extractor_mode", "other"),
        ("final_dim", 16),
        ("conv_feature_layers", "[(8,10,5)] + __import__('os').sep"),
    ],
)
def test_a_build_that_was_never_published_is_refused(
    key: str, value: object, base: Content, save: Save
) -> None:
    base["cfg"]["model"][key] = value

    with pytest.raises(BadSpec, match=f"no known SpeechLM: {key}"):
        describe_speechlm({"checkpoint": str(save(base))})


def test_objects_that_are_not_data_are_named_and_refused(
    base: Content, save: Save
) -> None:
    file = save({**base, "args": argparse.Namespace(seed=1)})

    with pytest.raises(BadSpec, match=r"run code: argparse\.Namespace\n.*\n.*torch\.l"):
        load(file)


def test_nothing_that_a_checkpoint_names_is_run(
    base: Content, save: Save, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"

    class Trap:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
            return Path.touch, (trace,)

    file = save({**base, "trap": Trap()})
    with pytest.raises(BadSpec, match="could run code"):
        load(file)

    assert not trace.exists()
    pickle.loads(pickle.dumps(Trap()))
    assert trace.exists()  # the trap itself works
