"""Protocols: the settings of training and test that a number depends on."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from nserbench.benchmark.study.splits import PLAIN, Split, SplitRule
from nserbench.downstreams.base import DownstreamCard, Recipe
from nserbench.errors import BadSpec

if TYPE_CHECKING:
    from nserbench.benchmark.store.feature_store import Form

Training = Literal["matched", "clean", "multi", "unseen"]
"""What is in the training set: the condition of the test set, clean speech, all
conditions of the study, or another noise at the SNR of the test set."""

# The next four enter the digest of a protocol: other words are another protocol.
SELECTION = {
    "none": "last epoch",
    "units": "epoch with the best UAR on a dev set held out of the training set",
    "utterances": "epoch with the best UAR on a random fifth of the training set, "
    "whose speakers are trained on as well",
    "test": "epoch with the best UAR on the test set itself: an upper bound",
}
NOISE = {
    "matched": "matched: trained and tested in the same condition",
    "clean": "trained on clean speech, tested in the condition",
    "multi": "trained on all of {}, tested in one",
    "unseen": "trained in {} at the SNR of the test, tested in the condition",
}
FRAME_TYPES: Mapping[str, Form] = {"float16": "frames", "int8": "frames_int8"}
"""Types in which frames can be stored, and the form of each."""

_RECIPE_FIELDS = frozenset(field.name for field in dataclasses.fields(Recipe))

SHARED = (
    "any noise from the same recording in training and test (or the same set of files)"
)
DISJOINT = (
    "any noise from a segment of the recording (or of the set of files) that no other "
    "fold has"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """A named set of rules for training and test.

    The recipe of a head's card is the default. The protocol overrides it, and the
    command line overrides both; the label names what the command line changed.

    Attributes:
        name: Name for ``--protocol``.
        version: Number that is raised whenever results would change.
        recipe: Fields of `Recipe` that the protocol sets.
        frames: Fields for heads on frames, in place of ``recipe``: they need another
            learning rate and fewer epochs than heads on means over time.
        by_head: Fields for single heads, by their names, on top of ``frames``.
        tuned: Fields for a head that is trained while the upstream is fine-tuned, in
            place of ``frames`` and ``by_head``.
        rule: How the corpus is split, and which utterances select the epoch.
        training: What is in the training set.
        unseen: Noise in the training set, if it differs from that of the test set.
        variants: Names of the variants applied, as in ``probe+dev``.
        overrides: What the command line sets: fields of `Recipe`, and ``frames``.
        limit: Largest number of utterances of the corpus; None for all.
        mix_seed: Seed of the noise offsets.
    """

    name: str
    version: int
    summary: str
    recipe: Mapping[str, Any] = field(default_factory=dict)
    frames: Mapping[str, Any] = field(default_factory=dict)
    by_head: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tuned: Mapping[str, Any] = field(default_factory=dict)
    rule: SplitRule = PLAIN
    training: Training = "matched"
    unseen: str | None = None
    variants: tuple[str, ...] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    mix_seed: int = 0

    @property
    def label(self) -> str:
        """Name, variants, and what the command line changed: ``paper+dev+epochs=5``."""
        texts = {key: _text(value) for key, value in self.overrides.items()}
        if self.limit is not None:
            texts["limit"] = str(self.limit)
        changes = [f"{key}={texts[key]}" for key in sorted(texts)]
        return "+".join([self.name, *self.variants, *changes])

    def recipe_for(
        self, head: DownstreamCard, *, tunes: bool = False, fresh: bool = False
    ) -> Recipe:
        """Return the recipe to train a head with.

        Args:
            head: The card of the head.
            tunes: Whether an upstream is fine-tuned with it.
            fresh: Whether this upstream has random weights until then, so that its
                features have no statistics to z-score them with.
        """
        frames = self.frames if head.tier == "frames" else {}
        special = {**frames, **self.by_head.get(head.name, {})}
        settings = {**self.recipe, **(self.tuned if tunes else special)}
        changed = {k: v for k, v in self.overrides.items() if k in _RECIPE_FIELDS}
        recipe = dataclasses.replace(head.recipe, **{**settings, **changed})
        return dataclasses.replace(recipe, standardise=False) if fresh else recipe

    @property
    def frame_form(self) -> Form:
        """The form in which the store keeps the frames that heads read."""
        return FRAME_TYPES[self.overrides.get("frames", "float16")]

    def changed(
        self,
        *,
        epochs: int | None,
        limit: int | None,
        precision: str | None = None,
    ) -> Protocol:
        """Return this protocol with settings of the command line, if not None.

        Raises:
            BadSpec: if the protocol was typed with another value, as in ``+epochs=5``.
        """
        typed = {"epochs": epochs, "precision": precision}
        changed = dataclasses.replace(self, limit=limit)
        for key, value in typed.items():
            if value is not None:
                changed = changed.with_setting(key, value, f"--{key} {value}")
        return changed

    def with_setting(self, key: str, value: object, typed: str) -> Protocol:
        """Return this protocol with a setting overridden.

        Raises:
            BadSpec: if it is overridden already with another value. The message quotes
                ``typed``, which asks for this one.
        """
        if self.overrides.get(key, value) != value:
            raise BadSpec(
                f"{self.label} sets {key}={_text(self.overrides[key])}, and {typed} "
                "another value\n  leave one of the two out"
            )
        return dataclasses.replace(self, overrides={**self.overrides, key: value})

    def details(
        self,
        head: DownstreamCard,
        splits: Sequence[Split],
        unit: str = "speaker",
        trained: Sequence[str] = (),
        *,
        tunes: bool = False,
        fresh: bool = False,
    ) -> dict[str, Any]:
        """Return all settings that a number depends on, in a form for JSON.

        Their digest identifies the protocol in results.

        Args:
            trained: Conditions in the training set, if there are several.
            tunes: As for `recipe_for`; so is ``fresh``.
        """
        return {
            "name": self.label,
            "version": self.version,
            "recipe": dataclasses.asdict(
                self.recipe_for(head, tunes=tunes, fresh=fresh)
            ),
            "optimiser": "Adam, cross-entropy",
            "selection": SELECTION[self.rule.dev],
            "noise": self._noise(trained),
            "mix_seed": self.mix_seed,
            "unit": unit,
            "folds": {split.fold: split.sizes for split in splits},
        }

    def _noise(self, trained: Sequence[str]) -> str:
        """Describe the noise in the training set, and if the test set shares it."""
        noises = ", ".join(trained) if self.unseen is None else self.unseen
        phrases = [NOISE[self.training].format(noises)]
        if self.rule.disjoint:
            phrases.append(DISJOINT)
        elif self.training in ("matched", "multi"):
            phrases.append(SHARED)
        return ", ".join(phrases)


_PROBE = {
    "standardise": True,
    "class_weights": True,
    "learning_rate": 1e-2,
    "schedule": "cosine",
    "epochs": 200,
}
"""Chosen by measurement: docs/protocols.md has the table."""
_PROBE_FRAMES = {"learning_rate": 1e-3, "epochs": 40}
_PROBE_TUNED = {"learning_rate": 1e-3, "epochs": 50, "schedule": "constant"}

PROTOCOLS = (
    Protocol(
        name="paper",
        version=1,
        summary="each head's printed recipe (Table II, Sec. IV-C), last epoch",
    ),
    Protocol(
        name="probe",
        version=2,
        summary="z-scored features, class weights, Adam, learning rate 1e-2 (frames: "
        "1e-3) falling to 0: for small corpora",
        recipe=_PROBE,
        frames=_PROBE_FRAMES,
        by_head={"ladapter": {"epochs": 10}},
        tuned=_PROBE_TUNED,
    ),
    Protocol(
        name="demo",
        version=2,
        summary="probe with few epochs, for a short demonstration",
        recipe=_PROBE | {"epochs": 40},
        frames=_PROBE_FRAMES | {"epochs": 8},
        tuned=_PROBE_TUNED | {"epochs": 8},
    ),
)


@dataclass(frozen=True, slots=True)
class Variant:
    """A change to a protocol, written after a plus: ``probe+dev``.

    In the attributes below, None leaves the protocol as it is.

    Attributes:
        name: Name after the plus.
        dev: Which utterances select the epoch.
        units: Whether each unit of independence is tested alone.
        training: What is in the training set.
        disjoint: Whether each fold has its own part of the noise.
    """

    name: str
    summary: str
    dev: Literal["units", "utterances", "test"] | None = None
    units: bool | None = None
    training: Training | None = None
    disjoint: bool | None = None
    unseen: str | None = None

    @property
    def key(self) -> str:
        """The name up to its equals sign, or the whole name if there is none."""
        return self.name.partition("=")[0]

    def applied(self, protocol: Protocol) -> Protocol:
        """Return a protocol with this change.

        Raises:
            BadSpec: if an earlier variant contradicts this one.
        """
        rule = protocol.rule
        if self.dev is not None:
            _refuse_second(self, protocol, rule.dev == "none")
            rule = dataclasses.replace(rule, dev=self.dev)
        if self.units is not None:
            rule = dataclasses.replace(rule, units=self.units)
        if self.disjoint is not None:
            rule = dataclasses.replace(rule, disjoint=self.disjoint)
        training = protocol.training
        if self.training is not None:
            _refuse_second(self, protocol, training == "matched")
            training = self.training
        if rule.dev == "test" and training != "matched":
            raise BadSpec(
                f"{protocol.label}+{self.name} is not possible: oracle selects the "
                "epoch on the test set, whose condition is not that of training\n"
                "  leave one of the two out"
            )
        return dataclasses.replace(
            protocol,
            rule=rule,
            training=training,
            unseen=self.unseen or protocol.unseen,
            variants=_ordered({*protocol.variants, self.name}),
        )


def _ordered(names: Collection[str]) -> tuple[str, ...]:
    """Sort the names of variants, so that equal protocols have equal labels."""
    keys = [variant.key for variant in VARIANTS]
    return tuple(sorted(names, key=lambda name: keys.index(name.partition("=")[0])))


def _refuse_second(variant: Variant, protocol: Protocol, unchanged: bool) -> None:
    if not unchanged:
        raise BadSpec(
            f"{protocol.label}+{variant.name} is not possible: {variant.name} would "
            "undo a variant before it\n  leave one of the two out"
        )


VARIANTS = (
    Variant(
        "dev",
        "the epoch is selected on a session, or on speakers, held out of training",
        dev="units",
    ),
    Variant(
        "superb",
        "the epoch is selected on a random fifth of the training set, as in SUPERB: "
        "its speakers are also trained on",
        dev="utterances",
    ),
    Variant(
        "oracle",
        "the epoch is selected on the test set: an upper bound, not a result",
        dev="test",
    ),
    Variant("loso", "each speaker is left out in turn, whatever the folds", units=True),
    Variant(
        "clean-train", "trained on clean speech, tested in noise", training="clean"
    ),
    Variant("multi", "trained on all conditions of the study", training="multi"),
    Variant(
        "noise_split=disjoint",
        "each fold has a part of the noise that no other fold has",
        disjoint=True,
    ),
    Variant(
        "unseen-noise=NAME",
        "trained in the noise NAME, tested in the conditions of the study",
        training="unseen",
    ),
)
UNSEEN = VARIANTS[-1]
"""The variant whose name ends with the name of a noise."""


def _text(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
    return str(value)
