import csv
import dataclasses
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from nserbench.benchmark.extraction.identity import Extraction
from nserbench.benchmark.extraction.need import Need, entries_of
from nserbench.benchmark.jobs.job import Fit, Job
from nserbench.benchmark.plugins.registry import Plugins, Registry
from nserbench.benchmark.store.feature_store import Features, Form, Store
from nserbench.benchmark.training.sources import read_pooled
from nserbench.corpora.noise.mixing import Recording

Fill = Callable[[Job, Store], Features]
BOTH: Sequence[Form] = ("pooled", "frames")


def missing(job: Job, root: Path) -> int:
    """Return how many utterances a new process would extract for a job."""
    extraction = job.extraction.alone
    need = Need.of(extraction, job.clips, entries_of(extraction, BOTH))
    return sum(len(one.clips) for one in need.passes(Store(root)))


def pooled(job: Job, features: Features, group: str) -> Any:
    layers = range(len(job.stored[group].layers))
    return read_pooled(features, job.keys, group, layers)


def test_moving_the_folder_recomputes_nothing(
    prepared: Callable[..., list[Job]],
    fill: Fill,
    store: Store,
    notes: Path,
    tmp_path: Path,
) -> None:
    (here,) = prepared()
    fill(here, store)
    shutil.copytree(notes.parent, tmp_path / "moved")

    (there,) = prepared(corpora=[f"manifest:path={tmp_path / 'moved' / notes.name}"])

    assert there.extraction.identity == here.extraction.identity
    assert there.keys == here.keys
    assert missing(there, store.root) == 0


@pytest.mark.parametrize(
    "said",
    [
        {"upstreams": ["levels:groups=wide"]},
        {"downstreams": ["single:layer=2,groups=wide"]},
        {"downstreams": ["bigru"]},
        {"protocol": "paper"},
        {"epochs": 9},
        {"seeds": [7]},
    ],
)
def test_features_do_not_depend_on_what_is_done_with_them(
    prepared: Callable[..., list[Job]], levels: Any, said: dict[str, Any]
) -> None:
    (plain,) = prepared(upstreams=["levels"])

    (job,) = prepared(**{"upstreams": ["levels"]} | said)

    assert job.extraction.identity == plain.extraction.identity
    assert job.keys == plain.keys
    assert job.digest != plain.digest


def test_features_do_not_depend_on_folds_classes_labels_or_ids(
    prepared: Callable[..., list[Job]], notes: Path
) -> None:
    (plain,) = prepared()
    text = notes.read_text()
    for old, new in ((",low,", ",deep,"), (",s0_", ",t0_"), (",0\n", ",x\n")):
        text = text.replace(old, new)
    other = notes.with_name("other.csv")
    other.write_text(text)

    (job,) = prepared(corpora=[f"manifest:path={other},classes=high+deep"])

    assert job.extraction.identity == plain.extraction.identity
    # In the order of the new ids.
    assert sorted(job.keys) == sorted(plain.keys)


def test_a_limit_only_leaves_utterances_out(
    prepared: Callable[..., list[Job]],
) -> None:
    (plain,) = prepared()

    (job,) = prepared(limit=8)

    assert len(job.keys) == 8
    assert set(job.keys) < set(plain.keys)


def test_another_file_for_a_noise_never_meets_old_features(
    prepared: Callable[..., list[Job]],
    fill: Fill,
    store: Store,
    hiss: Path,
    make_hiss: Callable[..., Path],
) -> None:
    (before,) = prepared(noises=["hiss"])
    old = pooled(before, fill(before, store), "mel")
    make_hiss(hiss, seed=2)

    (after,) = prepared(noises=["hiss"])

    assert after.extraction.identity != before.extraction.identity
    assert after.digest != before.digest
    assert missing(after, store.root) == 24
    new = pooled(after, fill(after, store), "mel")
    assert (np.abs(new - old).max(axis=(0, 2)) > 0).all()


def test_the_same_noise_under_another_path_is_the_same(
    prepared: Callable[..., list[Job]], hiss: Path, tmp_path: Path
) -> None:
    (before,) = prepared(noises=["hiss"])
    moved = hiss.rename(tmp_path / "moved.wav")

    (after,) = prepared(noises=["hiss"], named={"hiss": moved})

    assert after.digest == before.digest


def test_clean_features_do_not_depend_on_noise(
    prepared: Callable[..., list[Job]],
) -> None:
    (alone,) = prepared()

    beside, noisy = prepared(noises=["clean", "hiss"])

    assert beside.extraction.identity == alone.extraction.identity
    assert (beside.keys, beside.digest) == (alone.keys, alone.digest)
    assert noisy.extraction.identity != alone.extraction.identity
    assert not set(noisy.keys) & set(alone.keys)


@pytest.fixture
def noisy(prepared: Callable[..., list[Job]]) -> Extraction:
    (job,) = prepared(noises=["hiss"])
    return job.extraction.alone


def test_snr_weights_version_options_and_noise_change_the_identity(
    noisy: Extraction, plugins: Plugins
) -> None:
    mel = noisy.upstream
    card = dataclasses.replace(noisy.card, version=2)
    newer = dataclasses.replace(mel, bound=dataclasses.replace(mel.bound, card=card))
    assert isinstance(noisy.noise, Recording)
    other = dataclasses.replace(noisy.noise, digest="other")

    found = [
        dataclasses.replace(noisy, **change).identity
        for change in (
            {},
            {"snr": 5.0},
            {"upstream": dataclasses.replace(mel, weights="other")},
            {"enhancer": mel},
            {"transcripts": noisy},
            {"upstream": newer},
            {"noise": other},
            {"noise": None, "snr": None},
        )
    ]

    assert all(found.count(one) == 1 for one in found)


def test_the_seed_of_the_mix_and_the_name_of_the_noise_change_the_keys(
    noisy: Extraction, prepared: Callable[..., list[Job]]
) -> None:
    clips = prepared()[0].clips
    noise = noisy.noise
    assert isinstance(noise, Recording)
    renamed = dataclasses.replace(noise, name="hum")

    seeded = dataclasses.replace(noisy, mix_seed=1).keys(clips)

    assert not set(noisy.keys(clips)) & set(seeded)
    assert noisy.keys(clips) != dataclasses.replace(noisy, noise=renamed).keys(clips)
    assert noisy.keys(clips) == dataclasses.replace(noisy, snr=5.0).keys(clips)


@pytest.mark.parametrize(("reads", "same"), [("texts", False), ("waves", True)])
def test_text_changes_the_key_only_if_the_upstream_reads_it(
    noisy: Extraction, prepared: Callable[..., list[Job]], reads: str, same: bool
) -> None:
    card = dataclasses.replace(noisy.card, reads=frozenset({"waves", reads}))
    bound = dataclasses.replace(noisy.upstream.bound, card=card)
    model = dataclasses.replace(noisy.upstream, bound=bound)
    extraction = dataclasses.replace(noisy, upstream=model)
    clip = prepared()[0].clips[0]
    spoken = dataclasses.replace(
        clip, utterance=dataclasses.replace(clip.utterance, text="do re mi")
    )

    assert (extraction.key(spoken) == extraction.key(clip)) is same


def test_two_utterances_of_the_same_audio_are_one_in_clean_speech_only(
    prepared: Callable[..., list[Job]], notes: Path
) -> None:
    with notes.open(newline="") as stream:
        rows = list(csv.reader(stream))
    shutil.copy(notes.parent / "s0_low_0.wav", notes.parent / "again.wav")
    with notes.open("a", newline="") as stream:
        csv.writer(stream).writerow(["again.wav", "again", *rows[1][2:]])

    clean, noisy = prepared(noises=["clean", "hiss"])

    places = {clip.utterance.id: place for place, clip in enumerate(clean.clips)}
    again, first = places["again"], places[rows[1][1]]
    assert clean.keys[again] == clean.keys[first]
    assert noisy.keys[again] != noisy.keys[first]
    assert [len(set(job.keys)) for job in (clean, noisy)] == [24, 25]


@pytest.mark.parametrize("upstream", ["mel", "levels"])
def test_moving_the_module_of_an_upstream_or_of_a_head_changes_no_key(
    prepared: Callable[..., list[Job]],
    store: Store,
    plugins: Plugins,
    levels: Any,
    monkeypatch: pytest.MonkeyPatch,
    upstream: str,
) -> None:
    asked = {"upstreams": [upstream], "downstreams": ["mean"]}
    (before,) = prepared(**asked)

    def move(registry: Registry[Any], name: str) -> None:
        card = registry[name]
        room = f"{card.target.partition('.')[0].partition(':')[0]}.moved_{card.kind}"
        module = ModuleType(room)
        setattr(module, "moved", card.loader())  # noqa: B010
        monkeypatch.setitem(sys.modules, room, module)
        moved = dataclasses.replace(card, load=f"{room}:moved")
        registry._cards[name] = moved, "the test"

    move(plugins.upstreams, upstream)
    move(plugins.downstreams, "mean")
    (after,) = prepared(**asked)

    assert after.cell.upstream.card.load != before.cell.upstream.card.load
    assert after.extraction.identity == before.extraction.identity
    assert after.keys == before.keys
    assert after.digest == before.digest
    (split, *_) = before.splits
    assert Fit(after, split).identity == Fit(before, split).identity


@pytest.mark.parametrize(("head", "shared"), [("mean", True), ("bigru", False)])
def test_a_head_on_frames_of_8_bits_is_another_fit_of_the_same_extraction(
    prepared: Callable[..., list[Job]], store: Store, head: str, shared: bool
) -> None:
    plain, coded = (
        prepared(downstreams=[head], protocol=protocol)[0]
        for protocol in ("probe", "probe+frames=int8")
    )

    fits = [{Fit(job, s).file(store) for s in job.splits} for job in (plain, coded)]
    assert (fits[0] == fits[1]) is shared
    assert plain.digest != coded.digest
    assert plain.extraction.identity == coded.extraction.identity
    assert plain.keys == coded.keys
    assert "form" not in Fit(plain, plain.splits[0]).identity
