"""Colours that colour-blind readers can tell apart."""

from __future__ import annotations

COLOURS = (
    "#0072B2",
    "#E69F00",
    "#D55E00",
    "#56B4E9",
    "#009E73",
    "#CC79A7",
    "#F0E442",
    "#000000",
)
"""The colours of Okabe and Ito."""
