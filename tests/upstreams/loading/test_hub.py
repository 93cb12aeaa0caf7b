import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import huggingface_hub.hf_api
import pytest

from nserbench.cards import ConfiguredCard, bind
from nserbench.errors import BadSpec, CheckpointMissing
from nserbench.spec import parse_spec
from nserbench.upstreams.base import UpstreamCard
from nserbench.upstreams.cards import WHISPER, nserbench_upstreams
from nserbench.upstreams.groups import GroupSpec
from nserbench.upstreams.loading import hub as checkpoints
from nserbench.upstreams.loading.hub import (
    checkpoint_files,
    checkpoint_folder,
    checkpoint_label,
    read_config,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CARDS = {card.name: card for card in nserbench_upstreams()}
SAVED = {"config.json": b"{}", "model.safetensors": b"safe", "merges.txt": b"m"}


class Hub(ThreadingHTTPServer):
    """As much of the Hugging Face hub as fetching a model takes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), HubAnswer)
        self.files: dict[str, bytes] = {}
        self.refusal: str | None = None
        self.fetched: list[str] = []


class HubAnswer(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if self.server.refusal:
            self._send(b"{}", 404, {"X-Error-Code": self.server.refusal})
        elif "/resolve/" in self.path:
            name = self.path.rpartition("/")[2]
            if self.command == "GET":
                self.server.fetched.append(name)
            self._send(self.server.files[name], 200, {"ETag": f'"{name}"'})
        elif "/tree/" in self.path:
            self._send_json(
                [
                    {"type": "file", "path": name, "size": len(content), "oid": name}
                    for name, content in self.server.files.items()
                ]
            )
        else:
            self._send_json({"id": "org/name", "sha": COMMIT, "siblings": []})

    def _send_json(self, content: Any) -> None:
        self._send(json.dumps(content).encode(), 200, {})

    def _send(self, content: bytes, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"X-Repo-Commit": COMMIT} | headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def point_at(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make huggingface_hub take a port of this machine for the hub."""
    endpoint = f"http://127.0.0.1:{port}"
    known = huggingface_hub.constants
    files = known.HUGGINGFACE_CO_URL_TEMPLATE.replace(known.ENDPOINT, endpoint)
    monkeypatch.setattr(known, "HUGGINGFACE_CO_URL_TEMPLATE", files)
    monkeypatch.setattr(known, "ENDPOINT", endpoint)
    monkeypatch.setattr(huggingface_hub.hf_api.api, "endpoint", endpoint)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Return a hub, which huggingface_hub uses as the real one, and an empty cache."""
    server = Hub()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    point_at(server.server_port, monkeypatch)
    known = huggingface_hub.constants
    monkeypatch.setattr(known, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(known, "HF_HUB_CACHE", str(tmp_path / "cache"))
    checkpoints._from_hub.cache_clear()
    yield server
    checkpoints._from_hub.cache_clear()
    server.shutdown()
    server.server_close()


def bound(text: str) -> ConfiguredCard[UpstreamCard]:
    spec = parse_spec(text)
    return bind(CARDS[spec.name], spec)


def test_label_of_a_hub_id_is_the_id(tmp_path: Path) -> None:
    assert checkpoint_label("openai/whisper-tiny") == "openai/whisper-tiny"


def test_label_of_a_folder_holds_no_path(tmp_path: Path) -> None:
    Path("models/mine").mkdir(parents=True)

    labels = {
        checkpoint_label(said)
        for said in (
            "models/mine",
            "./models/mine/",
            str(Path("models/mine").resolve()),
        )
    }

    assert labels == {"mine"}


def test_a_whisper_is_described_from_its_configuration(multilingual: Path) -> None:
    whisper = bound(f"whisper:checkpoint={multilingual}")

    assert whisper.card.describe(whisper.options).groups == {
        "encoder": GroupSpec(range(3), dim=16, rate=50.0),
        "decoder": GroupSpec(range(4), dim=16, rate=None),
    }


@pytest.mark.parametrize(
    ("name", "groups"),
    [("whisper", None), ("whisper-enc", ("encoder",)), ("whisper-dec", ("decoder",))],
)
def test_cards_of_whisper_differ_in_the_groups_they_hand_on(
    name: str, groups: tuple[str, ...] | None
) -> None:
    whisper = bound(f"{name}:language=de")

    assert whisper.options["groups"] == groups
    assert whisper.label == f"{name}:language=de"
    assert whisper.key_options() == {"language": "de"}
    assert whisper.card.load == WHISPER.load


def test_a_language_is_taken_by_name_and_what_is_none_is_refused() -> None:
    assert bound("whisper:language=German").label == "whisper:language=de"
    with pytest.raises(BadSpec, match="'gibberish' is not a language: write a code"):
        bound("whisper:language=gibberish")


def test_describing_needs_no_torch(multilingual: Path) -> None:
    script = f"""
import sys
import threading
from nserbench.upstreams.cards import nserbench_upstreams
options = dict(checkpoint={str(multilingual)!r}, revision=None)
for card in nserbench_upstreams():
    if card.name == "mel" or card.name.startswith("whisper"):
        assert card.describe(options)
heavy = {{"numpy", "pandas", "torch", "transformers"}} & set(sys.modules)
assert not heavy, heavy
"""

    subprocess.run([sys.executable, "-c", script], check=True)


def test_another_kind_of_model_is_no_whisper() -> None:
    folder = Path("bert")
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "bert"}')

    with pytest.raises(BadSpec, match=r"bert is no Whisper: .* model_type 'bert'"):
        WHISPER.describe({"checkpoint": "bert", "revision": None})


def test_a_folder_without_a_configuration_is_refused() -> None:
    Path("notes").mkdir()
    Path("notes/todo.txt").touch()

    with pytest.raises(
        CheckpointMissing, match=r"no config.json\n  it holds: todo.txt"
    ):
        read_config("notes")


def test_a_configuration_that_is_no_json_is_named() -> None:
    Path("torn").mkdir()
    Path("torn/config.json").write_text('{"model_type": ')

    with pytest.raises(CheckpointMissing, match=r"torn/config.json is not JSON"):
        read_config("torn")


def test_a_folder_has_no_revision(multilingual: Path) -> None:
    with pytest.raises(BadSpec, match="is a folder and has no revision 'main'"):
        read_config(str(multilingual), "main")


def test_a_path_that_is_not_there_is_no_hub_id() -> None:
    with pytest.raises(CheckpointMissing, match="neither a folder on this machine nor"):
        read_config("/no/such/folder")


def test_the_folder_of_nearly_the_same_name_is_told(tmp_path: Path) -> None:
    (tmp_path / "whisper-tiny").mkdir()

    with pytest.raises(CheckpointMissing, match=r"did you mean .*/whisper-tiny\?"):
        read_config(str(tmp_path / "whisper-tny"))


def test_files_are_those_that_decide_the_features(
    multilingual: Path, copy_of: Callable[[Path], Path]
) -> None:
    folder = copy_of(multilingual)
    for other in ("README.md", "pytorch_model.bin", "tf_model.h5"):
        (folder / other).touch()

    files = checkpoint_files({"checkpoint": str(folder), "revision": None})

    assert [file.name for file in files] == [
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]


def test_a_folder_without_weights_is_refused(
    multilingual: Path, copy_of: Callable[[Path], Path]
) -> None:
    folder = copy_of(multilingual)
    (folder / "model.safetensors").unlink()

    with pytest.raises(
        CheckpointMissing, match=r"holds no weights\n  it holds: config"
    ):
        checkpoint_folder(str(folder))


def test_offline_the_message_says_what_to_download() -> None:
    default = WHISPER.all_options()["checkpoint"].default

    with pytest.raises(CheckpointMissing) as caught:
        WHISPER.describe({"checkpoint": default, "revision": None})

    first, *rest = str(caught.value).splitlines()
    assert first.startswith(f"{default} is not on this machine")
    assert "offline mode is enabled" in first
    commit = checkpoints.PINNED[default]
    assert rest == [
        f"  with a network: hf download {default} --revision {commit}",
        "  a copy in a folder: --upstream whisper:checkpoint=FOLDER",
    ]


def test_a_hub_that_does_not_answer_is_not_waited_for(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "PATIENCE", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        point_at(mute.getsockname()[1], monkeypatch)

        with pytest.raises(
            CheckpointMissing, match="cannot be downloaded from the hub: timed"
        ):
            read_config("org/name")


def test_only_what_is_needed_is_fetched(hub: Hub) -> None:
    hub.files = SAVED | {"pytorch_model.bin": b"pickled", "flax_model.msgpack": b""}

    config = read_config("org/name")
    first = hub.fetched.copy()
    folder = checkpoint_folder("org/name")

    assert config == {}
    assert first == ["config.json"]
    assert sorted(hub.fetched) == sorted(SAVED)
    assert (folder / "model.safetensors").read_bytes() == b"safe"


def test_pickled_weights_are_fetched_where_there_are_no_others(hub: Hub) -> None:
    hub.files = {"config.json": b"{}", "pytorch_model.bin": b"pickled"}

    files = checkpoint_files({"checkpoint": "org/name", "revision": None})

    assert [file.name for file in files] == ["config.json", "pytorch_model.bin"]


def test_without_a_network_the_cached_copy_is_used(hub: Hub) -> None:
    hub.files = SAVED
    fetched = checkpoint_folder("org/name")
    checkpoints._from_hub.cache_clear()
    hub.refusal = "RepoNotFound"

    assert checkpoint_folder("org/name") == fetched


def test_half_a_cached_copy_is_not_enough(hub: Hub) -> None:
    hub.files = SAVED
    shutil.rmtree(checkpoint_folder("org/name").parents[1] / "blobs")
    checkpoints._from_hub.cache_clear()
    hub.refusal = "RepoNotFound"

    with pytest.raises(CheckpointMissing):
        checkpoint_folder("org/name")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("RepoNotFound", "org/name is neither a folder on this machine nor on the hub"),
        ("RevisionNotFound", "org/name has no revision 'v9' on the hub"),
        ("GatedRepo", "org/name is behind a gate on the hub"),
    ],
)
def test_what_the_hub_refuses_is_said_plainly(
    hub: Hub, code: str, message: str
) -> None:
    hub.refusal = code

    with pytest.raises(CheckpointMissing) as caught:
        read_config("org/name", "v9")

    assert str(caught.value).splitlines()[0] == message
