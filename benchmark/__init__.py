"""Cells, the grid of them, and what it takes to run one."""
