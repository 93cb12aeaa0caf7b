"""Speed of matrix products against the faster of the two libraries, on this CPU.

Prints a line ``NAME RATIO (bar N) ok|short`` for the shapes of Whisper tiny and small:
for the worst of the encoder's, and for the worst of the decoder's, which have a single
row for each token. A trial chooses the library, as in a run.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator

import torch
from _measure import at_least, ratios, seconds
from torch import Tensor

from nserbench import matmul
from nserbench.matmul_trial import VARIABLE, Way, processor

DIMS, TOKENS = (384, 768), 51865  # of Whisper tiny and small
FRAMES, ROUNDS = 1500, 50
SHORTEST = 2e-3  # seconds that a measurement takes at least

Shape = tuple[int, int, int]


def blocks(rows: int, dims: Iterable[int]) -> Iterator[Shape]:
    """Yield rows, inputs and outputs of the linear layers of a transformer block."""
    for dim in dims:
        yield from ((rows, dim, dim), (rows, dim, 4 * dim), (rows, 4 * dim, dim))


def repeated(call: Callable[[], object]) -> Callable[[], float]:
    """Return what measures as many calls as the shortest measurement needs."""
    call()
    times = 1 + int(SHORTEST / seconds(call))

    def measure() -> float:
        return seconds(lambda: [call() for _ in range(times)]) / times

    return measure


def ratio(shape: Shape) -> float:
    """Return the time of the faster library, divided by ours."""
    rows, inputs, outputs = shape
    layer = torch.nn.Linear(inputs, outputs)
    matmul.use_fast_products(layer)
    values = torch.randn(rows, inputs)

    def call(way: Way) -> Callable[[], Tensor]:
        return lambda: way(values, layer.weight, layer.bias)

    calls = [lambda: layer.forward(values), *map(call, matmul.WAYS.values())]
    return min(ratios(*map(repeated, calls), rounds=ROUNDS))


def figures(dims: Iterable[int], tokens: int) -> list[str]:
    """Return the lines of the encoder and of the decoder."""
    dims = list(dims)
    scores = [(1, dim, tokens) for dim in dims]
    with torch.no_grad():
        encoder = min(map(ratio, blocks(FRAMES, dims)))
        decoder = min(map(ratio, [*blocks(1, dims), *scores]))
    return [
        at_least("matmul-encoder", encoder, 0.95),
        at_least("matmul-decoder", decoder, 0.95),
    ]


def main() -> None:
    """Measure with one thread, as each of several workers has."""
    os.environ.pop(VARIABLE, None)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as home:
        os.environ["HOME"] = home
        print(f"{processor()}, one thread")
        print("\n".join(figures(DIMS, TOKENS)))


if __name__ == "__main__":
    main()
