import jiwer
import pytest
from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

from nserbench.benchmark.extraction.word_errors import match, normalised, recognition


def test_the_error_rate_is_that_of_jiwer_on_normalised_text() -> None:
    references = ["He's got twenty-one cats.", "Yes, sir!", "The colour is red"]
    transcripts = ["he has got 21 hats", "yes", "the color is very red"]

    found = recognition(references, transcripts, ["en", None, "en"])

    assert found is not None
    plain = EnglishTextNormalizer({"colour": "color"})
    spoken, read = (list(map(plain, side)) for side in (references, transcripts))
    pairs = list(zip(spoken, read, strict=True))
    assert found.measure == "WER"
    assert found.rate == pytest.approx(jiwer.wer(spoken, read))
    each = [jiwer.wer(*pair) for pair in pairs]
    assert found.mean == pytest.approx(sum(each) / 3)
    bounded = [jiwer.mer(*pair) for pair in pairs]
    assert found.match_error == pytest.approx(sum(bounded) / 3)


def test_mandarin_is_counted_in_characters() -> None:
    found = recognition(
        ["今天 天气很好", "你好"], ["今天天汽很好", "你好"], ["zh", "zh"]
    )

    assert found is not None
    assert found.measure == "CER"
    assert found.rate == pytest.approx(1 / 8)


def test_another_language_keeps_its_letters_and_its_numbers() -> None:
    assert normalised("Das hört sich schön an: zwanzig!", "de") == [
        *("das", "hört", "sich", "schön", "an", "zwanzig")
    ]


@pytest.mark.parametrize(
    ("reference", "transcript", "hallucinated"),
    [
        ("one day", "one day", False),
        ("one day", "one fine sunny day", False),
        ("one day", "one day we all went there", True),
        ("one day", "", True),
        ("", "", False),
        ("", "thank you", True),
        ("no " * 60, "no " * 60, True),
        ("one day", "[music]", True),
    ],
    ids=["right", "twice", "longer", "empty", "both", "of nothing", "loop", "tag"],
)
def test_long_looping_and_empty_transcripts_count_as_hallucinated(
    reference: str, transcript: str, hallucinated: bool
) -> None:
    assert match(reference, transcript, "en").hallucinated is hallucinated


def test_words_for_silence_are_errors_without_a_rate() -> None:
    found = recognition(["", "one day"], ["thank you", "one day"], [None, None])

    assert found is not None
    assert (found.rate, found.mean, found.hallucinations) == (1.0, 0.0, 0.5)
    assert found.match_error == 0.5


def test_utterances_without_a_reference_are_left_out() -> None:
    known = recognition(["one day", "hi"], ["one way", "hi"], ["en", "en"])

    found = recognition(
        ["one day", None, "hi"], ["one way", "今天", "hi"], ["en", "zh", "en"]
    )

    assert found is not None
    assert (found, found.utterances) == (known, 2)
    assert recognition([None], ["hi"], ["en"]) is None


def test_an_empty_transcript_of_an_empty_reference_matches() -> None:
    assert match("", "", "en").match_error == 0.0


def test_without_any_words_there_is_no_error_rate() -> None:
    assert recognition(["", " ! "], ["a", "b"], [None, None]) is None
