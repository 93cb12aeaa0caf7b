"""Missing or broken data get one message that names them."""

import re
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import Result

from nserbench.cards import Options
from nserbench.errors import CheckpointMissing
from nserbench.upstreams.enhancement.base import EnhancerCard
from nserbench.upstreams.loading.hub import PINNED
from nserbench.upstreams.model_card import ModelCard

Command = Callable[..., Result]
Refused = Callable[[str], str]
Process = Callable[..., subprocess.CompletedProcess[str]]

GRID = "run -u mel -d mean -c"


def test_a_corpus_whose_variable_is_not_set_says_how_to_get_it(
    refused: Refused,
) -> None:
    told = refused(f"{GRID} emodb")

    assert told.startswith("emodb is not on this machine: NSERBENCH_EMODB is not set\n")
    assert "export NSERBENCH_EMODB=" in told


def test_one_message_has_all_that_is_missing(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("EMODB", "IEMOCAP", "DEMAND"):
        monkeypatch.delenv(f"NSERBENCH_{name}", raising=False)
    blocks = [("whisper", "emodb-park"), ("wavlm+hubert", "iemocap"), ("mel", "emodb")]
    Path("study.toml").write_text(
        "".join(
            f'[[block]]\nupstreams = ["{upstream}"]\ndownstreams = ["mean"]\n'
            f'corpora = ["{corpus}"]\n'
            for upstream, corpus in blocks
        )
    )

    told = refused("run --grid study.toml")

    assert told.startswith("6 things are missing\n  1. openai/whisper-small is not on")
    assert re.findall(r"^  [1-6]\. (\S+) ", told, flags=re.MULTILINE) == [
        "openai/whisper-small",
        "emodb",
        "demand",
        "microsoft/wavlm-base",
        "facebook/hubert-base-ls960",
        "iemocap",
    ]
    for mended_by in (
        "--upstream whisper:checkpoint=FOLDER",
        "--upstream hubert:checkpoint=FOLDER",
        "nserbench download emodb",
        "export NSERBENCH_IEMOCAP=",
    ):
        assert mended_by in told


def test_weights_that_are_missing_are_told_together(
    refused: Refused, notes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(card: ModelCard, options: Options) -> None:
        raise CheckpointMissing(f"no {card.name}", f"{card.name}:checkpoint=FOLDER")

    monkeypatch.setattr(ModelCard, "checkpoint_files", none)
    monkeypatch.setattr(EnhancerCard, "resolve", lambda card, target: None)

    told = refused(f"run -u mel,mel:enhance=dccrn -d mean -c {notes}")

    assert told.splitlines() == [
        "2 things are missing",
        "  1. no mel",
        "    a copy in a folder: --upstream mel:checkpoint=FOLDER",
        "  2. no dccrn",
        "    a copy in a folder: --upstream mel:enhance={dccrn:checkpoint=FOLDER}",
    ]


def test_a_corpus_whose_folder_is_wrong_is_reported_with_the_folder(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NSERBENCH_EMODB", "no/such/folder")

    told = refused(f"{GRID} emodb")

    assert told.startswith("emodb is not on this machine: no/such/folder is not a fo")
    assert "export NSERBENCH_EMODB=" in told


def test_a_missing_manifest_is_named(refused: Refused) -> None:
    told = refused(f"{GRID} manifest:no.csv")

    assert told == "the manifest no.csv does not exist\n  correct its path\n"


def test_a_missing_noise_says_how_to_get_it(refused: Refused, notes: str) -> None:
    told = refused(f"{GRID} {notes} --noise park")

    assert "NSERBENCH_DEMAND" in told
    assert "[noises] in nserbench.toml" in told


def test_a_noise_of_the_settings_without_its_file_is_named(
    refused: Refused, notes: str
) -> None:
    Path("hiss.wav").unlink()

    told = refused(f"{GRID} {notes} --noise hiss")

    assert told.startswith("the noise 'hiss' is set to hiss.wav, which is not a file")


@pytest.mark.parametrize(
    ("checkpoint", "wanted"),
    [
        ("/no/such/folder", "/no/such/folder is neither a folder on this machine nor"),
        ("store", "store is no checkpoint of this kind: it has no config.json"),
    ],
)
def test_a_folder_that_is_not_a_checkpoint_is_named(
    refused: Refused, notes: str, checkpoint: str, wanted: str
) -> None:
    Path("store").mkdir()

    told = refused(f"run -u whisper:checkpoint={checkpoint} -d mean -c {notes}")

    assert told.startswith(wanted)


def refused_checkpoint(answer: subprocess.CompletedProcess[str]) -> str:
    """Return the reason why the default checkpoint cannot be downloaded."""
    assert answer.returncode == 1
    begin = (
        "Error: openai/whisper-small is not on this machine "
        "and cannot be downloaded from"
    )
    first, *rest = answer.stderr.splitlines()
    assert first.startswith(begin)
    commit = PINNED["openai/whisper-small"]
    assert rest == [
        f"  with a network: hf download openai/whisper-small --revision {commit}",
        "  a copy in a folder: --upstream whisper:checkpoint=FOLDER",
    ]
    return first


def test_a_missing_checkpoint_in_offline_mode_says_what_to_download(
    process: Process, notes: str
) -> None:
    answer = process(f"run -u whisper -d mean -c {notes}", HF_HUB_OFFLINE="1")

    assert "HF_HUB_OFFLINE" in refused_checkpoint(answer)


def test_a_missing_checkpoint_without_a_network_says_what_to_download(
    process: Process, notes: str
) -> None:
    answer = process(
        f"run -u whisper -d mean -c {notes}",
        HF_HUB_OFFLINE="0",
        HF_ENDPOINT="http://127.0.0.1:9",  # a closed port
        NO_PROXY="*",
    )

    refused_checkpoint(answer)


def test_a_hub_that_never_answers_times_out(process: Process, notes: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        answer = process(
            f"run -u whisper -d mean -c {notes}",
            HF_HUB_OFFLINE="0",
            HF_ENDPOINT=f"http://127.0.0.1:{port}",
            NO_PROXY="*",
        )

    refused_checkpoint(answer)


def test_all_unusable_audio_is_named(nserbench: Command, notes: str) -> None:
    silent, broken = np.zeros(4000, np.float32), np.full(4000, np.nan, np.float32)
    soundfile.write("s0_low_0.wav", silent, 16_000, subtype="FLOAT")
    soundfile.write("s0_low_1.wav", broken, 16_000, subtype="FLOAT")
    soundfile.write("s1_low_0.wav", silent[:0], 16_000, subtype="FLOAT")
    Path("s1_low_1.wav").write_bytes(b"")
    Path("s2_low_0.wav").write_text("no audio")

    told = nserbench(f"{GRID} {notes}")

    assert told.exit_code == 1
    _, _, error = told.stderr.partition("Error: ")
    first, *each = error.splitlines()
    assert first == "5 audio files cannot be used"
    places, problems = zip(*(line.split(": ", 1) for line in each), strict=True)
    assert all(re.fullmatch(r"  notes\.csv, line \d+", place) for place in places)
    assert [problem.partition(";")[0] for problem in problems] == [
        "s0_low_0.wav is silent throughout: all samples are equal",
        "s0_low_1.wav has samples that are NaN or infinite",
        "s1_low_0.wav holds no samples: it lasts 0.000 s",
        "s1_low_1.wav is empty (0 bytes): copy or download it again",
        "s2_low_0.wav cannot be read (Format not recognised)",
    ]
    assert all("exclude=FILE" in line for line in each)


def test_missing_audio_is_named(refused: Refused, notes: str) -> None:
    Path("s0_low_0.wav").unlink()

    told = refused(f"{GRID} {notes}")

    assert "s0_low_0.wav" in told


def test_the_error_for_a_class_without_utterances_lists_the_labels(
    refused: Refused, notes: str
) -> None:
    told = refused(f"{GRID} {notes},classes=low+mid")

    assert told == "notes.csv has no utterance labelled 'mid'\n  labels: high, low\n"


def test_a_file_that_is_not_named_as_in_emodb_is_named(
    refused: Refused, notes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("emodb").mkdir()
    for name in ("03a01Wa.wav", "03a01Xa.wav"):
        shutil.copy("s0_low_0.wav", f"emodb/{name}")
    monkeypatch.setenv("NSERBENCH_EMODB", "emodb")

    told = refused(f"{GRID} emodb")

    assert told.startswith("emodb/03a01Xa.wav is not named as the files of emodb are")


def test_a_speaker_in_training_and_test_set_is_named(
    refused: Refused, notes: str
) -> None:
    file = Path("notes.csv")
    file.write_text(file.read_text().replace(",s1,1", ",s0,1"))

    told = refused(f"{GRID} {notes}")

    assert told.startswith(
        "manifest:path=notes: fold '0' tests speakers that it also trains on: s0\n"
    )
