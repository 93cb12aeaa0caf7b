"""Functionals of openSMILE's feature sets.

Frames of openSMILE do not belong here.
"""
