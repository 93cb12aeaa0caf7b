"""The card of a model: of an upstream or an enhancer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nserbench.cards import NOT_STATED, Card, Option, Options
from nserbench.errors import copy_named
from nserbench.upstreams.card_options import TRAINED_ON
from nserbench.upstreams.training_data import TrainingData, joint

CHECKPOINT_OPTIONS = frozenset({"checkpoint", "id"})
"""The options that choose a checkpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard(Card):
    """What is known about a model before it is loaded.

    ``load`` is a callable that takes the options and a device such as ``"cuda:0"``.

    Attributes:
        files: A function, or ``"package.module:function"``, that takes the options and
            returns the checkpoint's files on this machine, downloading them if needed.
            Their digest identifies the outputs. None if there are no weights.
        trained_on: The corpora that the model was trained on, as far as it is public;
            or a function from options to them. None if nothing is said. A fixed value
            is about the default checkpoint. A card with one of `CHECKPOINT_OPTIONS`
            also has ``trained-on``, for users with a checkpoint of their own.
    """

    files: str | Callable[[Options], Sequence[Path]] | None = None
    trained_on: TrainingData | Callable[[Options], TrainingData | None] | None = None

    def all_options(self) -> dict[str, Option]:
        """Return the options of all models like it and of this card."""
        return {**self.common, **self.options, **self.option_of_checkpoints()}

    def option_of_checkpoints(self) -> dict[str, Option]:
        """Return the option ``trained-on`` if a user may choose the checkpoint."""
        return {"trained-on": TRAINED_ON} if self._checkpoints else {}

    @property
    def _checkpoints(self) -> frozenset[str]:
        return CHECKPOINT_OPTIONS & self.options.keys()

    def training_data(self, options: Options) -> TrainingData | None:
        """Return the training data of the model with some options; None if not said.

        What the user typed is added to what the card says of the checkpoint.
        """
        if callable(self.trained_on):
            known = self.trained_on(options)
        else:
            own = (options[k] != self.options[k].default for k in self._checkpoints)
            known = None if any(own) else self.trained_on
        if not (typed := options.get("trained-on")):
            return known
        said = TrainingData.read(typed, "the user")
        return said if known is None else joint([known, said])

    def default_training_data(self) -> str:
        """Return the training data without options as text, with the source."""
        options = {key: option.default for key, option in self.all_options().items()}
        data = self.training_data(options)
        if data is None:
            return NOT_STATED
        text = f"{str(data) or 'nothing'}; {data.source}"
        enhancer = options.get("enhance")
        return f"{text}; and what {enhancer} was trained on" if enhancer else text

    def checkpoint_files(self, options: Options) -> Sequence[Path]:
        """Return the files whose content determines the outputs."""
        if self.files is None:
            return ()
        with copy_named(self.before_copy):
            files: Sequence[Path] = self.resolve(self.files)(options)
            return files

    @property
    def before_copy(self) -> str:
        """What is typed before the folder of a copy of the checkpoint."""
        key = "checkpoint=" if "checkpoint" in self.options else ""
        return f"{self.name}:{key}"
