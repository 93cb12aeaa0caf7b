"""Data as scripts, since a page opened from a file may load nothing else."""

from __future__ import annotations

import json


def as_script(target: str, content: object) -> str:
    r"""Return the script that sets a variable of the page to some data.

    The variable is a JavaScript expression such as ``nserbench.index``.

    Raises:
        ValueError: if a number in it is infinite or NaN, which JSON cannot hold.

    Examples:
        >>> print(as_script("a.b", ["<i>"]), end="")
        a.b = ["\u003ci>"];
    """
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    # ASCII without "<", so that no part of it can be read as an HTML tag.
    return f"{target} = {text.replace('<', chr(92) + 'u003c')};\n"
