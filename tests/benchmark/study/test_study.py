import csv
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.study.study import Study
from nserbench.corpora.base import Corpus, CorpusCard, NoiseCard, Utterance
from nserbench.errors import (
    BadCorpus,
    BadSpec,
    CorpusMissing,
    NserbenchError,
    UnknownName,
)
from nserbench.settings import Settings

Ask = Callable[..., Study]


def ids(study: Study) -> list[str]:
    (opened,) = study.corpora.values()
    return [one.id for one in opened.corpus.utterances]


def rewrite(manifest: Path, **changes: Callable[[dict[str, str]], str]) -> None:
    with manifest.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    with manifest.open("w", newline="") as stream:
        table = csv.DictWriter(stream, rows[0])
        table.writeheader()
        for row in rows:
            table.writerow(row | {name: find(row) for name, find in changes.items()})


def test_excluded_utterances_are_not_in_the_corpus(
    ask: Ask, notes: Path, tmp_path: Path
) -> None:
    everyone = ids(ask())
    (tmp_path / "bad.txt").write_text("s0_low_0\n\n  s3_high_2\n")

    found = ask(corpora=[f"manifest:path={notes},exclude={tmp_path / 'bad.txt'}"])

    assert ids(found) == [
        one for one in everyone if one not in ("s0_low_0", "s3_high_2")
    ]
    assert found.cells[0].corpus.label == "manifest:exclude=bad.txt,path=notes"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("nobody\n", "bad.txt excludes 'nobody', which is not in the corpus$"),
        ("x\ny\ns0_low_0\n", "excludes 'x', .*, and 1 more"),
        (None, "bad.txt cannot be read: No such file"),
        (b"\xff\xfe", "bad.txt, line 1: not UTF-8"),
    ],
)
def test_an_exclusion_that_is_not_in_the_corpus_is_refused(
    ask: Ask, notes: Path, tmp_path: Path, content: str | bytes | None, reason: str
) -> None:
    file = tmp_path / "bad.txt"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(BadCorpus, match=reason):
        ask(corpora=[f"manifest:path={notes},exclude={file}"])


def test_a_limit_is_spread_over_folds_and_classes(ask: Ask) -> None:
    assert ids(ask(limit=4)) == ["s0_high_0", "s0_low_0", "s1_high_0", "s1_low_0"]


@pytest.mark.parametrize("holder", ["corpus", "settings", "plugin"])
def test_a_noise_comes_from_the_corpus_then_the_user_then_a_plugin(
    ask: Ask,
    notes: Path,
    make_hiss: Callable[..., Path],
    tmp_path: Path,
    plugins: Plugins,
    offer: Callable[[str, object], str],
    holder: str,
) -> None:
    order = ["corpus", "settings", "plugin"]
    files = {
        name: make_hiss(tmp_path / f"{name}.wav", seed)
        for seed, name in enumerate(order)
    }
    there = order[order.index(holder) :]

    def read(options: object, settings: Settings) -> Corpus:
        who = [("1", "a"), ("2", "b")]
        return Corpus(
            classes=("high", "low"),
            utterances=[
                Utterance(
                    id=f"{s} {label}",
                    path=notes / s / label,
                    label=label,
                    speaker=s,
                    fold=fold,
                )
                for fold, s in who
                for label in ("high", "low")
            ],
            noises={"hum": files["corpus"]} if "corpus" in there else {},
        )

    def find(card: NoiseCard, settings: Settings) -> Path:
        return files["plugin"]

    blank: dict[str, Any] = {"summary": "", "source": "", "licence": ""}
    plugins.corpora.add(
        CorpusCard(name="own", load=offer("read", read), **blank), "the test"
    )
    plugins.noises.add(
        NoiseCard(name="hum", load=offer("find", find), **blank), "the test"
    )
    named = {"hum": files["settings"]} if "settings" in there else {}

    study = ask(corpora=["own-hum"], named=named)

    assert list(study.corpora["own"].noises["hum"].paths) == [files[holder]]


@pytest.mark.parametrize(
    ("said", "kind", "reason"),
    [
        ({"noises": ["hsis"]}, UnknownName, "unknown noise 'hsis'\n.*mean 'hiss'"),
        ({"noises": ["npark"]}, CorpusMissing, "NSERBENCH_DEMAND"),
        (
            {"noises": ["hiss"], "named": {"hiss": Path("gone.wav")}},
            CorpusMissing,
            "'hiss' is set to gone.wav, which is not a file\n.*correct it under",
        ),
        (
            {"noises": ["hiss"], "named": {"hiss": Path("$NO_SUCH/gone.wav")}},
            CorpusMissing,
            r"which is not a file: the variable \$NO_SUCH is not set\n",
        ),
        ({"upstreams": ["mell"]}, UnknownName, "unknown upstream 'mell'"),
        ({"downstreams": ["men"]}, UnknownName, "unknown downstream 'men'"),
        ({"corpora": ["demmo"]}, UnknownName, "unknown corpus 'demmo'"),
        ({"corpora": ["emodb"]}, CorpusMissing, "NSERBENCH_EMODB is not set"),
        ({"corpora": ["manifest"]}, BadSpec, "manifest:path=FILE"),
        ({"protocol": "papr"}, UnknownName, "unknown protocol 'papr'"),
        ({"limit": 1}, BadCorpus, "of one speaker.*\n.*a --limit may be too small"),
    ],
)
def test_a_missing_corpus_or_noise_is_named(
    ask: Ask, said: dict[str, object], kind: type[NserbenchError], reason: str
) -> None:
    with pytest.raises(kind, match=f"(?s){reason}"):
        ask(**said)


def test_a_speaker_in_training_and_test_set_is_refused(ask: Ask, notes: Path) -> None:
    rewrite(notes, fold=lambda row: "1" if row["id"] == "s0_low_0" else row["fold"])

    with pytest.raises(BadCorpus, match="tests speakers that it also trains on: s0"):
        ask()


def test_a_label_outside_the_classes_is_refused(
    ask: Ask, plugins: Plugins, offer: Callable[[str, object], str]
) -> None:
    def read(options: object, settings: Settings) -> Corpus:
        one = Utterance(id="u", path=Path(), label="joy", speaker="s", fold="1")
        return Corpus(classes=("anger",), utterances=[one])

    card = dataclasses.replace(
        plugins.corpora["demo"], name="own", load=offer("read", read)
    )
    plugins.corpora.add(card, "the test")

    with pytest.raises(BadCorpus, match=r"u has the label 'joy'\n  classes: anger"):
        ask(corpora=["own"])


def test_each_corpus_runs_under_its_own_protocol_unless_one_is_named(
    ask: Ask, notes: Path, plugins: Plugins
) -> None:
    card = dataclasses.replace(
        plugins.corpora["manifest"], name="own", protocol="paper"
    )
    plugins.corpora.add(card, "the test")
    names = [f"manifest:path={notes}", f"own:path={notes},classes=low+high"]
    both = {"corpora": names, "epochs": None}

    own = [cell.protocol.label for cell in ask(**both).cells]
    named = [cell.protocol.label for cell in ask(**both, protocol="demo").cells]

    assert own == ["probe", "paper"]
    assert named == ["demo", "demo"]
