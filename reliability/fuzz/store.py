"""Files of the store: shards, heads, the ledger, leases."""

from __future__ import annotations

import json
import re
import socket
import tempfile
from collections import deque
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fuzz.target import Files, Target
from nserbench.benchmark.extraction.tuned_weights import load_tuned, tuned_facts
from nserbench.benchmark.jobs.head import FitLog, load_head, save_head
from nserbench.benchmark.store.digests import bytes_digest
from nserbench.benchmark.store.file_facts import FileFact, FileFacts, state_of
from nserbench.benchmark.store.leases import living_leases
from nserbench.benchmark.store.shards import check_shard, read_header, write_shard
from nserbench.benchmark.store.weights_files import write_weights
from nserbench.benchmark.training.loss import EpochLog
from nserbench.errors import StoreDamaged

SHARD, HEAD, TUNED = "frames-0.safetensors", "head.safetensors", "tuned.safetensors"
LEDGER, AUDIO = "ledger.sqlite", "clip.wav"
_NOTES: deque[str] = deque(maxlen=1)
_CONTENT = re.compile(rb'"content":"([0-9a-f]+)"')


def _shards() -> list[Files]:
    arrays: dict[str, NDArray[Any]] = {
        "u1/encoder": np.ones((3, 5, 4), np.float16),
        "u1/text": np.zeros(0, np.uint8),
        "\u00fc/decoder": np.ones((2, 4), np.float32),
    }
    with tempfile.TemporaryDirectory() as folder:
        file = write_shard(Path(folder), "frames", arrays, {"seconds": "1.5"})
        return [{SHARD: file.read_bytes()}]


def _read_shard(folder: Path) -> None:
    file = folder / SHARD
    arrays, _ = read_header(file)
    for array in arrays.values():
        if array.shape and array.shape[0]:
            array.read(0, 1)
    with suppress(StoreDamaged):  # its name has no digest
        check_shard(file)


def _heads() -> list[Files]:
    epochs = EpochLog([1.0, 0.5], [0.5, 1.0], [0.25, 0.125])
    log = FitLog(epochs, 1.5, 6, "{}", None)
    assert asdict(log)
    with tempfile.TemporaryDirectory() as folder:
        head, tuned = Path(folder) / HEAD, Path(folder) / TUNED
        save_head(head, nn.Linear(2, 3), log)
        facts = {"parameters": "9", "seconds": "1.500"}
        write_weights(tuned, {"weight": torch.ones(3, 2)}, facts)
        return [{HEAD: head.read_bytes(), TUNED: tuned.read_bytes()}]


def _seal(files: Files) -> Files:
    return {name: _sealed(content) for name, content in files.items()}


def _sealed(content: bytes) -> bytes:
    """Put the right digest into a file of weights, if it has a place for one."""
    if not (place := _CONTENT.search(content)):
        return content
    blank = b"0" * len(place[1])
    empty = content.replace(place[1], blank, 1)
    return empty.replace(blank, bytes_digest(empty).encode(), 1)


def _read_heads(folder: Path) -> None:
    try:
        load_head(folder / HEAD, nn.Linear(2, 3))
    except StoreDamaged:
        tuned_facts(folder / TUNED)
    load_tuned(folder / TUNED, nn.Linear(2, 3))


def _ledger() -> list[Files]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        audio = folder / AUDIO
        audio.write_bytes(b"RIFF")
        facts = FileFacts(folder / LEDGER)
        facts.save([FileFact("audio", audio, state_of("audio", audio), '{"a": 1}')])
        facts.digests([audio])
        return [{LEDGER: (folder / LEDGER).read_bytes(), AUDIO: b"RIFF"}]


def _read_ledger(folder: Path) -> None:
    facts = FileFacts(folder / LEDGER, note=_NOTES.append)
    facts.known("audio", [folder / AUDIO])
    facts.digests([folder / AUDIO])


def _leases() -> list[Files]:
    content = {
        "host": socket.gethostname(),
        "pid": 1,
        "paths": ["features/ab", "fits/cd.safetensors"],
    }
    return [{"in-use/x.json": json.dumps(content).encode()}]


def _read_leases(folder: Path) -> None:
    for lease in living_leases(folder):
        lease.covers(folder / "features" / "ab", folder)


TARGETS = (
    Target("shards of features", _shards, _read_shard),
    Target("heads and fine-tuned weights", _heads, _read_heads, seal=_seal),
    Target("ledger", _ledger, _read_ledger, clears=True),
    Target(
        "leases",
        _leases,
        _read_leases,
        prepare=lambda folder: (folder / "in-use").mkdir(),
    ),
)
