import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from conformer_checks import (
    BATCH,
    options,
)
from tiny_conformer import HYPERPARAMS

from nserbench.cards import bind
from nserbench.errors import BadSpec, CheckpointMissing
from nserbench.spec import parse_spec
from nserbench.upstreams.cards import CONFORMER, CONFORMER_SMALL
from nserbench.upstreams.conformer.config import conformer_files

pytest.importorskip("nserbench.upstreams.conformer.model", exc_type=ImportError)

from nserbench.upstreams.conformer.model import Conformer


def test_nothing_is_written_beside_the_checkpoint_or_in_the_working_folder(
    folder: Path,
) -> None:
    before = {file: file.read_bytes() for file in folder.iterdir()}

    Conformer(options(folder), "cpu")

    assert {file: file.read_bytes() for file in folder.iterdir()} == before
    assert list(Path.cwd().iterdir()) == []


def test_the_files_that_decide_leave_out_the_language_model_unless_it_is_read(
    folder: Path,
) -> None:
    (folder / "README.md").touch()

    greedy, beam = (
        [file.name for file in conformer_files(options(folder, search))]
        for search in ("greedy", "beam")
    )

    files = ["hyperparams.yaml", "model.ckpt", "normalizer.ckpt", "tokenizer.ckpt"]
    assert greedy == files
    assert beam == sorted([*files, "lm.ckpt"])


def test_a_greedy_search_needs_no_language_model(
    copy: Path, conformer: Conformer
) -> None:
    (copy / "lm.ckpt").unlink()

    texts = Conformer(options(copy), "cpu").transcribe(BATCH)

    assert texts == conformer.transcribe(BATCH)


@pytest.mark.parametrize("file", ["model.ckpt", "normalizer.ckpt", "tokenizer.ckpt"])
def test_a_missing_file_is_named(copy: Path, file: str) -> None:
    (copy / file).unlink()

    with pytest.raises(CheckpointMissing, match=rf"incomplete: .* names {file}"):
        Conformer(options(copy), "cpu")


@pytest.mark.parametrize("file", ["model.ckpt", "normalizer.ckpt", "tokenizer.ckpt"])
@pytest.mark.parametrize("kept", [0, 100])
def test_a_truncated_file_is_refused(copy: Path, file: str, kept: int) -> None:
    (copy / file).write_bytes((copy / file).read_bytes()[:kept])

    with pytest.raises(CheckpointMissing, match=r"copy cannot be read|is empty"):
        Conformer(options(copy), "cpu")


def test_weights_that_are_not_all_there_are_refused(copy: Path) -> None:
    weights = torch.load(copy / "model.ckpt")
    del weights["1.encoder.norm.norm.weight"]
    torch.save(weights, copy / "model.ckpt")

    with pytest.raises(CheckpointMissing, match=r"1 tensors .* 1\.encoder\.norm"):
        Conformer(options(copy), "cpu")


class Bomb:
    """Runs a command when it is unpickled as Python would."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def test_weights_that_are_code_do_not_run(copy: Path, tmp_path: Path) -> None:
    torch.save({"x": Bomb(f"touch {tmp_path / 'ran'}")}, copy / "model.ckpt")

    with pytest.raises(CheckpointMissing, match="copy cannot be read"):
        Conformer(options(copy), "cpu")

    assert not (tmp_path / "ran").exists()


def test_a_folder_without_hyperparams_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointMissing, match=r"has no hyperparams\.yaml"):
        Conformer(options(tmp_path), "cpu")


@pytest.mark.parametrize(
    ("said", "instead", "reason"),
    [
        ("TransformerASR.TransformerASR", "RNN", "no TransformerASR"),
        ("d_model: !ref <d_model>", "d_model: !ref <no>", "how large the model is"),
        ("d_model: 16", "d_model: !ref <d_model>", "how large the model is"),
        ("sample_rate: 16000", "sample_rate: 8000", "reads audio at 8000 Hz"),
    ],
)
def test_what_is_no_such_asr_is_refused(
    copy: Path, said: str, instead: str, reason: str
) -> None:
    (copy / "hyperparams.yaml").write_text(HYPERPARAMS.replace(said, instead))

    with pytest.raises(BadSpec, match=reason):
        Conformer(options(copy), "cpu")


@pytest.mark.parametrize("text", ["", "a: [", "- a\n", "a: &b [*b]\n"])
def test_hyperparams_that_cannot_be_read_are_refused(copy: Path, text: str) -> None:
    (copy / "hyperparams.yaml").write_text(text)

    with pytest.raises((BadSpec, CheckpointMissing), match="hyperparams"):
        Conformer(options(copy), "cpu")


@pytest.mark.parametrize(
    "line",
    [
        "evil: !apply:os.system ['touch RAN']",
        "a: {b: [!applyref:os.system ['touch RAN']]}",
        "evil: !new:speechbrain.utils.superpowers.subprocess.Popen [[touch, RAN]]",
    ],
)
def test_hyperparams_that_name_code_are_refused_before_it_runs(
    copy: Path, line: str
) -> None:
    (copy / "hyperparams.yaml").write_text(f"{line}\n{HYPERPARAMS}")

    with pytest.raises(BadSpec, match="runs no code of a checkpoint"):
        Conformer(options(copy), "cpu")

    assert list(Path.cwd().iterdir()) == []


def test_the_cards_differ_in_their_checkpoint() -> None:
    large, small = (
        bind(card, parse_spec(card.name)) for card in (CONFORMER, CONFORMER_SMALL)
    )

    assert large.label == "conformer"
    assert small.options["checkpoint"].startswith("speechbrain/asr-conformersmall")
    assert large.key_options().keys() & {"checkpoint", "search"} == {"search"}


def test_a_card_opens_its_checkpoint(folder: Path) -> None:
    bound = bind(CONFORMER, parse_spec(f"conformer:checkpoint={folder}"))

    conformer = CONFORMER.open(bound.options, "cpu")

    groups = CONFORMER.describe(bound.options).groups
    assert groups.keys() == conformer.extract(BATCH).keys()
    assert len(CONFORMER.checkpoint_files(bound.options)) == 4


def test_precision_on_a_gpu_stays_as_it_is() -> None:
    assert not torch.backends.cuda.matmul.allow_tf32  # speechbrain would allow it


def test_a_tool_may_look_through_everything_that_is_loaded() -> None:
    script = """
import sys, warnings
import nserbench.upstreams.conformer.model
warnings.simplefilter("error")
for module in list(sys.modules.values()):
    if "speechbrain" in repr(type(module)):
        getattr(module, "__file__", None)
"""

    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("d_model: 16", "d_model: 1000000"),
        ("num_encoder_layers: 2", "num_encoder_layers: 10000"),
        ("output_neurons: 28", "output_neurons: 1000000000"),
        ("d_ffn: 32", "d_ffn: 10000000000"),
    ],
)
def test_layers_that_are_far_larger_than_the_weights_are_refused(
    copy: Path, old: str, new: str
) -> None:
    (copy / "hyperparams.yaml").write_text(HYPERPARAMS.replace(old, new, 1))

    with pytest.raises(CheckpointMissing, match="far larger than its weights"):
        Conformer(options(copy), "cpu")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("d_model: 16", "d_model: 1_6"),
        ("num_encoder_layers: 2", f"num_encoder_layers: {'9' * 5000}"),
        ("sample_rate: 16000", "sample_rate: .nan"),
    ],
)
def test_sizes_that_are_none_are_refused(copy: Path, old: str, new: str) -> None:
    (copy / "hyperparams.yaml").write_text(HYPERPARAMS.replace(old, new, 1))

    with pytest.raises(BadSpec, match="does not say how large the model is"):
        Conformer(options(copy), "cpu")
