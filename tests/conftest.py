"""The same surroundings for every test: offline, plain output, folders of its own."""

import importlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

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
    importlib.import_module("nserbench.source_digest")._source.cache_clear()


@pytest.fixture(scope="session")
def make_demo(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], None]:
    """Return a function that writes the demo corpus, which is synthesised once."""
    demo = importlib.import_module("nserbench.corpora.demo.demo")
    synthesise, made = demo._make, tmp_path_factory.mktemp("demo") / "made"

    def make(folder: Path) -> None:
        if not made.exists():
            synthesise(made)
        shutil.copytree(made, folder)

    return make


@pytest.fixture(autouse=True)
def demo_made_once(
    make_demo: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copy the demo corpus into each test's store, where a test needs it."""
    monkeypatch.setattr("nserbench.corpora.demo.demo._make", make_demo)


@pytest.fixture
def short_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let searches end after a few tokens: random weights rarely end a transcript."""
    for module in ("whisper", "huggingface.model"):
        monkeypatch.setattr(f"nserbench.upstreams.{module}.MOST_TOKENS", 16)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Return the folder of real speech, noise and weights."""
    if DATA not in os.environ:
        pytest.skip(f"{DATA} is not set")
    return Path(os.environ[DATA])
