from pathlib import Path
from typing import Any

import pytest
from conformer_checks import BATCH, LONG_ENOUGH, WAVES, alone, library_search, options

from nserbench.upstreams.base import Batch

pytest.importorskip("nserbench.upstreams.conformer.model", exc_type=ImportError)

from nserbench.upstreams.conformer.model import Conformer


def test_transcripts_are_those_of_the_library(
    conformer: Conformer, library: Any
) -> None:
    tokens = [library_search(library, wave) for wave in LONG_ENOUGH]

    texts = conformer.transcribe(Batch.of(*LONG_ENOUGH))

    assert texts == [library.tokenizer.decode_ids(one) for one in tokens]
    assert len(set(texts)) == len(LONG_ENOUGH)


def test_transcripts_that_end_and_those_cut_short_have_a_frame_for_each_choice(
    conformer: Conformer, library: Any
) -> None:
    chosen = [len(library_search(library, wave)) for wave in LONG_ENOUGH]

    lengths = conformer.extract(Batch.of(*LONG_ENOUGH))["decoder"].lengths.tolist()

    room = [frames // 2 for frames in (26, 8, 48)]
    ended = [n < most for n, most in zip(chosen, room, strict=True)]
    assert set(ended) == {True, False}  # else one of the two is not seen here
    assert lengths == [n + end for n, end in zip(chosen, ended, strict=True)]


def test_an_empty_transcript_has_one_frame(silent: Conformer) -> None:
    heard = silent.forward_and_transcribe(BATCH)

    assert heard.texts == ["", "", "", ""]
    assert heard.features["decoder"].lengths.tolist() == [1, 1, 1, 1]


@pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask")
def test_a_beam_search_is_that_of_the_checkpoint(
    folder: Path, library: Any, conformer: Conformer
) -> None:
    batch = Batch.of(*LONG_ENOUGH)
    searched = [library.transcribe_batch(*alone(wave)) for wave in LONG_ENOUGH]

    beam = Conformer(options(folder, "beam"), "cpu")
    heard = beam.forward_and_transcribe(batch)

    assert list(heard.texts) == [texts[0] for texts, _ in searched]
    assert list(heard.texts) != conformer.transcribe(batch)
    tokens = [1 + len(tokens[0]) for _, tokens in searched]
    room = [13, 4, 24]
    assert heard.features["decoder"].lengths.tolist() == list(map(min, tokens, room))
    assert beam.parameter_count() > conformer.parameter_count()


@pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask")
def test_a_beam_search_goes_one_step_on_the_shortest_clip(folder: Path) -> None:
    beam = Conformer(options(folder, "beam"), "cpu")

    decoder = beam.extract(Batch.of(WAVES[2]))["decoder"]

    assert decoder.lengths.tolist() == [1]
