"""Run a grid from Python, and what the command line shares with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from nserbench.api.session import AnyPath, Session, open_runner, open_session, path_of
from nserbench.byte_sizes import byte_count
from nserbench.errors import BadSpec, NserbenchError
from nserbench.progress import Progress, Silent

if TYPE_CHECKING:
    from nserbench.benchmark.plugins.registry import Plugin
    from nserbench.benchmark.running.runner import RunReport
    from nserbench.benchmark.study.study import Study
    from nserbench.leaderboard.frames import Results

Names: TypeAlias = str | Sequence[str]
"""One or more names, in one text separated by commas or in a list."""

_SNR = "snr"
"""The argument whose name is not that of its field in `Request`: that of ``--snr``."""


_SHOWN = 20
"""Most failed cells that one message names."""


class CellsFailed(NserbenchError):
    """A call of `run` in which cells failed, or results were deleted meanwhile.

    Attributes:
        results: The results of all cells, also of those that failed.
    """

    def __init__(self, results: Results, deleted: int) -> None:
        self.results = results
        lines = [f"{name}: {reason}" for name, reason in results.failures.items()]
        counts = [f"{len(lines)} of {len(results)} cells failed"] if lines else []
        if deleted:
            counts.append(f"{deleted} results were deleted while this call ran")
        if more := len(lines[_SHOWN:]):
            lines[_SHOWN:] = [f"and {more} more, in `error.results.failures`"]
        hint = (
            "the others are done, in `error.results`; the same call tries these again"
        )
        super().__init__("\n  ".join([" and ".join(counts), *lines, hint]))


def run(
    upstreams: Names = (),
    downstreams: Names = (),
    corpora: Names = (),
    *,
    noises: Names = (),
    snr: float | Iterable[float] | None = None,
    grid: AnyPath | None = None,
    protocol: str | None = None,
    epochs: int | None = None,
    limit: int | None = None,
    seeds: int | None = None,
    finetune: bool | str = False,
    precision: str | None = None,
    device: str = "auto",
    on: str | None = None,
    out: AnyPath | None = None,
    store: AnyPath | None = None,
    store_limit: int | str | None = None,
    verify: bool = False,
    plugins: Plugin | Sequence[Plugin] = (),
    config: AnyPath | None = None,
    progress: bool = True,
    allow_failures: bool = False,
) -> Results:
    """Train and test all cells of a grid that have no result yet, as ``nserbench run``.

    The grid is every upstream with every head on every corpus. The arguments are the
    options of the command line; those that take several names are in the plural.

    Args:
        upstreams: Upstreams, such as ``["mel", "whisper:language=de"]``.
        downstreams: Heads.
        corpora: Corpora, alone (``"emodb"``) or with a noise (``"emodb-park"``).
        noises: Noises for corpora that are named without one; ``"clean"`` adds clean
            speech.
        snr: SNRs in dB for every noise; default: 0.
        grid: TOML file that defines the grid in place of the arguments above, except
            ``corpora`` and ``snr``, which replace what the file sets.
        protocol: Protocol in place of each corpus's own.
        epochs: Number of epochs in place of the protocol's.
        limit: Most utterances of each corpus, spread over folds and classes.
        seeds: Number of seeds, one cell for each of 0 to ``seeds - 1``; default: 1.
        finetune: Whether to fine-tune the upstreams with each cell's own head; or the
            name of the head to fine-tune them with.
        precision: ``"fp32"``, ``"bf16"`` or ``"auto"``; default: the protocol's.
        device: Device such as ``"cuda:0"``; ``"auto"`` uses a GPU if there is one.
        on: Workers that share the cells: ``"processes:4"``, ``"dask://HOST:PORT"``,
            ``"slurm"``; None to compute in this process.
        out: Folder for results; default: that of the settings, or ``results``.
        store: Folder for features; default: that of the settings.
        store_limit: Most that the store may take on disk, in bytes or as ``"100GB"``.
        verify: Whether to read all audio and checkpoints again.
        plugins: Plugins that are not installed: Python files, modules, objects with
            hooks, or cards.
        config: Settings file; default: ``nserbench.toml`` in the working folder.
        progress: Whether to show progress: bars in a terminal or a notebook, lines
            elsewhere.
        allow_failures: Whether to return the results even if cells failed; see
            `Results.failures`.

    Returns:
        The results of all cells of the grid, old and new.

    Raises:
        CellsFailed: if a cell failed; after all others are done.
        NserbenchError: if a name, option or file is not there or not valid; before the
            first model is loaded.
    """
    from nserbench.benchmark.plugins.own_state import as_at_start
    from nserbench.benchmark.study.grid_file import make_studies

    _refuse_import_by_worker()
    file = None if grid is None else path_of(grid)
    values = {
        "upstreams": _listed(upstreams),
        "downstreams": _listed(downstreams),
        "corpora": _listed(corpora),
        "noises": _listed(noises),
        _SNR: _listed(snr),
        "protocol": protocol,
        "epochs": _plain(epochs),
        "limit": _plain(limit),
        "seeds": _plain(seeds),
        "finetune": "joint" if finetune is True else finetune or None,
        "precision": resolve_precision(precision, device),
        "device": device,
        "on": on,
    }
    wanted, most = _checked(values, file), _bytes(store_limit)
    session = open_session(plugins, config, results=out, store=store)
    with as_at_start(), shown(progress) as told:
        studies = make_studies(file, wanted, session.plugins, session.settings)
        report = evaluate(studies, session, told, device, on, verify=verify, limit=most)
    return _results(report, session.settings.results, allow_failures)


def _results(report: RunReport, folder: Path, allow_failures: bool) -> Results:
    """Return the results of a run.

    Raises:
        CellsFailed: if a cell failed or its result was deleted, unless this is allowed.
    """
    from nserbench.leaderboard.frames import Results

    root = folder.absolute()
    names = [one.name for one in (*report.folders, *report.refused)]
    results = Results(root, [root / name for name in names])
    unfinished = report.outcomes["failed"] + report.outcomes["deleted"]
    if unfinished and not allow_failures:
        raise CellsFailed(results, report.outcomes["deleted"])
    return results


def _refuse_import_by_worker() -> None:
    """Refuse to run again in a worker, which imports the program that started it.

    Raises:
        NserbenchError: if the call is not under ``if __name__ == "__main__":``.
    """
    from multiprocessing import current_process

    # multiprocessing asks the same before it starts a process.
    if getattr(current_process(), "_inheriting", False):
        raise NserbenchError(
            "a worker process has imported this program, and must not run it again\n"
            '  write the calls of nserbench under `if __name__ == "__main__":`'
        )


def evaluate(
    studies: Sequence[Study],
    session: Session,
    progress: Progress,
    device: str,
    on: str | None,
    *,
    verify: bool,
    limit: int | None,
    traceback: bool = False,
) -> RunReport:
    """Run the cells of studies that have no result; see `open_runner` and `Runner.run`.

    Raises:
        NserbenchError: if audio, weights, the device or the workers cannot be used.
        OSError: if a file cannot be written, as on a full disk.
    """
    from nserbench.benchmark.study.cell import not_applicable

    with open_runner(
        session, device, progress, on, verify=verify, limit=limit, traceback=traceback
    ) as runner:
        for study in studies:
            for line in not_applicable(study.cells):
                progress.note(line)
        return runner.run(*studies)


def resolve_precision(wanted: str | None, device: str) -> str | None:
    """Return the precision that ``auto`` stands for on a device; another one as it is.

    Raises:
        BadSpec: if the device cannot be used.
    """
    if wanted != "auto":
        return wanted
    from nserbench.benchmark.results.environment import choose_device, choose_precision

    return choose_precision(wanted, choose_device(device))


@contextmanager
def shown(progress: bool) -> Iterator[Progress]:
    """Yield what shows progress, or else what ignores it."""
    if not progress:
        yield Silent()
        return
    from nserbench.api.progress_bars import show_progress

    with show_progress() as told:
        yield told


def _checked(values: Mapping[str, Any], file: Path | None) -> dict[str, Any]:
    """Check arguments as the keys of a grid file, and return them by the same keys."""
    from nserbench.benchmark.study.request import Request, lacking, set_in_blocks
    from nserbench.benchmark.study.toml_checks import a_text, check_table, checks_of

    names = {name: _SNR if name == "snrs" else name for name in checks_of(Request)}
    known = {names[name]: check for name, check in checks_of(Request).items()}
    known |= {"device": a_text, "on": a_text}
    given = {name: value for name, value in values.items() if value not in (None, [])}
    by_argument = check_table(given, known, "nserbench.run")
    checked = {name: by_argument.get(argument) for name, argument in names.items()}
    if file is None and (missing := lacking(checked)):
        raise BadSpec(f"nserbench.run needs {'=, '.join(missing)}=, or grid=")
    if file is not None and (extra := set_in_blocks(checked)):
        raise BadSpec(
            f"nserbench.run: {extra[0]}= cannot be combined with grid=: set it in "
            f"{file}"
        )
    return checked


def _listed(values: Any) -> list[Any]:
    """Return one or more values as a list; empty for None."""
    if values is None:
        return []
    values = _plain(values)
    return [values] if isinstance(values, str | int | float) else list(values)


def _plain(value: Any) -> Any:
    """Return the Python numbers of a number or an array of numpy."""
    return value.tolist() if hasattr(value, "tolist") else value


def _bytes(size: int | str | None) -> int | None:
    if size is None:
        return None
    try:
        return byte_count(size if isinstance(size, str) else f"{size} B")
    except ValueError as error:
        raise BadSpec(f"nserbench.run: store_limit: {error}") from error
