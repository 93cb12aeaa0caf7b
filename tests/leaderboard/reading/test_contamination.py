from collections.abc import Callable
from pathlib import Path

import pytest

from nserbench.benchmark.results.read_results import read_result
from nserbench.errors import BadResult
from nserbench.leaderboard.reading.contamination import seen_in_training, worst

Add = Callable[..., Path]


def note(*corpora: str, **more: bool) -> dict[str, object]:
    facts = {"corpora": corpora, "complete": True, "source": "x", "said": True}
    return {"trained_on": {**facts, **more}}


@pytest.mark.parametrize(
    ("corpus", "notes", "seen"),
    [
        ("emodb", note("emodb"), "yes"),
        ("emodb:classes=all", note("emodb"), "yes"),
        ("emobox:classes=paper,name=cremad", note("crema-d"), "yes"),
        ("msp-podcast", note("MSP_Podcast", complete=False), "yes"),
        ("emodb", note("iemocap"), "no"),
        ("emodb", note(), "no"),
        ("emodb", note("iemocap", complete=False), "unknown"),
        ("emodb", note("iemocap", said=False), "not said"),
        ("emodb", note("emodb", said=False), "yes"),
        ("emodb", note(complete=False, said=False), "unknown"),
        ("emodb", {"trained_on": {"corpora": [], "complete": True}}, "no"),
        ("emodb", {"trained_on": None}, "not said"),
    ],
)
def test_a_corpus_is_looked_for_among_the_training_data(
    add: Add, corpus: str, notes: dict[str, object], seen: str
) -> None:
    result = read_result(add(corpus=corpus, notes=notes))

    assert seen_in_training(result, "it") == seen


@pytest.mark.parametrize(
    "malformed",
    [
        "emodb",
        {"corpora": "emodb", "complete": True},
        {"corpora": []},
        {"corpora": [], "complete": True, "said": "no"},
    ],
)
def test_malformed_training_data_are_refused(add: Add, malformed: object) -> None:
    result = read_result(add(notes={"trained_on": malformed}))

    with pytest.raises(BadResult, match=r"it: notes\.trained_on must have a list"):
        seen_in_training(result, "it")


def test_the_worst_of_several_seeds_counts() -> None:
    assert worst(["no", "unknown", "not said"]) == "unknown"
    assert worst(["no", "yes"]) == "yes"
