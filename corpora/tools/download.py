"""Download free corpora and noises: resume, check and unpack their archives."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nserbench.byte_sizes import size
from nserbench.corpora.tools.download_sources import Archive, DownloadSource
from nserbench.errors import DownloadFailed, MissingExtra
from nserbench.progress import Progress

if TYPE_CHECKING:
    import requests

CHUNK = 1_000_000  # bytes
TIMEOUT = 60.0  # seconds without a byte
BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError)

Downloader = Callable[[str, str, Any], None]


def download(source: DownloadSource, into: Path, progress: Progress) -> Path:
    """Download, check and unpack a source.

    Archives are stored in ``NAME.archives`` next to the folder until all are complete.
    The next call resumes an interrupted download. The folder appears when it is
    complete.

    Args:
        into: Path of the folder in which a folder of the source's name is made.

    Returns:
        The folder that the settings must name.

    Raises:
        DownloadFailed: if a file cannot be downloaded, its digest is wrong, or the disk
            has too little space.
        MissingExtra: if pooch is not installed.
    """
    target = into / source.name
    if target.exists():
        return target / source.top
    folder = into / f"{source.name}.archives"
    folder.mkdir(parents=True, exist_ok=True)
    _refuse_full_disk(source, folder)
    files = [_fetch(archive, folder, progress) for archive in source.archives]
    _unpack(files, target, progress)
    shutil.rmtree(folder)
    return target / source.top


def _refuse_full_disk(source: DownloadSource, folder: Path) -> None:
    done = sum(file.stat().st_size for file in folder.iterdir())
    needed = max(source.bytes - done, 0) + source.unpacked
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DownloadFailed(
            f"{source.name} needs {size(needed)}, but {folder.parent} has only "
            f"{size(free)} free\n"
            "  free some space, or use another folder with -o"
        )


def _fetch(archive: Archive, folder: Path, progress: Progress) -> Path:
    """Download an archive unless it is there, and check its digest."""
    try:
        import pooch
        import requests
    except ImportError as error:
        raise MissingExtra("nserbench download", "download") from error

    pooch.get_logger().setLevel("WARNING")  # we report progress ourselves
    part = folder / f"{archive.file}.part"
    try:
        file: str = pooch.retrieve(
            archive.url,
            known_hash=archive.digest,
            fname=archive.file,
            path=folder,
            downloader=_downloader(archive, part, progress),
        )
    except requests.RequestException as error:
        raise DownloadFailed(
            f"{archive.url} cannot be downloaded: {_reason(error)}\n"
            "  run the same command again"
            + ("; it resumes where it stopped" if _can_resume(archive, part) else "")
        ) from error
    except ValueError as error:
        raise DownloadFailed(
            f"{archive.url} is not the published file: its digest is not "
            f"{archive.digest}\n  it was deleted; run the same command again"
        ) from error
    return Path(file)


def _can_resume(archive: Archive, part: Path) -> bool:
    """Return whether a begun download can be resumed."""
    # Without a digest, parts of two different files could be joined unnoticed.
    return archive.digest is not None and part.exists()


def _downloader(archive: Archive, part: Path, progress: Progress) -> Downloader:
    """Make a downloader for pooch that, unlike its own, resumes a begun download."""

    def fetch(url: str, output: str, _: Any) -> None:
        import requests

        start = part.stat().st_size if _can_resume(archive, part) else 0
        byte_range = {"Range": f"bytes={start}-"} if start else {}
        headers = {"Accept-Encoding": "identity", **byte_range}
        with requests.get(
            url, headers=headers, stream=True, timeout=TIMEOUT
        ) as response:
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                part.unlink()  # it is longer than the file
            response.raise_for_status()
            _write(response, archive, part, progress)
        part.replace(output)

    return fetch


def _write(
    response: requests.Response, archive: Archive, part: Path, progress: Progress
) -> None:
    """Append to the begun download if the server resumes it; else start again."""
    is_resumed = response.status_code == 206
    done = part.stat().st_size if is_resumed else 0
    megabytes = -(-max(archive.bytes - done, 0) // CHUNK)
    progress.stage(f"downloading {archive.file}", megabytes, "MB")
    with part.open("ab" if is_resumed else "wb") as file:
        for chunk in response.iter_content(CHUNK):
            file.write(chunk)
            progress.advance()


def _reason(error: Exception) -> str:
    """Return what the server or the network reported, without chained exceptions."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server answered {response.status_code} {response.reason}"
    return type(error).__name__


def _unpack(files: list[Path], target: Path, progress: Progress) -> None:
    """Unpack archives into one folder, which is renamed when it is complete."""
    unpacked = target.with_name(f"{target.name}.unpacking")
    shutil.rmtree(unpacked, ignore_errors=True)
    progress.stage("unpacking", len(files), "archives")
    for file in files:
        try:
            _extract(file, unpacked)
        except BROKEN as error:
            file.unlink()
            raise DownloadFailed(
                f"{file.name} is broken: {error}\n"
                "  it was deleted; run the same command again"
            ) from error
        progress.advance()
    unpacked.rename(target)


def _extract(file: Path, folder: Path) -> None:
    # Neither writes outside of the folder, whatever the names in the archive.
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            archive.extractall(folder)  # noqa: S202
    else:
        with tarfile.open(file) as archive:
            archive.extractall(folder, filter="data")
