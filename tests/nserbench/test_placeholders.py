from pathlib import Path

import pytest

from nserbench.placeholders import placeholder


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "git lfs pull"),
        (b"/annex/objects/SHA256E-s1--00.wav\n", "git annex get"),
        (b"<!DOCTYPE html>\n<html>", "is a web page"),
        (b"\xef\xbb\xbf\r\n <HTML lang='en'>", "is a web page"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied", "is a web page"),
    ],
)
def test_what_stands_in_place_of_a_file_is_recognised(
    tmp_path: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)

    assert says in (placeholder(path) or "")


@pytest.mark.parametrize("content", [b"RIFF\0\0\0\0WAVE", b"\x80\x02}q", b"PK\x03\x04"])
def test_audio_and_weights_are_no_placeholders(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)

    assert placeholder(path) is None
