"""Phoneme recognisers, and how their symbols and the phonemes of a phrase relate."""
