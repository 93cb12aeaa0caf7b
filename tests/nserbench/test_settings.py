from pathlib import Path

import pytest

from nserbench.errors import BadSettings
from nserbench.settings import Settings, load_settings


def test_paths_in_the_file_start_at_its_own_folder(tmp_path: Path) -> None:
    file = tmp_path / "lab.toml"
    file.write_text('[paths]\nemodb = "data/emodb"\n[noises]\nbus = "/n/bus.wav"\n')

    settings = load_settings(file)

    assert settings.path("emodb") == tmp_path / "data/emodb"
    assert settings.noises == {"bus": Path("/n/bus.wav")}


def test_the_cluster_table_is_kept_as_written(tmp_path: Path) -> None:
    file = tmp_path / "lab.toml"
    file.write_text('[cluster]\njobs = 4\nextra = ["--gres=gpu:1"]\n')

    assert load_settings(file).cluster == {"jobs": 4, "extra": ["--gres=gpu:1"]}


def test_the_environment_overrides_the_file() -> None:
    settings = Settings({"crema-d": Path("a")}, environment={"NSERBENCH_CREMA_D": "b"})

    assert settings.path("crema-d") == Path("b")


def test_without_a_file_the_defaults_are_used() -> None:
    settings = Settings(environment={})

    assert settings.results == Path("results")
    assert settings.store == Path("~/.cache/nserbench").expanduser()
    assert settings.path("emodb") is None


def test_the_file_in_the_working_folder_is_read_by_default() -> None:
    Path("nserbench.toml").write_text('[paths]\ndemand = "noise"\n')

    assert load_settings().paths == {"demand": Path("noise")}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("[paths", "is not TOML"),
        ("[path]\nemodb = 'x'", r"unknown table \[path\]"),
        ("cluster = 4", "'cluster' must be a table"),
        ("[paths]\nemodb = 3", "must be a path in quotes"),
    ],
)
def test_the_error_for_a_broken_file_names_it(
    tmp_path: Path, content: str, problem: str
) -> None:
    file = tmp_path / "lab.toml"
    file.write_text(content)

    with pytest.raises(
        BadSettings, match=rf"lab\.toml.* {problem}|lab\.toml: .*{problem}"
    ):
        load_settings(file)


def test_a_given_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="cannot be read"):
        load_settings(tmp_path / "none.toml")
