from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nserbench.errors import BadSettings
from nserbench.settings import Settings, load_settings


def test_paths_in_the_file_start_at_its_own_folder(tmp_path: Path) -> None:
    file = tmp_path / "lab.toml"
    file.write_text('[paths]\nemodb = "data/emodb"\n[noises]\nbus = "/n/bus.wav"\n')

    found = load_settings(file)

    assert found.path("emodb") == tmp_path / "data/emodb"
    assert found.noises == {"bus": Path("/n/bus.wav")}


def test_the_cluster_table_is_kept_as_written(tmp_path: Path) -> None:
    file = tmp_path / "lab.toml"
    file.write_text('[cluster]\njobs = 4\nextra = ["--gres=gpu:1"]\n')

    assert load_settings(file).cluster == {"jobs": 4, "extra": ["--gres=gpu:1"]}


def test_the_limit_of_the_store_is_read_from_the_file_and_the_environment(
    tmp_path: Path,
) -> None:
    file = tmp_path / "lab.toml"
    file.write_text('[store]\nlimit = "100GB"\n')
    found = load_settings(file)
    environment = {"NSERBENCH_STORE_LIMIT": "2GiB"}

    assert found.store_limit == 100 * 10**9
    assert replace(found, environment=environment).store_limit == 2 * 2**30
    assert Settings(environment={}).store_limit is None


def test_a_limit_in_the_environment_that_is_no_size_is_refused_by_name() -> None:
    found = Settings(environment={"NSERBENCH_STORE_LIMIT": "much"})

    with pytest.raises(BadSettings, match="NSERBENCH_STORE_LIMIT: 'much' is not a s"):
        _ = found.store_limit


def test_the_environment_overrides_the_file() -> None:
    found = Settings({"crema-d": Path("a")}, environment={"NSERBENCH_CREMA_D": "b"})

    assert found.path("crema-d") == Path("b")


def test_without_a_file_the_defaults_are_used() -> None:
    found = Settings(environment={})

    assert found.results == Path("results")
    assert found.store == Path("~/.cache/nserbench").expanduser()
    assert found.path("emodb") is None


def test_the_file_in_the_working_folder_is_read_by_default() -> None:
    Path("nserbench.toml").write_text('[paths]\ndemand = "noise"\n')

    assert load_settings().paths == {"demand": Path("noise")}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("[paths", "is not TOML"),
        ("[path]\nemodb = 'x'", "unknown table 'path'\n  did you mean 'paths'"),
        ("cluster = 4", "'cluster' must be a table"),
        ("[paths]\nemodb = 3", "must be a path in quotes"),
        ("[paths]\nemodb = data", "is not TOML: .*\n  write texts in quotation marks"),
        ("[paths]\nemodb = 'x\n", "is not TOML: .*\n  end the text with a quotation"),
        ("[paths]\nemodb = 'x", "is not TOML: .*\n  end the text with a quotation"),
        ('[paths]\nemodb = "C:\\Users"', "is not TOML: .*\n  write C:/folder in"),
        ('[paths]\nemodb = "C:\\my"', "is not TOML: .*\n  write C:/folder in place"),
        ("[paths]\na = 'x'\na = 'y'", "is not TOML: .*\n  the name stands twice"),
        ("[paths]\n[noises]\n[paths]", "is not TOML: .*\n  the table stands twice"),
        ("fan = 'x.wav'\n[noises]", "'fan' stands above all tables\n  write it under"),
        ("[noises]\n'hall@2' = 'x.wav'", "an @, which stands before an SNR"),
        ("[noises]\nclean = 'x.wav'", "cannot be named 'clean'"),
        ("[store]\nlimit = 100", "'100' is not a size"),
        ("[store]\nmost = '1GB'", "unknown entry 'most'"),
        ("[store]\nlimits = '1GB'", "did you mean 'limit'"),
        ("[corpora]\nmine = 3", "'mine' in .corpora. must be the name of a corpus"),
    ],
)
def test_the_error_for_a_broken_file_names_it(
    tmp_path: Path, content: str, problem: str
) -> None:
    file = tmp_path / "lab.toml"
    file.write_text(content)

    with pytest.raises(BadSettings, match=rf"(?s)lab\.toml.*{problem}"):
        load_settings(file)


LINES = ("[paths]", 'emodb = "~/x"', "[noises]", "bus = '$N/b.wav'", "[cluster]", "a=1")


@settings(derandomize=True)
@given(
    content=st.binary(max_size=100)
    | st.text("".join(LINES), max_size=60).map(str.encode)
    | st.lists(st.sampled_from(LINES)).map("\n".join).map(str.encode)
)
@example(content="\ufeff[paths]\nemodb = 'x'".encode())
def test_any_bytes_are_settings_or_refused_with_the_name_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "soup.toml"
    file.write_bytes(content)

    try:
        said = f"{file}: {load_settings(file)}"
    except BadSettings as error:
        said = str(error)
    assert said.startswith(str(file))


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_byte_order_mark_is_no_part_of_the_settings(
    tmp_path: Path, mark: str
) -> None:
    file = tmp_path / "lab.toml"
    file.write_text(f"{mark}[paths]\ndemand = '/noise'", encoding="utf-8")

    assert load_settings(file).paths == {"demand": Path("/noise")}


def test_a_given_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="cannot be read"):
        load_settings(tmp_path / "none.toml")
