import itertools
from pathlib import Path

import pytest

from nserbench.errors import BadSpec, CheckpointMissing

pytest.importorskip("nserbench.upstreams.conformer.safe_yaml", exc_type=ImportError)

from nserbench.upstreams.conformer import safe_yaml
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


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n"
    for old, new in itertools.pairwise("abcdefgh")
)
GROWING = {
    "aliases": LAUGHS,
    "nested lists": f"a: {'[' * 40_000}{']' * 40_000}",
    "nested mappings": f"a: {'{a: ' * 60}1{'}' * 60}",
    "length": f"a: {'x' * 200_000}",
    "values": f"a: [{'1, ' * 20_000}]",
}
COMPUTED = {
    "power": "n: 9\nevil: !ref <n> ** 9 ** 9 ** 9",
    "repeated text": "n: 999999999\nevil: !ref '\"aaaaaaaaaa\" * <n>'",
    "doubled text": "a0: xxxxxxxxxx\n"
    + "".join(f"a{i + 1}: !ref <a{i}><a{i}>\n" for i in range(30)),
}


@pytest.mark.parametrize("text", GROWING.values(), ids=GROWING)
def test_a_file_that_grows_when_it_is_read_is_refused(file: Path, text: str) -> None:
    file.write_text(f"{ORDINARY}{text}\n")

    with pytest.raises(CheckpointMissing, match=r"hyperparams\.yaml cannot be read: "):
        safe_hyperparams(file, {})


@pytest.mark.parametrize("text", COMPUTED.values(), ids=COMPUTED)
def test_references_that_compute_without_end_are_refused(
    file: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(safe_yaml, "_SECONDS", 3)
    file.write_text(f"{ORDINARY}{text}\n")

    with pytest.raises(CheckpointMissing, match=r"hyperparams\.yaml cannot be read: "):
        safe_hyperparams(file, {})


def test_aliases_may_be_used(file: Path) -> None:
    file.write_text(f"{ORDINARY}sizes: &a [1, 2]\nagain: {{one: *a, two: *a}}\n")

    assert "again:" in safe_hyperparams(file, {})
