"""A bundle: results in a folder with a manifest, which others can check by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.read_results import (
    DIGESTS,
    read_result,
    text_digest,
)
from nserbench.benchmark.results.result import RESULT, Result
from nserbench.errors import BadResult
from nserbench.leaderboard.reading.counts import count_result
from nserbench.leaderboard.render.layout import plain
from nserbench.leaderboard.sharing.bundle_files import find_files
from nserbench.leaderboard.sharing.licences import licence_flaws
from nserbench.leaderboard.sharing.manifest import Manifest, is_plain, read_manifest
from nserbench.leaderboard.sharing.result_set import ResultSet, conflict_lines
from nserbench.leaderboard.sharing.submission import Submission, read_submission
from nserbench.leaderboard.sharing.without_ids import id_flaws
from nserbench.leaderboard.tables.series import layer_weights
from nserbench.plain_data import parse_json

LONGEST_NAME = 200
"""Most characters of a name in a result."""

_COMMIT = re.compile("[0-9a-f]{7,64}")
_YEARS = range(2020, 2100)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle and all that is wrong with it.

    Attributes:
        manifest: None if it cannot be read.
        problems: One line each, with paths that start in the bundle.
    """

    folder: Path
    manifest: Manifest | None
    submissions: Sequence[Submission]
    problems: Sequence[str]


def read_bundle(folder: Path, plugins: Plugins) -> Bundle:
    """Read a bundle, and check all that needs no other bundle.

    Every metric is computed again from the predictions.
    """
    files = find_files(folder)
    if not files.manifest:
        return Bundle(folder, None, [], files.problems)
    try:
        manifest = read_manifest(folder)
    except BadResult as error:
        return Bundle(folder, None, [], [*files.problems, str(error)])
    problems = [*files.problems, *_manifest_flaws(manifest, files.results)]
    known, conflicts, submissions = ResultSet(folder), [], []
    for path in files.results:
        try:
            submission = read_submission(path)
            refuse_without_digests(path)
            result = read_result(path)
        except BadResult as error:
            problems.append(message_within(folder, error))
            continue
        flaws = [*_flaws(path, submission, result, manifest)]
        flaws += licence_flaws(result, manifest, plugins)
        problems += [plain(f"{path.name}: {flaw}") for flaw in flaws]
        conflicts += known.conflicts(submission)
        known.add(submission)
        submissions.append(submission)
    problems += conflict_lines(conflicts)
    return Bundle(folder, manifest, submissions, list(dict.fromkeys(problems)))


def message_within(folder: Path, error: BadResult) -> str:
    """Return the first line of a message, with paths that start in a folder."""
    return plain(str(error).partition("\n")[0].replace(f"{folder}/", ""))


def refuse_without_digests(folder: Path) -> None:
    """Refuse a result that an older nserbench wrote.

    Raises:
        BadResult: if it does not have the digests of its files.
    """
    if DIGESTS not in parse_json((folder / RESULT).read_bytes()):
        raise BadResult(
            f"{folder}: an older nserbench wrote it, without the digests of its files: "
            "run the cell again"
        )


def _manifest_flaws(manifest: Manifest, results: Sequence[Path]) -> Iterator[str]:
    if not manifest.name.strip():
        yield "it does not say who sends it: give a name"
    if manifest.commit and not _COMMIT.fullmatch(manifest.commit):
        yield f"{manifest.commit!r} is no commit: 7 to 64 hexadecimal digits are"
    there = {path.name for path in results}
    for name in sorted(manifest.results.keys() - there):
        yield f"{name} is in the manifest, but cannot be read or is not there"
    for name in sorted(there - manifest.results.keys()):
        yield f"{name} is not in the manifest"


def _flaws(
    path: Path, submission: Submission, result: Result, manifest: Manifest
) -> Iterator[str]:
    """Say why a result that is sound by itself cannot be published."""
    content = (path / RESULT).read_bytes()
    if manifest.results.get(path.name) != text_digest(content):
        yield f"the digest of {RESULT} is not the one in the manifest"
    if path.name != submission.name:
        yield f"its folder must have the name {submission.name}"
    if not submission.done:
        yield f"it is {result.status}: only finished cells are published"
    if submission.metrics:
        yield submission.metrics
    yield from _protocol_flaws(result)
    yield from _code_flaws(result, manifest)
    names = [text for text in asdict(result.cell).values() if isinstance(text, str)]
    if not all(is_plain(text, LONGEST_NAME) for text in [*names, *result.classes]):
        yield (f"a name has control characters, or more than {LONGEST_NAME} characters")
    if any(text != text.strip() for text in names):
        yield "a name has a space before or after it"
    if result.counts is not None:
        yield from id_flaws(result, result.counts)
    yield from _unreadable(result)


def _unreadable(result: Result) -> Iterator[str]:
    """Say why a leaderboard or its page would refuse the result."""
    try:
        finished = count_result(result, "it").finished
        layer_weights([result])
    except BadResult as error:
        yield str(error).partition("\n")[0]
    else:
        if finished is not None and finished.year not in _YEARS:
            yield f"it was finished in {finished.year}"


def _protocol_flaws(result: Result) -> Iterator[str]:
    details = result.protocol_details
    for key, kind in (("name", str), ("version", int), ("digest", str)):
        if not isinstance(details.get(key), kind):
            yield f"the protocol has no {key}"


def _code_flaws(result: Result, manifest: Manifest) -> Iterator[str]:
    packages = result.provenance.get("packages")
    version = packages.get("nserbench") if isinstance(packages, dict) else None
    if not isinstance(version, str):
        yield "provenance.packages does not say the version of nserbench"
    commit = result.provenance.get("commit") or manifest.commit
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        yield (
            "provenance.commit does not say the commit of nserbench: give the one that "
            "was installed by --commit"
        )
