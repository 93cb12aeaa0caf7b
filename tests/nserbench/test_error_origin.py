"""An error is told with the place in the code of the plugin that caused it."""

from pathlib import Path

import pytest

import nserbench as nb
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.error_origin import describe_error
from nserbench.errors import NserbenchError

BEGIN = "import torch\nimport numpy as np\nimport nserbench as nb\n"


def upstream_that_returns(folder: Path, value: str) -> nb.UpstreamCard:
    """Return the card of an upstream, whose line 6 returns a value."""
    plugin = folder / "own.py"
    plugin.write_text(
        f"{BEGIN}class Own(nb.Upstream):\n"
        "    def forward(self, batch):\n"
        f"        return {value}\n"
        "@nb.hookimpl\n"
        "def nserbench_upstreams():\n"
        '    return [nb.UpstreamCard(name="own", load=Own, min_samples=160)]\n'
    )
    return Plugins([str(plugin)], installed=False).upstreams["own"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("torch.zeros(3, 4)", "(layers, frames, dim), got Tensor (3, 4)"),
        ("np.zeros((1, 3, 4))", "got ndarray (1, 3, 4)"),
    ],
)
def test_frames_of_another_shape_are_refused_with_the_line_of_the_plugin(
    tmp_path: Path, value: str, said: str
) -> None:
    card = upstream_that_returns(tmp_path, f'{{"x": nb.LayerGroup.pad([{value}])}}')

    with pytest.raises(ValueError, match="pad takes tensors") as caught:
        card.describe({"enhance": None, "finetune": None})

    told = describe_error(caught.value)
    assert said in told
    assert told.endswith("(own.py, line 6)")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("torch.zeros(1, 1, 3, 4)", "upstream 'own' returns Tensor"),
        ('{"x": torch.zeros(1, 1, 3, 4)}', "returns a dict of {'x': 'Tensor'}"),
        ("{}", "returns a dict of {}"),
    ],
)
def test_what_is_no_group_is_refused_with_what_to_return(
    tmp_path: Path, value: str, said: str
) -> None:
    card = upstream_that_returns(tmp_path, value)

    with pytest.raises(NserbenchError) as caught:
        card.describe({"enhance": None, "finetune": None})

    assert said in str(caught.value)
    assert "its forward must return groups by name" in str(caught.value)


def test_a_card_that_is_refused_is_told_with_the_line_that_makes_it(
    tmp_path: Path,
) -> None:
    plugin = tmp_path / "own.py"
    plugin.write_text(
        f"{BEGIN}@nb.hookimpl\n"
        "def nserbench_upstreams():\n"
        "    def load(options, device):\n"
        "        return None\n"
        '    return [nb.UpstreamCard(name="own", load=load)]\n'
    )

    with pytest.raises(NserbenchError, match=r"own\.py, line 8"):
        Plugins([str(plugin)], installed=False)
