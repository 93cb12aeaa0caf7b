import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundles import CODE, SENDER, publishable
from labs import details, fail, predictions
from older_results import as_older
from values import not_none

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.metrics import summarise
from nserbench.benchmark.results.read_results import read_results, result_folders
from nserbench.cards import NOT_STATED
from nserbench.corpora.base import CorpusCard
from nserbench.errors import BadResult, NserbenchError
from nserbench.leaderboard.reading.pairs import read_pairs
from nserbench.leaderboard.sharing.board import check_board
from nserbench.leaderboard.sharing.manifest import read_manifest
from nserbench.leaderboard.sharing.submit import Sender, submit
from nserbench.leaderboard.tables.summary import summary_table
from nserbench.upstreams.base import UpstreamCard


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "board" / "our-lab"


def refused(
    lab: Path, out: Path, plugins: Plugins, sender: Sender = SENDER
) -> list[str]:
    with pytest.raises(NserbenchError) as caught:
        submit(lab, out, sender, plugins)
    first, *problems, _ = str(caught.value).split("\n  ")
    assert first == "no bundle was written"
    assert not out.exists()
    return problems


def test_a_bundle_has_the_files_of_the_results_unchanged(
    lab: Path, out: Path, plugins: Plugins
) -> None:
    folder = publishable(lab)

    sent = submit(lab, out, SENDER, plugins)

    assert sent.left_out == 0
    assert sorted(path.name for path in out.iterdir()) == ["bundle.json", folder.name]
    for file in folder.iterdir():
        copy = out / folder.name / file.name
        assert copy.read_bytes() == file.read_bytes()
    assert list(out.parent.iterdir()) == [out]


def test_a_bundle_is_a_folder_of_results_for_the_leaderboard(
    lab: Path, out: Path, plugins: Plugins
) -> None:
    publishable(lab)
    submit(lab, out, SENDER, plugins)

    table = summary_table(out, ["uar"])

    assert [str(row) for row in table.rows] == ["mel x mean"]


def test_the_manifest_says_who_sends_it_and_what_it_was_made_with(
    lab: Path, out: Path, plugins: Plugins
) -> None:
    folder = publishable(lab, provenance={"machine": "x86_64", "device_name": "H100"})
    sender = Sender(name="Ann", contact="a@b.org", note="birds: a park in Potsdam")
    submit(lab, out, sender, plugins)

    said = read_manifest(out)

    assert (said.name, said.contact, said.note) == ("Ann", "a@b.org", sender.note)
    assert said.corpora == {"emodb": "CC0-1.0"}
    assert said.plugins == {}
    assert list(said.hardware) == ["Linux, x86_64, H100"]
    assert list(said.results) == [folder.name]


def test_cells_without_a_score_are_left_out(
    lab: Path, out: Path, plugins: Plugins
) -> None:
    done = publishable(lab)
    fail(lab, "ab" * 16)

    sent = submit(lab, out, SENDER, plugins)

    assert sent.left_out == 1
    assert list(read_manifest(out).results) == [done.name]


def test_results_of_which_none_is_done_are_refused(
    lab: Path, out: Path, plugins: Plugins
) -> None:
    fail(lab, "ab" * 16)

    assert refused(lab, out, plugins) == [f"no cell in {lab} is done"]


def test_an_empty_folder_is_refused(lab: Path, out: Path, plugins: Plugins) -> None:
    with pytest.raises(BadResult, match="is not a folder"):
        submit(lab, out, SENDER, plugins)


def test_an_existing_bundle_is_not_replaced(
    lab: Path, out: Path, plugins: Plugins
) -> None:
    publishable(lab)
    out.mkdir(parents=True)

    with pytest.raises(NserbenchError, match="our-lab exists already"):
        submit(lab, out, SENDER, plugins)


UNSURE = np.where(np.eye(2)[predictions().predicted] == 1, 0.25, 0.75)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"found": predictions(probabilities=UNSURE)}, "not the most probable one"),
        ({"protocol_details": {**details(), "digest": "ab"}}, "digest of the protocol"),
        ({"protocol": {"version": None}}, "the protocol has no version"),
        ({"provenance": {"corpus": None}}, "provenance.corpus is missing"),
        ({"provenance": {"commit": None}}, "does not say the commit of nserbench"),
        ({"provenance": {"packages": {}}}, "does not say the version of nserbench"),
        ({"corpus": "emodb:exclude=\x1b[2J"}, "a name has control characters"),
        ({"corpus": "emodb:exclude=" + "x" * 200}, "more than 200 characters"),
        ({"corpus": "unheard"}, "unknown corpus 'unheard'"),
        ({"upstream": "unheard"}, "unknown upstream 'unheard'"),
        ({"downstream": "unheard"}, "unknown downstream 'unheard'"),
    ],
)
def test_what_cannot_be_published_is_refused(
    lab: Path, out: Path, plugins: Plugins, changes: dict[str, Any], said: str
) -> None:
    publishable(lab, **changes)

    problems = refused(lab, out, plugins)

    assert any(said in problem for problem in problems), problems
    assert not any("\x1b" in problem for problem in problems)


def test_every_name_that_no_plugin_offers_is_in_one_message(
    lab: Path, out: Path, plugins: Plugins
) -> None:
    for upstream, head in (("unheard", "mean"), ("mel", "unseen"), ("mel", "unsaid")):
        publishable(lab, upstream=upstream, downstream=head)

    problems = refused(lab, out, plugins)

    for name in (
        "upstream 'unheard'",
        "downstream 'unseen'",
        "downstream 'unsaid'",
    ):
        said = f"unknown {name}: name its plugin by --plugin"
        assert problems.count(said) == 1, problems


def test_all_problems_are_in_one_message(
    lab: Path, out: Path, plugins: Plugins
) -> None:
    damaged = publishable(lab) / "predictions.csv"
    damaged.write_text(damaged.read_text().replace("0.75,0.25", "0.7,0.3"))
    publishable(lab, "whisper", protocol={"version": None})
    publishable(lab, "hubert", provenance={"commit": None})
    publishable(lab, "wavlm", provenance={"corpus": "f" * 32})

    problems = refused(lab, out, plugins)

    said = ("has changed", "protocol has no version", "commit", "audio of the corpus")
    for text in said:
        assert len([problem for problem in problems if text in problem]) == 1


def test_a_result_without_digests_is_refused(
    lab: Path, out: Path, plugins: Plugins
) -> None:
    as_older(publishable(lab))

    (problem,) = refused(lab, out, plugins)

    assert problem.endswith("without the digests of its files: run the cell again")


def test_the_commit_of_an_installed_package_may_be_given(
    lab: Path, out: Path, plugins: Plugins
) -> None:
    publishable(lab, provenance={"commit": None})

    submit(lab, out, Sender(name="Ann", commit="a1b2c3d"), plugins)

    assert read_manifest(out).commit == "a1b2c3d"


def test_the_licence_of_an_own_corpus_may_be_given(
    lab: Path, out: Path, plugins: Plugins
) -> None:
    name = "manifest:path=notes"
    publishable(lab, corpus=name)

    submit(lab, out, Sender(name="Ann", licences={name: "CC0-1.0"}), plugins)

    assert read_manifest(out).corpora == {name: "CC0-1.0"}


@pytest.mark.parametrize("corpus", ["iemocap", "tess", "manifest:path=notes"])
def test_predictions_become_counts_where_no_licence_allows_ids(
    lab: Path, out: Path, plugins: Plugins, corpus: str
) -> None:
    notes = {"edition": "first", "cut": ["u1", "u2"], "left_out": {"u9": "broken"}}
    folder = publishable(lab, corpus=corpus, notes=notes)
    sender = Sender(name="Ann", licences={"iemocap": "free for all"})

    sent = submit(lab, out, sender, plugins)

    assert sent.without_ids == [corpus]
    (counted,), (full,) = read_results(out), read_results(lab)
    assert counted.notes == {"edition": "first", "cut": ["not published"] * 2}
    found, wanted = summarise(not_none(counted.counts)), not_none(full.predictions)
    assert found["uar"].bounds == pytest.approx(summarise(wanted)["uar"].bounds)
    written = [file.read_text() for file in (out / folder.name).iterdir()]
    assert not any(name in text for text in written for name in ("ann", "u1", "u9"))


def test_counts_can_be_compared_with_counts_of_others(
    lab: Path, tmp_path: Path, plugins: Plugins
) -> None:
    publishable(lab, corpus="iemocap")
    publishable(tmp_path / "more", "wavlm", corpus="iemocap")
    board = tmp_path / "board"

    submit(lab, board / "ann", SENDER, plugins)
    submit(tmp_path / "more", board / "bob", SENDER, plugins)

    assert check_board(board, plugins).results == 2


def test_single_utterances_of_counts_cannot_be_compared(
    lab: Path, out: Path, plugins: Plugins
) -> None:
    for upstream in ("mel", "wavlm"):
        publishable(lab, upstream, corpus="iemocap")
    submit(lab, out, SENDER, plugins)

    with pytest.raises(BadResult, match="has counts in place of ids"):
        read_pairs(*result_folders(out))


def test_a_plugin_must_say_where_its_code_is(lab: Path, out: Path) -> None:
    mine = UpstreamCard(name="mine", load="mine:load")
    plugins = Plugins([mine], installed=False)
    publishable(lab, "mine")

    (problem,) = refused(lab, out, plugins)
    address = "https://example.org/mine"
    submit(lab, out, Sender(name="Ann", code={"upstream mine": address}), plugins)

    assert "nothing says where the code of the plugin upstream mine is" in problem
    assert read_manifest(out).plugins == {"upstream mine": address}


def test_every_built_in_corpus_says_whether_predictions_may_be_published(
    plugins: Plugins,
) -> None:
    silent = {card.name for card in plugins.corpora if card.publishable is None}

    assert silent == {"manifest"}
    assert CorpusCard(name="x", load="x:y").licence == NOT_STATED


def test_no_path_of_the_sender_is_in_a_bundle(
    lab: Path, out: Path, plugins: Plugins
) -> None:
    publishable(lab, provenance=CODE)
    submit(lab, out, SENDER, plugins)

    written = [file.read_text() for file in out.rglob("*.*") if file.is_file()]

    assert json.loads((out / "bundle.json").read_text())["schema"] == 1
    assert not any(str(lab.parent) in text for text in written)
