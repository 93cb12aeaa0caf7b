"""Figures for papers, one module for each."""
