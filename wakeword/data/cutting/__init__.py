"""Clips cut out of transcribed speech by forced alignment: a phrase in real voices, and real near misses.

The clips are the phrase as it was spoken, the phrase joined from words of one speaker, and its words and parts as near
misses.
"""
