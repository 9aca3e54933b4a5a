"""Words mined from transcribed speech: real voices for a phrase, and real near misses.

Wherever words of a phrase occur in a transcript, forced alignment tells their times and they are cut out: the phrase
as it was spoken, the phrase joined from words of one speaker, and its single words and parts as near misses.
"""
