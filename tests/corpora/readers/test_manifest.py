import json
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nserbench.cards import bind
from nserbench.corpora.base import Corpus
from nserbench.corpora.cards import MANIFEST
from nserbench.corpora.readers.manifest import deal
from nserbench.errors import BadCorpus, BadSpec, CorpusMissing
from nserbench.settings import Settings
from nserbench.spec import Spec

HEADER = "path,label,speaker"
TWO = f"{HEADER}\na.wav,happy,s1\nb.wav,sad,s2\n"


def read(file: Path | None, **options: str) -> Corpus:
    typed = options if file is None else {"path": str(file), **options}
    bound = bind(MANIFEST, Spec("manifest", typed))
    return MANIFEST.read(bound.options, Settings(environment={}))


def written(folder: Path, text: str, name: str = "list.csv") -> Path:
    file = folder / name
    file.write_bytes(text.encode())
    return file


def refusal(file: Path) -> str:
    with pytest.raises(BadCorpus) as caught:
        read(file)
    return str(caught.value)


def test_every_column_is_read(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "speaker,extra,path,label,id,fold,start,end,text,language\n"
        'anna,x,clips/a.wav,happy,u1,dev,0.5,2,"Well, hello",en\n',
    )

    (utterance,) = read(file).utterances

    assert utterance.id == "u1"
    assert utterance.path == tmp_path / "clips/a.wav"
    assert utterance.label == "happy"
    assert utterance.speaker == "anna"
    assert utterance.fold == "dev"
    assert (utterance.start, utterance.end) == (0.5, 2.0)
    assert utterance.text == "Well, hello"
    assert utterance.language == "en"


def test_three_columns_are_enough(tmp_path: Path) -> None:
    utterance = read(written(tmp_path, TWO)).utterances[0]

    assert utterance.id == "a.wav"
    assert (utterance.start, utterance.end) == (None, None)
    assert (utterance.text, utterance.language) == (None, None)


def test_the_three_kinds_of_file_say_the_same(tmp_path: Path) -> None:
    lines = [
        {"path": "a.wav", "label": "sad", "speaker": "1", "start": 0.5, "text": None},
        {"path": "b.wav", "label": "happy", "speaker": "2", "start": 1, "text": "oh"},
    ]
    csv = "path,label,speaker,start,text\na.wav,sad,1,0.5,\nb.wav,happy,2,1,oh\n"

    corpora = [
        read(written(tmp_path, csv)),
        read(written(tmp_path, csv.replace(",", "\t"), "list.TSV")),
        read(written(tmp_path, "\n".join(map(json.dumps, lines)), "list.jsonl")),
    ]

    assert corpora[0] == corpora[1] == corpora[2]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + TWO,
        TWO.replace("\n", "\r\n"),
        TWO.replace("\n", "\n\n"),
        TWO.rstrip("\n"),
        TWO.replace(",", " , "),
        TWO.replace("a.wav", '"a.wav"'),
    ],
    ids=["mark", "line ends", "empty lines", "no last end", "spaces", "quotes"],
)
def test_ways_to_write_the_same_file(tmp_path: Path, text: str) -> None:
    plain = read(written(tmp_path, TWO))

    assert read(written(tmp_path, text)) == plain


def test_parts_of_one_file_have_ids_with_their_times(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        f"{HEADER},start,end\na.wav,x,s,0,1.50\na.wav,x,s,1.5,\na.wav,x,s,,2\n",
    )

    ids = [utterance.id for utterance in read(file).utterances]

    assert ids == ["a.wav@-2", "a.wav@0-1.50", "a.wav@1.5-"]


def test_absolute_paths_stay(tmp_path: Path) -> None:
    file = written(tmp_path, f"{HEADER}\n/clips/a.wav,x,s\n")

    assert read(file).utterances[0].path == Path("/clips/a.wav")


def test_classes_are_the_sorted_labels(tmp_path: Path) -> None:
    assert read(written(tmp_path, TWO)).classes == ("happy", "sad")


def test_chosen_classes_leave_other_labels_out(tmp_path: Path) -> None:
    file = written(tmp_path, TWO + "c.wav,angry,s3\n")

    corpus = read(file, classes="sad+angry")

    assert corpus.classes == ("sad", "angry")
    assert [utterance.id for utterance in corpus.utterances] == ["b.wav", "c.wav"]


def test_a_class_that_no_utterance_has_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path, TWO)

    with pytest.raises(BadCorpus) as caught:
        read(file, classes="sad+hapy")

    assert str(caught.value) == (
        f"{file} has no utterance labelled 'hapy'\n  labels: happy, sad"
    )


def listed(speakers: int) -> str:
    lines = [
        f"{speaker}-{take}.wav,x,s{speaker:02}"
        for speaker in range(speakers)
        for take in range(1 + speaker % 4)
    ]
    return "\n".join([HEADER, *lines])


def test_up_to_ten_speakers_are_a_fold_each(tmp_path: Path) -> None:
    utterances = read(written(tmp_path, listed(10))).utterances

    assert all(utterance.fold == utterance.speaker for utterance in utterances)


def test_more_speakers_are_assigned_to_five_folds_of_equal_size(tmp_path: Path) -> None:
    utterances = read(written(tmp_path, listed(12))).utterances

    homes = {(utterance.speaker, utterance.fold) for utterance in utterances}
    assert len(homes) == 12  # nobody is in two folds
    counts = Counter(utterance.fold for utterance in utterances)
    assert counts == dict.fromkeys("12345", 6)


def test_folds_do_not_depend_on_the_order_of_lines(tmp_path: Path) -> None:
    header, *lines = listed(12).split("\n")

    forward = read(written(tmp_path, listed(12)))
    backward = read(written(tmp_path, "\n".join([header, *reversed(lines)])))

    assert list(forward.utterances) == list(backward.utterances)


def test_the_speaker_with_most_utterances_is_assigned_first() -> None:
    speakers = {f"s{number:02}": 1 for number in range(10)} | {"large": 6}

    folds = deal(speakers)

    assert [name for name in speakers if folds[name] == folds["large"]] == ["large"]


def test_folds_of_the_file_win(tmp_path: Path) -> None:
    text = f"{HEADER},fold\na.wav,x,s1,B\nb.wav,x,s2,A\n"

    assert read(written(tmp_path, text)).folds == ("A", "B")


@pytest.mark.parametrize("column", ["Fold", "SPLIT", "Unit"])
def test_a_column_whose_name_is_known_but_for_capitals_is_refused(
    tmp_path: Path, column: str
) -> None:
    rows = f'{HEADER},"{column}"\na.wav,x,s1,B\nb.wav,y,s2,A\n'

    message = refusal(written(tmp_path, rows))

    assert f"the column {column!r} would not be read" in message
    assert f"call it {column.lower()!r}" in message


def test_such_a_column_may_stand_beside_the_one_that_is_read(tmp_path: Path) -> None:
    text = f"{HEADER},fold,Fold,notes\na.wav,x,s1,B,1,n\nb.wav,x,s2,A,1,n\n"

    assert read(written(tmp_path, text)).folds == ("A", "B")
    assert read(written(tmp_path, text), split="Fold").folds == ("1",)


def test_label_of_the_corpus_holds_no_folder(tmp_path: Path) -> None:
    file = written(tmp_path, TWO)

    bound = bind(MANIFEST, Spec("manifest", positional=str(file)))

    assert bound.label == "manifest:path=list"


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["path,label", "a,x"], "line 1: there is no column 'speaker'"),
        ([""], "line 1: there are no columns 'path', 'label', 'speaker'"),
        ([HEADER + ",path", "a,x,s,b"], "line 1: two columns are named 'path'\n"),
        ([HEADER, "a,x"], "line 2: 2 cells under 3 columns\n  a row needs a cell"),
        ([HEADER, "a,x,s,t"], "line 2: 4 cells under 3 columns"),
        ([HEADER, "a,x,s", "b, ,s"], "line 3: 'label' is missing or empty"),
        ([HEADER, "", "b,x,s", "c,,s"], "line 4: 'label' is missing or empty"),
        ([HEADER, ",x,"], "line 2: 'path', 'speaker' are missing or empty"),
        ([HEADER, "", '"a\nb",x,s', "c,x,s"], "line 3: a cell has a line break: the"),
        ([HEADER, "a,x,s", '"b,x,s'], "line 3: unexpected end of data"),
        ([HEADER, "a,x,s", "a,x,s"], "line 3: the id 'a' is also used in"),
        ([HEADER, "a\0,x,s"], "line 2: 'path' holds characters that are not Unicode"),
        ([HEADER + ",start", "a,x,s,1", "b,x,s,one"], "line 3: 'start' is 'one', but"),
        ([HEADER + ",start", "a,x,s,-1"], "line 2: 'start' is '-1', but it must be"),
        ([HEADER + ",end", "a,x,s,nan"], "line 2: 'end' is 'nan', but it must be"),
        ([HEADER + ",end", "a,x,s,0"], "line 2: the end, 0.0 s, is not after"),
        ([HEADER + ",start,end", "a,x,s,2,2"], "line 2: the end, 2.0 s, is not"),
        ([HEADER + ",fold", "a,x,s,1", "b,x,s,"], "line 3: 'fold' is missing"),
    ],
)
def test_a_broken_line_is_refused_with_file_and_number(
    tmp_path: Path, lines: list[str], problem: str
) -> None:
    file = written(tmp_path, "\n".join(lines))

    assert refusal(file).startswith(f"{file}, {problem}")


GOOD = '{"path": "a", "label": "x", "speaker": "s"}'


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "not JSON: "),
        ("[" * 100_000, "not JSON: "),
        ("[1]", "not a JSON object such as {'path': ...}"),
        ('{"path": "b", "label": "x"}', "'speaker' is missing or empty"),
        (GOOD.replace('"x"', "null"), "'label' is missing or empty"),
        (GOOD.replace('"x"', "true"), "'label' is neither text nor a number"),
        (GOOD.replace('"x"', "[]"), "'label' is neither text nor a number"),
        (GOOD.replace('"x"', "NaN"), "'label' is nan"),
        (GOOD.replace('"x"', "1e999"), "'label' is inf"),
        (
            GOOD.replace('"a"', r'"\ud800"'),
            "'path' holds characters that are not Unicode",
        ),
        (GOOD, "the id 'a' is also used in"),
    ],
)
def test_a_broken_json_line_is_refused_with_file_and_number(
    tmp_path: Path, line: str, problem: str
) -> None:
    file = written(tmp_path, f"{GOOD}\n\n{line}\n", "list.jsonl")

    assert refusal(file).startswith(f"{file}, line 3: {problem}")


def test_json_columns_that_are_not_known_may_hold_anything(tmp_path: Path) -> None:
    line = GOOD.replace("{", '{"scores": [1, NaN], ')

    assert read(written(tmp_path, line, "list.jsonl")).utterances[0].id == "a"


def test_json_text_may_hold_a_line_separator(tmp_path: Path) -> None:
    line = GOOD.replace("{", '{"text": "one\u2028two", ')

    assert read(written(tmp_path, line, "list.jsonl")).utterances[0].text == (
        "one\u2028two"
    )


def test_other_encodings_are_refused_with_the_line(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(f"{HEADER}\na.wav,fröhlich,s\n".encode("latin-1"))

    assert refusal(file).startswith(f"{file}, line 2: not UTF-8\n  save the file as")


@pytest.mark.parametrize("name", ["list.csv", "list.tsv", "list.jsonl"])
def test_a_file_without_lines_is_refused(tmp_path: Path, name: str) -> None:
    header = {".csv": HEADER, ".tsv": HEADER.replace(",", "\t"), ".jsonl": ""}
    file = written(tmp_path, header[Path(name).suffix] + "\n", name)

    assert refusal(file).startswith(f"{file} lists no utterances\n")


def test_other_kinds_of_file_are_refused(tmp_path: Path) -> None:
    file = written(tmp_path, TWO, "list.xlsx")

    assert refusal(file) == (
        f"{file} is of an unknown kind: its name must end with .csv, .tsv or .jsonl"
    )


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"

    with pytest.raises(CorpusMissing, match=re.escape(f"{file} does not exist")):
        read(file)


def test_the_file_must_be_given() -> None:
    with pytest.raises(BadSpec, match="manifest:path=FILE"):
        read(None)


def read_or_refused(file: Path, known: int) -> None:
    try:
        said = f"{len(read(file).utterances)} utterances"
    except BadCorpus as error:
        said = str(error)
    refused = rf"{re.escape(str(file))}, line [1-9]\d*: ."
    assert re.match(rf"{refused}|[{known}-9]\d* utterances", said)


@settings(derandomize=True)
@given(line=st.text())
@example(line='"')
@example(line="c.wav,x,\ufeff")
@example(line="x" * 200_000)
def test_any_csv_line_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, line: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    text = TWO + line
    file = folder / "any.csv"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))

    read_or_refused(file, known=2)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=3,
)
ENTRIES = st.fixed_dictionaries(
    {"path": JSON_VALUES, "label": JSON_VALUES, "speaker": JSON_VALUES},
    optional={"start": JSON_VALUES, "end": JSON_VALUES, "id": JSON_VALUES},
)


@settings(derandomize=True)
@given(line=st.text() | JSON_VALUES.map(json.dumps) | ENTRIES.map(json.dumps))
def test_any_json_line_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, line: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.jsonl"
    file.write_bytes(f"{GOOD}\n{line}".encode("utf-8", "surrogatepass"))

    read_or_refused(file, known=1)


@settings(derandomize=True)
@given(
    content=st.binary(max_size=200) | st.text(TWO, max_size=200).map(str.encode),
    ending=st.sampled_from(["csv", "tsv", "jsonl"]),
)
@example(content=b"", ending="tsv")
@example(content=b"\xef\xbb\xbf", ending="jsonl")
@example(content=b'path\tlabel\tspeaker\n"a"\tx\ty\nb\tz\t\xff', ending="tsv")
def test_any_bytes_are_a_list_or_refused_with_its_name(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, ending: str
) -> None:
    file = tmp_path_factory.getbasetemp() / f"soup.{ending}"
    file.write_bytes(content)

    try:
        said = f"{file}: {len(read(file).utterances)} utterances"
    except BadCorpus as error:
        said = str(error)
    assert re.match(rf"{re.escape(str(file))}(, line [1-9]\d*)?\b.", said)
