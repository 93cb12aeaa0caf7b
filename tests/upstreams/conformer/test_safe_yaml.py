from pathlib import Path

import pytest

from nserbench.errors import BadSpec, CheckpointMissing

pytest.importorskip("nserbench.upstreams.conformer.safe_yaml", exc_type=ImportError)

from nserbench.upstreams.conformer.safe_yaml import safe_hyperparams

ORDINARY = """\
width: 4
shape: (8, 10, 80)
activation: !name:torch.nn.GELU
tokenizer: !new:sentencepiece.SentencePieceProcessor
layer: !new:speechbrain.nnet.linear.Linear
    input_size: !ref <width>
    n_neurons: !ref <width> * 2
pretrainer: !new:speechbrain.utils.parameter_transfer.Pretrainer
    loadables: {layer: !ref <layer>}
"""

RUN = "touch RAN"
HOSTILE = {
    "function": f"evil: !apply:os.system ['{RUN}']",
    "class": "evil: !new:subprocess.Popen [[touch, RAN]]",
    "name": "evil: !name:os.system",
    "module": "evil: !module:os",
    "function while references are followed": f"evil: !applyref:os.system ['{RUN}']",
    "other file": "evil: !include:/tmp/other.yaml",
    "Python tag": f"evil: !!python/object/apply:os.system ['{RUN}']",
    "long tag": f"evil: !<!apply:os.system> ['{RUN}']",
    "escaped tag": f"evil: !apply:os%2Esystem ['{RUN}']",
    "key": f"? !apply:os.system ['{RUN}']\n: 1",
    "nested": f"evil: {{a: [1, {{b: !apply:os.system ['{RUN}']}}]}}",
    "tuple": f'evil: (!!python/object/apply:os.system ["{RUN}"])',
    "quoted tuple": f"evil: '(!!python/object/apply:os.system [\"{RUN}\"])'",
    "tuple from pieces": "mark: '!'\n"
    f'evil: !ref (<mark><mark>python/object/apply:os.system ["{RUN}"])',
    "attribute of a module of speechbrain": (
        "evil: !new:speechbrain.utils.superpowers.subprocess.Popen [[touch, RAN]]"
    ),
    "speechbrain's own shell": (
        f"evil: !apply:speechbrain.utils.superpowers.run_shell ['{RUN}']"
    ),
    "attribute": "evil: !ref <tokenizer.Load>",
    "attribute from pieces": "a: <tokenizer\nb: .Load>\nevil: !ref <a><b>",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file that does no harm."""
    file = tmp_path / "hyperparams.yaml"
    file.write_text(ORDINARY)
    return file


def test_references_are_followed_and_values_put_in(file: Path) -> None:
    values = {"width": 5, "pretrainer": {"paths": {"layer": "/a/b.ckpt"}}}

    lines = safe_hyperparams(file, values).splitlines()

    assert "  n_neurons: 10" in lines
    assert "    layer: /a/b.ckpt" in lines
    assert "shape: (8, 10, 80)" in lines
    assert "ref" not in " ".join(lines)


@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE)
def test_a_file_that_names_code_is_refused_before_it_runs(
    file: Path, line: str
) -> None:
    file.write_text(f"{line}\n{ORDINARY}")

    with pytest.raises(BadSpec, match="runs no code of a checkpoint"):
        safe_hyperparams(file, {})

    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize("text", ["a: [", "a: !ref <no>", "a: 1\na: 2"])
def test_a_file_that_cannot_be_read_is_named(file: Path, text: str) -> None:
    file.write_text(text)

    with pytest.raises(CheckpointMissing, match=r"hyperparams\.yaml cannot be read"):
        safe_hyperparams(file, {})
