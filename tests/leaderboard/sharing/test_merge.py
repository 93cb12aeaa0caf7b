from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from labs import SPEAKERS, add, fail, predictions

from nserbench.benchmark.results.read_results import read_result, read_results
from nserbench.errors import BadResult, NserbenchError
from nserbench.leaderboard.sharing.merge import merge


def names(root: Path) -> list[str]:
    return [f"{one.upstream} {one.condition}" for one in read_results(root)]


def refused(folders: Sequence[Path], out: Path, *, separate: bool = False) -> list[str]:
    with pytest.raises(NserbenchError) as caught:
        merge(folders, out, separate=separate)
    first, *lines = str(caught.value).split("\n  ")
    assert first == "nothing was merged"
    return lines


@pytest.fixture
def labs(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "ours", tmp_path / "theirs"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "joined"


def test_comparable_results_are_merged_unchanged(
    labs: tuple[Path, Path], out: Path
) -> None:
    ours, theirs = labs
    add(ours)
    add(ours, "mel", "park@0")
    add(theirs, "whisper")
    add(theirs, "whisper", "park@-5")

    found = merge(labs, out)

    assert found.written == {out: 4}
    assert (found.apart, found.recomputed) == ([], [])
    for lab in labs:
        for folder in lab.iterdir():
            for file in folder.iterdir():
                assert (out / folder.name / file.name).read_bytes() == file.read_bytes()


def test_the_same_merge_again_changes_nothing(
    labs: tuple[Path, Path], out: Path
) -> None:
    ours, theirs = labs
    add(ours)
    add(theirs, "whisper")
    merge(labs, out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}

    found = merge([*labs, out], out)

    assert found.written == {out: 0}
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"provenance": {"corpus": "f" * 32}}, "audio of the corpus of emodb by probe"),
        ({"provenance": {"noise": "f" * 32}}, "audio of the noise of park on emodb"),
        ({"provenance": {"mix_version": 2}}, "mixing of park on emodb"),
        ({"protocol": {"mix_seed": 1}}, "protocol's mix_seed of emodb by probe"),
        ({"protocol": {"selection": "test"}}, "protocol's selection of emodb"),
        ({"protocol": {"recipe": {"epochs": 99}}}, "recipe of mean on emodb"),
        ({"notes": {"edition": "second"}}, "edition of the corpus of emodb"),
    ],
)
def test_different_audio_or_training_is_refused(
    labs: tuple[Path, Path], out: Path, changes: dict[str, Any], said: str
) -> None:
    ours, theirs = labs
    protocol = {"selection": "none", **changes.pop("protocol", {})}
    add(ours, condition="park@0", protocol={"selection": "none"})
    add(theirs, "whisper", "park@0", protocol=protocol, **changes)

    lines = refused(labs, out)

    assert len(lines) == 2
    assert lines[0].startswith(said)
    assert str(ours) in lines[0]
    assert str(theirs) in lines[0]
    assert lines[1].startswith("--separate")
    assert not out.exists()


@pytest.mark.parametrize(
    ("key", "known", "other", "said"),
    [
        ("texts", "a", "b", "texts of the corpus of emodb by probe"),
        ("noise_segments", "a", "b", "noise of park on emodb"),
        ("training_noise", {"hum": "a"}, {"hum": "b"}, "noise in the training set of"),
        ("code", {"head": "a"}, {"head": "b"}, "code of the head of mean"),
        ("code", {"upstream": "a"}, {"upstream": "b"}, "code of the upstream of mel"),
    ],
)
def test_facts_that_older_results_lack_are_compared_where_both_have_them(
    labs: tuple[Path, Path], out: Path, key: str, known: Any, other: Any, said: str
) -> None:
    ours, theirs = labs
    add(ours, condition="park@0")
    add(ours, condition="park@5", provenance={key: known})
    merge([ours], out)
    add(theirs, condition="park@-5", provenance={key: other})

    lines = refused([theirs], out)

    assert len(lines) == 2
    assert lines[0].startswith(said)


def test_other_weights_of_one_upstream_are_refused(
    labs: tuple[Path, Path], out: Path
) -> None:
    ours, theirs = labs
    add(ours)
    add(theirs, condition="park@0", provenance={"weights": "f" * 32})
    add(theirs, "whisper", "park@0", provenance={"weights": "f" * 32})

    lines = refused(labs, out)

    assert len(lines) == 2
    assert lines[0].startswith("weights of mel differ: ")


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": np.array([1, 1, 0, 1, 0, 1, 0, 1])},
        {"utterances": ("other", *(f"u{number}" for number in range(1, 8)))},
        {"speakers": ("eve", *SPEAKERS[1:]), "units": SPEAKERS},
        {"units": tuple("aabbccdd")},
        {"folds": tuple("22221111")},
    ],
)
def test_other_utterances_labels_speakers_or_folds_are_refused(
    labs: tuple[Path, Path], out: Path, changes: dict[str, Any]
) -> None:
    ours, theirs = labs
    add(ours)
    add(theirs, "whisper", found=predictions(**changes))

    lines = refused(labs, out)

    assert lines[0].startswith("utterances, labels, speakers and folds of emodb by")


def test_the_order_of_utterances_does_not_matter(
    labs: tuple[Path, Path], out: Path
) -> None:
    ours, theirs = labs
    plain = predictions()
    add(ours)
    turned = predictions(
        utterances=plain.utterances[::-1],
        speakers=plain.speakers[::-1],
        folds=plain.folds[::-1],
        labels=plain.labels[::-1],
        predicted=plain.predicted[::-1],
        probabilities=plain.probabilities[::-1],
    )
    add(theirs, found=turned)
    add(theirs, "whisper", found=turned)

    found = merge(labs, out)

    assert found.written == {out: 2}


def test_another_corpus_or_protocol_may_differ(
    labs: tuple[Path, Path], out: Path
) -> None:
    ours, theirs = labs
    add(ours)
    add(theirs, corpus="casia", provenance={"corpus": "f" * 32})
    add(theirs, protocol={"version": 2, "mix_seed": 1})

    found = merge(labs, out)

    assert found.written == {out: 3}


def test_one_difference_of_many_results_is_one_line(
    labs: tuple[Path, Path], out: Path
) -> None:
    ours, theirs = labs
    add(ours)
    for upstream in ("hubert", "wavlm", "whisper"):
        add(theirs, upstream, provenance={"corpus": "f" * 32})

    lines = refused(labs, out)

    assert len(lines) == 2
    assert lines[0].endswith(", and 2 more there")


def test_a_cell_with_different_answers_is_not_overwritten(
    labs: tuple[Path, Path], out: Path
) -> None:
    ours, theirs = labs
    add(ours)
    add(theirs, found=predictions("11111110"))

    lines = refused(labs, out)

    assert lines[0].startswith("answers of mel x mean, emodb clean, probe v1, seed 0")
    merge([ours], out)
    refused([theirs], out)
    (kept,) = read_results(out)
    assert kept.predictions is not None
    assert kept.predictions.predicted.tolist() == [0, 1] * 4


@pytest.mark.parametrize(("off", "same"), [(0.9e-5, True), (1.1e-4, False)])
def test_probabilities_may_differ_as_after_an_interruption(
    labs: tuple[Path, Path], out: Path, off: float, same: bool
) -> None:
    ours, theirs = labs
    moved = predictions().probabilities + off * np.array([1, -1])
    add(ours)
    add(theirs, found=predictions(probabilities=moved))

    if same:
        assert merge(labs, out).written == {out: 1}
    else:
        assert refused(labs, out)


def test_another_class_is_another_answer_however_close_they_are(
    labs: tuple[Path, Path], out: Path
) -> None:
    ours, theirs = labs
    even = np.full((8, 2), 0.5)
    add(ours, found=predictions(probabilities=even))
    add(theirs, found=predictions("11111110", probabilities=even))

    lines = refused(labs, out)

    assert lines[0].startswith("answers of mel x mean")


def test_nothing_is_added_to_a_merged_folder_with_conflicts(
    labs: tuple[Path, Path], out: Path
) -> None:
    add(out)
    add(out, "whisper", provenance={"corpus": "f" * 32})
    add(labs[0], "wavlm")

    lines = refused([labs[0]], out, separate=True)

    assert lines[0].startswith("audio of the corpus of emodb by probe v1 differ: ")
    assert names(out) == ["mel clean", "whisper clean"]


def test_one_cell_of_two_codes_is_refused(labs: tuple[Path, Path], out: Path) -> None:
    ours, theirs = labs
    add(ours)
    add(theirs, digest="ab" * 16)

    lines = refused(labs, out)

    assert lines[0].startswith("cell of mel x mean on emodb by probe v1, clean, seed 0")


def test_conflicting_results_can_be_written_to_separate_folders(
    labs: tuple[Path, Path], out: Path, tmp_path: Path
) -> None:
    ours, theirs = labs
    add(ours)
    add(theirs, provenance={"corpus": "f" * 32})
    add(theirs, "whisper", provenance={"corpus": "f" * 32})
    add(theirs, "whisper", corpus="casia")
    add(tmp_path / "third", "whisper", provenance={"corpus": "a" * 32})
    sources = [*labs, tmp_path / "third"]

    found = merge(sources, out, separate=True)

    assert found.written == {out: 2, out / "apart-1": 2, out / "apart-2": 1}
    assert len(found.apart) == 2
    assert names(out) == ["mel clean", "whisper clean"]
    assert names(out / "apart-1") == ["mel clean", "whisper clean"]
    again = merge(sources, out, separate=True)
    assert again.written == {out: 0, out / "apart-1": 0, out / "apart-2": 0}


def test_a_failure_is_replaced_by_the_finished_cell_of_another_lab(
    labs: tuple[Path, Path], out: Path
) -> None:
    ours, theirs = labs
    done = read_result(add(theirs))
    fail(ours, done.digest)
    fail(ours, "ab" * 16, "an older code")

    merge(labs, out)

    (kept,) = read_results(out)
    assert kept.status == "done"


def test_a_failure_without_a_finished_result_is_kept(
    labs: tuple[Path, Path], out: Path
) -> None:
    ours, theirs = labs
    fail(ours, "ab" * 16, "first")
    fail(theirs, "ab" * 16, "second")

    merge(labs, out)
    merge(labs, out)

    (kept,) = read_results(out)
    assert kept.reason == "first"


def test_every_damaged_result_is_listed(labs: tuple[Path, Path], out: Path) -> None:
    for upstream in ("mel", "whisper"):
        (add(labs[0], upstream) / "predictions.csv").unlink()

    lines = refused([labs[0]], out)

    assert len(lines) == 3


def test_control_characters_in_names_are_not_printed(
    labs: tuple[Path, Path], out: Path
) -> None:
    ours, theirs = labs
    add(ours, corpus="\x1b[2J")
    add(theirs, "whisper", corpus="\x1b[2J", provenance={"corpus": "f" * 32})

    lines = refused(labs, out)

    assert "\x1b" not in "".join(lines)


def test_a_folder_without_results_is_a_users_error(tmp_path: Path, out: Path) -> None:
    with pytest.raises(BadResult, match="holds no results"):
        merge([tmp_path], out)
