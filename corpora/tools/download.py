"""Fetching what is free: archives that are checked, unpacked, and taken up again."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nserbench.corpora.tools.download_sources import Archive, DownloadSource
from nserbench.errors import DownloadFailed, MissingExtra
from nserbench.progress import Progress

if TYPE_CHECKING:
    import requests

CHUNK = 1_000_000  # bytes
PATIENCE = 60.0  # seconds without a byte
BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError)

Downloader = Callable[[str, str, Any], None]


def download(source: DownloadSource, into: Path, progress: Progress) -> Path:
    """Fetch, check and unpack a source.

    Archives wait in ``NAME.archives`` beside the folder until all are there. What was
    begun is gone on with by the next call. The folder appears when it is whole.

    Args:
        source: What to fetch.
        into: The folder that gets a folder of the source's name.
        progress: Hears of every megabyte.

    Returns:
        The folder that the settings are to name.

    Raises:
        DownloadFailed: if a file cannot be fetched, or is not the published one, or
            the disk lacks the room.
        MissingExtra: if pooch is not installed.
    """
    target = into / source.name
    if target.exists():
        return target / source.top
    waiting = into / f"{source.name}.archives"
    waiting.mkdir(parents=True, exist_ok=True)
    _refuse_lack_of_room(source, waiting)
    files = [_fetch(one, waiting, progress) for one in source.archives]
    _unpack(files, target, progress)
    shutil.rmtree(waiting)
    return target / source.top


def _refuse_lack_of_room(source: DownloadSource, waiting: Path) -> None:
    there = sum(file.stat().st_size for file in waiting.iterdir())
    needed = max(source.bytes - there, 0) + source.unpacked
    free = shutil.disk_usage(waiting).free
    if needed > free:
        raise DownloadFailed(
            f"{source.name} needs {needed / 1e9:.2f} GB, and {waiting.parent} has "
            f"{free / 1e9:.2f} GB of room\n  make room, or name another folder with -o"
        )


def _fetch(archive: Archive, folder: Path, progress: Progress) -> Path:
    """Fetch an archive that is not there yet, and check it against its digest."""
    try:
        import pooch
        import requests
    except ImportError as error:
        raise MissingExtra("nserbench download", "download") from error

    pooch.get_logger().setLevel("WARNING")  # progress is told by us
    part = folder / f"{archive.file}.part"
    try:
        found: str = pooch.retrieve(
            archive.url,
            known_hash=archive.digest,
            fname=archive.file,
            path=folder,
            downloader=_downloader(archive, part, progress),
        )
    except requests.RequestException as error:
        raise DownloadFailed(
            f"{archive.url} cannot be fetched: {_reason(error)}\n"
            "  the same command tries again"
            + (", and goes on where it stopped" if _begun(archive, part) else "")
        ) from error
    except ValueError as error:
        raise DownloadFailed(
            f"{archive.url} is not the file that was published: its digest is not "
            f"{archive.digest}\n  it was deleted; the same command fetches it anew"
        ) from error
    return Path(found)


def _begun(archive: Archive, part: Path) -> bool:
    """Say whether there is a part that the rest can be joined to."""
    # Only a digest can tell a mended file from a patchwork of two.
    return archive.digest is not None and part.exists()


def _downloader(archive: Archive, part: Path, progress: Progress) -> Downloader:
    """Make what pooch calls: unlike its own, it goes on with a part that is there."""

    def fetch(url: str, output: str, _: Any) -> None:
        import requests

        start = part.stat().st_size if _begun(archive, part) else 0
        wanted = {"Range": f"bytes={start}-"} if start else {}
        headers = {"Accept-Encoding": "identity", **wanted}
        with requests.get(
            url, headers=headers, stream=True, timeout=PATIENCE
        ) as answer:
            if answer.status_code == requests.codes.requested_range_not_satisfiable:
                part.unlink()  # longer than the file is
            answer.raise_for_status()
            _write(answer, archive, part, progress)
        part.replace(output)

    return fetch


def _write(
    answer: requests.Response, archive: Archive, part: Path, progress: Progress
) -> None:
    """Append to the part if the server goes on with it, else begin anew."""
    goes_on = answer.status_code == 206
    done = part.stat().st_size if goes_on else 0
    left = int(answer.headers.get("Content-Length", archive.bytes - done))
    megabytes = -(-left // CHUNK)
    progress.stage(f"fetching {archive.file}", megabytes, "MB")
    with part.open("ab" if goes_on else "wb") as file:
        for chunk in answer.iter_content(CHUNK):
            file.write(chunk)
            progress.advance()


def _reason(error: Exception) -> str:
    """Say what the network or the server refused, without a chain of wrappers."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server says {response.status_code} {response.reason}"
    return type(error).__name__


def _unpack(files: list[Path], target: Path, progress: Progress) -> None:
    """Unpack archives into one folder, which gets its name when it is whole."""
    begun = target.with_name(f"{target.name}.unpacking")
    shutil.rmtree(begun, ignore_errors=True)
    progress.stage("unpacking", len(files), "archives")
    for file in files:
        try:
            _extract(file, begun)
        except BROKEN as error:
            file.unlink()
            raise DownloadFailed(
                f"{file.name} is broken: {error}\n"
                "  it was deleted; the same command fetches it anew"
            ) from error
        progress.advance()
    begun.rename(target)


def _extract(file: Path, folder: Path) -> None:
    # Neither writes outside of the folder, whatever names an archive holds.
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            archive.extractall(folder)  # noqa: S202
    else:
        with tarfile.open(file) as archive:
            archive.extractall(folder, filter="data")
