"""Paths that differ between this machine and its workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from nserbench.benchmark.running.relocation import Relocation
from nserbench.benchmark.study.request import Request
from nserbench.errors import BadSettings
from nserbench.settings import Settings

MOVED = Relocation({"/home/ann": "/ann", "/home/ann/data": "/scratch/data"})


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("/home/ann/data/list.csv", "/scratch/data/list.csv"),
        ("/home/ann/data", "/scratch/data"),
        ("/home/ann/data2/list.csv", "/ann/data2/list.csv"),
        ("/home/anna/list.csv", "/home/anna/list.csv"),
        ("/mnt/home/ann/list.csv", "/mnt/home/ann/list.csv"),
        ("data/list.csv", "data/list.csv"),
        ("x:a=/home/ann/a,b=/home/ann/data/x", "x:a=/ann/a,b=/scratch/data/x"),
        ("mel+hf:/home/ann/w", "mel+hf:/ann/w"),
    ],
)
def test_a_folder_is_replaced_where_a_path_begins(here: str, there: str) -> None:
    assert MOVED.text(here) == there


def test_a_path_in_nested_options_is_replaced() -> None:
    here = "bert:text={whisper:checkpoint=/home/ann/w}"

    assert MOVED.text(here) == "bert:text={whisper:checkpoint=/ann/w}"


def test_all_paths_of_settings_and_names_are_replaced() -> None:
    settings = Settings(
        {"emodb": Path("/home/ann/data/emodb")},
        {"bus": Path("/home/ann/bus.wav")},
        corpora={"mine": "manifest:path=/home/ann/data/a.csv"},
        environment={"NSERBENCH_STORE": "/home/ann/store"},
    )
    request = Request(
        upstreams=["hf:/home/ann/w"],
        downstreams=["mean"],
        corpora=["manifest:path=/home/ann/data/a.csv"],
        snrs=[0.0],
    )

    there, asked = MOVED.settings(settings), MOVED.request(request)

    assert there.paths == {"emodb": Path("/scratch/data/emodb")}
    assert there.noises == {"bus": Path("/ann/bus.wav")}
    assert there.corpora == {"mine": "manifest:path=/scratch/data/a.csv"}
    assert there.store == Path("/ann/store")
    assert asked.upstreams == ("hf:/ann/w",)
    assert asked.corpora == ("manifest:path=/scratch/data/a.csv",)
    assert asked.snrs == [0.0]


def test_without_the_table_nothing_is_replaced() -> None:
    assert Relocation.of(Settings()).text("/home/ann") == "/home/ann"


@pytest.mark.parametrize(
    "paths", ["/a", {"a": "/b"}, {"/a": "b"}, {"/a": 3}, {"/": "/b"}]
)
def test_anything_but_absolute_folders_is_refused(paths: object) -> None:
    with pytest.raises(BadSettings, match="must have absolute paths of folders"):
        Relocation.of(Settings(cluster={"paths": paths}))
