import json
from pathlib import Path
from typing import Any

import pytest
from labs import add, details, predictions
from older_results import as_older

from nserbench.benchmark.results.predictions import Predictions
from nserbench.errors import NserbenchError
from nserbench.leaderboard.sharing.merge import merge


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    return tmp_path / "lab"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "joined"


def test_a_stored_metric_is_reported_and_computed_again(lab: Path, out: Path) -> None:
    folder = as_older(add(lab, found=predictions("11111110")))
    file = folder / "result.json"
    content = json.loads(file.read_text())
    content["metrics"]["uar"]["mean"] = 0.99
    file.write_text(json.dumps(content))

    found = merge([lab], out)

    assert found.recomputed == [
        f"{folder}: uar.mean is 0.99, but 0.875 from the predictions"
    ]
    written = json.loads((out / folder.name / "result.json").read_text())
    assert written["metrics"]["uar"]["mean"] == 0.875


def test_metrics_that_are_not_there_are_reported(lab: Path, out: Path) -> None:
    folder = as_older(add(lab))
    content = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps({**content, "metrics": ["uar"]}))

    found = merge([lab], out)

    assert found.recomputed == [
        f"{folder}: uar.mean is None, but 1.0 from the predictions"
    ]


def tampered(found: Predictions) -> Predictions:
    return predictions(predicted=1 - found.predicted)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"found": tampered(predictions())}, "not the most probable one in 8"),
        ({"found": predictions(folds=tuple("12112222"))}, "'ann' is tested in the"),
        (
            {"protocol": {"folds": {"1": {"test": 4}, "2": {"test": 5}}}},
            "the folds hold {'1': 4, '2': 4} utterances, but the protocol says",
        ),
        ({"protocol": {"folds": "none"}}, "the protocol does not say how many"),
        ({"provenance": {"corpus": None}}, "provenance.corpus is missing"),
        (
            {"condition": "park@0", "provenance": {"noise": None}},
            "provenance.noise is missing",
        ),
        (
            {"protocol_details": {**details(), "digest": "ab" * 16}},
            "digest of the protocol does not match",
        ),
        ({"provenance": {"finished": "soon"}}, "finished is not an ISO 8601 time"),
        ({"condition": "park"}, "neither clean nor NOISE@SNR"),
    ],
)
def test_an_inconsistent_result_is_refused_even_with_separate(
    lab: Path, out: Path, changes: dict[str, Any], said: str
) -> None:
    folder = add(lab, **changes)

    with pytest.raises(NserbenchError) as caught:
        merge([lab], out, separate=True)
    lines = str(caught.value).split("\n  ")

    assert any(line.startswith(f"{folder}: ") and said in line for line in lines)
    assert lines[-1] == "repair the results above, or merge without them"


def test_probabilities_that_are_no_distribution_are_refused(
    lab: Path, out: Path
) -> None:
    file = add(lab) / "predictions.csv"
    file.write_text(file.read_text().replace("0.75,0.25", "0.75,0.5"))

    with pytest.raises(NserbenchError, match="no distribution"):
        merge([lab], out)

    assert not out.exists()
