from pathlib import Path

import pytest

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.study.grid_file import GridFile, Overrides, read_grid, studies
from nserbench.benchmark.study.request import Request
from nserbench.benchmark.study.toml_checks import BadGrid
from nserbench.errors import BadSpec, NserbenchError, UnknownName
from nserbench.settings import Settings

BLOCK = '[[block]]\nupstreams = ["mel"]\ndownstreams = ["mean"]\ncorpora = ["demo"]\n'


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return Plugins(installed=False)


def read(text: str) -> GridFile:
    Path("grid.toml").write_text(text, encoding="utf-8")
    return read_grid(Path("grid.toml"))


def refusal(text: str) -> str:
    with pytest.raises(BadGrid) as caught:
        read(text)
    return str(caught.value)


def test_a_block_can_set_every_field_of_a_request(plugins: Plugins) -> None:
    grid = read(
        """
        title = "Ours"
        description = "What we wondered"
        [[block]]
        name = "first"
        upstreams = ["mel", "whisper:groups=encoder"]
        downstreams = ["mean"]
        corpora = ["demo-clean", "emodb"]
        noises = ["clean", "park"]
        snrs = [-5, 0, -0.0, 2.5]
        protocol = "probe+dev"
        epochs = 3
        limit = 40
        seeds = 2
        finetune = "last"
        precision = "bf16"
        """
    )

    assert (grid.title, grid.description) == ("Ours", "What we wondered")
    assert grid.requests(Overrides(), plugins) == [
        (
            "first",
            Request(
                upstreams=["mel", "whisper:groups=encoder"],
                downstreams=["mean"],
                corpora=["demo-clean", "emodb"],
                noises=["clean", "park"],
                snrs=[-5.0, 0.0, 0.0, 2.5],
                protocol="probe+dev",
                epochs=3,
                limit=40,
                seeds=range(2),
                finetune="last",
                precision="bf16",
            ),
        )
    ]


def test_a_block_has_the_same_defaults_as_the_command_line(plugins: Plugins) -> None:
    ((name, request),) = read(BLOCK).requests(Overrides(), plugins)

    plain = Request(upstreams=["mel"], downstreams=["mean"], corpora=["demo"])
    assert (name, request) == ("1", plain)


def test_the_precision_of_the_command_line_is_for_blocks_that_set_none(
    plugins: Plugins,
) -> None:
    grid = read(f'{BLOCK}{BLOCK}precision = "bf16"\n')

    found = grid.requests(Overrides({"precision": "bf16"}), plugins)

    assert [one.precision for _, one in found] == ["bf16", "bf16"]
    assert [one.precision for _, one in grid.requests(Overrides(), plugins)] == [
        None,
        "bf16",
    ]


def test_two_precisions_of_one_block_are_an_error(plugins: Plugins) -> None:
    grid = read(f'{BLOCK}{BLOCK}name = "narrow"\nprecision = "bf16"\n')

    with pytest.raises(BadGrid, match=r"'narrow' sets the precision bf16, .* fp32"):
        grid.requests(Overrides({"precision": "fp32"}), plugins)


def test_an_unknown_precision_is_refused() -> None:
    told = refusal(f'{BLOCK}precision = "half"\n')

    assert "'precision' must be one of fp32, bf16" in told


def test_the_command_line_overrides_every_block(plugins: Plugins) -> None:
    grid = read(f'{BLOCK}noises = ["park"]\nepochs = 9\n{BLOCK}protocol = "paper"\n')
    overrides = Overrides(
        {
            "corpora": ["emodb"],
            "snrs": [5.0],
            "protocol": "probe",
            "epochs": 2,
            "limit": 8,
            "seeds": range(3),
        }
    )

    (_, first), (_, second) = grid.requests(overrides, plugins)

    assert first.corpora == second.corpora == ["emodb"]
    assert (first.noises, second.noises) == (["park"], ())
    assert (first.epochs, second.epochs, second.limit) == (2, 2, 8)
    assert (first.protocol, second.protocol) == ("probe", "probe")
    assert list(second.seeds) == [0, 1, 2]


def test_heads_with_other_epochs_are_requested_separately(plugins: Plugins) -> None:
    block = BLOCK.replace('["mean"]', '["single:layer=1", "mean", "single:layer=2"]')
    overrides = Overrides({"epochs": 2}, head_epochs={"single": 7})

    requests = read(block).requests(overrides, plugins)

    assert [(one.downstreams, one.epochs) for _, one in requests] == [
        (["single:layer=1", "single:layer=2"], 7),
        (["mean"], 2),
    ]
    with pytest.raises(UnknownName, match="unknown downstream 'singel'"):
        read(block).requests(Overrides(head_epochs={"singel": 7}), plugins)


@pytest.mark.parametrize(
    ("own", "typed", "joined"),
    [
        ("+dev", None, "dev"),
        ("+dev", "probe", "probe+dev"),
        ("+dev+loso", "probe+dev", "probe+dev+loso"),
        ("paper", "probe", "probe"),
        (None, "dev", "dev"),
        (None, None, None),
    ],
)
def test_a_protocol_that_begins_with_a_plus_is_added_to_the_one_typed(
    plugins: Plugins, own: str | None, typed: str | None, joined: str | None
) -> None:
    grid = read(BLOCK + (f'protocol = "{own}"\n' if own else ""))

    ((_, request),) = grid.requests(Overrides({"protocol": typed}), plugins)

    assert request.protocol == joined


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("epoch = 3", "unknown key 'epoch'"),
        ("epochs = 0", "'epochs' must be a whole number from 1 up"),
        ("epochs = true", "'epochs' must be a whole number from 1 up"),
        ("seeds = [0, 1]", "'seeds' must be a whole number from 1 up"),
        ("snrs = 0", "'snrs' must be numbers in brackets, in dB from -100 to 100"),
        ("snrs = [200]", "'snrs' must be numbers in brackets"),
        ('noises = "park"', "'noises' must be texts in brackets"),
        ("noises = []", "'noises' must be texts in brackets"),
        ('noises = [""]', "'noises' must be texts in brackets"),
        ("protocol = 1", "'protocol' must be a text in quotes"),
    ],
)
def test_a_key_or_value_that_is_not_known_is_named(line: str, told: str) -> None:
    message = refusal(f"{BLOCK}{line}\n")

    assert message.startswith("grid.toml: [[block]] number 1")
    assert told in message


@pytest.mark.parametrize("value", ["[nan]", "[inf]", "[0, -inf]"])
def test_an_snr_that_is_not_finite_is_named(value: str) -> None:
    message = refusal(f"{BLOCK}snrs = {value}\n")

    assert message.startswith("grid.toml: 'snrs' is ")
    assert "which is not a finite number" in message


@pytest.mark.parametrize("number", ["10_001", "99999999999", "0x7fffffffffffffff"])
def test_a_study_has_at_most_ten_thousand_seeds(number: str) -> None:
    assert "'seeds' must be" in refusal(f"{BLOCK}seeds = {number}\n")


def test_an_unknown_key_is_refused_with_the_known_ones() -> None:
    assert "known: block, description, report, title" in refusal(f"name = 1\n{BLOCK}")
    assert "did you mean 'snrs'?" in refusal(f"{BLOCK}snr = [0]\n")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the file lacks the key 'block'"),
        ("block = 1", "the file: 'block' must be a table in double brackets"),
        (
            '[[block]]\nupstreams = ["mel"]',
            "number 1 lacks the keys 'downstreams', 'corpora'",
        ),
        (f'{BLOCK}name = "a"\n{BLOCK}name = "a"\n', "two blocks are called 'a'"),
        ("[[block", "grid.toml is not TOML"),
    ],
)
def test_a_file_that_is_not_a_grid_is_refused(text: str, told: str) -> None:
    assert told in refusal(text)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(BadGrid, match=r"none\.toml cannot be read: No such file"):
        read_grid(Path("none.toml"))


def test_each_block_is_a_study(plugins: Plugins) -> None:
    grid = read(f'{BLOCK}name = "a"\n{BLOCK}name = "b"\nnoises = ["babble"]\n')

    found = studies(grid, Overrides({"limit": 8}), plugins, Settings(environment={}))

    cells = [(name, [str(cell) for cell in study.cells]) for name, study in found]
    assert cells == [
        ("a", ["mel x mean x demo clean (demo+limit=8, seed 0)"]),
        ("b", ["mel x mean x demo babble@0 (demo+limit=8, seed 0)"]),
    ]


def test_a_block_that_cannot_be_looked_up_is_named(plugins: Plugins) -> None:
    grid = read(f'{BLOCK}name = "lost"\n'.replace('"demo"', '"melt"'))

    with pytest.raises(NserbenchError, match="block 'lost': unknown corpus 'melt'"):
        studies(grid, Overrides(), plugins, Settings(environment={}))


@pytest.mark.parametrize(
    ("typed", "swapped"),
    [
        ("whisper", "whisper:checkpoint=W"),
        ("whisper-enc", "whisper-enc:checkpoint=W"),
        ("whisper:checkpoint=own", "whisper:checkpoint=own"),
        ("whisper-en:groups=encoder", "whisper-en:groups=encoder"),
        ("bert:text=whisper", "bert:text={whisper:checkpoint=W}"),
        ("bert", "bert"),
        ("dccrn-mel", "dccrn-mel:enhance={dccrn:checkpoint={d,1}}"),
        ("mel:enhance=dccrn", "mel:enhance={dccrn:checkpoint={d,1}}"),
        ("convtasnet-mel", "convtasnet-mel"),
        ("speechlm", "speechlm:checkpoint=S"),
        (
            "mel+whisper:enhance=dccrn",
            "mel+{whisper:checkpoint=W}:enhance={dccrn:checkpoint={d,1}}",
        ),
        ("wav2vec2:finetune=last", "wav2vec2:finetune=last"),
    ],
)
def test_another_checkpoint_replaces_every_use_of_the_default(
    plugins: Plugins, typed: str, swapped: str
) -> None:
    grid = read(BLOCK.replace('"mel"', f'"{typed}"'))
    checkpoints = {"whisper": "W", "dccrn": "d,1", "speechlm": "S"}

    ((_, request),) = grid.requests(Overrides(checkpoints=checkpoints), plugins)

    assert request.upstreams == [swapped]


def test_a_checkpoint_for_a_name_that_loads_none_is_refused(plugins: Plugins) -> None:
    grid = read(BLOCK)

    with pytest.raises(UnknownName, match="unknown upstream or enhancer 'whispr'"):
        grid.requests(Overrides(checkpoints={"whispr": "x"}), plugins)
    with pytest.raises(BadSpec, match="upstream 'mel' loads no checkpoint to replace"):
        grid.requests(Overrides(checkpoints={"mel": "x"}), plugins)


def test_two_checkpoints_for_the_same_weights_are_refused(plugins: Plugins) -> None:
    grid = read(BLOCK.replace('"mel"', '"whisper"'))
    checkpoints = {"whisper": "one", "whisper-enc": "two"}

    with pytest.raises(BadSpec, match="to be one, and also two"):
        grid.requests(Overrides(checkpoints=checkpoints), plugins)
