import dataclasses
from pathlib import Path

import pytest

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.study.name_lookup import (
    conditions,
    corpus_conditions,
    read_corpora,
    read_names,
)
from nserbench.errors import BadSpec, UnknownName


def places(plugins: Plugins, *texts: str, noises: tuple[str, ...] = ()) -> list[str]:
    return [
        f"{place.corpus.label} {place.noise}"
        for place in read_corpora(texts, noises, plugins)
    ]


def test_a_name_is_split_into_corpus_and_noise(plugins: Plugins) -> None:
    assert places(plugins, "demo,demo-park") == ["demo None", "demo park"]


def test_the_longest_corpus_name_wins() -> None:
    own = Plugins(installed=False)
    own.corpora.add(dataclasses.replace(own.corpora["demo"], name="demo-two"), "here")

    assert places(own, "demo-two-park") == ["demo-two park"]
    assert places(own, "demo-three") == ["demo three"]


def test_options_follow_the_whole_name(plugins: Plugins) -> None:
    assert places(plugins, "emodb-park:classes=all") == ["emodb:classes=all park"]


def test_noises_apply_to_corpora_named_alone(plugins: Plugins) -> None:
    found = places(plugins, "demo,emodb-bus", noises=("clean", "park"))

    assert found == ["demo None", "demo park", "emodb bus"]


def conditions_of(plugins: Plugins, *texts: str, noises: tuple[str, ...] = ()) -> str:
    found = corpus_conditions(read_corpora(texts, noises, plugins), [0.0, 10.0])
    return " ".join(f"{card.label}:{condition}" for card, condition in found)


def test_an_snr_after_a_noise_is_that_of_this_condition(plugins: Plugins) -> None:
    assert conditions_of(plugins, "demo-park@5") == "demo:park@5"
    assert conditions_of(plugins, "demo-park@-0,emodb-park@-5.5") == (
        "demo:park@0 emodb:park@-5.5"
    )
    found = conditions_of(plugins, "demo-park@10,demo-park")
    assert found == "demo:park@10 demo:park@0"


def test_noises_have_commas_between_them(plugins: Plugins) -> None:
    assert conditions_of(plugins, "demo", noises=("clean, park@5",)) == (
        "demo:clean demo:park@5"
    )


@pytest.mark.parametrize(
    ("noise", "wanted"),
    [
        ("clean,", "a noise is missing"),
        ("clean@5", "'clean@5' is no condition: write clean, or a noise as park@5"),
        ("@5", "'@5' is no condition"),
        ("park@loud", "'loud' is not an SNR in dB: write park@5"),
        ("park@101", "'park@101': an SNR must be from -100 to 100 dB"),
    ],
)
def test_a_noise_that_is_no_condition_is_refused(
    plugins: Plugins, noise: str, wanted: str
) -> None:
    with pytest.raises(BadSpec, match=wanted):
        read_corpora(["demo"], [noise], plugins)


@pytest.mark.parametrize(
    ("typed", "right"),
    [
        ("manifest:path=my-list.csv-park", "manifest-park:path=my-list.csv"),
        ("manifest:my-list.csv-hiss@-5", "manifest-hiss@-5:my-list.csv"),
        ("ravdess:exclude=none-human", "ravdess-human:exclude=none"),
        ("ravdess:classes=all-human", "ravdess-human:classes=all"),
    ],
)
def test_the_right_form_is_shown_for_a_noise_after_options(
    plugins: Plugins, typed: str, right: str
) -> None:
    Path("my-list.csv").touch()

    with pytest.raises(BadSpec) as refused:
        read_corpora([typed], (), plugins)

    told = f"a noise is written before the options: {right}"
    assert str(refused.value).endswith(told)


def test_a_file_whose_name_ends_like_a_noise_is_a_file(plugins: Plugins) -> None:
    Path("x-human").touch()

    assert places(plugins, "demo:exclude=x-human") == ["demo:exclude=x-human None"]


def test_repeated_names_count_once(plugins: Plugins) -> None:
    assert places(plugins, "demo-park", "demo-park,demo") == ["demo park", "demo None"]
    names = read_names(["mel,mel", "mel"], plugins.upstream)
    assert [bound.label for bound in names] == ["mel"]


def test_clean_speech_has_one_condition_for_any_number_of_snrs() -> None:
    assert [str(one) for one in conditions(None, [0.0, 5.0])] == ["clean"]
    assert [str(one) for one in conditions("park", [0.0, -5.0, 0.0])] == [
        "park@0",
        "park@-5",
    ]


def test_a_typo_in_corpus_and_noise_suggests_the_nearest(
    plugins: Plugins,
) -> None:
    with pytest.raises(UnknownName, match="did you mean 'emodb-park'"):
        read_corpora(["emodbb-park"], (), plugins)


def test_a_dash_without_a_noise_is_refused(plugins: Plugins) -> None:
    with pytest.raises(BadSpec, match="a noise is missing after 'demo-'"):
        read_corpora(["demo-"], (), plugins)


def test_two_names_that_differ_only_in_a_path_are_refused(plugins: Plugins) -> None:
    with pytest.raises(BadSpec, match="would both be called manifest:path=list"):
        read_corpora(["manifest:a/list.csv", "manifest-park:b/list.csv"], (), plugins)
    with pytest.raises(BadSpec, match="would both be called whisper:checkpoint=tiny"):
        read_names(
            ["whisper:checkpoint=/a/tiny", "whisper:checkpoint=/b/tiny"],
            plugins.upstream,
        )


def test_a_path_in_place_of_a_corpus_is_answered_with_the_right_form(
    plugins: Plugins, tmp_path: Path
) -> None:
    (file := tmp_path / "list.csv").touch()

    with pytest.raises(BadSpec, match="a list of recordings is manifest:path="):
        read_corpora([str(file)], [], plugins)
    with pytest.raises(BadSpec, match="write a list of the recordings, with the col"):
        read_corpora([str(tmp_path)], [], plugins)
