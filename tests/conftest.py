"""The same surroundings for every test: offline, plain output, folders of its own."""

import importlib
import os
import signal
from collections.abc import Iterator
from functools import cache
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
    importlib.import_module("nserbench.source_digest")._SOURCES.clear()


@pytest.fixture(autouse=True)
def own_interrupts() -> Iterator[None]:
    """Let Ctrl-C raise in each test, also where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def demo_sounds() -> dict[str, object]:
    """Return what synthesises the demo corpus, each utterance and noise once."""
    demo = importlib.import_module("nserbench.corpora.demo.demo")
    noises = dict(demo.NOISES)
    noise = cache(lambda name: noises[name](demo._generator(name)))
    return {
        "synthesise": cache(demo.synthesise),
        "NOISES": {name: lambda _, name=name: noise(name) for name in noises},
    }


@pytest.fixture(autouse=True)
def demo_synthesised_once(
    demo_sounds: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Write the demo corpus into each test's store without making its sound anew."""
    for name, sounds in demo_sounds.items():
        monkeypatch.setattr(f"nserbench.corpora.demo.demo.{name}", sounds)


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
