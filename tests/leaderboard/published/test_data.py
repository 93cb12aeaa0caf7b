import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from values import not_none

from nserbench.benchmark.plugins.registry import Plugins, Registry
from nserbench.benchmark.study.name_lookup import read_upstreams
from nserbench.errors import UnknownName
from nserbench.leaderboard.published.data import (
    BadReference,
    Published,
    published_names,
    read_published,
)
from nserbench.leaderboard.reading.counts import Row
from nserbench.spec import parse_spec

TEXT = """\
title = "Toy"
citation = "Doe: A toy, 2020"
url = "https://example.org/toy"
differences = ["they sing"]

[protocol]
epochs = "50"

[[tables]]
name = "Table 1"
caption = "all of it"
metrics = ["uar", "f1_macro"]
columns = [
  { label = "Clean", ours = ["emodb clean"] },
  { label = "Park", ours = ["emodb park@-5"], protocol = { folds = "5" } },
]

[[tables.rows]]
label = "Mel"
ours = ["mel x bigru"]
values = [["57.10", "56.1"], ["53.0", "-"]]

[[tables.rows]]
label = "Secret"
values = [["7.00", "-"], ["100", "100.0"]]
note = "reported only"
"""
COLUMNS = ["MELD", "IEMOCAP", "IEMOCAP (Human)", "Park", "Traffic"]
LEVELS = [f"SNR {level} dB" for level in (-10, -5, 0, 5, 10)]


@pytest.fixture
def document(test_data: Path) -> list[str]:
    """Return the lines of the paper, as it was converted from print."""
    file = test_data.parent / "docs" / "paper.md"
    if not file.is_file():
        pytest.skip(f"{file} is missing")
    return file.read_text(encoding="utf-8").splitlines()


@pytest.fixture
def field(test_data: Path) -> str:
    """Return the notes on other benchmarks."""
    file = test_data.parent / "docs" / "field.md"
    if not file.is_file():
        pytest.skip(f"{file} is missing")
    return file.read_text(encoding="utf-8")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "toy.toml"


def lines_of(document: list[str], title: str) -> list[list[str]]:
    """Cut a table of the paper into lines of cells."""
    start = next(
        place for place, line in enumerate(document) if line.startswith(f"{title}:")
    )
    lines = []
    for line in document[start + 2 :]:
        if not line:
            break
        bare = re.sub("</?b>", "", line)
        lines.append([cell.strip() for cell in bare.split("\t")])
    return lines


def numbers_of(line: list[str]) -> list[str]:
    return [cell for cell in line if re.fullmatch(r"\d+\.\d+|-", cell)]


def printed(document: list[str], title: str) -> dict[str, list[str]]:
    """Return the numbers of each row of a table, in the order printed.

    A row is named with its group, and, where the table has them, with its block.
    """
    found: dict[str, list[str]] = {}
    block = group = ""
    for line in lines_of(document, title):
        numbers, names = numbers_of(line), line[:2]
        if not numbers:
            headed = [cell for cell in line if cell.startswith("IEMOCAP - ")]
            block = headed[0] if headed else block
            continue
        if numbers[0] in names:  # the last line of Table VII lacks its empty cell
            names = ["", names[0]]
        group = names[0] or group
        name = names[1] if group in "\N{EN DASH}" else f"{group}: {names[1]}"
        found[f"{block} {name}".strip()] = numbers
    return found


def stored(published: Published, title: str) -> dict[str, list[str]]:
    """Return the same of the data."""
    found = {}
    for table in published.tables:
        name, _, block = table.name.partition(", ")
        if name == title:
            for row in table.rows:
                numbers = [one or "-" for each in row.values for one in each]
                found[f"{block} {row.label}".strip()] = numbers
    return found


@pytest.mark.parametrize("title", ["Table III", "Table IV", "Table V", "Table VI"])
def test_the_papers_tables_are_copied_with_all_digits(
    document: list[str], title: str
) -> None:
    assert stored(read_published("paper"), title) == printed(document, title.upper())


def test_the_papers_table_of_casia_is_copied_with_all_digits(
    document: list[str],
) -> None:
    # Its first column has slipped in the conversion, so that models tell rows apart.
    def by_model(rows: dict[str, list[str]]) -> dict[str, list[str]]:
        return {name.partition(": ")[2]: numbers for name, numbers in rows.items()}

    theirs = by_model(printed(document, "TABLE VII"))

    assert len(theirs) == 13
    assert by_model(stored(read_published("paper"), "Table VII")) == theirs


@pytest.mark.parametrize("title", ["III", "IV", "V", "VI", "VII"])
def test_the_papers_columns_are_in_its_order(document: list[str], title: str) -> None:
    lines = lines_of(document, f"TABLE {title}")
    heads = [line for line in lines if not numbers_of(line)]
    words = [cell for line in heads for cell in line]
    known = {"V": LEVELS, "VII": []}.get(title, COLUMNS)

    tables = [
        table
        for table in read_published("paper").tables
        if table.name.partition(",")[0] == f"Table {title}"
    ]

    assert [word for word in words if word in known] == known
    metrics = [word for word in heads[-1] or words if word.endswith("(%)")]
    assert set(metrics[::2]) <= {"UAR(%)"}
    assert set(metrics[1::2]) <= {"F1(%)"}
    for table in tables:
        labels = [column.label for column in table.columns]
        assert table.metrics == ("uar", "f1_macro")
        assert [label.removeprefix("IEMOCAP (Environment) ") for label in labels] == (
            known or ["CASIA"]
        )


def test_the_papers_columns_are_spelt_as_they_are_headed() -> None:
    spelt = {
        "MELD": "meld clean",
        "IEMOCAP": "iemocap clean",
        "IEMOCAP (Human)": "iemocap human@0",
        "IEMOCAP (Environment) Park": "iemocap park@0",
        "IEMOCAP (Environment) Traffic": "iemocap traffic@0",
        "CASIA": "casia clean",
    }

    for table in read_published("paper").tables:
        _, _, block = table.name.rpartition(" ")
        noise = block.strip("()").lower()
        for column in table.columns:
            level = column.label.removeprefix("SNR ").removesuffix(" dB")
            assert [str(place) for place in column.ours] == [
                spelt.get(column.label, f"iemocap {noise}@{level}")
            ]


def test_every_table_with_results_in_the_paper_is_there(document: list[str]) -> None:
    titles = [line.split(":")[0] for line in document if line.startswith("TABLE ")]

    names = {table.name.partition(",")[0] for table in read_published("paper").tables}
    names -= {"Fig. 3", "Fig. 4"}  # of which the text says some layers

    assert names == {title.capitalize().split()[0] + title[5:] for title in titles[2:]}


NUMBER = r"(\d+\.\d+)"
PLACES = ("IEMOCAP", "Human", "Park", "Traffic")


@pytest.fixture
def section(document: list[str]) -> Callable[[str], str]:
    """Return a function that cuts a section of Sec. V out of the paper, in one line."""

    def cut(title: str) -> str:
        (start,) = (
            place
            for place, line in enumerate(document)
            if re.fullmatch(rf"#+ [A-G]\. {title}.*", line)
        )
        rest = document[start + 1 :]
        end = next(place for place, line in enumerate(rest) if line.startswith("###"))
        return " ".join(" ".join(rest[:end]).split())

    return cut


def layers_in(text: str) -> dict[str, dict[str, str]]:
    """Read each layer that the text names from its sentences: by place, then label."""
    parts = re.split(
        r"For the IEMOCAP dataset|In the Human subset|In the Environment.Park subset|"
        r"In the more challenging Environment.Traffic subset",
        text,
    )
    found: dict[str, dict[str, str]] = {}
    for place, part in zip(PLACES, parts[1:], strict=True):
        own = found.setdefault(place, {})
        encoder, decoder = re.split("decoder (?:achieves|peaks)", part, maxsplit=1)
        for value, layer in re.findall(rf"{NUMBER}% at L(\d+)", encoder):
            own[f"Encoder L{layer}"] = value
        decoder, models = decoder.split("SSL models", 1)
        peak = re.search(rf"{NUMBER}%? ?(?:at L|\(L)(\d+)\)", decoder)
        assert peak is not None
        own[f"Decoder L{peak[2]}"] = peak[1]
        (last,) = re.findall(rf"(?:declining|declines) to {NUMBER}% at L12", decoder)
        own["Decoder L12"] = last
        said = rf"(Wav2Vec 2\.0|HuBERT|WavLM)[^()%]*?\(?{NUMBER}%?,? ?(?:at |\()?L(\d+)"
        for model, value, layer in re.findall(said, models):
            own[f"{model} (FT) L{layer}"] = value
    return found


def test_the_papers_layers_are_copied_from_its_text_with_all_digits(
    section: Callable[[str], str],
) -> None:
    found: dict[str, dict[str, str]] = {place: {} for place in PLACES}
    for table in read_published("paper").tables:
        for row in table.rows if table.name in ("Fig. 3", "Fig. 4") else ():
            for place, (value,) in zip(PLACES, row.values, strict=True):
                if value is not None:
                    found[place][row.label] = value

    assert found == layers_in(section("Layer-wise Analysis"))
    assert sum(map(len, found.values())) == 28


RATES = {
    ("Whisper", "clean"): rf"Whisper attains a WER of {NUMBER} and",
    ("Conformer", "clean"): rf"Conformer records a WER of {NUMBER} and",
    ("Whisper", "human"): rf"at 5 dB SNR, the WER is {NUMBER}\. This WER increases to "
    rf"{NUMBER} at SNR of 0 dB and further rises to {NUMBER} at -5 dB",
    ("Conformer", "human"): rf"WER increasing to {NUMBER} at 5 dB, rising further to "
    rf"{NUMBER} at 0 dB, and peaking at {NUMBER} at -5 dB",
    (
        "Whisper",
        "park",
    ): rf"SNR of 5 dB, the WER increases to {NUMBER}\. At an SNR of 0 "
    rf"dB, this metric rises to {NUMBER}\..*? -5 dB, the WER peaks at {NUMBER}\.",
    (
        "Conformer",
        "park",
    ): rf"WER increasing to {NUMBER} at 5 dB SNR, rising further to "
    rf"{NUMBER} at 0 dB SNR, and reaching {NUMBER} at -5 dB SNR",
    ("Whisper", "traffic"): rf"WER increases from {NUMBER} at 5 dB to {NUMBER} at 0 dB "
    rf"and further to {NUMBER} at -5 dB",
    ("Conformer", "traffic"): rf"WER rising from {NUMBER} at 5 dB to {NUMBER} at 0 dB "
    rf"and {NUMBER} at -5 dB",
}
"""The sentences of Sec. V-E that hold error rates, from 5 to -5 dB."""


def test_the_papers_error_rates_are_copied_from_its_text_with_all_digits(
    section: Callable[[str], str],
) -> None:
    text = section("Correlation between ASR")
    wanted = {}
    for (label, noise), sentence in RATES.items():
        said = re.search(sentence, text)
        assert said is not None, sentence
        levels = ("",) if noise == "clean" else ("@5", "@0", "@-5")
        for level, rate in zip(levels, said.groups(), strict=True):
            wanted[label, f"iemocap {noise}{level}"] = rate

    words = read_published("paper").words

    assert words is not None
    assert len(wanted) == 20
    assert wanted == {
        (row.label, str(place)): rate
        for row in words.rows
        for column, (rate,) in zip(words.columns, row.values, strict=True)
        for place in column.ours
    }


def test_the_papers_statements_on_wer_and_f1_are_in_its_text(
    section: Callable[[str], str],
) -> None:
    text = section("Correlation between ASR")
    words = read_published("paper").words

    assert words is not None
    assert re.search(rf"\(Pearson.s \$r = {words.r}\$ ?, \$p {words.p}\$ ?\)", text)
    falls = re.findall(r"(?:decreas\w* by|see[sn] a|drops by) (\d+\.\d+)%", text)
    assert len(falls) == 6
    told = [re.findall(r"\d+\.\d+", line) for line in words.said]
    assert told == [falls[0::2], falls[1::2]]


def test_the_falls_of_whispers_f1_follow_from_table_v() -> None:
    published = read_published("paper")
    falls = []
    for table in published.tables:
        if table.name.startswith("Table V,"):
            (row,) = (one for one in table.rows if one.label == "ASR: Proposed")
            f1 = [Decimal(str(each[1])) for each in row.values]  # from -10 to 10 dB
            falls.append(str(f1[3] - f1[1]))

    assert published.words is not None
    assert re.findall(r"\d+\.\d+", published.words.said[0]) == falls


def test_counts_of_corpora_are_those_of_the_papers_text(document: list[str]) -> None:
    text = " ".join(document)
    (told,) = (line for line in read_published("paper").differences if "Fig. 2" in line)

    for count, sentence in (("13,708", "{} sentences"), ("7200", "{} utterances")):
        assert count in told
        assert sentence.format(count) in text


@pytest.mark.parametrize("finetune", ["last", "joint"])
@pytest.mark.parametrize("table", ["Table III", "Table V", "Table VII"])
def test_rows_marked_ft_match_what_finetune_runs(table: str, finetune: str) -> None:
    plugins = Plugins(installed=False)
    names = {"Wav2Vec 2.0": "wav2vec2", "HuBERT": "hubert", "WavLM": "wavlm"}
    tables = [
        one
        for one in read_published("paper").tables
        if one.name.partition(",")[0] == table
    ]

    for one in tables:
        for title, name in names.items():
            (row,) = (each for each in one.rows if f"{title} (FT)" in each.label)
            (upstream,) = read_upstreams([name], plugins, finetune)
            assert row.matches(Row(upstream.label, "last"))
            assert not row.matches(Row(name, "last"))


def test_emobox_agrees_with_what_was_noted_of_it(field: str) -> None:
    section = field.partition("### 3.2")[2].partition("###")[0]
    lines = [line.split("|")[1:-1] for line in section.splitlines()]
    # The line of data2vec is EmoBox's "data2vec 2.0", and has one cell.
    noted = {
        cells[0].strip().removesuffix(" enc").replace("-", " "): cells[1:]
        for cells in lines
        if cells and all("/" in cell for cell in cells[1:])
    }

    rows = {
        row.label.replace("wav2vec 2.0", "wav2vec2"): row.values
        for row in read_published("emobox").tables[0].rows
    }

    assert len(noted) == 6
    for name, cells in noted.items():
        theirs = ["/".join(map(str, each)) for each in rows[name]]
        assert theirs == [cell.strip() for cell in cells]


def test_superb_agrees_with_what_was_noted_of_it(field: str) -> None:
    section = field.partition("### 3.1")[2].partition("###")[0]
    noted = dict(re.findall(r"(?:·|\n) ?([\w.+ -]+?) (\d\d\.\d\d)", section))
    names = {
        "modified CPC": "mod. CPC",
        "DeCoAR 2.0": "DeCoAR2",
        "wav2vec 2.0 Base": "wav2vec2-base",
        "wav2vec 2.0 Large": "wav2vec2-large",
        "HuBERT Base": "HuBERT-base",
        "HuBERT Large": "HuBERT-large",
    }

    rows = {
        names.get(row.label, row.label): row.values[0][0]
        for row in read_published("superb").tables[0].rows
    }

    assert rows.keys() - noted.keys() == {"PASE+"}
    assert rows == {name: noted.get(name, "57.86") for name in rows}


@pytest.mark.parametrize("name", published_names())
def test_names_of_ours_are_spelt_as_in_our_tables(name: str) -> None:
    plugins = Plugins(installed=False)
    published = read_published(name)
    rows = {row for table in published.tables for one in table.rows for row in one.ours}
    places = {
        place
        for table in published.tables
        for column in table.columns
        for place in column.ours
    }

    def said(registry: Registry[Any], names: set[str]) -> set[str]:
        return {registry.bind(parse_spec(name), plugins.bind).label for name in names}

    upstreams, heads = {row.upstream for row in rows}, {row.downstream for row in rows}
    corpora = {place.corpus for place in places}
    noises = {place.condition.partition("@")[0] for place in places} - {"clean"}
    assert upstreams
    assert said(plugins.upstreams, upstreams) == upstreams
    assert said(plugins.downstreams, heads) == heads
    assert said(plugins.corpora, corpora) == corpora
    assert said(plugins.noises, noises) == noises


def test_every_row_of_the_paper_can_be_run() -> None:
    tables = read_published("paper").tables

    assert [row.label for one in tables for row in one.rows if not row.ours] == []


def test_a_users_file_is_read(own: Path) -> None:
    own.write_text(TEXT, encoding="utf-8")

    published = read_published(str(own))

    assert published.name == "toy"
    assert published.metrics == ("uar", "f1_macro")
    mel, secret = published.tables[0].rows
    assert [str(row) for row in mel.ours] == ["mel x bigru"]
    assert mel.values == [["57.10", "56.1"], ["53.0", None]]
    assert secret.note == "reported only"
    park = published.tables[0].columns[1]
    assert [str(place) for place in park.ours] == ["emodb park@-5"]
    assert park.settings == {"folds": "5"}


def test_a_star_stands_for_one_value_of_an_option() -> None:
    tables = read_published("paper").tables
    speechlm = next(row for row in tables[0].rows if "SpeechLM" in row.label)

    assert speechlm.matches(Row("speechlm:checkpoint=base.pt", "ladapter"))
    assert not speechlm.matches(
        Row("speechlm:checkpoint=base.pt,groups=unit", "ladapter")
    )
    assert not speechlm.matches(
        Row("speechlm:checkpoint=base.pt", "ladapter:state0=yes")
    )


def test_the_file_in_the_documentation_is_read(own: Path) -> None:
    page = Path(__file__).parents[3] / "docs" / "published.md"
    text = page.read_text(encoding="utf-8")
    own.write_text(text.partition("```toml\n")[2].partition("```")[0], "utf-8")

    published = read_published(str(own))

    assert [row.label for row in published.tables[0].rows] == ["WavLM", "SeaNet"]
    assert all(f"| `{name}` |" in text for name in published_names())


WORDS = """
[words]
name = "Fig. 9"
r = "-0.5"
columns = [{ label = "Clean", ours = ["emodb clean"] }, { label = "Sea", ours = [] }]

[[words.rows]]
label = "Ear"
ours = ["whisper x mean"]
values = ["0.30", "-"]
"""


def test_word_error_rates_of_a_users_file_are_read(own: Path) -> None:
    own.write_text(TEXT + WORDS, encoding="utf-8")

    words = read_published(str(own)).words

    assert words is not None
    assert (words.name, words.r, words.p, words.said) == ("Fig. 9", "-0.5", "", ())
    assert [row.values for row in words.rows] == [[["0.30"], [None]]]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"0.30"', '"30"', "'30' is not a fraction of 1 in quotes"),
        ('["0.30", "-"]', '["0.30"]', "'values' must hold 2 texts"),
        ('["0.30", "-"]', "[0.3, 0.4]", "'values' must be a list of texts in quotes"),
        ('r = "-0.5"', 'rho = "-0.5"', "words: unknown key 'rho'"),
    ],
)
def test_word_error_rates_that_cannot_be_read_are_refused(
    old: str, new: str, problem: str, own: Path
) -> None:
    own.write_text(TEXT + WORDS.replace(old, new), encoding="utf-8")

    with pytest.raises(BadReference, match=re.escape(problem)):
        read_published(str(own))


def test_the_word_error_rates_in_the_documentation_are_read(own: Path) -> None:
    page = Path(__file__).parents[3] / "docs" / "published.md"
    text = page.read_text(encoding="utf-8").split("```toml\n")[2].partition("```")[0]
    own.write_text(TEXT + text, encoding="utf-8")

    words = not_none(read_published(str(own)).words)

    assert words == replace(
        words, name="Fig. 6", r="-0.89", p="< 0.001", caption="word error rate"
    )
    assert [row.values for row in words.rows] == [[["0.28"]]]


def test_a_misspelt_name_is_answered_with_the_known_names() -> None:
    with pytest.raises(UnknownName, match="did you mean 'paper'") as caught:
        read_published("papre")

    assert "--reference FILE.toml" in str(caught.value)


def test_a_missing_file_is_named(own: Path) -> None:
    with pytest.raises(BadReference, match=r"toy\.toml cannot be read: No such file"):
        read_published(str(own))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('title = "Toy"', "title = ", "is not TOML"),
        ('title = "Toy"', "", "'title' must be a text"),
        ('title = "Toy"', "title = 3", "'title' must be a text"),
        ('["they sing"]', '"they sing"', "'differences' must be a list of texts"),
        ('epochs = "50"', "epochs = 50", "protocol: 'epochs' must be a text"),
        ('"f1_macro"]', '"f2"]', "tables 1: metric 'f2' is none of uar, f1_macro"),
        ('["uar", "f1_macro"]', "[]", "'metrics' is missing"),
        ('"57.10"', "57.10", "rows 1: 57.1 is not a percentage in quotes"),
        ('"57.10"', '"157.10"', "'157.10' is not a percentage"),
        ('["53.0", "-"]', '["53.0"]', "must hold 2 lists of 2 numbers each"),
        (', ["53.0", "-"]', "", "must hold 2 lists of 2 numbers each"),
        ('"mel x bigru"', '"mel bigru"', "'mel bigru' is not UPSTREAM x HEAD"),
        ('"emodb clean"', '"emodb"', "columns 1: 'emodb' is not CORPUS clean"),
        ('"emodb clean"', '"clean"', "'clean' names no corpus"),
        (
            'label = "Mel"',
            'lable = "Mel"',
            "unknown key 'lable'\n  did you mean 'label'",
        ),
        ("values = [[", "values = [3, [", "'values' must be a list of lists"),
        ("[protocol]", "[protokoll]", "unknown key 'protokoll'"),
    ],
)
def test_a_malformed_file_is_refused_with_the_position(
    own: Path, old: str, new: str, problem: str
) -> None:
    assert old in TEXT
    own.write_text(TEXT.replace(old, new, 1), encoding="utf-8")

    with pytest.raises(BadReference, match=re.escape(problem)) as caught:
        read_published(str(own))

    assert str(caught.value).startswith(str(own))


def test_a_file_without_tables_is_refused(own: Path) -> None:
    own.write_text(TEXT.partition("[[tables]]")[0], encoding="utf-8")

    with pytest.raises(BadReference, match="'tables' is missing"):
        read_published(str(own))
