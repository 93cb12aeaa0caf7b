"""The built-in feature sets of openSMILE."""

from __future__ import annotations

from nserbench.upstreams.base import UpstreamCard
from nserbench.upstreams.groups import GroupSpec
from nserbench.upstreams.training_data import NO_WEIGHTS


def _functionals(
    name: str, dim: int, min_samples: int, config: str, source: str
) -> UpstreamCard:
    """Return the card of a feature set.

    ``min_samples`` is the shortest clip for which openSMILE 2.6.0 has values, by trial.
    """
    return UpstreamCard(
        name=name,
        summary=f"openSMILE: {config}, {dim} functionals",
        source=source,
        licence="audEERING Research License: non-commercial use only",
        load=f"nserbench.upstreams.opensmile.upstream:{name.upper()}",
        files="nserbench.upstreams.opensmile.upstream:opensmile_files",
        trained_on=NO_WEIGHTS,
        version=2,
        extra="opensmile",
        groups={"functionals": GroupSpec(range(1, 2), dim, rate=None)},
        min_samples=min_samples,
        batch=32,
    )


FUNCTIONALS = (
    _functionals(
        "is09", 384, 400, "IS09_emotion", "Schuller et al., Interspeech 2009; Table I"
    ),
    _functionals(
        "is10",
        1582,
        1120,
        "IS10_paraling, the compatible edition",
        "Schuller et al., Interspeech 2010; Table I",
    ),
    _functionals(
        "is11",
        4368,
        1120,
        "IS11_speaker_state",
        "Schuller et al., Interspeech 2011; Table I",
    ),
    _functionals(
        "is12",
        6125,
        1120,
        "IS12_speaker_trait, the compatible edition",
        "Schuller et al., Interspeech 2012; Table I",
    ),
    _functionals(
        "is13", 6373, 960, "IS13_ComParE", "Schuller et al., Interspeech 2013; Table I"
    ),
    _functionals(
        "egemaps",
        88,
        960,
        "eGeMAPSv02",
        "Eyben et al., IEEE Trans. Affective Computing 2016; Table I",
    ),
    _functionals(
        "compare",
        6373,
        960,
        "ComParE_2016",
        "Schuller et al., Interspeech 2016; not in the paper",
    ),
)
