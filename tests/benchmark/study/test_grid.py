import re
from collections.abc import Callable
from typing import Any

import pytest

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.study.grid import CorpusCondition, make_grid
from nserbench.benchmark.study.name_lookup import conditions, read_corpora, read_names
from nserbench.benchmark.study.protocol_names import read_protocol
from nserbench.benchmark.study.study import Study
from nserbench.errors import NothingToRun, UnknownName
from nserbench.upstreams.base import UpstreamCard
from nserbench.upstreams.groups import GroupSpec

Ask = Callable[..., Study]


@pytest.fixture
def names(plugins: Plugins, levels: Any) -> Callable[[Study], list[str]]:
    def short(study: Study) -> list[str]:
        return [
            f"{c.upstream.label} {c.downstream.label} {c.condition} {c.seed}"
            for c in study.cells
        ]

    return short


def test_the_grid_is_the_product_upstream_by_upstream(
    ask: Ask, names: Callable[[Study], list[str]]
) -> None:
    found = names(ask(upstreams=["mel,levels"], downstreams=["mean,fc"], seeds=[0, 1]))

    assert found == [
        f"{upstream} {head} clean {seed}"
        for upstream in ("mel", "levels")
        for head in ("mean", "fc")
        for seed in (0, 1)
    ]


def test_cells_of_one_condition_are_next_to_each_other(
    ask: Ask, names: Callable[[Study], list[str]]
) -> None:
    found = names(ask(downstreams=["mean,fc"], noises=["clean", "hiss"], snrs=[0, 5]))

    assert found == [
        f"mel {head} {condition} 0"
        for condition in ("clean", "hiss@0", "hiss@5")
        for head in ("mean", "fc")
    ]


def test_clean_speech_is_one_cell_for_any_number_of_snrs(ask: Ask) -> None:
    assert len(ask(snrs=[0, 5, 10]).cells) == 1


@pytest.mark.parametrize(
    ("upstream", "head", "reason"),
    [
        ("levels:groups=wide", "single:layer=9", "layer 9 is not in wide, .* 0 to 2"),
        ("mel", "single:layer=2", "layer 2 is not in mel, which has layer 1 only"),
        ("mel", "mean:groups=decoder", "mel has no group 'decoder', only mel"),
        ("levels:groups=deep", "mean", "levels has no group 'deep', only wide, flat"),
        ("levels:groups=wide", "mean:groups=flat", "no group of levels:groups=wide is"),
        ("mel", "weighted-sum", "mel has one layer: nothing to fuse"),
        ("levels", "ladapter", "flat has one layer: nothing to fuse"),
        ("levels", "single", "none is given: add layer=N"),
    ],
)
def test_a_refused_cell_is_in_the_grid_with_its_reason(
    ask: Ask, levels: Any, upstream: str, head: str, reason: str
) -> None:
    cells = ask(upstreams=["mel", upstream], downstreams=["fc", head]).cells

    found = {(one.upstream.label, one.downstream.label): one for one in cells}
    cell = found[upstream, head]
    assert re.search(reason, str(cell.refused))
    assert cell.groups == {}
    assert found["mel", "fc"].refused is None


def test_a_grid_of_refused_cells_names_each_reason_once(ask: Ask) -> None:
    with pytest.raises(NothingToRun) as caught:
        ask(
            downstreams=["weighted-sum,single:layer=3"],
            noises=["clean", "hiss"],
            seeds=[0, 1],
        )

    assert str(caught.value).splitlines() == [
        "no cell can exist",
        "  mel x weighted-sum: mel has one layer: nothing to fuse",
        "  mel x single:layer=3: layer 3 is not in mel, which has layer 1 only",
    ]


@pytest.mark.parametrize(
    ("head", "groups"),
    [
        ("single:layer=0,groups=wide", {"wide": range(1)}),
        ("last", {"wide": range(2, 3), "flat": range(1, 2)}),
        ("mean", {"wide": range(1, 3), "flat": range(1, 2)}),
        ("mean:state0=yes,groups=wide", {"wide": range(3)}),
        ("weighted-sum:groups=wide", {"wide": range(1, 3)}),
    ],
)
def test_a_head_gets_only_the_layers_that_it_reads(
    ask: Ask, levels: Any, head: str, groups: dict[str, range]
) -> None:
    (cell,) = ask(upstreams=["levels"], downstreams=[head]).cells

    assert {name: spec.layers for name, spec in cell.groups.items()} == groups


def test_groups_of_upstream_or_head_keep_the_order_of_the_upstream(
    ask: Ask, levels: Any
) -> None:
    cells = ask(
        upstreams=["levels:groups=flat+wide"], downstreams=["mean:groups=flat,mean"]
    ).cells

    assert [list(cell.groups) for cell in cells] == [["flat"], ["wide", "flat"]]


def test_an_upstream_is_described_once_and_never_loaded(
    plugins: Plugins,
) -> None:
    described = []

    def describe(options: object) -> dict[str, GroupSpec]:
        described.append(options)
        return {"only": GroupSpec(range(5), dim=2, rate=None)}

    card = UpstreamCard(
        name="lazy",
        summary="",
        source="",
        licence="",
        load="no_such_module:Model",
        groups=describe,
    )
    plugins.upstreams.add(card, "the test")
    (place,) = read_corpora(["demo"], (), plugins)
    fields = [
        CorpusCondition(place.corpus, one, read_protocol("demo", "demo"))
        for one in conditions("park", [0.0, 5.0])
    ]

    cells = make_grid(
        read_names(["lazy"], plugins.upstream),
        read_names(["last,mean"], plugins.downstreams.bind),
        fields,
        seeds=[0, 1, 2],
    )

    assert len(cells) == 12
    assert len(described) == 1


def test_an_unknown_option_is_refused_with_the_known_ones(ask: Ask) -> None:
    with pytest.raises(UnknownName, match=r"(?s)'lay'.*known: dropout, groups, layer"):
        ask(downstreams=["single:lay=3"])
