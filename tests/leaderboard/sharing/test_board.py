from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bundles import SENDER, bundle, edit, edit_manifest, only_result, publishable

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.errors import BadResult, NserbenchError
from nserbench.leaderboard.sharing import bundle_files
from nserbench.leaderboard.sharing.board import check_board
from nserbench.leaderboard.sharing.submit import submit

Refused = Callable[[], list[str]]
RIGHT = {"mean": 1.0, "pooled": 1.0, "value": 1.0, "chance": 0.5, "folds": {"1": 1.0}}
"""The stored numbers of a metric, but for those of other folds."""
ROOT = Path(__file__).parents[3]


@pytest.fixture
def board(tmp_path: Path) -> Path:
    return tmp_path / "board"


@pytest.fixture
def refused(board: Path, plugins: Plugins) -> Refused:
    """Return a function that checks the board, and returns its problems."""

    def problems() -> list[str]:
        with pytest.raises(NserbenchError) as caught:
            check_board(board, plugins)
        first, *lines, last = str(caught.value).split("\n  ")
        assert first == f"{board} has problems:"
        assert last == "repair or remove the bundles that are named"
        return lines

    return problems


def test_the_board_of_this_repository_is_sound() -> None:
    report = check_board(ROOT / "board", Plugins(installed=False))

    assert report.results >= 1


def test_bundles_of_several_labs_are_sound_together(
    board: Path, plugins: Plugins
) -> None:
    bundle(board, "ann", plugins, "mel", "wavlm")
    bundle(board, "bob", plugins, "hubert")

    report = check_board(board, plugins)

    assert [one.folder.name for one in report.bundles] == ["ann", "bob"]
    assert report.results == 3


def test_a_board_without_bundles_is_a_users_error(
    board: Path, plugins: Plugins
) -> None:
    with pytest.raises(BadResult, match="is not a folder"):
        check_board(board, plugins)
    board.mkdir()
    with pytest.raises(BadResult, match="holds no bundles"):
        check_board(board, plugins)


def test_a_changed_prediction_is_refused(
    board: Path, plugins: Plugins, refused: Refused
) -> None:
    file = only_result(bundle(board, "ann", plugins)) / "predictions.csv"
    file.write_text(file.read_text().replace("0.75,0.25", "0.7,0.3", 1))

    (problem,) = refused()

    assert problem.startswith("ann: ")
    assert problem.endswith("predictions.csv has changed since it was written")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metrics": {"uar": {"mean": 0.5}}}, "uar.mean is 0.5, but 1.0 from the pred"),
        ({"metrics": {"uar": {**RIGHT, "value": 0.9}}}, "uar.value is 0.9, but 1.0"),
        ({"metrics": {"uar": {**RIGHT, "folds": {"1": 0}}}}, "uar.folds.1 is 0, but 1"),
        ({"notes": {"flags": 3}}, "flags"),
        ({"notes": {"layer_weights": {"1": 7}}}, "layer_weights"),
        ({"digests": {}}, "the field 'predictions.csv' is missing"),
        ({"protocol": {"name": "probe"}}, "digest of the protocol does not match"),
        ({"digest": "../../x"}, "is not hexadecimal"),
        ({"digest": "ab" * 32}, "its folder must have the name"),
        ({"status": "failed", "reason": "no memory"}, "only finished cells are publi"),
        ({"provenance": {}}, "provenance.finished is not an ISO 8601 time"),
    ],
)
def test_a_result_that_was_edited_and_signed_again_is_refused(
    board: Path,
    plugins: Plugins,
    refused: Refused,
    changes: dict[str, Any],
    said: str,
) -> None:
    edit(only_result(bundle(board, "ann", plugins)), **changes)

    assert any(said in problem for problem in refused())


@pytest.mark.parametrize(
    ("corpus", "said"),
    [
        ("iemocap", "the licence of iemocap (USC's data release form) does not allow"),
        ("IEMOCAP", "the licence of IEMOCAP (USC's data release form) does not allow"),
        ("manifest:path=x", "nothing says that ids and labels of manifest:path=x may"),
    ],
)
def test_ids_that_no_licence_allows_are_refused(
    board: Path, plugins: Plugins, refused: Refused, corpus: str, said: str
) -> None:
    folder = publishable(bundle(board, "ann", plugins), corpus=corpus)
    edit(folder)

    assert any(f"ann: {folder.name}: {said}" in problem for problem in refused())


@pytest.mark.parametrize(
    ("notes", "said"),
    [
        ({"left_out": {"u9": "broken"}}, "its notes may have ids: left_out"),
        ({"cut": ["u1"]}, "its notes may have ids: cut"),
    ],
)
def test_counts_with_ids_in_their_notes_are_refused(
    board: Path,
    plugins: Plugins,
    refused: Refused,
    notes: dict[str, object],
    said: str,
) -> None:
    publishable(lab := board.parent / "lab", corpus="iemocap")
    submit(lab, board / "ann", SENDER, plugins)
    edit(only_result(board / "ann"), notes=notes)

    assert any(said in problem for problem in refused())


def test_one_bundle_is_checked_alone(
    board: Path, plugins: Plugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = bundle(board, "ann", plugins)
    (board / "bob").mkdir()
    monkeypatch.chdir(folder)

    for named in (folder, Path(), Path("../ann")):
        assert check_board(named, plugins).results == 1


def test_a_flaw_of_one_bundle_names_it(
    board: Path, plugins: Plugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = bundle(board, "ann", plugins)
    edit_manifest(folder, results={only_result(folder).name: "0" * 64})
    monkeypatch.chdir(folder)

    with pytest.raises(NserbenchError, match=r"\n  ann: .*digest of result.json"):
        check_board(Path(), plugins)


def test_a_result_that_is_not_the_one_of_the_manifest_is_refused(
    board: Path, plugins: Plugins, refused: Refused
) -> None:
    folder = bundle(board, "ann", plugins)
    name = only_result(folder).name
    edit_manifest(folder, results={name: "0" * 64, "other": "0" * 64})

    assert refused() == [
        "ann: other is in the manifest, but cannot be read or is not there",
        f"ann: {name}: the digest of result.json is not the one in the manifest",
    ]


def test_a_result_that_the_manifest_does_not_name_is_refused(
    board: Path, plugins: Plugins, refused: Refused
) -> None:
    added = publishable(bundle(board, "ann", plugins), "wavlm")

    assert f"ann: {added.name} is not in the manifest" in refused()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema": 2}, "bundle.json does not have the schema 1"),
        ({"name": " "}, "it does not say who sends it"),
        ({"name": None}, "the field 'name' is missing or of a wrong type"),
        ({"note": "\x1b[2J"}, "the field 'note' has control characters"),
        ({"note": "x" * 1001}, "or a text of more than 1000 characters"),
        ({"corpora": ["emodb"]}, "the field 'corpora' is missing or of a wrong type"),
        ({"hardware": {"x": 1}}, "the field 'hardware' is missing or of a wrong type"),
        ({"commit": "main"}, "'main' is no commit"),
    ],
)
def test_a_faulty_manifest_is_refused(
    board: Path,
    plugins: Plugins,
    refused: Refused,
    changes: dict[str, Any],
    said: str,
) -> None:
    edit_manifest(bundle(board, "ann", plugins), **changes)

    assert any(said in problem for problem in refused())


def test_two_protocols_of_one_name_are_refused(
    board: Path, plugins: Plugins, refused: Refused
) -> None:
    bundle(board, "ann", plugins)
    lab = board.parent / "results"
    publishable(lab, "wavlm", protocol={"mix_seed": 1})
    submit(lab, board / "bob", SENDER, plugins)

    said = "protocol's mix_seed of emodb by probe v1 differ: "
    assert any(problem.startswith(said) for problem in refused())


def link(bundle: Path) -> None:
    target = bundle.parent.parent / "secret.json"
    file = only_result(bundle) / "result.json"
    file.rename(target)
    file.symlink_to(target)


def link_folder(bundle: Path) -> None:
    folder = only_result(bundle)
    target = folder.rename(bundle.parent.parent / "elsewhere")
    folder.symlink_to(target)


def link_manifest(bundle: Path) -> None:
    file = bundle / "bundle.json"
    target = file.rename(bundle.parent.parent / "elsewhere.json")
    file.symlink_to(target)


def add_file(bundle: Path) -> None:
    (only_result(bundle) / "run\x1b.sh").write_text("rm -rf /")


def add_to_bundle(bundle: Path) -> None:
    (bundle / "weights.pt").write_text("")


def make_large(bundle: Path) -> None:
    with (only_result(bundle) / "predictions.csv").open("ab") as stream:
        stream.truncate(bundle_files.LARGEST_FILE + 1)


def remove(bundle: Path) -> None:
    (only_result(bundle) / "predictions.csv").unlink()


def rename(bundle: Path) -> None:
    bundle.rename(bundle.with_name("Ann's\n"))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (link, "result.json is not a regular file, but a link"),
        (link_folder, "is neither bundle.json nor the folder of a result"),
        (link_manifest, "bundle.json is not a regular file, but a link"),
        (add_file, "/'run\\x1b.sh' does not belong to a result"),
        (add_to_bundle, "'weights.pt' is neither bundle.json nor the folder of a"),
        (make_large, "more than 10 MiB"),
        (remove, "predictions.csv is missing"),
        (rename, "the name of the bundle must have small letters"),
    ],
)
def test_other_files_than_those_of_results_are_refused(
    board: Path,
    plugins: Plugins,
    refused: Refused,
    damage: Callable[[Path], None],
    said: str,
) -> None:
    damage(bundle(board, "ann", plugins))

    problems = refused()

    assert any(said in problem for problem in problems), problems
    assert not any("\x1b" in problem or "\n" in problem for problem in problems)


def test_a_bundle_without_a_manifest_is_refused(
    board: Path, plugins: Plugins, refused: Refused
) -> None:
    (bundle(board, "ann", plugins) / "bundle.json").unlink()

    assert refused() == ["ann: bundle.json is missing"]


def test_a_bundle_of_too_many_bytes_is_refused(
    board: Path, plugins: Plugins, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle(board, "ann", plugins)
    monkeypatch.setattr(bundle_files, "LARGEST_BUNDLE", 100)

    assert any(problem.startswith("ann: it has 1 results of") for problem in refused())


def test_the_problems_of_all_bundles_are_in_one_message(
    board: Path, plugins: Plugins, refused: Refused
) -> None:
    for name in ("ann", "bob"):
        edit_manifest(bundle(board, name, plugins), name="")

    assert refused() == [
        f"{name}: it does not say who sends it: give a name" for name in ("ann", "bob")
    ]
