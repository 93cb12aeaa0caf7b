"""The built-in systems that are trained as a whole."""

from __future__ import annotations

from nserbench.cards import Option, at_least, nested_label, one_of
from nserbench.spec import Spec, parse_spec
from nserbench.upstreams.base import UpstreamCard
from nserbench.upstreams.loading.hub import checkpoint_options
from nserbench.upstreams.systems.mlkd_options import (
    describe_mlkd,
    layer_numbers,
    layers_label,
)
from nserbench.upstreams.systems.mv_bissm_options import (
    DIMS,
    describe_mv_bissm,
    mv_bissm_files,
)
from nserbench.upstreams.systems.trnet_options import (
    SAMPLES,
    describe_trnet,
    teacher_of_trnet,
)
from nserbench.upstreams.training_data import TrainingData, of_checkpoint

LICENCE = "Apache-2.0"
FRESH = TrainingData(source="it begins with random weights")


def weight(text: str) -> float:
    """Parse the weight of a loss.

    Raises:
        ValueError: if it is no number from 0 to 1000.
    """
    from nserbench.plain_data import number

    value = number(text)
    if not 0 <= value <= 1000:
        raise ValueError("must be a number from 0 to 1000")
    return value


def _weight(of: str, default: float) -> Option:
    return Option(help=f"weight of {of}", default=default, parse=weight)


def enhancer_or_none(text: str) -> Spec | None:
    """Parse the name of an enhancer, or ``none``."""
    return None if text == "none" else parse_spec(text)


def attention_width(text: str) -> int:
    """Parse a width that the attention of MV-BiSSM can divide."""
    return int(one_of(*map(str, DIMS))(text))


TRNET = UpstreamCard(
    name="trnet",
    summary="TRNet: mixes noisy and enhanced speech, CNN6, a clean teacher",
    source="Chen et al., TRNet; github.com/zxpoqas123/TRNet; ours: see its page",
    licence=LICENCE,
    load="nserbench.upstreams.systems.trnet:load",
    extra="asteroid",
    options={
        "enhance": Option(
            help="enhancer in front, or none",
            default=Spec("convtasnet"),
            parse=enhancer_or_none,
            label=nested_label,
            affects_features=False,
            names_a="enhancer",
        ),
        "refine": Option(
            help="no: the backbone alone, without both losses and the teacher",
            default=True,
        ),
        "spectral": _weight("the distance of mixed from clean spectrograms", 0.5),
        "embedding": _weight("the distance from the teacher's embedding", 0.5),
        "width": Option(
            help="channels of the first of four blocks; each next has twice as many",
            default=64,
            parse=at_least(1),
        ),
        "dim": Option(help="width of the embedding", default=256, parse=at_least(1)),
    },
    groups=describe_trnet,
    trained_on=FRESH,
    reads=frozenset({"waves", "unenhanced"}),
    max_samples=SAMPLES,
    window=SAMPLES,
    tunable=True,
    always_trained=True,
    teacher=teacher_of_trnet,
    learning_rate=1e-3,
)

MLKD = UpstreamCard(
    name="mlkd",
    summary="MLKD, our reading of a public abstract: a small student of noisy speech "
    "learns from layers of a clean wav2vec 2.0",
    remark="our reading of a public abstract",
    source="Liu et al., arXiv:2312.13556, of which we know the abstract alone",
    licence="Apache-2.0",
    load="nserbench.upstreams.systems.mlkd:MLKD",
    options={
        **checkpoint_options("facebook/wav2vec2-base", "the teacher, any wav2vec 2.0"),
        "blocks": Option(
            help="transformer layers of the student, begun from the teacher's first",
            default=2,
            parse=at_least(1),
        ),
        "layers": Option(
            help="layers of the teacher that supervise, joined by +",
            default=(4, 8, 12),
            parse=layer_numbers,
            label=layers_label,
        ),
        "heads": Option(
            help="yes: a linear map for each supervising layer; no: the output itself",
            default=True,
        ),
        "l1": _weight("the mean absolute difference", 1.0),
        "cosine": _weight("the cosine distance", 1.0),
    },
    groups=describe_mlkd,
    files="nserbench.upstreams.loading.hub:checkpoint_files",
    trained_on=of_checkpoint,
    min_samples=400,
    max_samples=480_000,
    tunable=True,
    always_trained=True,
    frozen=("feature_extractor",),
)

MV_BISSM = UpstreamCard(
    name="mv-bissm",
    summary="MV-BiSSM, built from one line; not the authors' system: log-mel and its "
    "differences, read both ways, with attention",
    remark="built from one line; not the authors' system",
    source="the line in Table I; reference [33] was not read, and has no public code",
    licence=LICENCE,
    load="nserbench.upstreams.systems.mv_bissm:MVBiSSM",
    options={
        "cell": Option(
            help="what reads a view: ssm, a selective state space, or lstm",
            default="ssm",
            parse=one_of("ssm", "lstm"),
        ),
        "lld": Option(
            help="yes: the low-level descriptors of eGeMAPS are a fourth view",
            default=False,
        ),
        "dim": Option(
            help=f"width: one of {', '.join(map(str, DIMS))}",
            default=128,
            parse=attention_width,
        ),
        "depth": Option(
            help="layers over each view, each in both directions",
            default=2,
            parse=at_least(1),
        ),
    },
    groups=describe_mv_bissm,
    files=mv_bissm_files,
    trained_on=FRESH,
    min_samples=1_600,
    tunable=True,
    always_trained=True,
    learning_rate=1e-3,
)

SYSTEMS = (TRNET, MLKD, MV_BISSM)
