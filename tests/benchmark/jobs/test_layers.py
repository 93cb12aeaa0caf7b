"""Of frames, the layers are stored that a head of the command reads, and no others."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plans import planned

from nserbench.benchmark.extraction.expected_size import least_bytes
from nserbench.benchmark.extraction.extract import ModelCache, extract_missing
from nserbench.benchmark.extraction.need import Need, entries_of
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.jobs.needs import Needs
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.result import PREDICTIONS
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.store.feature_store import Entry, Features, Form, Store
from nserbench.benchmark.store.shards import read_header
from nserbench.benchmark.study.study import Study
from nserbench.downstreams.base import DownstreamCard
from nserbench.progress import Silent
from nserbench.upstreams.base import Batch
from nserbench.upstreams.groups import GroupSpec

Ask = Callable[..., Study]
LAST, UPPER, ALL = "bigru", "ladapter", "ladapter:state0=yes"
FORMS: dict[Form, str] = {"frames": "probe", "frames_int8": "probe+frames=int8"}
WIDE = "levels:groups=wide"
"""Three layers of 4 values."""


def first_layer(spec: GroupSpec, options: object) -> range:
    return spec.layers[:1]


@pytest.fixture(autouse=True)
def lowest(plugins: Plugins, levels: Any) -> str:
    """Offer ``levels``, and a head on frames of the first layer; return its name."""
    card = DownstreamCard(
        name="lowest",
        summary="",
        source="",
        licence="",
        load="nserbench.downstreams.bigru:bigru",
        tier="frames",
        layers=first_layer,
    )
    plugins.downstreams.add(card, "the test")
    return card.name


def extract_for(jobs: list[Job], store: Store) -> Features:
    """Extract what jobs read; return the features."""
    (named,) = Needs(jobs, store)
    extract_missing(named.need, store, ModelCache("cpu"), Silent())
    return named.need.stored(store)


def bytes_by_name(file: Path) -> Counter[str]:
    """Return the bytes of all arrays of a shard, by their name without the key."""
    arrays, _ = read_header(file)
    sizes = Counter[str]()
    for name, array in arrays.items():
        sizes[name.partition("/")[2]] += array.end - array.start
    return sizes


def predictions(runner: Runner, head: str) -> bytes:
    (file,) = runner.results.glob(f"*{head}*/{PREDICTIONS}")
    return file.read_bytes()


@pytest.mark.parametrize(
    ("heads", "names"),
    [
        ([LAST], {"wide/from 2"}),
        ([UPPER, LAST], {"wide/from 1"}),
        ([LAST, "lowest"], {"wide/from 2", "wide/from 0"}),
        ([UPPER, "lowest"], {"wide"}),
        ([ALL, LAST], {"wide"}),
    ],
)
def test_the_layers_of_all_heads_of_a_command_are_stored_once_by_one_pass(
    prepared: Callable[..., list[Job]],
    store: Store,
    levels: Any,
    heads: list[str],
    names: set[str],
) -> None:
    jobs = prepared(upstreams=[WIDE], downstreams=heads)

    features = extract_for(jobs, store)

    assert len(levels.heard) == len(set(levels.heard)) == len(jobs[0].clips)
    (file,) = features.shards("frames")
    assert bytes_by_name(file).keys() == names


def test_stored_layers_are_found_by_their_numbers_and_others_are_missing(
    prepared: Callable[..., list[Job]], store: Store
) -> None:
    jobs = prepared(upstreams=[WIDE], downstreams=["lowest", LAST])

    features = extract_for(jobs, store)

    job, extraction = jobs[0], jobs[0].extraction.alone
    upstream = job.cell.upstream.card.open(job.cell.upstream.options, "cpu")
    for key, clip in zip(job.keys, job.clips, strict=True):
        states = upstream.extract(Batch.of(extraction.wave(clip)))["wide"].states
        for layer in (0, 2):
            (read,) = features.read("frames", key, "wide", range(layer, layer + 1))
            np.testing.assert_array_equal(read, states[layer, 0].half())
        for layers in (range(1, 2), range(3)):
            wanted = {key: frozenset([Entry("frames", "wide", layers)])}
            assert features.lacking(wanted) == wanted


@pytest.mark.parametrize("form", FORMS)
def test_a_head_predicts_the_same_from_its_layer_alone_as_from_all_layers(
    ask: Ask,
    prepared: Callable[..., list[Job]],
    tmp_path: Path,
    runner_in: Callable[[Path], Runner],
    form: Form,
) -> None:
    alone, beside = runner_in(tmp_path / "alone"), runner_in(tmp_path / "beside")
    said = {"upstreams": [WIDE], "downstreams": [LAST], "protocol": FORMS[form]}
    (job,) = prepared(**said, epochs=1)
    extraction = job.extraction.alone
    whole = Need.of(extraction, job.clips, entries_of(extraction, ["pooled", form]))
    extract_missing(whole, beside.store, ModelCache("cpu"), Silent())

    for runner in (alone, beside):
        runner.run(ask(**said, epochs=1))

    assert predictions(alone, LAST) == predictions(beside, LAST)
    for runner, name in ((alone, "wide/from 2"), (beside, "wide")):
        (features,) = runner.store.all_features()
        (file,) = features.shards(form)
        assert name in bytes_by_name(file)


def test_a_later_head_on_more_layers_gets_them_from_a_pass_of_its_own(
    ask: Ask,
    prepared: Callable[..., list[Job]],
    tmp_path: Path,
    levels: Any,
    runner_in: Callable[[Path], Runner],
) -> None:
    fresh, later = runner_in(tmp_path / "fresh"), runner_in(tmp_path / "later")
    said = {"upstreams": [WIDE], "downstreams": [UPPER], "epochs": 1}
    extract_for(prepared(**said | {"downstreams": [LAST]}), later.store)
    (plan,) = planned(later, ask(**said)).passes
    (need,) = Needs(prepared(**said), later.store)
    least = least_bytes(need.need, later.store)
    levels.heard.clear()

    for runner in (fresh, later):
        runner.run(ask(**said))

    assert set(Counter(levels.heard).values()) == {2}
    assert predictions(fresh, UPPER) == predictions(later, UPPER)
    (features,) = later.store.all_features()
    sizes = [bytes_by_name(file) for file in features.shards("frames")]
    assert {*map(tuple, sizes)} == {("wide/from 1",), ("wide/from 2",)}
    added = max(one.total() for one in sizes)
    assert added == 2 * min(one.total() for one in sizes)
    assert (plan.utterances, plan.forms) == (24, ("frames",))
    assert plan.size == pytest.approx(added, rel=0.1)
    assert 0.8 * added < least["frames"] <= added
    assert planned(later, ask(**said | {"downstreams": [LAST, UPPER]})).passes == []
