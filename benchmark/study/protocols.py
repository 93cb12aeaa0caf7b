"""Protocols: everything besides the cell's names that fixes a number."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from nserbench.benchmark.study.splits import PLAIN, Split, SplitRule
from nserbench.cards import at_least, fraction, one_of, yes_no
from nserbench.downstreams.base import DownstreamCard, Recipe
from nserbench.errors import BadSpec, UnknownName

Training = Literal["matched", "clean", "multi", "unseen"]
"""What is trained on: the condition that is tested, clean speech, every condition of
the study at once, or another noise at the SNR of the test."""

SELECTION = {
    "none": "last epoch",
    "units": "epoch with the best UAR on a held-out part of the training part",
    "utterances": "epoch with the best UAR on a random fifth of the training part, "
    "whose speakers are trained on as well",
    "test": "epoch with the best UAR on the test part itself: an upper bound",
}
NOISE = {
    "matched": "matched: trained and tested in the same condition",
    "clean": "trained on clean speech, tested in the condition",
    "multi": "trained on all of {}, tested in one",
    "unseen": "trained in {} at the SNR of the test, tested in the condition",
}
SHARED = (
    "any noise from the same recording in training and test (or the same set of files)"
)
DISJOINT = (
    "any noise from a part of the recording (or of the set of files) that no other "
    "fold hears"
)


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
        frames: Those that it sets otherwise for heads on frames, which take another
            learning rate and fewer epochs than heads on means over time.
        tuned: Those that it sets otherwise for a head that an upstream is tuned under.
        rule: How the corpus is cut, and who selects.
        training: What is trained on.
        unseen: The noise that is trained in, where it is another than is tested.
        variants: Names of the variants applied, as in ``probe+dev``.
        overrides: What the command line set on top.
        limit: Most utterances of the corpus to use; None for all.
        mix_seed: Of the noise offsets.
    """

    name: str
    version: int
    summary: str
    recipe: Mapping[str, Any] = field(default_factory=dict)
    frames: Mapping[str, Any] = field(default_factory=dict)
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
        said = {key: _said(value) for key, value in self.overrides.items()}
        if self.limit is not None:
            said["limit"] = str(self.limit)
        changes = [f"{key}={said[key]}" for key in sorted(said)]
        return "+".join([self.name, *self.variants, *changes])

    def recipe_for(self, head: DownstreamCard, *, tunes: bool = False) -> Recipe:
        """Return the recipe by which a head is trained.

        Args:
            head: The head.
            tunes: Whether an upstream is tuned under it.
        """
        own = self.frames if head.tier == "frames" else {}
        own = self.tuned if tunes else own
        settings = {**self.recipe, **own, **self.overrides}
        return dataclasses.replace(head.recipe, **settings)

    def changed(
        self,
        *,
        epochs: int | None,
        limit: int | None,
        precision: str | None = None,
    ) -> Protocol:
        """Give this protocol with what the command line sets."""
        said = {"epochs": epochs, "precision": precision}
        new = {key: value for key, value in said.items() if value is not None}
        overrides = {**self.overrides, **new}
        return dataclasses.replace(self, overrides=overrides, limit=limit)

    def details(
        self,
        head: DownstreamCard,
        splits: Sequence[Split],
        unit: str = "speaker",
        trained: Sequence[str] = (),
        *,
        tunes: bool = False,
    ) -> dict[str, Any]:
        """Give all that fixes a number, as JSON can hold it; its digest is the hash.

        Args:
            head: Whose recipe it is.
            splits: Of the corpus.
            unit: What the corpus's unit of independence is called.
            trained: The conditions that it is trained on, where those are several.
            tunes: Whether an upstream is tuned under the head.
        """
        return {
            "name": self.label,
            "version": self.version,
            "recipe": dataclasses.asdict(self.recipe_for(head, tunes=tunes)),
            "optimiser": "Adam, cross-entropy",
            "selection": SELECTION[self.rule.dev],
            "noise": self._noise(trained),
            "mix_seed": self.mix_seed,
            "unit": unit,
            "folds": {split.fold: split.sizes for split in splits},
        }

    def _noise(self, trained: Sequence[str]) -> str:
        """Say what noise is trained in, and whether the test hears more of the same."""
        where = ", ".join(trained) if self.unseen is None else self.unseen
        said = [NOISE[self.training].format(where)]
        if self.rule.disjoint:
            said.append(DISJOINT)
        elif self.training in ("matched", "multi"):
            said.append(SHARED)
        return ", ".join(said)


_PROBE = {
    "standardise": True,
    "class_weights": True,
    "learning_rate": 1e-2,
    "schedule": "cosine",
    "epochs": 200,
}
"""Chosen by measurement: docs/protocols.md has the table."""
_PROBE_FRAMES = {"learning_rate": 1e-3, "epochs": 10}
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
        summary="z-scored features, balanced classes, Adam 1e-2 (frames: 1e-3) falling "
        "to 0: for small corpora",
        recipe=_PROBE,
        frames=_PROBE_FRAMES,
        tuned=_PROBE_TUNED,
    ),
    Protocol(
        name="demo",
        version=2,
        summary="probe in few epochs, so that the demonstration ends in its time",
        recipe=_PROBE | {"epochs": 40},
        frames=_PROBE_FRAMES | {"epochs": 8},
        tuned=_PROBE_TUNED | {"epochs": 8},
    ),
)


@dataclass(frozen=True, slots=True)
class Variant:
    """A change to a protocol, named after it: ``probe+dev``.

    Attributes:
        name: What follows the plus.
        summary: One line for people.
        dev: Who selects; None to leave that.
        units: Whether each unit of independence is tested alone; None to leave that.
        training: What is trained on; None to leave that.
        disjoint: Whether each fold hears noise of its own; None to leave that.
        unseen: The noise that is trained in; None to leave that.
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
        """What stands before the equals sign in its name; the name if there is none."""
        return self.name.partition("=")[0]

    def applied(self, protocol: Protocol) -> Protocol:
        """Give a protocol with this change.

        Raises:
            BadSpec: if it was changed in the same respect before.
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
                f"{protocol.label}+{self.name} cannot be: oracle selects on the test "
                "part, which then is in another condition than the training part"
            )
        return dataclasses.replace(
            protocol,
            rule=rule,
            training=training,
            unseen=self.unseen or protocol.unseen,
            variants=_ordered({*protocol.variants, self.name}),
        )


def _ordered(names: Collection[str]) -> tuple[str, ...]:
    """Put names of variants in one order, so that what is equal has one name."""
    keys = [one.key for one in VARIANTS]
    return tuple(sorted(names, key=lambda name: keys.index(name.partition("=")[0])))


def _refuse_second(variant: Variant, protocol: Protocol, fresh: bool) -> None:
    if not fresh:
        raise BadSpec(
            f"{protocol.label}+{variant.name} cannot be: "
            f"{variant.name} would undo what stands before it"
        )


VARIANTS = (
    Variant(
        "dev",
        "a held-out session, or speakers, of the training part selects the epoch",
        dev="units",
    ),
    Variant(
        "superb",
        "a random fifth of the training part selects, as SUPERB does: speakers leak",
        dev="utterances",
    ),
    Variant(
        "oracle",
        "the test part itself selects: an upper bound, no result",
        dev="test",
    ),
    Variant("loso", "each speaker is left out in turn, whatever the folds", units=True),
    Variant(
        "clean-train", "trained on clean speech, tested in noise", training="clean"
    ),
    Variant("multi", "trained on all conditions that are asked for", training="multi"),
    Variant(
        "noise_split=disjoint",
        "each fold hears a part of the noise that no other fold hears",
        disjoint=True,
    ),
    Variant(
        "unseen-noise=NAME",
        "trained in the noise NAME, tested in the conditions that are asked for",
        training="unseen",
    ),
)
UNSEEN = VARIANTS[-1]
"""The variant whose name ends in that of a noise."""


def _number(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise ValueError("a number above 0 is wanted")
    return value


RECIPE: Mapping[str, Callable[[str], Any]] = {
    "epochs": at_least(1),
    "batch_size": at_least(1),
    "learning_rate": _number,
    "standardise": yes_no,
    "class_weights": yes_no,
    "label_smoothing": fraction,
    "schedule": one_of("constant", "cosine"),
    "precision": one_of("fp32", "bf16"),
}
"""What may be overridden, as in ``paper+learning_rate=0.001``."""


def read_protocol(text: str | None, default: str) -> Protocol:
    """Read a protocol: ``[NAME][+VARIANT...][+key=value...]``.

    Args:
        text: What was typed; None for the default alone.
        default: The name of the corpus's own protocol, where none is typed.

    Raises:
        UnknownName: if a name is not known.
        BadSpec: if variants contradict each other, or a value is out of range.
    """
    pieces = (text or default).split("+")
    if pieces[0] not in {protocol.name for protocol in PROTOCOLS}:
        if pieces[0] not in _variants() and "=" not in pieces[0]:
            raise UnknownName("protocol", pieces[0], [*_protocols(), *_variants()])
        pieces.insert(0, default)
    found = _protocols()[pieces[0]]
    for piece in pieces[1:]:
        found = _changed(found, piece)
    return found


def _changed(protocol: Protocol, piece: str) -> Protocol:
    key, equals, value = piece.partition("=")
    if key == UNSEEN.key:
        return _trained_in(piece, value).applied(protocol)
    if piece in _variants():
        return _variants()[piece].applied(protocol)
    if not equals:
        raise UnknownName("variant", key, _variants(), of=protocol.name)
    if key not in RECIPE:
        known = [*RECIPE, *(name for name in _variants() if "=" in name)]
        raise UnknownName("setting", piece, known, of=f"protocol {protocol.name!r}")
    try:
        parsed = RECIPE[key](value)
    except ValueError as error:
        raise BadSpec(f"{protocol.name}+{piece}: {error}") from error
    overrides = {**protocol.overrides, key: parsed}
    return dataclasses.replace(protocol, overrides=overrides)


def _trained_in(piece: str, noise: str) -> Variant:
    """Return the variant that trains in a noise.

    Raises:
        BadSpec: if that is none.
    """
    if noise in ("", "clean", "NAME"):
        raise BadSpec(
            f"{piece}: write the name of a noise after {UNSEEN.key}=\n"
            "  clean-train trains on clean speech"
        )
    return dataclasses.replace(UNSEEN, name=piece, unseen=noise)


def _said(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
    return str(value)


def _protocols() -> dict[str, Protocol]:
    return {protocol.name: protocol for protocol in PROTOCOLS}


def _variants() -> dict[str, Variant]:
    return {variant.name: variant for variant in VARIANTS}
