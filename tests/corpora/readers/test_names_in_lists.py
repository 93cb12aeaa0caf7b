import unicodedata
from pathlib import Path

import pytest

from nserbench.benchmark.study.splits import make_splits
from nserbench.cards import bind
from nserbench.corpora.base import Corpus
from nserbench.corpora.cards import MANIFEST
from nserbench.errors import BadCorpus
from nserbench.settings import Settings
from nserbench.spec import Spec

HEADER = "path,label,speaker"


def read(folder: Path, *lines: str, name: str = "list.csv", **options: str) -> Corpus:
    file = folder / name
    file.write_bytes("\n".join(lines).encode())
    bound = bind(MANIFEST, Spec("manifest", {"path": str(file), **options}))
    return MANIFEST.read(bound.options, Settings(environment={}))


def refusal(folder: Path, *lines: str, **options: str) -> str:
    with pytest.raises(BadCorpus) as caught:
        read(folder, *lines, **options)
    return str(caught.value)


def test_a_quotation_mark_in_a_tsv_is_part_of_the_text(tmp_path: Path) -> None:
    rows = ['a.wav\tx\ts\t"Oh no" she', 'b.wav\tx\ts\t"Go', 'c.wav\tx\ts\tend"']

    corpus = read(tmp_path, "path\tlabel\tspeaker\ttext", *rows, name="list.tsv")

    assert [u.text for u in corpus.utterances] == ['"Oh no" she', '"Go', 'end"']
    assert corpus.rows == 3


def test_a_quotation_mark_that_swallows_lines_is_refused(tmp_path: Path) -> None:
    rows = ['a.wav,x,s,"Go', "b.wav,x,s,fine", 'c.wav,x,s,end"', "d.wav,x,s,fine"]

    assert refusal(tmp_path, HEADER + ",text", *rows) == (
        f"{tmp_path / 'list.csv'}, line 2: a cell has a line break: the row ends in "
        "line 4\n  close the quotation mark, or write the text in one line"
    )


def test_a_name_in_two_unicode_forms_is_one_name(tmp_path: Path) -> None:
    names = [unicodedata.normalize(form, "Jörg") for form in ("NFC", "NFD")]
    assert names[0] != names[1]

    corpus = read(
        tmp_path,
        HEADER + ",fold",
        *(f"{place}.wav,fröhlich,{name},1" for place, name in enumerate(names)),
    )

    assert {one.speaker for one in corpus.utterances} == {names[0]}


@pytest.mark.parametrize("column", ["label", "speaker", "fold", "id", "unit"])
@pytest.mark.parametrize(
    ("one", "other"),
    [("anna", "Anna"), ("anna b", "anna  b"), ("an na", "anna"), ("a", "\uff41"),
     ("anna", "an\u200bna"), ("Straße", "STRASSE")],
)  # fmt: skip
def test_a_name_in_two_spellings_is_refused(
    tmp_path: Path, column: str, one: str, other: str
) -> None:
    columns = ["path", "label", "speaker", "fold", "id", "unit"]
    plain = {"label": "x", "speaker": "s", "fold": "1", "unit": "u"}
    rows = [
        {**plain, "path": f"{place}.wav", "id": f"id{place}", column: name}
        for place, name in enumerate((one, other))
    ]

    said = refusal(
        tmp_path,
        ",".join(columns),
        *(",".join(row[name] for name in columns) for row in rows),
    )

    assert said == (
        f"{tmp_path / 'list.csv'}, line 3: the {column} {other!r} is written {one!r} "
        f"in {tmp_path / 'list.csv'}, line 2\n"
        "  they would count as two: write one name in one way"
    )


@pytest.mark.parametrize(
    "pair", [("001", "1"), ("1", "1.0"), ("-0", "0"), ("1e3", "1000")]
)
def test_names_that_are_one_number_are_warned_of(
    tmp_path: Path, pair: tuple[str, str]
) -> None:
    file = tmp_path / "list.csv"

    corpus = read(tmp_path, HEADER, *(f"{name}.wav,x,{name}" for name in pair))

    (warning,) = corpus.warnings
    assert warning == (
        f"{file}, line 3: the speaker {pair[1]!r} is the same number as {pair[0]!r} in "
        f"{file}, line 2: they are taken as two; if they are one, write both alike"
    )


@pytest.mark.parametrize("word", ["nan", "None", "NULL", "N/A"])
@pytest.mark.parametrize(
    ("column", "advice"),
    [
        ("label", "correct it, or delete the row"),
        ("speaker", "correct it, or delete the row"),
        ("text", "leave it empty"),
    ],
)
def test_words_for_an_empty_cell_are_warned_of(
    tmp_path: Path, word: str, column: str, advice: str
) -> None:
    cells = {"path": "a.wav", "label": "x", "speaker": "s", "text": "t", column: word}

    (warning,) = read(tmp_path, ",".join(cells), ",".join(cells.values())).warnings

    assert warning == (
        f"{tmp_path / 'list.csv'}, line 2: the {column} is {word!r}, which many "
        f"programs write for an empty cell: it is taken as a {column}; if it is none, "
        f"{advice}"
    )


def test_one_recording_with_two_labels_is_warned_of(tmp_path: Path) -> None:
    (warning,) = read(tmp_path, HEADER + ",id", "a.wav,x,s,1", "a.wav,y,s,2").warnings

    assert "line 3: the same audio as in" in warning


def test_good_names_are_not_warned_of(tmp_path: Path) -> None:
    assert read(tmp_path, HEADER, "a.wav,x,1", "b.wav,y,2").warnings == ()


def test_texts_that_are_not_english_need_a_language(tmp_path: Path) -> None:
    header, rows = HEADER + ",text", ("a.wav,x,1,Über alles!", "b.wav,y,2,你好吗 OK")

    (warning,) = read(tmp_path, header, *rows).warnings
    spoken = read(tmp_path, header + ",language", rows[0] + ",", rows[1] + ",zh")

    assert "list.csv, line 3: the text is not in Latin letters, and no" in warning
    assert "(1 of 2 rows)" in warning
    assert spoken.warnings == ()


def test_a_speaker_of_two_genders_is_refused(tmp_path: Path) -> None:
    said = refusal(tmp_path, HEADER + ",gender", "a.wav,x,s,f", "b.wav,x,s,m")

    assert "line 3: the gender of speaker 's' is 'm', but 'f' in" in said


@pytest.mark.parametrize("written", ["DE", "de-DE", "deu", "ger", "German", "de_AT"])
def test_a_language_is_read_as_people_write_it(tmp_path: Path, written: str) -> None:
    corpus = read(tmp_path, HEADER + ",language", f"a.wav,x,s,{written}")

    assert corpus.utterances[0].language == "de"


def test_a_language_that_is_none_is_refused_by_line(tmp_path: Path) -> None:
    said = refusal(tmp_path, HEADER + ",language", "a.wav,x,s,Germn")

    assert said == (
        f"{tmp_path / 'list.csv'}, line 2: 'Germn' is not a language: write a code "
        "such as de, deu or de-DE, or an English name such as German"
    )


SPLIT = ["a.wav,x,a,train", "b.wav,y,b,train", "c.wav,x,c,dev", "d.wav,y,d,test"]


@pytest.mark.parametrize("column", ["fold", "split"])
def test_folds_named_train_dev_and_test_are_a_fixed_split(
    tmp_path: Path, column: str
) -> None:
    corpus = read(tmp_path, f"{HEADER},{column}", *SPLIT)

    assert (corpus.tested, corpus.dev) == (("test",), "dev")
    assert [(s.fold, s.train, s.test) for s in make_splits(corpus)] == [
        ("test", (0, 1, 2), (3,))
    ]


def test_two_test_sets_are_not_trained_on(tmp_path: Path) -> None:
    rows = [*SPLIT, "e.wav,x,e,Test2"]

    splits = make_splits(read(tmp_path, HEADER + ",fold", *rows))

    assert [(split.fold, split.train, split.test) for split in splits] == [
        ("Test2", (0, 1, 2), (4,)),
        ("test", (0, 1, 2), (3,)),
    ]


def test_the_tested_and_the_dev_fold_can_be_named(tmp_path: Path) -> None:
    rows = [line.replace("train", "A").replace("dev", "B").replace("test", "C")
            for line in SPLIT]  # fmt: skip

    corpus = read(tmp_path, HEADER + ",part", *rows, split="part", tested="C", dev="B")

    assert (corpus.trained, corpus.tested, corpus.dev) == (("A", "B"), ("C",), "B")


def test_a_training_fold_without_a_test_fold_is_refused(tmp_path: Path) -> None:
    said = refusal(tmp_path, HEADER + ",fold", *SPLIT[:2], "d.wav,y,d,other")

    assert "'other' says nothing\n  say which folds are tested" in said


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            {"tested": "C"},
            ": no utterance is in the fold 'C'\n  folds: dev, ",
        ),
        ({"dev": "C"}, ": no utterance is in the fold 'C'\n"),
        ({"dev": "test"}, ": the fold 'test' is both dev= and tested"),
        ({"split": "part"}, ", line 1: there is no column 'part' that can be split="),
    ],
)
def test_a_split_that_is_not_there_is_refused(
    tmp_path: Path, options: dict[str, str], problem: str
) -> None:
    said = refusal(tmp_path, HEADER + ",fold", *SPLIT, **options)

    assert said.startswith(f"{tmp_path / 'list.csv'}{problem}")


def test_a_column_of_fold_and_one_of_split_need_a_choice(tmp_path: Path) -> None:
    rows = [f"{line},1" for line in SPLIT]

    assert "say which to use: split=fold or split=split" in refusal(
        tmp_path, HEADER + ",split,fold", *rows
    )
    assert read(tmp_path, HEADER + ",split,fold", *rows, split="split").dev == "dev"


def test_the_unit_of_independence_is_read(tmp_path: Path) -> None:
    corpus = read(tmp_path, HEADER + ",unit", "a.wav,x,s,d1", "b.wav,x,s,d1")

    assert [one.unit for one in corpus.utterances] == ["d1", "d1"]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        (r"..\base\a.wav", "has backslashes, and there is no such file\n  write /"),
        ("file:///data/a.wav", "is a URL\n  write the path of the file, without file"),
        ('"""a.wav"""', "is in quotation marks\n  write it without them"),
        ("$NO_SUCH_VARIABLE/a.wav", "the variable $NO_SUCH_VARIABLE is not set"),
        ("~no-such-user/a.wav", "cannot be used: "),
        ("cloud.wav", "is a file that is only in iCloud\n  download it"),
        (
            unicodedata.normalize("NFC", "ä.wav"),
            "is there under the same letters in another Unicode form, NFD\n  write",
        ),
    ],
)
def test_a_path_that_another_system_wrote_is_refused_with_what_to_do(
    tmp_path: Path, path: str, hint: str
) -> None:
    (tmp_path / ".cloud.wav.icloud").touch()
    (tmp_path / unicodedata.normalize("NFD", "ä.wav")).touch()

    said = refusal(tmp_path, HEADER, f"{path},x,s")

    assert said.startswith(f"{tmp_path / 'list.csv'}, line 2: the path ")
    assert hint in said


def test_home_and_variables_in_paths_are_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATA", str(tmp_path / "data"))
    (tmp_path / "$DATA.wav").write_bytes(b"sound")

    corpus = read(
        tmp_path, HEADER, "~/a.wav,x,s", "$DATA/b.wav,x,s", "${DATA}/c.wav,x,s",
        "$DATA.wav,x,s",
    )  # fmt: skip

    assert {one.id: one.path for one in corpus.utterances} == {
        "~/a.wav": tmp_path / "home/a.wav",
        "$DATA/b.wav": tmp_path / "data/b.wav",
        "${DATA}/c.wav": tmp_path / "data/c.wav",
        "$DATA.wav": tmp_path / "$DATA.wav",  # a file of just this name is there
    }


@pytest.mark.parametrize(
    ("header", "hint"),
    [
        ("Path,Label,Speaker", "write the names of the columns in small letters"),
        ("path;label;speaker", "semicolons separate the cells: write commas"),
        ("path\tlabel\tspeaker", "tabs separate the cells: write commas"),
    ],
)
def test_a_header_that_another_program_wrote_is_refused_with_what_to_do(
    tmp_path: Path, header: str, hint: str
) -> None:
    assert refusal(tmp_path, header, "a").endswith(f"\n  {hint}")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_list_in_utf_16_is_named_as_such(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(f"{HEADER}\na.wav,x,s\n".encode(encoding))
    bound = bind(MANIFEST, Spec("manifest", {"path": str(file)}))

    with pytest.raises(BadCorpus, match="line 1: not UTF-8, but probably UTF-16"):
        MANIFEST.read(bound.options, Settings(environment={}))
