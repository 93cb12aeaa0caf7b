import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.errors import BadSpec, DuplicateKey, DuplicateName, UnknownName

PLUGIN = Path(__file__).parents[2] / "plugin"
CARD = """
import nserbench as nb

@nb.hookimpl
def nserbench_downstreams():
    return [nb.DownstreamCard(name="{name}", summary="", source="", licence="",
                              load="nowhere:load")]
"""


def test_built_in_plugins_are_loaded_like_all_others(plugins: Plugins) -> None:
    assert plugins.upstreams.origin("mel") == "built in"
    assert plugins.downstreams.origin("ladapter") == "built in"
    assert plugins.corpora.origin("demo") == "built in"
    assert plugins.noises.origin("park") == "built in"


def test_a_file_that_is_not_installed_can_be_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(CARD.format(name="mine"))

    found = Plugins([str(file)], installed=False)

    assert found.downstreams["mine"].load == "nowhere:load"
    assert found.downstreams.origin("mine") == str(file)


def test_a_module_next_to_a_named_file_can_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "mine.py").write_text(CARD.format(name="mine"))
    (tmp_path / "nowhere.py").write_text("load = 'loaded'")

    card = Plugins([str(tmp_path / "mine.py")], installed=False).downstreams["mine"]

    assert card.resolve(card.target) == "loaded"


def test_two_plugins_with_one_name_are_an_error_that_names_both(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(CARD.format(name="mean"))

    with pytest.raises(DuplicateName, match=r"'mean' is offered by both built in and"):
        Plugins([str(file)], installed=False)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            CARD.format(name="a").replace("downstreams()", "downstream()"),
            r"unknown hook nserbench_downstream \(sick.py, line 4\)\n  did you mean",
        ),
        (
            CARD.format(name="a").replace("@nb.hookimpl", ""),
            r"nserbench_downstreams is not marked as a hook \(sick.py, line 5\)\n  wr",
        ),
        ("def upstreams(): ...", "it has no hook"),
        ("import no_such_module", "no_such_module"),
        ("raise SystemError('sick')", "sick"),
    ],
)
def test_a_named_plugin_that_cannot_be_used_says_why(
    tmp_path: Path, content: str, reason: str
) -> None:
    file = tmp_path / "sick.py"
    file.write_text(content)

    with pytest.raises(BadSpec, match=f"sick.py cannot be used: .*{reason}"):
        Plugins([str(file)], installed=False)


def test_an_unknown_name_suggests_the_nearest(plugins: Plugins) -> None:
    with pytest.raises(UnknownName, match="did you mean 'whisper'"):
        plugins.upstreams["wisper"]


def install(folder: Path) -> dict[str, str]:
    """Install the example plugin into a folder, and give the environment to see it."""
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"),
            *("--no-build-isolation", "--target", str(folder), str(PLUGIN)),
        ],
        check=True,
        cwd=folder.parent,
    )
    known = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), known])}


def nserbench(environment: dict[str, str], *words: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "nserbench", *words],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    ).stdout


def test_an_installed_plugin_adds_upstream_head_and_corpus(
    tmp_path: Path, notes: Path
) -> None:
    environment = install(tmp_path / "site")
    labels = {"low": "soft", "high": "loud"}
    text = notes.read_text()
    for ours, theirs in labels.items():
        text = text.replace(f",{ours},", f",{theirs},")
    (notes.parent / "beeps.csv").write_text(text)
    environment["NSERBENCH_BEEPS"] = str(notes.parent)

    listed = json.loads(nserbench(environment, "list", "upstreams", "--json"))
    run = ["run", "-u", "rms", "-d", "line", "-c", "beeps", "--epochs", "1", "--json"]
    done = json.loads(nserbench(environment, *run))

    origins = {row["name"]: row["origin"] for row in listed["upstreams"]}
    assert origins["rms"] == "nserbench-rms 0.1"
    assert done["outcomes"] == {"done": 1}


def test_a_named_file_replaces_the_installed_plugin_of_its_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = tmp_path / "mine-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[nserbench]\nmine = replaced\n")
    (tmp_path / "replaced.py").write_text(CARD.format(name="mine"))
    monkeypatch.syspath_prepend(tmp_path)

    assert Plugins().downstreams.origin("mine") == "mine 1.0"
    again = str(tmp_path / "replaced.py")
    assert Plugins([again]).downstreams.origin("mine") == again
    assert Plugins(["replaced"]).downstreams.origin("mine") == "replaced"


def test_the_example_plugin_is_one_file_under_thirty_lines() -> None:
    (file,) = PLUGIN.glob("*.py")
    lines = [line for line in file.read_text().splitlines() if line.strip()]

    assert len(lines) < 30


def test_a_broken_installed_plugin_is_reported_and_skipped(tmp_path: Path) -> None:
    about = tmp_path / "site" / "sick-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: sick\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[nserbench]\nsick = no_such_module\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}

    found = subprocess.run(
        [sys.executable, "-m", "nserbench", "list", "downstreams"],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )

    assert "warning: plugin sick 1.0 is skipped: No module named" in found.stderr
    assert "ladapter" in found.stdout


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return None", r"nserbench_upstreams returns None, not a list\n  return \[\]"),
        (
            "return nb.UpstreamCard(name='one', load='one:One', groups={})",
            "nserbench_upstreams returns one UpstreamCard, not a list of them",
        ),
        (
            "return ['mel']",
            "nserbench_upstreams returns 'mel', which is no UpstreamCard",
        ),
        ("raise RuntimeError('sick')", "RuntimeError: sick"),
    ],
)
def test_a_hook_that_returns_no_cards_is_refused(
    tmp_path: Path, body: str, reason: str
) -> None:
    file = tmp_path / "odd.py"
    hook = f"@nb.hookimpl\ndef nserbench_upstreams():\n    {body}\n"
    file.write_text(f"import nserbench as nb\n{hook}")

    with pytest.raises(BadSpec, match=reason):
        Plugins([str(file)], installed=False)


def test_two_cards_with_one_key_and_different_code_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        CARD.format(name="mine").replace('name="mine"', 'name="mine", key="mean"')
    )

    with pytest.raises(
        DuplicateKey, match=r"'mean' \(.*\) and 'mine' \(.*\) have the same key 'mean'"
    ):
        Plugins([str(file)], installed=False)
