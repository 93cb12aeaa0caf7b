"""The grid: every upstream x head x corpus x condition x seed, and what cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from nserbench.benchmark.study.cell import Cell, Condition
from nserbench.benchmark.study.protocols import Protocol
from nserbench.cards import ConfiguredCard
from nserbench.corpora.base import CorpusCard
from nserbench.downstreams.base import DownstreamCard
from nserbench.errors import NothingToRun
from nserbench.upstreams.base import JOINT, Groups, UpstreamCard


@dataclass(frozen=True, slots=True)
class CorpusCondition:
    """A corpus in one condition, and the protocol that it is run under."""

    corpus: ConfiguredCard[CorpusCard]
    condition: Condition
    protocol: Protocol


def make_grid(
    upstreams: Sequence[ConfiguredCard[UpstreamCard]],
    downstreams: Sequence[ConfiguredCard[DownstreamCard]],
    fields: Sequence[CorpusCondition],
    seeds: Sequence[int],
) -> list[Cell]:
    """Give every cell, upstream by upstream, so that each is loaded once.

    Raises:
        CheckpointMissing: if an upstream's configuration is not to be had.
        NothingToRun: if no cell can exist.
    """
    described = [(one, one.card.describe(one.options)) for one in upstreams]
    cells = [
        _cell(upstream, groups, head, field, seed)
        for (upstream, groups), field, downstream, seed in product(
            described, fields, downstreams, seeds
        )
        for head in _expanded(upstream, groups, downstream)
    ]
    refuse_all_refused(cells)
    # One that is tuned under each cell's own head stands for several by now.
    labels = dict.fromkeys(cell.upstream.label for cell in cells)
    order = {label: place for place, label in enumerate(labels)}
    return sorted(cells, key=lambda cell: order[cell.upstream.label])


def refuse_all_refused(cells: Sequence[Cell]) -> None:
    """Raise where nothing is left to run.

    Raises:
        NothingToRun: if no cell can exist.
    """
    if all(cell.refused for cell in cells):
        reasons = dict.fromkeys(
            f"{cell.upstream.label} x {cell.downstream.label}: {cell.refused}"
            for cell in cells
        )
        raise NothingToRun("no cell can exist\n  " + "\n  ".join(reasons))


def _expanded(
    upstream: ConfiguredCard[UpstreamCard],
    groups: Groups,
    head: ConfiguredCard[DownstreamCard],
) -> list[ConfiguredCard[DownstreamCard]]:
    """Give a head for each cell that it stands for."""
    chosen = _chosen(upstream, head, groups)
    if head.card.chooses is not None or not chosen:
        return [head]
    several = head.card.expands(chosen, head.options)
    return [replace(head, options=options) for options in several]


def _cell(
    upstream: ConfiguredCard[UpstreamCard],
    groups: Groups,
    downstream: ConfiguredCard[DownstreamCard],
    field: CorpusCondition,
    seed: int,
) -> Cell:
    refused = _missing(upstream, downstream, groups)
    chosen: Groups = {}
    candidates: list[Cell] = []
    joint: Cell | None = None
    given = upstream
    if downstream.card.chooses is None:
        upstream = _resolved(upstream, downstream)
        joint = _joint(upstream, groups, field, seed)
    if refused is None and joint is not None:
        refused = joint.refused
    if refused is None:
        chosen = _chosen(upstream, downstream, groups)
        refused = downstream.card.refuses(chosen, downstream.options)
    if refused is None and (inner := downstream.card.chooses) is not None:
        candidates = [
            _cell(given, groups, ConfiguredCard(inner, options), field, seed)
            for options in downstream.card.expands(chosen, downstream.options)
        ]
        refused = _nothing_to_choose(candidates, field)
    elif refused is None:
        chosen = {
            name: replace(spec, layers=downstream.card.layers(spec, downstream.options))
            for name, spec in chosen.items()
        }
    return Cell(
        upstream,
        downstream,
        field.corpus,
        field.condition,
        field.protocol,
        seed,
        {} if refused else chosen,
        refused,
        () if refused else tuple(candidates),
        joint,
    )


def _resolved(
    upstream: ConfiguredCard[UpstreamCard], head: ConfiguredCard[DownstreamCard]
) -> ConfiguredCard[UpstreamCard]:
    """Put a cell's own head where an upstream is to be tuned under that."""
    if upstream.options.get("finetune") != JOINT:
        return upstream
    return replace(upstream, options={**upstream.options, "finetune": head})


def _joint(
    upstream: ConfiguredCard[UpstreamCard],
    groups: Groups,
    field: CorpusCondition,
    seed: int,
) -> Cell | None:
    """Give the cell of the head that an upstream is tuned under; None if it is not."""
    head = upstream.options.get("finetune")
    if head is None:
        return None
    plain = {"finetune": None, "lr": upstream.card.learning_rate}
    base = replace(upstream, options={**upstream.options, **plain})
    cell = _cell(base, groups, head, field, seed)
    why = _untunable(base, groups, head) or cell.refused
    return cell if why is None else replace(cell, groups={}, refused=why)


def _untunable(
    upstream: ConfiguredCard[UpstreamCard],
    groups: Groups,
    head: ConfiguredCard[DownstreamCard],
) -> str | None:
    if not upstream.card.can_tune(upstream.options):
        return f"{upstream.label} has no weights that can be tuned"
    if head.card.chooses is not None or len(_expanded(upstream, groups, head)) > 1:
        return f"it is tuned under one head, and {head.label} stands for several"
    return None


def _nothing_to_choose(
    candidates: Sequence[Cell], field: CorpusCondition
) -> str | None:
    """Say why a head cannot choose among others."""
    if field.protocol.rule.dev == "none":
        return "it chooses on a part that selects: say --protocol dev"
    if len(candidates) < 2:
        return "there is no other layer to choose"
    return next((one.refused for one in candidates if one.refused), None)


def _missing(
    upstream: ConfiguredCard[UpstreamCard],
    downstream: ConfiguredCard[DownstreamCard],
    groups: Groups,
) -> str | None:
    """Say which wanted group the upstream lacks."""
    for side in (upstream, downstream):
        for name in side.options["groups"] or ():
            if name not in groups:
                has = ", ".join(groups)
                return f"{upstream.card.name} has no group {name!r}, only {has}"
    if not _chosen(upstream, downstream, groups):
        return f"no group of {upstream.label} is left for {downstream.label}"
    return None


def _chosen(
    upstream: ConfiguredCard[UpstreamCard],
    downstream: ConfiguredCard[DownstreamCard],
    groups: Groups,
) -> Groups:
    """Give the groups that both sides want, in the upstream's order."""
    wanted = [set(side.options["groups"] or groups) for side in (upstream, downstream)]
    return {
        name: spec for name, spec in groups.items() if all(name in w for w in wanted)
    }
