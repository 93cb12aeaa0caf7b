"""The grid: every upstream, head, corpus, condition and seed, and what cannot exist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from nserbench.benchmark.study.cell import Cell, Condition
from nserbench.benchmark.study.protocols import Protocol
from nserbench.cards import ConfiguredCard
from nserbench.corpora.base import CorpusCard
from nserbench.downstreams.base import DownstreamCard
from nserbench.errors import Missing, NothingToRun
from nserbench.upstreams.base import UpstreamCard
from nserbench.upstreams.card_options import JOINT, tuning_options
from nserbench.upstreams.groups import Description, Groups
from nserbench.upstreams.side_by_side import parts_of


@dataclass(frozen=True, slots=True)
class CorpusCondition:
    """A corpus in one condition, and the protocol for it."""

    corpus: ConfiguredCard[CorpusCard]
    condition: Condition
    protocol: Protocol


def make_grid(
    upstreams: Sequence[ConfiguredCard[UpstreamCard]],
    downstreams: Sequence[ConfiguredCard[DownstreamCard]],
    corpora: Sequence[CorpusCondition],
    seeds: Sequence[int],
) -> list[Cell]:
    """Return every cell, upstream by upstream, so that each is loaded once.

    Raises:
        CheckpointMissing: if the configuration of an upstream cannot be found.
        SeveralMissing: if those of several cannot be found.
        NothingToRun: if no cell can exist.
    """
    described = _described(upstreams)
    cells = [
        _CellMaker(upstream, description, corpus, seed).cell(head)
        for (upstream, description), corpus, downstream, seed in product(
            described, corpora, downstreams, seeds
        )
        for head in _expanded(upstream, description.groups, downstream)
    ]
    refuse_all_refused(cells)
    # An upstream that is fine-tuned under each cell's own head has several labels now.
    labels = dict.fromkeys(cell.upstream.label for cell in cells)
    order = {label: index for index, label in enumerate(labels)}
    return sorted(cells, key=lambda cell: order[cell.upstream.label])


def _described(
    upstreams: Sequence[ConfiguredCard[UpstreamCard]],
) -> list[tuple[ConfiguredCard[UpstreamCard], Description]]:
    """Describe upstreams, each once, and tell of all parts that are missing."""
    alone, missing = dict[int, Description](), Missing()
    for index, upstream in enumerate(upstreams):
        for part in parts_of(upstream).values():
            with missing.gather():
                description = part.card.describe(part.options)
                if part is upstream:
                    alone[index] = description
    missing.refuse()
    return [
        (card, alone.get(index) or card.card.describe(card.options))
        for index, card in enumerate(upstreams)
    ]


def refuse_all_refused(cells: Sequence[Cell]) -> None:
    """Raise an error if every cell is refused.

    Raises:
        NothingToRun: if no cell can exist.
    """
    if all(cell.refused for cell in cells):
        reasons = dict.fromkeys(
            f"{cell.upstream.label} x {cell.downstream.label}: {cell.refused}"
            for cell in cells
        )
        raise NothingToRun("no cell can exist\n  " + "\n  ".join(reasons))


@dataclass(frozen=True, slots=True)
class _CellMaker:
    """Makes the cells of one upstream, corpus, condition and seed under any head."""

    upstream: ConfiguredCard[UpstreamCard]
    described: Description
    corpus: CorpusCondition
    seed: int

    def cell(self, head: ConfiguredCard[DownstreamCard]) -> Cell:
        """Return the cell under a head, refused if it cannot exist."""
        if head.card.chooses is not None:
            return self.choosing_cell(head, head.card.chooses)
        if self.upstream.options.get("finetune") == JOINT:
            return self.with_options(finetune=head).plain_cell(head)
        return self.plain_cell(head)

    def plain_cell(self, head: ConfiguredCard[DownstreamCard]) -> Cell:
        """Return the cell of a head that is trained on the features themselves."""
        joint, teacher = self.joint_cell(), self.teacher_cell()
        cell = replace(self.empty_cell(head), joint=joint, teacher=teacher)
        reason = self.missing_group(head) or (None if joint is None else joint.refused)
        groups = _common_groups(self.upstream, self.described.groups, head)
        if reason := reason or head.card.refuses(groups, head.options):
            return cell.refuse(reason)
        needed = {
            name: replace(spec, layers=head.card.layers(spec, head.options))
            for name, spec in groups.items()
        }
        return replace(cell, groups=needed)

    def choosing_cell(
        self, head: ConfiguredCard[DownstreamCard], candidate: DownstreamCard
    ) -> Cell:
        """Return the cell of a head that chooses the best of several heads."""
        cell = self.empty_cell(head)
        groups = _common_groups(self.upstream, self.described.groups, head)
        reason = self.missing_group(head)
        if reason := reason or head.card.refuses(groups, head.options):
            return cell.refuse(reason)
        candidates = tuple(
            self.cell(ConfiguredCard(candidate, options))
            for options in head.card.expands(groups, head.options)
        )
        if reason := self.no_choice(candidates):
            return cell.refuse(reason)
        return replace(cell, groups=groups, candidates=candidates)

    def joint_cell(self) -> Cell | None:
        """Return the cell that fine-tunes the upstream; None without fine-tuning."""
        head = self.upstream.options.get("finetune")
        if head is None:
            return None
        card = self.upstream.card
        tuning = tuning_options(card.learning_rate, card.always_trained)
        unset = {key: option.default for key, option in tuning.items()}
        pretrained = self.with_options(finetune=None, **unset)
        cell = pretrained.cell(head)
        reason = pretrained.untunable(head) or cell.refused
        return cell if reason is None else cell.refuse(reason)

    def teacher_cell(self) -> Cell | None:
        """Return the cell on clean speech that trains the teacher of the upstream."""
        head, card = self.upstream.options.get("finetune"), self.upstream.card
        if head is None:
            return None
        options = card.teacher_options(self.upstream.options)
        if options is None:
            return None
        protocol = replace(self.corpus.protocol, training="matched", unseen=None)
        clean = replace(self.corpus, condition=Condition(), protocol=protocol)
        described = card.describe(options)
        maker = replace(self.with_options(**options), corpus=clean, described=described)
        return maker.plain_cell(head)

    def empty_cell(self, head: ConfiguredCard[DownstreamCard]) -> Cell:
        """Return a cell that reads no groups yet."""
        corpus, condition = self.corpus.corpus, self.corpus.condition
        protocol, seed = self.corpus.protocol, self.seed
        return Cell(self.upstream, head, corpus, condition, protocol, seed, {}, None)

    def with_options(self, **options: object) -> _CellMaker:
        """Return the same with other options of the upstream."""
        options = {**self.upstream.options, **options}
        return replace(self, upstream=replace(self.upstream, options=options))

    def missing_group(self, head: ConfiguredCard[DownstreamCard]) -> str | None:
        """Return which wanted group the upstream lacks."""
        for side in (self.upstream, head):
            for name in side.options["groups"] or ():
                if name not in self.described.groups:
                    names = ", ".join(self.described.groups)
                    return (
                        f"{self.upstream.card.name} has no group {name!r}, only {names}"
                    )
        if not _common_groups(self.upstream, self.described.groups, head):
            return f"no group of {self.upstream.label} is left for {head.label}"
        return None

    def untunable(self, head: ConfiguredCard[DownstreamCard]) -> str | None:
        """Return why the upstream cannot be fine-tuned under a head."""
        if not self.described.tunable:
            return f"{self.upstream.label} has no weights that can be fine-tuned"
        scaled = self.corpus.protocol.overrides.get("standardise")
        if self.upstream.card.always_trained and scaled:
            return (
                "its features have no statistics before it is trained: leave "
                "+standardise=yes out"
            )
        several = len(_expanded(self.upstream, self.described.groups, head)) > 1
        if head.card.chooses is not None or several:
            return f"fine-tuning needs one head, and {head.label} stands for several"
        return None

    def no_choice(self, candidates: Sequence[Cell]) -> str | None:
        """Return why a head cannot choose among candidates."""
        if self.corpus.protocol.rule.dev == "none":
            return "it chooses on a development set: add --protocol dev"
        if len(candidates) < 2:
            return "there is no other layer to choose"
        return next((cell.refused for cell in candidates if cell.refused), None)


def _expanded(
    upstream: ConfiguredCard[UpstreamCard],
    groups: Groups,
    head: ConfiguredCard[DownstreamCard],
) -> list[ConfiguredCard[DownstreamCard]]:
    """Return the heads that a name stands for, such as one for each layer."""
    common = _common_groups(upstream, groups, head)
    if head.card.chooses is not None or not common:
        return [head]
    several = head.card.expands(common, head.options)
    return [replace(head, options=options) for options in several]


def _common_groups(
    upstream: ConfiguredCard[UpstreamCard],
    groups: Groups,
    head: ConfiguredCard[DownstreamCard],
) -> Groups:
    """Return the groups that ``groups=`` of both sides allows, in upstream order."""
    allowed = [set(side.options["groups"] or groups) for side in (upstream, head)]
    return {
        name: spec for name, spec in groups.items() if all(name in a for a in allowed)
    }
