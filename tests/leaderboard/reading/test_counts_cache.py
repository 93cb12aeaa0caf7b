import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from older_results import as_older

from nserbench.benchmark.store.whole_files import write_checked
from nserbench.errors import BadResult
from nserbench.leaderboard.reading import counts_cache as cache
from nserbench.leaderboard.reading.counts import CountedResult, read_counted_result
from nserbench.leaderboard.reading.counts_cache import cache_file, read_counted_results
from nserbench.leaderboard.tables.summary import SummaryTable, summary_table

Add = Callable[..., Path]


@pytest.fixture(autouse=True)
def cache_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MIN_AGE_NS", 0)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return a list of the folders whose files have been read."""
    found: list[Path] = []

    def noted(folder: Path) -> CountedResult:
        found.append(folder)
        return read_counted_result(folder)

    monkeypatch.setattr(cache, "read_counted_result", noted)
    return found


def uar(table: SummaryTable) -> list[float]:
    return [one.scores["uar"].value for one in table.entries.values()]


def test_only_what_changed_is_read_again(
    root: Path, add: Add, reads: list[Path]
) -> None:
    add()
    add("whisper", right="11111110")
    add("wavlm", right=None, status="failed", reason="out of memory")
    first = summary_table(root, ["uar"])
    reads.clear()

    second = summary_table(root, ["uar"])
    new = add("hubert")
    third = summary_table(root, ["uar"])

    assert second == first
    assert reads == [new]
    assert len(third.entries) == 4


def test_an_edit_of_the_predictions_is_seen_even_with_its_time_set_back(
    root: Path, add: Add
) -> None:
    file = as_older(add()) / "predictions.csv"
    before, stat = uar(summary_table(root, ["uar"])), file.stat()
    text = file.read_text("utf-8")
    line = next(one for one in text.splitlines() if one.endswith(",1,0"))
    wrong = line.replace("anger,anger", "anger,neutral").replace(",1,0", ",0,1")
    file.write_text(text.replace(line, wrong), "utf-8")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    after = uar(summary_table(root, ["uar"]))

    assert before == [1.0]
    assert after == [pytest.approx(0.875)]


def test_a_stored_metric_is_not_shown_before_or_after_it_is_edited(
    root: Path, add: Add
) -> None:
    file = as_older(add()) / "result.json"
    first = summary_table(root, ["uar"])
    content = json.loads(file.read_text("utf-8"))
    content["metrics"]["uar"] = {"mean": 0.1, "low": 0.1, "high": 0.1}
    file.write_text(json.dumps(content), "utf-8")

    assert summary_table(root, ["uar"]).entries == first.entries


@pytest.mark.parametrize("spoil", [b"", b"PK\x03\x04 no archive", None])
def test_a_damaged_cache_file_is_made_again(
    root: Path, add: Add, reads: list[Path], spoil: bytes | None
) -> None:
    add()
    first = summary_table(root, ["uar"])
    file = cache_file(root)
    whole = file.read_bytes()
    middle = len(whole) // 2
    file.write_bytes(whole[:middle] if spoil is None else spoil)
    reads.clear()

    second = summary_table(root, ["uar"])

    assert second == first
    assert len(reads) == 1
    assert len(list(file.parent.iterdir())) == 1


def test_a_cache_file_of_another_version_is_not_used(
    root: Path, add: Add, reads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    add()
    read_counted_results(root)
    monkeypatch.setattr(cache, "VERSION", cache.VERSION + 1)

    read_counted_results(root)

    assert len(reads) == 2


def test_a_file_that_may_still_change_is_not_cached(
    root: Path, add: Add, reads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "MIN_AGE_NS", 10**12)
    add()

    read_counted_results(root)
    read_counted_results(root)

    assert len(reads) == 2


def test_a_deleted_result_is_removed_from_the_cache(root: Path, add: Add) -> None:
    folder = add()
    add("whisper")
    read_counted_results(root)
    for file in folder.iterdir():
        file.unlink()

    left = read_counted_results(root)

    assert [one.row.upstream for one in left] == ["whisper"]


def test_a_store_that_cannot_be_written_does_no_harm(
    root: Path, add: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NSERBENCH_STORE", str(tmp_path / "file"))
    add()

    assert len(read_counted_results(root)) == 1


def test_many_results_are_read_in_several_processes_with_the_same_numbers(
    root: Path, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    add()
    add("whisper", right="11111110")
    alone = summary_table(root, ["uar"])
    cache_file(root).unlink()
    monkeypatch.setattr(cache, "MANY", 1)

    assert summary_table(root, ["uar"]) == alone


def test_a_damaged_result_is_an_error_and_is_not_cached(root: Path, add: Add) -> None:
    file = add() / "predictions.csv"
    read_counted_results(root)
    file.write_text("nothing", "utf-8")

    with pytest.raises(BadResult, match="line 1"):
        read_counted_results(root)


@pytest.mark.parametrize(
    "about", [b"{}", b"[]", b'{"version": 6}', b"\xff", b"[" * 9999]
)
def test_a_cache_file_with_other_content_is_made_again(
    root: Path, add: Add, reads: list[Path], about: bytes
) -> None:
    add()
    first = summary_table(root, ["uar"])
    file = cache_file(root)
    content = io.BytesIO()
    np.savez(content, about=np.frombuffer(about, np.uint8))
    write_checked(file, content.getvalue())
    reads.clear()

    assert summary_table(root, ["uar"]) == first
    assert len(reads) == 1
