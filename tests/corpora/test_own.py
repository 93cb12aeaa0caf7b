from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from nserbench.cards import bind
from nserbench.corpora.own import own_corpora, refuse_alike_noises
from nserbench.errors import BadSettings
from nserbench.settings import Settings
from nserbench.spec import Spec

TAKEN = ("manifest", "crema-d", "park")


def settings(**corpora: str) -> Settings:
    return Settings(corpora=corpora, file=Path("/lab/nserbench.toml"), environment={})


def test_an_own_corpus_is_a_manifest_whose_label_is_its_name() -> None:
    text = "manifest:path=clips/list.csv,classes=high+low"

    (card,) = own_corpora(settings(mine=text), TAKEN)

    bound = bind(card, Spec("mine"))
    assert bound.label == "mine"
    assert bound.options["path"] == Path("/lab/clips/list.csv")
    assert bound.options["classes"] == ("high", "low")


def test_an_option_that_is_typed_is_in_the_label_and_overrides_the_settings() -> None:
    text = "manifest:path=list.csv,classes=high+low"
    (card,) = own_corpora(settings(mine=text), TAKEN)

    bound = bind(card, Spec("mine", {"classes": "low+high"}))

    assert bound.label == "mine:classes=low+high"
    assert bound.options["classes"] == ("low", "high")


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("park", "manifest:path=a.csv", "'park' in .corpora. is the name of another"),
        ("CREMAD", "manifest:path=a.csv", "would be mistaken for 'crema-d'"),
        ("crema-d-new", "manifest:path=a.csv", "would be mistaken for 'crema-d'"),
        ("crema", "manifest:path=a.csv", "would be mistaken for 'crema-d'"),
        ("hiss", "manifest:path=a.csv", "'hiss' in .corpora. is the name of another"),
        ("my data", "manifest:path=a.csv", "'my data' in .corpora. cannot be the name"),
        ("mine@5", "manifest:path=a.csv", "'mine@5' in .corpora. cannot be the name"),
        ("mine", "emodb", "'emodb' is no list of recordings"),
        ("mine", "list.csv", "write manifest:path=FILE"),
        ("mine", "manifest", "the file is missing"),
        ("mine", "manifest:file=a.csv", "unknown option 'file'"),
    ],
)
def test_a_name_or_text_that_cannot_be_used_is_refused(
    name: str, text: str, problem: str
) -> None:
    known = replace(settings(**{name: text}), noises={"hiss": Path("hiss.wav")})

    with pytest.raises(BadSettings, match=problem):
        own_corpora(known, TAKEN)


@pytest.mark.parametrize("names", [("calls", "Calls"), ("x", "x-white")])
def test_two_names_that_would_be_mistaken_for_each_other_are_refused(
    names: tuple[str, str],
) -> None:
    texts = dict.fromkeys(names, "manifest:path=a.csv")

    with pytest.raises(BadSettings, match=f"mistaken for '{names[0]}'"):
        own_corpora(settings(**texts), TAKEN)


@pytest.mark.parametrize(
    ("noises", "two"),
    [(("fan", "Fan"), "'fan' and 'Fan'"), (("Hiss",), "'hiss' and 'Hiss'")],
)
def test_noises_whose_names_differ_only_in_case_are_refused(
    noises: Sequence[str], two: str
) -> None:
    known = Settings(noises={name: Path(f"{name}.wav") for name in noises})

    with pytest.raises(BadSettings, match=f"{two} differ only in case"):
        refuse_alike_noises(known, ["hiss"])


def test_a_noise_of_the_settings_may_replace_one_of_a_plugin() -> None:
    refuse_alike_noises(Settings(noises={"hiss": Path("a.wav")}), ["hiss"])
