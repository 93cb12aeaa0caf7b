"""Functionals of openSMILE's feature sets."""
