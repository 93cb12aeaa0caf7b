"""How to cite nserbench, from CITATION.cff."""

import re

from nserbench.leaderboard.page.citation import bibtex, citation


def test_bibtex_names_all_works_of_the_citation_file() -> None:
    text = str(citation()["bibtex"])

    assert re.findall(r"@(\w+)\{(\w+),", text) == [
        ("software", "nserbench2026"),
        ("article", "shi2023comprehensive"),
    ]
    assert "author = {{The nserbench authors}}," in text
    assert re.findall(r"year = \{(\d+)\}", text) == ["2026", "2023"]
    assert "url = {https://arxiv.org/abs/2311.07093}," in text
    assert "author = {Shi, Xiaohan and He, Jiajun" in text
    assert text.count("{") == text.count("}")


def test_characters_that_bibtex_would_read_as_commands_are_escaped() -> None:
    work = {"type": "book", "title": "100 % speech_ & more", "authors": [{"name": "A"}]}

    text = bibtex(work)

    assert text.startswith("@misc{speech,\n")
    assert r"title = {{100 \% speech\_ \& more}}," in text
