"""How unusual a phrase is, from texts alone: before any training, and without audio."""
