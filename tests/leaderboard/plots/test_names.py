"""Names of lines and titles of panels."""

from __future__ import annotations

from nserbench.leaderboard.plots.names import distinct_names


def test_parts_that_do_not_differ_are_left_out() -> None:
    named = [("whisper", "", "single"), ("whisper", "encoder", "single")]

    assert distinct_names(named) == ["whisper", "whisper, encoder"]
    assert distinct_names(named[:1]) == ["whisper"]
