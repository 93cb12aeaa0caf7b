"""Small groups, random features of them, and heads built as the command line would."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest
import torch
from torch import nn

from nserbench.cards import bind
from nserbench.downstreams.base import DownstreamCard
from nserbench.downstreams.cards import nserbench_downstreams
from nserbench.spec import parse_spec
from nserbench.upstreams.base import LayerGroup
from nserbench.upstreams.groups import Groups, GroupSpec

CARDS = {card.name: card for card in nserbench_downstreams()}
LENGTHS = {"encoder": (7, 3, 5), "decoder": (2, 4, 1)}
BuildHead = Callable[..., nn.Module]
MakeFeatures = Callable[..., dict[str, LayerGroup]]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Keep tensors this small off other cores, where they only wait."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def groups() -> Groups:
    """Two groups that differ in layers, width and time axis."""
    return {
        "encoder": GroupSpec(range(4), dim=6, rate=50.0),
        "decoder": GroupSpec(range(3), dim=5, rate=None),
    }


@pytest.fixture
def card() -> Callable[[str], DownstreamCard]:
    return CARDS.__getitem__


@pytest.fixture
def build() -> BuildHead:
    """Build a head from what is typed, in training mode."""

    def build(typed: str, groups: Groups, classes: int = 4, seed: int = 0) -> nn.Module:
        spec = parse_spec(typed)
        bound = bind(CARDS[spec.name], spec)
        torch.manual_seed(seed)
        return bound.card.build(groups, classes, bound.options)

    return build


@pytest.fixture
def make_features() -> MakeFeatures:
    """Make random features of some groups, with padding."""

    def make(
        groups: Groups, lengths: Mapping[str, Sequence[int]] = LENGTHS, seed: int = 0
    ) -> dict[str, LayerGroup]:
        generator = torch.Generator().manual_seed(seed)
        return {
            group: LayerGroup(
                torch.randn(
                    len(spec.layers),
                    len(lengths[group]),
                    max(lengths[group]),
                    spec.dim,
                    generator=generator,
                ),
                torch.tensor(lengths[group]),
            )
            for group, spec in groups.items()
        }

    return make
