"""The notebook and the page about Python run as they are printed."""

import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from nserbench.corpora.demo import demo
from nserbench.settings import Settings

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "docs").rglob("*.ipynb"))


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_is_kept_without_outputs(file: Path) -> None:
    cells = json.loads(file.read_text("utf-8"))["cells"]

    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert [cell["outputs"] for cell in code] == [[]] * len(code)
    assert {cell["execution_count"] for cell in code} == {None}


def test_every_block_of_the_page_about_python_runs_in_order(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("NSERBENCH_RESULTS")
    page = (ROOT / "docs/python.md").read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    program = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", program)

    for block in blocks:
        exec(compile(block, "python.md", "exec"), vars(program))

    told = capsys.readouterr().out
    assert "UAR and F1: mean of folds, in percent" in told
    assert "did you mean 'mel'?" in told
    assert re.search(r"^mel \(1, \d+, 80\) float32$", told, re.MULTILINE)
    assert len(vars(program)["frame"]) == 6
    assert len(vars(program)["noisy"]) > 16000


def test_the_first_hour_leads_from_zero_to_a_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbformat = pytest.importorskip("nbformat", reason="nbclient is not installed")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # of the kernel, a process of its own
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    demo.load({}, Settings())  # or the kernel would synthesise the corpus
    notebook = nbformat.read(ROOT / "docs/notebooks/first-hour.ipynb", as_version=4)

    nbclient.NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()

    shown = [
        [sorted(output.get("data", ())) for output in cell["outputs"]]
        for cell in notebook.cells
        if cell["cell_type"] == "code"
    ]
    (grid,) = [cell for cell in notebook.cells if "nb.run(" in cell["source"]]
    bars, *_, table = grid["outputs"]
    assert "6/6" in bars["data"]["text/html"]
    assert "<th>demo park@-5†</th>" in table["data"]["text/html"]
    assert shown[-1][-1] == ["image/png", "text/plain"]
    told = [
        output["text"]
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.get("name") == "stderr"
    ]
    # Of tqdm, which transformers imports, where ipywidgets is not installed.
    assert [text for text in told if "TqdmWarning" not in text] == []
