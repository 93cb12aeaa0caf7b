"""The options that upstreams have in common, which `UpstreamCard` adds to a card."""

from __future__ import annotations

from dataclasses import replace

from nserbench.cards import Option, at_least, nested_label, several
from nserbench.plain_data import number
from nserbench.spec import Spec, parse_spec

JOINT = "joint"
"""Value of ``finetune`` that stands for each cell's own head."""


def finetune_head(text: str) -> Spec | str:
    """Parse the head that an upstream is fine-tuned with, or the word `JOINT`."""
    return text if text == JOINT else parse_spec(text)


def head_of_always_trained(text: str) -> Spec | str:
    """Parse the head that an upstream is trained with that makes no sense untrained."""
    if text == "none":
        raise ValueError(
            "it has no use without training: joint, or the name of a head, is wanted"
        )
    return finetune_head(text)


def learning_rate(text: str) -> float:
    """Parse a learning rate."""
    try:
        value = number(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise ValueError("a number between 0 and 1 is wanted, such as 1e-5")
    return value


GROUPS = Option(
    help="groups that the head reads, joined by +; all if not given",
    parse=several,
    affects_features=False,
)
FINETUNE = Option(
    help="head to fine-tune it with, such as last; joint for each cell's own",
    parse=finetune_head,
    label=nested_label,
    affects_features=False,
    names_a="downstream",
)
ALWAYS = replace(
    FINETUNE,
    help="head to train it with, such as last; joint, each cell's own, if not given",
    parse=head_of_always_trained,
)
"""``finetune`` of an upstream that is always trained."""
RATE = Option(
    help="learning rate of the upstream's weights in fine-tuning",
    parse=learning_rate,
    label=lambda value: f"{value:g}",
    affects_features=False,
)
LORA = Option(
    help="rank of the updates (LoRA) that are fine-tuned in place of all weights",
    parse=at_least(1),
    affects_features=False,
)
ENHANCE = Option(
    help="enhancer to apply to the audio first, such as dccrn",
    parse=parse_spec,
    label=nested_label,
    affects_features=False,
    names_a="enhancer",
)
TRAINED_ON = Option(
    help="corpora that your checkpoint was trained on, joined by +, and unknown if "
    "there are others",
    parse=several,
    affects_features=False,
)


def tuning_options(rate: float, always: bool) -> dict[str, Option]:
    """Return the options that have an effect only in fine-tuning.

    Args:
        rate: Default learning rate of the upstream's weights.
        always: Whether it is always trained. Updates of random weights that are not
            trained themselves have no use.
    """
    options = {"lr": replace(RATE, default=rate)}
    return options if always else {**options, "lora": LORA}
