import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Command = Callable[..., Result]

KINDS = [
    "upstreams",
    "enhancers",
    "downstreams",
    "corpora",
    "noises",
    "protocols",
    "experiments",
]
PLUGIN = """
import nserbench as nb

@nb.hookimpl
def nserbench_upstreams():
    return [
        nb.UpstreamCard(
            name="mine",
            summary="an example",
            source="our paper, Sec. 3",
            licence="MIT",
            load="mine_models:load",
            extra="all",
            groups={"x": nb.GroupSpec(range(1, 2), 3, None)},
        )
    ]
"""


@pytest.fixture
def plugin() -> str:
    Path("mine.py").write_text(PLUGIN)
    return "--plugin mine.py"


def test_every_kind_is_listed_together_and_alone(nserbench: Command) -> None:
    whole = json.loads(nserbench("list --json").stdout)

    each = [json.loads(nserbench(f"list {kind} --json").stdout) for kind in KINDS]

    assert list(whole) == KINDS
    assert [{kind: whole[kind]} for kind in KINDS] == each


def test_json_has_the_origin_and_options_of_a_name(
    nserbench: Command, plugin: str
) -> None:
    rows = json.loads(nserbench(f"list upstreams --json {plugin}").stdout)["upstreams"]

    origins = {row["name"]: row["origin"] for row in rows}
    assert origins.pop("mine") == "mine.py"
    assert {"mel", "whisper", "whisper-enc", "whisper-dec"} <= set(origins)
    assert set(origins.values()) == {"built in"}
    assert rows[-1] == {
        "name": "mine",
        "summary": "an example",
        "options": {
            "groups": {
                "help": "groups that the head reads, joined by +; all if not given",
                "default": None,
            },
            "enhance": {
                "help": "enhancer to apply to the audio first, such as dccrn",
                "default": None,
            },
        },
        "licence": "MIT",
        "extra": "all",
        "origin": "mine.py",
        "source": "our paper, Sec. 3",
    }


def test_the_table_of_a_kind_shows_options_and_sources_in_80_columns(
    nserbench: Command, plugin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    told = nserbench(f"list upstreams {plugin}").stdout

    lines = told.splitlines()
    words = [" ".join(line.split()) for line in lines]
    assert max(map(len, lines)) == 80
    assert words[:3] == ["upstreams", "name summary licence extra origin", "─" * 80]
    assert "mine an example MIT all mine.py" in words
    assert words.count("option meaning [default] for") == 1
    assert "[speechbrain/" in words
    assert "asr-conformer-transformerlm-librispeech]" in words
    assert words[-3:] == [
        "our paper, Sec. 3 mine",
        "",
        "one in full: nserbench list KIND NAME",
    ]


def test_an_option_of_all_names_is_printed_once(nserbench: Command) -> None:
    told = nserbench("list downstreams").stdout

    (line,) = [line for line in told.splitlines() if line.startswith("dropout=")]
    assert line.split()[-1] == "all"
    assert "[0.5]" in told


def test_the_full_list_says_how_to_see_options(nserbench: Command) -> None:
    told = nserbench("list").stdout

    assert [line for line in told.splitlines() if line in KINDS] == KINDS
    assert told.endswith(
        "\noptions and sources: nserbench list KIND"
        "\none in full: nserbench list KIND NAME\n"
    )


def test_one_name_is_shown_with_all_that_is_known(
    nserbench: Command, plugin: str
) -> None:
    told = nserbench(f"list upstreams mine {plugin}").stdout

    lines = [" ".join(line.split()) for line in told.splitlines()]
    assert lines[:10] == [
        "mine",
        "summary an example",
        "source our paper, Sec. 3",
        "licence MIT",
        "trained on not stated",
        "groups x: layer 1, 3 values",
        "version 1",
        "install pip install 'nserbench[all]'",
        "origin mine.py",
        "",
    ]
    assert "groups= groups that the head reads, joined by +; all if not given" in lines


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("upstreams whisper", "openai/whisper-small"),
        ("enhancers dccrn", "JorisCos/DCCRNet_Libri1Mix_enhsingle_16k"),
        ("downstreams single", "layer="),
        ("corpora meld", "GPL-3.0"),
        ("noises park", "NPARK"),
        ("protocols +oracle", "upper bound"),
        ("experiments 3", "Fig. 4"),
    ],
)
def test_a_name_of_every_kind_is_shown(
    nserbench: Command, name: str, wanted: str
) -> None:
    assert wanted in nserbench(f"list {name}").stdout


def test_a_name_that_is_not_listed_gets_the_nearest(
    refused: Callable[[str], str],
) -> None:
    told = refused("list corpora emodbb")

    assert told.startswith("unknown corpus 'emodbb'\n  did you mean 'emodb'?")


def test_noises_of_the_settings_override_those_of_plugins(nserbench: Command) -> None:
    Path("nserbench.toml").write_text('[noises]\nbus = "bus.wav"\npark = "park.wav"\n')

    rows = json.loads(nserbench("list noises --json").stdout)["noises"]

    own = {row["name"]: row["source"] for row in rows if row["origin"] == "settings"}
    assert own == {"bus": "bus.wav", "park": "park.wav"}
    assert len({row["name"] for row in rows}) == len(rows)


def test_brackets_of_a_plugin_are_printed_as_they_are(nserbench: Command) -> None:
    Path("mine.py").write_text(PLUGIN.replace("an example", "[bold]big[/bold] [x]"))

    told = nserbench("list upstreams --plugin mine.py").stdout

    assert "[bold]big[/bold] [x]" in told
