import hashlib
import io
import re
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner, Result

from nserbench.cli import main
from nserbench.corpora.tools.download_sources import SOURCES, Archive, DownloadSource

pytest.importorskip("pooch", reason="the extra `download` is not installed")

Command = Callable[..., Result]
SOUND = np.random.default_rng(0).bytes(300_000)


@dataclass
class Server:
    """A server of one file, and what it was asked for.

    Attributes:
        content: The file.
        drop_after: Bytes after which it closes the connection once.
        resumes: Whether it knows ranges.
        asked: The range of each request, None for the whole file.
    """

    content: bytes
    drop_after: int | None = None
    resumes: bool = True
    status: int = 200
    url: str = ""
    asked: list[str | None] = field(default_factory=list)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers["Range"]
        self.asked.append(wanted)
        start = int(wanted[6:-1]) if wanted and self.resumes else 0
        past = start > len(self.content)
        code = 416 if past else 206 if start else self.status
        body = b"" if past else self.content[start:]
        request.send_response(code)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[: self.drop_after])
        self.drop_after = None


def zipped(**files: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"top/{name}.wav", content)
    return stream.getvalue()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("nserbench.corpora.tools.download.CHUNK", 10_000)
    found = Server(zipped(a=SOUND, b=b"b"))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        found.url = f"http://127.0.0.1:{http.server_address[1]}/toy.zip"
        yield found
        http.shutdown()


def offer(
    monkeypatch: pytest.MonkeyPatch, server: Server, *, digest: str | None = ""
) -> None:
    """Offer the server's file as ``toy``, with its own digest unless given."""
    if digest == "":
        digest = f"md5:{hashlib.md5(server.content).hexdigest()}"
    toy = DownloadSource(
        name="toy",
        summary="a toy",
        page="https://example.org/toy",
        licence="CC-BY-4.0",
        digests="this test",
        archives=(Archive(server.url, len(server.content), digest),),
        unpacked=len(server.content),
        top="top",
    )
    monkeypatch.setitem(SOURCES, "toy", toy)


def files(folder: str = "data") -> dict[str, bytes]:
    paths = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in paths}


UNPACKED = {"data/toy/top/a.wav": SOUND, "data/toy/top/b.wav": b"b"}


def test_it_downloads_unpacks_and_prints_the_line_for_the_settings(
    nserbench: Command, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, server)

    answer = nserbench("download toy --yes")

    assert answer.exit_code == 0, answer.output
    line = f'toy = "{Path("data/toy/top").resolve()}"'
    assert answer.stdout == f"add under [paths] in nserbench.toml:\n{line}\n"
    assert "licence: CC-BY-4.0" in answer.stderr
    assert files() == UNPACKED
    assert server.asked == [None]


def test_an_interrupted_download_continues_where_it_stopped(
    nserbench: Command, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, server)
    server.drop_after = 100_000

    broken = nserbench("download toy --yes")
    begun = {path: len(content) for path, content in files().items()}
    whole = nserbench("download toy --yes")

    assert broken.exit_code == 1
    assert "it resumes where it stopped" in broken.stderr
    assert begun == {"data/toy.archives/toy.zip.part": 100_000}
    assert whole.exit_code == 0, whole.output
    assert server.asked == [None, "bytes=100000-"]
    assert files() == UNPACKED


def test_a_server_without_ranges_sends_the_whole_file_again(
    nserbench: Command, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, server)
    server.drop_after, server.resumes = 100_000, False

    nserbench("download toy --yes")
    nserbench("download toy --yes")

    assert files() == UNPACKED


def test_without_a_checksum_an_interrupted_download_starts_again(
    nserbench: Command, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, server, digest=None)
    server.drop_after = 100_000

    broken = nserbench("download toy --yes")
    nserbench("download toy --yes")

    told = broken.stderr.splitlines()
    assert told[-2].endswith("run the same command again")
    assert told[-1].endswith(" nserbench download toy --yes")
    assert server.asked == [None, None]
    assert files() == UNPACKED


def test_a_partial_file_that_is_too_long_is_deleted(
    nserbench: Command, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, server)
    Path("data/toy.archives").mkdir(parents=True)
    Path("data/toy.archives/toy.zip.part").write_bytes(bytes(len(server.content) + 1))

    refused = nserbench("download toy --yes")
    nserbench("download toy --yes")

    assert "the server answered 416" in refused.stderr
    assert files() == UNPACKED


def test_a_file_with_a_wrong_checksum_is_deleted(
    nserbench: Command, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, server, digest=f"md5:{'0' * 32}")

    answer = nserbench("download toy --yes")

    assert answer.exit_code == 1
    assert "published file: its digest is not md5:" in answer.stderr
    assert files() == {}


def test_a_damaged_partial_file_is_refused(
    nserbench: Command, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, server)
    Path("data/toy.archives").mkdir(parents=True)
    Path("data/toy.archives/toy.zip.part").write_bytes(bytes(1000))

    spoilt = nserbench("download toy --yes")
    nserbench("download toy --yes")

    assert "published file: its digest is not md5:" in spoilt.stderr
    assert files() == UNPACKED


def test_a_full_disk_is_reported_before_the_download(
    nserbench: Command, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, server)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))

    answer = nserbench("download toy --yes")

    assert answer.exit_code == 1
    assert re.search(r"toy needs \d+\.\d KB, but data has only 1\.0 KB", answer.stderr)
    assert server.asked == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_disk_that_becomes_full_gets_one_message(
    nserbench: Command, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, server)
    Path("data/toy.archives").mkdir(parents=True)
    Path("data/toy.archives/toy.zip.part").symlink_to("/dev/full")

    answer = nserbench("download toy --yes")

    assert answer.exit_code == 1
    assert answer.stderr.splitlines()[-3].endswith("No space left on device")


@pytest.mark.parametrize("typed", ["n\n", ""])
def test_nothing_is_downloaded_unless_the_licence_is_accepted(
    server: Server, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    offer(monkeypatch, server)

    answer = CliRunner().invoke(main, ["download", "toy"], input=typed)

    assert answer.exit_code == 1
    assert "Do you accept the licence?" in answer.stderr
    assert server.asked == []
    assert not Path("data").exists()


def test_a_yes_at_the_prompt_accepts_it(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, server)

    answer = CliRunner().invoke(main, ["download", "toy"], input="y\n")

    assert answer.exit_code == 0, answer.output
    assert files() == UNPACKED


def test_an_existing_corpus_is_not_downloaded_again(
    nserbench: Command, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, server)

    first = nserbench("download toy --yes").stdout
    second = nserbench("download toy --yes").stdout

    assert second == first
    assert len(server.asked) == 1


def test_an_error_of_the_server_is_reported(
    nserbench: Command, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, server)
    server.status = 404

    answer = nserbench("download toy --yes")

    assert answer.exit_code == 1
    assert "cannot be downloaded: the server answered 404 Not Found" in answer.stderr


def test_a_broken_archive_is_deleted(
    nserbench: Command, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.content = b"no archive"
    offer(monkeypatch, server, digest=None)

    answer = nserbench("download toy --yes")

    assert answer.exit_code == 1
    assert "toy.zip is broken" in answer.stderr
    assert files() == {}


def test_an_archive_cannot_write_outside_of_its_folder(
    nserbench: Command, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../../outside.wav"))
    server.content = stream.getvalue()
    offer(monkeypatch, server)

    answer = nserbench("download toy --yes")

    assert answer.exit_code == 1
    assert "would be extracted to" in answer.stderr
    assert not list(Path().rglob("outside.wav"))


def test_without_pooch_the_extra_is_named(
    nserbench: Command, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, server)
    monkeypatch.setitem(sys.modules, "pooch", None)

    answer = nserbench("download toy --yes")

    assert "pip install 'nserbench[download]'" in answer.stderr


def test_a_name_that_cannot_be_downloaded_gets_one_message(
    refused: Callable[[str], str],
) -> None:
    told = refused("download iemocap")

    assert told.startswith("unknown download 'iemocap'")
    assert "known: demand, emodb, esc50, musan, ravdess" in told


def test_without_a_name_it_lists_all_downloads(nserbench: Command) -> None:
    answer = nserbench("download")

    assert answer.exit_code == 0
    for name, source in SOURCES.items():
        assert name in answer.stdout
        assert source.licence.split()[0] in answer.stdout


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_every_address_is_https_and_every_checksum_is_valid(
    source: DownloadSource,
) -> None:
    assert source.page.startswith("https://")
    for archive in source.archives:
        assert archive.url.startswith("https://")
        assert archive.bytes > 1_000_000
        assert archive.digest is None or re.fullmatch(
            "md5:[0-9a-f]{32}", archive.digest
        )
    assert len({one.file for one in source.archives}) == len(source.archives)


def test_demand_has_all_noises_of_the_paper() -> None:
    recordings = {one.file for one in SOURCES["demand"].archives}

    assert len(recordings) == 17
    assert {
        f"{name}_16k.zip" for name in ("OMEETING", "NPARK", "STRAFFIC")
    } < recordings
