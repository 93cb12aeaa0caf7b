"""Results do not depend on the order of utterances or of typed conditions."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nserbench.benchmark.jobs.job import Fit, Job
from nserbench.benchmark.results.read_results import read_result
from nserbench.benchmark.results.result import PREDICTIONS
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.study.study import Study
from nserbench.corpora.base import Corpus, CorpusCard
from nserbench.corpora.readers.manifest import load
from nserbench.settings import Settings

Ask = Callable[..., Study]


@pytest.fixture
def shuffled(notes: Path) -> Path:
    """Return the manifest with its lines in another order."""
    header, *lines = notes.read_text().splitlines()
    random.Random(3).shuffle(lines)
    other = notes.with_name("shuffled.csv")
    other.write_text("\n".join([header, *lines]) + "\n")
    return other


@pytest.mark.parametrize(
    "said",
    [
        {"downstreams": ["mean"], "protocol": "superb"},
        {"downstreams": ["bigru"], "protocol": "dev"},
        {"downstreams": ["mean"], "limit": 13},
        {"downstreams": ["mean"], "noises": ["hiss"]},
    ],
)
def test_shuffled_lines_give_the_same_keys_fits_and_predictions(
    ask: Ask,
    prepared: Callable[..., list[Job]],
    runner_in: Callable[[Path], Runner],
    tmp_path: Path,
    notes: Path,
    shuffled: Path,
    said: dict[str, Any],
) -> None:
    found = {}
    for file in (notes, shuffled):
        places = {"corpora": [f"manifest:path={file}"]} | said
        (job,) = prepared(**places)
        runner = runner_in(tmp_path / file.stem)

        (folder,) = runner.run(ask(**places)).folders

        fits = {fit.name: fit.read_bytes() for fit in runner.store.fits()}
        answers = (folder / PREDICTIONS).read_bytes()
        corpus = read_result(folder).provenance["corpus"]
        identities = [Fit(job, one).identity for one in job.splits]
        found[file] = job.keys, identities, list(fits), answers, corpus

    assert found[shuffled] == found[notes]


def test_the_reader_of_a_plugin_need_not_sort_utterances(
    notes: Path, offer: Callable[[str, object], str]
) -> None:
    def backwards(options: Any, settings: Settings) -> Corpus:
        whole = load({"path": notes, "classes": None}, settings)
        return Corpus(whole.classes, whole.utterances[::-1])

    card = CorpusCard(
        name="own", summary="", source="", licence="", load=offer("own", backwards)
    )

    ids = [one.id for one in card.read({}, Settings()).utterances]

    assert ids == sorted(ids)
    assert len(ids) == 24


def test_multi_does_not_depend_on_the_order_of_typed_conditions(
    prepared: Callable[..., list[Job]],
) -> None:
    def digests(noises: list[str], snrs: list[float]) -> set[str]:
        jobs = prepared(noises=noises, snrs=snrs, protocol="multi")
        return {job.digest for job in jobs}

    assert digests(["hiss", "clean"], [5, -5]) == digests(["clean", "hiss"], [-5, 5])
