"""The same surroundings for every test: offline, plain output, folders of its own."""

import importlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from once import made_once

DATA = "NSERBENCH_TEST_DATA"

# Set on import, since huggingface_hub and rich read theirs when they are imported.
for name in [name for name in os.environ if name.startswith("NSERBENCH_")]:
    if name != DATA:
        del os.environ[name]
os.environ.pop("FORCE_COLOR", None)
os.environ |= {
    "COLUMNS": "100",
    "HF_HUB_CACHE": str(Path(__file__).parent / "no-such-cache"),
    "HF_HUB_OFFLINE": "1",
    "NSERBENCH_MATMUL": "onednn",  # the same bits in every process, without a trial
    "NO_COLOR": "1",
}
importlib.import_module("nserbench")  # before any test imports transformers

if DATA in os.environ:  # a relative path would not outlive the change of folder below
    os.environ[DATA] = str(Path(os.environ[DATA]).resolve())


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the store, the results and the working folder in the test's own folder."""
    monkeypatch.setenv("NSERBENCH_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("NSERBENCH_RESULTS", str(tmp_path / "results"))
    working = tmp_path / "working"
    working.mkdir()
    monkeypatch.chdir(working)
    # Plugins of several tests may have modules of one name.
    importlib.import_module("nserbench.source_digest")._SOURCES.clear()


@pytest.fixture(autouse=True)
def own_interrupts() -> Iterator[None]:
    """Let Ctrl-C raise in each test, also where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def of_all_processes(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Return a folder that the test processes of a run share; see `made_once`."""
    own = tmp_path_factory.getbasetemp()
    return own if worker_id == "master" else own.parent


@pytest.fixture(autouse=True)
def demo_written_once(of_all_processes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each store have a link to one demo corpus."""
    write = importlib.import_module("nserbench.corpora.demo.demo")._make

    def link(folder: Path) -> None:
        made_once(of_all_processes / "demo", lambda made: write(made / folder.name))
        folder.symlink_to(of_all_processes / "demo" / folder.name)

    monkeypatch.setattr("nserbench.corpora.demo.demo._make", link)


@pytest.fixture
def short_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let searches end after a few tokens: random weights rarely end a transcript."""
    for module in ("whisper", "huggingface.model"):
        monkeypatch.setattr(f"nserbench.upstreams.{module}.MOST_TOKENS", 16)


@pytest.fixture
def narrow_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let heads with a GRU be narrow, for tests that open or train many of them."""
    for module in ("bigru", "ladapter"):
        monkeypatch.setattr(f"nserbench.downstreams.{module}.UNITS", 8)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Return the folder of real speech, noise and weights."""
    if DATA not in os.environ:
        pytest.skip(f"{DATA} is not set")
    return Path(os.environ[DATA])
