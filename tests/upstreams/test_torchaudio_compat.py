import subprocess
import sys
from importlib.util import find_spec

import pytest


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_imports_nothing_by_itself() -> None:
    answer = run("import sys, nserbench; print('torchaudio' in sys.modules)")

    assert answer.stdout == "False\n", answer.stderr


@pytest.mark.skipif(not find_spec("torchaudio"), reason="torchaudio is not installed")
@pytest.mark.parametrize(
    "module", ["torchaudio.transforms", "transformers.audio_utils", "s3prl.nn"]
)
def test_what_needs_torchaudio_can_be_imported_in_a_fresh_process(module: str) -> None:
    if not find_spec(module.partition(".")[0]):
        pytest.skip(f"{module} is not installed")

    answer = run(f"import nserbench, {module}; print('there')")

    assert answer.stdout.endswith("there\n"), answer.stderr


@pytest.mark.skipif(not find_spec("torchaudio"), reason="torchaudio is not installed")
def test_a_removed_function_raises_only_when_called() -> None:
    answer = run(
        "import nserbench, torchaudio\n"
        "torchaudio.set_audio_backend('sox')\n"
        "from torchaudio.sox_effects import apply_effects_tensor\n"
        "apply_effects_tensor()"
    )

    assert answer.stderr.endswith(
        "RuntimeError: torchaudio no longer has sox_effects\n"
    )


def test_a_torchaudio_that_is_not_there_stays_away() -> None:
    answer = run(
        "import sys, nserbench\n"
        "from importlib.machinery import PathFinder\n"
        "PathFinder.find_spec = classmethod(lambda *a, **k: None)\n"
        "import torchaudio"
    )

    assert answer.stderr.endswith("ModuleNotFoundError: No module named 'torchaudio'\n")
