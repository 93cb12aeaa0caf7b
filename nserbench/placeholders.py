"""Recognise files that hold a notice in place of their content."""

from __future__ import annotations

from pathlib import Path

_READ = 512  # bytes
_POINTER = b"version https://git-lfs"
_ANNEX = b"/annex/objects/"
_TAGS = (b"<!doctype html", b"<html", b"<head", b"<?xml", b"<error")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def placeholder(path: Path) -> str | None:
    """Return what a file is in place of audio or weights, and what to do.

    Args:
        path: Path of a file that exists.

    Returns:
        A sentence part such as ``"is a git-lfs pointer ..."``; None if the file is none
        of: empty, a pointer of git-lfs or git-annex, a web page.

    Raises:
        OSError: if the file cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(_READ)
    if not start:
        return "is empty (0 bytes): copy or download it again"
    if start.startswith(_POINTER):
        return "is a git-lfs pointer, not the file itself: run `git lfs pull`"
    if start.startswith(_ANNEX):
        return "is a git-annex pointer, not the file itself: run `git annex get`"
    text = start.removeprefix(_BYTE_ORDER_MARK).lstrip().lower()
    if text.startswith(_TAGS):
        return "is a web page, not the file itself: download it again"
    return None
