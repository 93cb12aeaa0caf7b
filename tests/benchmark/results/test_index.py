from collections.abc import Callable
from pathlib import Path

import pytest

from nserbench.benchmark.results.index import find_result, is_done, read_entries
from nserbench.benchmark.results.result import RESULT, CellName, Result, Status
from nserbench.benchmark.results.write_results import write_result
from nserbench.errors import BadResult, UnknownName


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a result that is not done."""

    def go(
        digest: str, status: Status = "failed", head: str = "mean", seed: int = 0
    ) -> Path:
        result = Result(
            status=status,
            reason="why",
            digest=digest,
            upstream="mel",
            downstream=head,
            corpus="demo",
            condition="clean",
            protocol="demo",
            seed=seed,
            protocol_details={},
            classes=(),
        )
        return write_result(tmp_path, result)

    return go


def test_a_result_is_found_by_its_folder_its_name_or_its_digest(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write("ab" * 16)
    write("cd" * 16)

    for text in (str(folder), folder.name, "a", "ab" * 16):
        assert find_result(text, tmp_path) == folder
    monkeypatch.chdir(tmp_path)
    assert find_result(folder.name, tmp_path / "elsewhere").resolve() == folder


def test_all_results_whose_digest_begins_alike_are_named(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    one, other = write("ab" * 16), write("ac" * 16)

    with pytest.raises(BadResult, match="several cells are meant by 'a'") as caught:
        find_result("a", tmp_path)

    name = "mel x mean x demo clean (demo, seed 0)"
    assert str(caught.value).splitlines()[1:] == [
        f"  {one.name[-10:]}: {name}",
        f"  {other.name[-10:]}: {name}",
    ]
    assert find_result("ac", tmp_path) == other


def test_a_name_without_a_seed_is_enough_where_any_seed_will_do(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    write("ab" * 16, seed=1)
    first = write("cd" * 16, seed=0)

    assert find_result("mel x mean", tmp_path, any_seed=True) == first
    with pytest.raises(BadResult, match="several cells are meant"):
        find_result("mel x mean", tmp_path)
    write("ef" * 16, seed=0)
    with pytest.raises(BadResult, match="several cells are meant"):
        find_result("mel x mean", tmp_path, any_seed=True)


def test_a_result_is_found_by_the_names_of_its_cell_in_whole_words(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    mean, other = write("ab" * 16), write("cd" * 16, head="mean-2")

    assert find_result("mel x mean", tmp_path) == mean
    assert find_result("mel x mean-2 x demo clean", tmp_path) == other
    assert find_result("mel x mean x demo clean (demo, seed 0)", tmp_path) == mean
    with pytest.raises(BadResult, match="several cells are meant by 'mel'"):
        find_result("mel", tmp_path)
    with pytest.raises(UnknownName, match="did you mean 'mel x mean x demo clean"):
        find_result("mel x mean x demo park@0", tmp_path)


def test_the_error_of_an_unknown_cell_says_where_was_searched(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    write("ab" * 16)

    with pytest.raises(
        UnknownName, match=r"known: mel x mean x demo clean .*\n  looked"
    ):
        find_result("ff", tmp_path)
    with pytest.raises(UnknownName, match="known: none"):
        find_result("ff", tmp_path / "nowhere")


def test_entries_hold_names_status_and_digest_and_skip_unfinished_folders(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    folder = write("ab" * 16, head="fc")
    leftover = tmp_path / f".{folder.name}.1a2b3c4d"
    leftover.mkdir()
    (leftover / RESULT).write_bytes((folder / RESULT).read_bytes())

    (entry,) = read_entries(tmp_path)

    assert entry.folder == folder
    assert (entry.status, entry.digest) == ("failed", "ab" * 16)
    assert entry.cell == CellName("mel", "fc", "demo", "clean", "demo", 0)
    assert entry.names["downstream"] == "fc"


def test_a_result_that_is_not_done_does_not_count_as_done(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    assert not is_done(write("ab" * 16))
    assert not is_done(write("cd" * 16, "not applicable"))
    assert not is_done(tmp_path / "nowhere")


def test_the_error_of_a_result_without_a_digest_gives_its_path(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    file = write("ab" * 16) / RESULT
    file.write_text(file.read_text().replace('"digest"', '"digset"'))

    with pytest.raises(BadResult, match=f"{file}: the field 'digest' is missing"):
        read_entries(tmp_path)
