"""What users type or write: names, settings, grid files, manifests, references."""

from __future__ import annotations

import functools
from pathlib import Path

import click

from fuzz.target import Files, Target
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.study.grid_file import Overrides, read_grid
from nserbench.benchmark.study.name_lookup import (
    read_corpora,
    read_names,
    read_upstreams,
)
from nserbench.benchmark.study.overlap import overlap
from nserbench.benchmark.study.protocol_names import read_protocol
from nserbench.benchmark.study.splits import make_splits
from nserbench.cli.common.number_types import Count, Number, SnrList
from nserbench.corpora.base import CorpusCard
from nserbench.errors import BadSpec
from nserbench.leaderboard.published.data import read_published
from nserbench.settings import Settings, load_settings
from nserbench.spec import parse_spec

LINES = """\
whisper:checkpoint=a/b,groups=encoder+decoder,wavlm+{bert:text={whisper:language=de}}
single:layer=3,mean:dropout=0.1,ladapter,fc:dropout=0.2
emodb-park,manifest:path=a.csv,classes=a+b,meld:classes=all
human
probe+dev+learning_rate=0.001+unseen-noise=park
0,-5,2.5
12
hf:org/name,finetune=joint,lr=1e-5,enhance=dccrn
"""
WORDS = (
    *(b"whisper", b"mel", b"demo", b"mean", b":", b"{", b"}", b"+", b"=", b",", b"--"),
    *(b"epochs=", b"batch_size=1_0", b"learning_rate=inf", b"label_smoothing=nan"),
    *(b"path=", b"layer=", b"joint", b"noise_split=disjoint", b"loso", b"oracle"),
)
GRID = """\
title = "Robustness"
description = "Two heads"

[[block]]
name = "HSF"
upstreams = ["mel", "whisper:groups=encoder"]
downstreams = ["mean", "bigru"]
corpora = ["emodb", "demo-park"]
noises = ["park", "clean"]
snrs = [0, -5, 2.5]
protocol = "probe+dev"
epochs = 3
seeds = 2
precision = "bf16"
"""
SETTINGS = """\
[paths]
emodb = "/data/emodb"
results = "~/results"

[noises]
cafe = "noise/*.wav"

[cluster]
jobs = 4
cores = 8
memory = "16GB"
"""
CSV = """\
path,label,speaker,id,fold,start,end,text,language
a.wav,anger,ann,u1,1,0,1.5,"hello, you",en
b.wav,neutral,ann,u2,1,,,Hallo,de
c.wav,anger,bob,u3,2,0.25,2,,en
d.wav,neutral,bob,u4,2,1,3,text,en
"""
JSONL = """\
{"path": "a.wav", "label": "anger", "speaker": "ann", "fold": 1, "start": 0, "end": 1.5}
{"path": "b.wav", "label": "neutral", "speaker": "ann", "fold": 1, "text": "Hallo"}
{"path": "c.wav", "label": "anger", "speaker": "bob", "fold": 2, "other": [1, null]}
{"path": "d.wav", "label": "neutral", "speaker": "bob", "fold": 2, "language": "en"}
"""


@functools.cache
def _plugins() -> Plugins:
    return Plugins(installed=False)


def _read_lines(folder: Path) -> None:
    """Read each line as one of the things that a command line holds."""
    text = (folder / "lines").read_text("utf-8", "surrogateescape")
    lines = [*text.split("\n"), *[""] * 8]
    plugins = _plugins()
    upstreams, heads, corpora, noise, protocol, snrs, count, more = lines[:8]
    try:
        read_upstreams([upstreams], plugins)
        read_names([heads], functools.partial(plugins.bind, "downstream"))
        read_corpora([corpora], [noise], plugins)
        label = read_protocol(protocol, "probe").label
        read_protocol(label, "probe")
        SnrList().convert(snrs, None, None)
        Count().convert(count, None, None)
        Number(2, 20).convert(count, None, None)
        read_upstreams([more], plugins, finetune=heads)
        parse_spec(heads.partition(",")[0])
    except click.UsageError as error:  # click prints it as a message
        raise BadSpec(str(error)) from error


def _read_settings(folder: Path) -> None:
    settings = load_settings(folder / "nserbench.toml")
    for name in ("emodb", "results", "store"):
        settings.path(name)


def _read_grid(folder: Path) -> None:
    grid = read_grid(folder / "grid.toml")
    for _, request in grid.requests(Overrides(), _plugins()):
        read_upstreams(request.upstreams, _plugins(), request.finetune)
        read_corpora(request.corpora, request.noises, _plugins())
        read_protocol(request.protocol, "probe")


def _read_manifest(folder: Path) -> None:
    (file,) = folder.glob("list.*")
    card: CorpusCard = _plugins().corpora["manifest"]
    options = {key: option.default for key, option in card.all_options().items()}
    corpus = card.read({**options, "path": file}, Settings())
    overlap(corpus, make_splits(corpus))


def _read_reference(folder: Path) -> None:
    read_published(str(folder / "paper.toml"))


def _reference() -> list[Files]:
    from nserbench.leaderboard.published import data

    files = sorted(data.FOLDER.glob("*.toml"))
    return [{"paper.toml": file.read_bytes()} for file in files]


def _one(name: str, text: str) -> list[Files]:
    return [{name: text.encode()}]


TARGETS = (
    Target(
        "names, options, protocols",
        lambda: _one("lines", LINES),
        _read_lines,
        WORDS,
    ),
    Target(
        "`nserbench.toml`", lambda: _one("nserbench.toml", SETTINGS), _read_settings
    ),
    Target("grid files", lambda: _one("grid.toml", GRID), _read_grid, WORDS),
    Target("manifests, CSV", lambda: _one("list.csv", CSV), _read_manifest),
    Target(
        "manifests, TSV",
        lambda: _one(
            "list.tsv", CSV.replace('"', "").replace(", ", " ").replace(",", "\t")
        ),
        _read_manifest,
    ),
    Target("manifests, JSON Lines", lambda: _one("list.jsonl", JSONL), _read_manifest),
    Target("published numbers", _reference, _read_reference, share=0.2),
)
