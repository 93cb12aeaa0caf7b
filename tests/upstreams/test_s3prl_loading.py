import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from tiny_s3prl import save_s3prl
from torch import Tensor, nn

import nserbench.upstreams
from nserbench.errors import (
    BadSpec,
    CheckpointMissing,
    MissingExtra,
    NserbenchError,
    UnknownName,
)
from nserbench.upstreams import s3prl as module
from nserbench.upstreams.base import Batch
from nserbench.upstreams.loading.configs import describe_s3prl
from nserbench.upstreams.loading.hub import PATIENCE
from nserbench.upstreams.s3prl import S3prl

DOWNLOAD = "s3prl.util.download"
Offer = Callable[[str, Callable[[], Any]], None]

SOUND = Batch.of(np.random.default_rng(5).normal(0.0, 0.1, 1_040).astype("f"))


@pytest.fixture
def apc(tmp_path: Path) -> Path:
    """Return a small checkpoint in the format of S3PRL's APC."""
    return save_s3prl(tmp_path, "apc_local")


class Fake(nn.Module):
    """An upstream of some widths, whose weights are as they are drawn."""

    def __init__(self, *widths: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(1, width) for width in widths)

    def forward(self, waves: list[Tensor]) -> dict[str, list[Tensor]]:
        frames = torch.ones(len(waves), -(-max(map(len, waves)) // 160), 1)
        return {"hidden_states": [layer(frames) for layer in self.layers]}

    def get_downsample_rates(self, key: str) -> int:
        return 160


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Return a function that adds an upstream to those of S3PRL."""

    def add(name: str, make: Callable[[], Any]) -> None:
        def entry(refresh: bool) -> Any:
            return make()

        entry.__module__ = f"s3prl.upstream.{name}.hubconf"
        monkeypatch.setattr(f"s3prl.hub.{name}", entry, raising=False)

    return add


def options(name: str, checkpoint: str | None = None) -> dict[str, str | None]:
    return {"name": name, "checkpoint": checkpoint}


def test_weights_that_s3prl_fetches_are_listed(
    apc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = apc.read_bytes()
    monkeypatch.setattr(f"{DOWNLOAD}._download_dir", tmp_path)
    monkeypatch.setattr(
        f"{DOWNLOAD}._download", lambda file, url, refresh: file.write_bytes(content)
    )
    asked: list[tuple[str, float]] = []

    def answer(url: str, timeout: float) -> SimpleNamespace:
        asked.append((url.rpartition("/")[2], timeout))
        return SimpleNamespace(close=lambda: None)

    monkeypatch.setattr(module, "urlopen", answer)

    fetched = S3prl(options("apc"), "cpu").extract(SOUND)
    files = module.files(options("apc"))

    assert set(asked) == {("apc_360hr.ckpt", PATIENCE)}
    assert fetched["hidden"].states.shape == (3, 1, 7, 32)
    assert [file.read_bytes() == content for file in files] == [True]
    assert files[0].parent == tmp_path


def test_without_a_network_the_message_says_what_takes_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(url: str, timeout: float) -> None:
        raise URLError("no network")

    monkeypatch.setattr(f"{DOWNLOAD}._download_dir", tmp_path)
    monkeypatch.setattr(module, "urlopen", refuse)

    with pytest.raises(CheckpointMissing) as caught:
        describe_s3prl(options("hubert_large_ll60k"))

    first, second, _ = str(caught.value).splitlines()
    assert first.startswith("the weights of s3prl:hubert_large_ll60k are not on this")
    assert first.endswith("no network>")
    assert second == "  a copy in a file: s3prl:hubert_local,checkpoint=FILE"


def test_an_unknown_name_is_answered_with_those_known() -> None:
    with pytest.raises(UnknownName) as caught:
        describe_s3prl(options("hubert_locale"))

    message = str(caught.value)
    assert "unknown S3PRL upstream 'hubert_locale'" in message
    assert "did you mean 'hubert_local'?" in message


def test_known_names_are_those_of_upstreams() -> None:
    names = module.known_names()

    assert {"apc", "fbank", "hubert_local", "wavlm_large"} <= set(names)
    noise = {"Path", "FileLock", "load_and_convert_fairseq_ckpt", "hubert_url"}
    assert not noise & set(names)


@pytest.mark.parametrize(
    ("name", "checkpoint", "message"),
    [
        ("apc_local", None, "needs checkpoint=: s3prl:apc_local,checkpoint=FILE"),
        ("apc", "mine.pt", r"its own, or none\n.*: s3prl:apc_local,checkpoint=FILE"),
        ("mfcc", "mine.pt", "takes no checkpoint=mine.pt"),
    ],
)
def test_a_checkpoint_stands_where_the_name_takes_one(
    name: str, checkpoint: str | None, message: str
) -> None:
    with pytest.raises(BadSpec, match=message):
        S3prl(options(name, checkpoint), "cpu")


def test_a_checkpoint_that_is_not_there_is_named() -> None:
    with pytest.raises(CheckpointMissing, match=r"there is no file mine\.pt"):
        S3prl(options("wavlm_local", "mine.pt"), "cpu")


def test_a_checkpoint_of_another_family_is_refused(apc: Path) -> None:
    with pytest.raises(CheckpointMissing, match=r"as s3prl:wavlm_local: KeyError"):
        S3prl(options("wavlm_local", str(apc)), "cpu")


class Surprise:
    def __reduce__(self) -> Any:
        return Path("ran").touch, ()


@pytest.mark.parametrize("name", ["apc_local", "tera_local"])
def test_a_checkpoint_cannot_run_code(name: str) -> None:
    torch.save({"model": Surprise()}, "mine.pt")

    with pytest.raises(CheckpointMissing, match="could run any code"):
        S3prl(options(name, "mine.pt"), "cpu")

    assert not Path("ran").exists()


def test_weights_that_no_checkpoint_holds_have_a_fixed_seed(offer: Offer) -> None:
    offer("drawn", lambda: Fake(3, 3))
    both = []

    for seed in (1, 2):
        torch.manual_seed(seed)
        states = S3prl(options("drawn"), "cpu").extract(SOUND)["hidden"]
        both.append(states.states)

    assert torch.equal(*both)


def test_loading_does_not_seed_torch(apc: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)

    S3prl(options("apc_local", str(apc)), "cpu")

    assert torch.rand(1) == expected


def test_states_of_different_widths_are_refused(offer: Offer) -> None:
    offer("uneven", lambda: Fake(3, 4))

    with pytest.raises(BadSpec, match=r"widths \[3, 4\], strides \[160, 160\]"):
        describe_s3prl(options("uneven"))


def test_a_package_that_a_family_wants_is_named(offer: Offer) -> None:
    offer("wanting", lambda: importlib.import_module("no_such_package"))

    with pytest.raises(NserbenchError, match=r"another package: .*'no_such_package'"):
        describe_s3prl(options("wanting"))


def test_without_s3prl_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(nserbench.upstreams, "s3prl")
    monkeypatch.setitem(sys.modules, module.__name__, None)

    with pytest.raises(MissingExtra, match=r"pip install 'nserbench\[s3prl\]'"):
        describe_s3prl(options("mfcc"))


@pytest.mark.slow
def test_nothing_is_said_on_import() -> None:
    script = "import nserbench.upstreams.s3prl"

    said = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        check=True,
        capture_output=True,
        text=True,
    )

    assert said.stdout + said.stderr == ""
