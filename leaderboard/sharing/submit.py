"""Write a bundle of results, to send them to a board."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.read_results import (
    read_result,
    result_folders,
    text_digest,
)
from nserbench.benchmark.results.result import PREDICTIONS, RESULT, Result
from nserbench.benchmark.results.write_results import write_result
from nserbench.errors import BadResult, NserbenchError
from nserbench.leaderboard.reading.counts import folders_of
from nserbench.leaderboard.render.layout import plain
from nserbench.leaderboard.sharing.bundle import (
    Bundle,
    message_within,
    read_bundle,
    refuse_without_digests,
)
from nserbench.leaderboard.sharing.licences import corpus_card, licence_flaws
from nserbench.leaderboard.sharing.manifest import Manifest
from nserbench.leaderboard.sharing.origins import address_of, plugins_behind
from nserbench.leaderboard.sharing.result_set import problem_text
from nserbench.leaderboard.sharing.submission import read_submission
from nserbench.leaderboard.sharing.without_ids import result_without_ids

_MACHINE = ("system", "machine", "processor", "device_name")
"""Fields of the provenance that describe the hardware."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """What the sender says; see `Manifest`.

    Attributes:
        licences: Licence of a corpus, by its name, if its card names none.
        code: Where the code of a plugin is, by its name, if its package does not say.
    """

    name: str
    contact: str = ""
    note: str = ""
    commit: str = ""
    licences: Mapping[str, str] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sent:
    """A bundle that was written, and the cells that are not in it.

    Attributes:
        left_out: Number of results that are not done.
        without_ids: Corpora whose predictions were written as counts.
    """

    bundle: Bundle
    left_out: int
    without_ids: Sequence[str]


def submit(root: Path, out: Path, sender: Sender, plugins: Plugins) -> Sent:
    """Write the finished results of a folder as a bundle, if all of them are sound.

    Where a licence does not allow to publish ids, predictions are written as counts.

    Args:
        out: The folder of the bundle, which must not exist.
        plugins: The plugins that the results were made with.

    Raises:
        NserbenchError: if ``out`` exists, or a result cannot be published; the message
            lists all problems, and nothing is written.
        BadResult: if there are no results.
    """
    if out.exists():
        raise NserbenchError(
            f"{out} exists already\n  name another folder, or delete this one"
        )
    folders, problems = folders_of(root), []
    results: dict[Path, Result] = {}
    for folder in folders:
        try:
            results[folder] = _sound_result(folder)
        except BadResult as error:
            problems.append(message_within(root, error))
    done = {folder: one for folder, one in results.items() if one.status == "done"}
    where = _where(done.values(), sender, plugins, problems)
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out.parent, prefix=".bundle") as hidden:
        new = Path(hidden) / out.name
        manifest = _manifest(done, sender, plugins, where)
        counted = _copy(done, new, manifest, plugins)
        digests = {
            folder.name: text_digest((folder / RESULT).read_bytes())
            for folder in result_folders(new)
        }
        replace(manifest, results=digests).write(new)
        bundle = read_bundle(new, plugins)
        problems += bundle.problems
        if not done and not problems:
            problems.append(f"no cell in {root} is done")
        if problems:
            lines = list(map(plain, problems))
            raise NserbenchError(problem_text("no bundle was written", lines, _ADVICE))
        new.rename(out)
    return Sent(bundle, len(folders) - len(done), counted)


_ADVICE = "repair the results above, or submit a folder without them"


def _sound_result(folder: Path) -> Result:
    """Read a result, and check it before its predictions may become counts.

    Raises:
        BadResult: if it is not sound, or has no digests of its files.
    """
    read_submission(folder)
    refuse_without_digests(folder)
    return read_result(folder)


def _where(
    results: Iterable[Result], sender: Sender, plugins: Plugins, problems: list[str]
) -> dict[str, str]:
    """Return where the code of each plugin is, and add what is not known."""
    names = sorted(plugins_behind(results, plugins, problems))
    found = {name: sender.code.get(name) or address_of(name) for name in names}
    problems += [
        f"nothing says where the code of the plugin {name} is: add "
        f"--code '{name}=ADDRESS'"
        for name, address in found.items()
        if not address
    ]
    return found


def _copy(
    results: Mapping[Path, Result], new: Path, manifest: Manifest, plugins: Plugins
) -> list[str]:
    """Write the results of a bundle, and return the corpora that have counts alone."""
    new.mkdir()
    counted = {}
    for folder, result in results.items():
        if [*licence_flaws(result, manifest, plugins)]:
            write_result(new, result_without_ids(result))
            counted[result.corpus] = True
            continue
        (new / folder.name).mkdir()
        for name in (RESULT, PREDICTIONS):
            shutil.copyfile(folder / name, new / folder.name / name)
    return list(counted)


def _manifest(
    results: Mapping[Path, Result],
    sender: Sender,
    plugins: Plugins,
    where: Mapping[str, str],
) -> Manifest:
    cards = [corpus_card(one, plugins) for one in results.values()]
    licences = {card.name: card.licence for card in cards if card and card.publishable}
    return Manifest(
        name=sender.name,
        contact=sender.contact,
        note=sender.note,
        nserbench=version("nserbench"),
        commit=sender.commit,
        corpora={**sender.licences, **licences},
        plugins=where,
        hardware=_hardware(results.values()),
        results={},
    )


def _hardware(results: Iterable[Result]) -> Sequence[str]:
    machines = (
        dict.fromkeys(str(one.provenance.get(key, "")) for key in _MACHINE)
        for one in results
    )
    return list(dict.fromkeys(", ".join(filter(None, facts)) for facts in machines))
