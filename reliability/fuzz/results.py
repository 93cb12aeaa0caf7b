"""Results of others, and the leaderboard's cache of them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np

from fuzz.target import Files, Target
from nserbench.benchmark.results.index import read_entries
from nserbench.benchmark.results.predictions import Predictions
from nserbench.benchmark.results.result import Result
from nserbench.benchmark.results.write_results import write_result
from nserbench.benchmark.store.digests import bytes_digest, digest
from nserbench.leaderboard.page.sources import read_made
from nserbench.leaderboard.reading import counts_cache
from nserbench.leaderboard.reading.counts import read_counted_result
from nserbench.leaderboard.reading.latest import by_cell
from nserbench.leaderboard.sharing.submission import read_submission
from nserbench.leaderboard.tables.series import layer_weights, wer_points
from nserbench.leaderboard.tables.summary import summary_table

UTTERANCES = 8
_DETAILS: dict[str, object] = {
    "name": "probe",
    "version": 2,
    "recipe": {"epochs": 50, "learning_rate": 0.01, "standardise": True},
    "mix_seed": 0,
    "folds": {"1": {"train": 4, "test": 4}, "2": {"train": 4, "test": 4}},
}
_NOTES: dict[str, object] = {
    "flags": {"1": ["dead head: all anger"]},
    "overlap": {
        "utterances": 8,
        "speakers": 0,
        "texts": None,
        "without_text": 8,
    },
    "layer_weights": {"1": {"encoder": {"0": 0.25, "1": 0.75}}},
    "padded": ["u1"],
}


def result(condition: str = "park@-5", status: str = "done") -> Result:
    """Return a valid result of eight utterances in two folds."""
    labels = np.arange(UTTERANCES) % 2
    done = status == "done"
    predictions = Predictions(
        utterances=tuple(f"u{number}" for number in range(UTTERANCES)),
        speakers=tuple("aabbccdd"),
        folds=tuple("11112222"),
        classes=("anger", "neutral"),
        labels=labels,
        predicted=labels,
        probabilities=np.where(np.eye(2)[labels] == 1, 0.75, 0.25),
        units=tuple("ddccbbaa"),
    )
    return Result(
        status="done" if done else "failed",
        reason=None if done else "out of memory",
        digest="0123456789abcdef",
        upstream="whisper:groups=encoder",
        downstream="single:layer=3",
        corpus="emodb",
        condition=condition,
        protocol="probe",
        seed=0,
        protocol_details={**_DETAILS, "digest": digest(_DETAILS)},
        classes=("anger", "neutral"),
        predictions=predictions if done else None,
        recognition={"measure": "WER", "rate": 0.25, "clean_match_error": 0.1},
        costs={"extraction_seconds": 1.5, "training_seconds": 2, "peak": None},
        provenance={
            "finished": "2026-11-22T10:00:00+00:00",
            "made_by": [{"torch": "2.13.0"}],
            "corpus": "c" * 32,
            "noise": "d" * 32,
            "weights": "e" * 32,
        },
        notes=_NOTES,
    )


def _seeds() -> list[Files]:
    import tempfile

    seeds: list[Files] = []
    for one in (result(), result("clean"), result(status="failed")):
        with tempfile.TemporaryDirectory() as folder:
            written = write_result(Path(folder), one)
            seeds.append(
                {f"r/{file.name}": file.read_bytes() for file in written.iterdir()}
            )
    return seeds


def _prepare(folder: Path) -> None:
    (folder / "r").mkdir()


def _read(folder: Path) -> None:
    entries = read_entries(folder)
    counted = read_counted_result(folder / "r")
    by_cell([counted])
    read_submission(folder / "r")
    [entry.names for entry in entries]


def _read_tables(folder: Path) -> None:
    """Read a result as the leaderboard, the figures and the page do."""
    from nserbench.benchmark.results.read_results import read_results
    from nserbench.leaderboard.tables.series import costs, layer_curves, snr_curves

    table = summary_table(folder, ["uar"])
    results = read_results(folder)
    snr_curves(table, "uar")
    layer_curves(table, "uar")
    wer_points(table, results, "uar")
    costs(table, results, "uar")
    layer_weights(results)


def _cache() -> list[Files]:
    import tempfile

    known = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, condition in enumerate(("clean", "park@-5", "human@0")):
            written = write_result(Path(folder), result(condition))
            counted = read_counted_result(written)
            known[f"r{number}"] = ([[1, 2, 3], [4, 5, 6]], counted)
        file = Path(folder) / "cache.npz"
        counts_cache._save(file, known)
        return [{"cache.npz": file.read_bytes()}]


def _seal(files: Files) -> Files:
    """Put the right digest before the content."""
    content = files["cache.npz"][len(bytes_digest(b"")) :]
    return {"cache.npz": bytes_digest(content).encode() + content}


def _change_about(folder: Path) -> None:
    """Read a cache whose JSON was changed, but whose archive is whole."""
    about = (folder / "about.json").read_bytes()
    with np.load(io.BytesIO(_cache_arrays())) as arrays:
        content = io.BytesIO()
        np.savez(
            content,
            about=np.frombuffer(about, np.uint8),
            answers=arrays["answers"],
            drawn=arrays["drawn"],
        )
    file = folder / "cache.npz"
    file.write_bytes(_seal({"cache.npz": b" " * 64 + content.getvalue()})["cache.npz"])
    counts_cache._load(file)


def _cache_arrays() -> bytes:
    (files,) = _cached
    return files["cache.npz"][len(bytes_digest(b"")) :]


def _about() -> list[Files]:
    with np.load(io.BytesIO(_cache_arrays())) as arrays:
        return [{"about.json": arrays["about"].tobytes()}]


_cached = _cache()

MADE = {"ab": {"stamp": "cd", "cells": {"0": {"x": [1]}}, "files": ["a.js"]}}

TARGETS = (
    Target("results", _seeds, _read, prepare=_prepare, clears=True),
    Target(
        "results, in tables and figures",
        _seeds,
        _read_tables,
        prepare=_prepare,
        clears=True,
        share=0.05,
    ),
    Target(
        "cache of the leaderboard",
        lambda: _cached,
        lambda folder: counts_cache._load(folder / "cache.npz"),
        seal=_seal,
    ),
    Target("cache of the leaderboard, its JSON", _about, _change_about, share=0.2),
    Target(
        "list of the page",
        lambda: [{"made.json": json.dumps(MADE).encode()}],
        lambda folder: read_made(folder / "made.json"),
    ),
)
