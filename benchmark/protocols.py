"""Protocols: everything besides the cell's names that fixes a number."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nserbench.benchmark.splits import Split
from nserbench.downstreams.base import DownstreamCard, Recipe
from nserbench.errors import UnknownName


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """A named way to train and test.

    A head's card gives a recipe, the protocol overrides it, the command line
    overrides both, and then the label says so.

    Attributes:
        name: What ``--protocol`` takes.
        version: Raised whenever its numbers would change.
        summary: One line for people.
        recipe: The fields of `Recipe` that it sets.
        overrides: What the command line set on top.
        limit: Most utterances of the corpus to use; None for all.
        mix_seed: Of the noise offsets.
    """

    name: str
    version: int
    summary: str
    recipe: Mapping[str, Any] = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    mix_seed: int = 0

    @property
    def label(self) -> str:
        """The name, and what the command line changed, as in ``paper+epochs=5``."""
        said = dict(self.overrides)
        if self.limit is not None:
            said["limit"] = self.limit
        return "+".join([self.name, *(f"{key}={said[key]}" for key in sorted(said))])

    def recipe_for(self, head: DownstreamCard) -> Recipe:
        """Give the recipe by which a head is trained."""
        return dataclasses.replace(head.recipe, **{**self.recipe, **self.overrides})

    def changed(self, *, epochs: int | None, limit: int | None) -> Protocol:
        """Give this protocol with what the command line sets."""
        overrides = dict(self.overrides)
        if epochs is not None:
            overrides["epochs"] = epochs
        return dataclasses.replace(self, overrides=overrides, limit=limit)

    def details(
        self, head: DownstreamCard, splits: Sequence[Split], unit: str = "speaker"
    ) -> dict[str, Any]:
        """Give all that fixes a number, as JSON can hold it; its digest is the hash.

        Args:
            head: Whose recipe it is.
            splits: Of the corpus.
            unit: What the corpus's unit of independence is called.
        """
        return {
            "name": self.label,
            "version": self.version,
            "recipe": dataclasses.asdict(self.recipe_for(head)),
            "optimiser": "Adam, constant learning rate, cross-entropy",
            "selection": "last epoch",
            "noise": "matched: trained and tested in the same condition",
            "mix_seed": self.mix_seed,
            "unit": unit,
            "folds": {split.fold: split.sizes for split in splits},
        }


PROTOCOLS = (
    Protocol(
        name="paper",
        version=1,
        summary="each head's printed recipe (Table II, Sec. IV-C), last epoch",
    ),
    Protocol(
        name="probe",
        version=1,
        summary="paper, but Adam 1e-3 on z-scored features: for small corpora",
        recipe={"learning_rate": 1e-3, "standardise": True},
    ),
    Protocol(
        name="demo",
        version=1,
        summary="probe in few epochs, so that the demonstration ends in its time",
        recipe={"learning_rate": 1e-3, "standardise": True, "epochs": 8},
    ),
)


def protocol_named(name: str) -> Protocol:
    """Look a protocol up.

    Raises:
        UnknownName: if there is none of that name.
    """
    known = {protocol.name: protocol for protocol in PROTOCOLS}
    if name not in known:
        raise UnknownName("protocol", name, known)
    return known[name]
