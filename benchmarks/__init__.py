"""One script per claim: `python -m benchmarks.NAME [--quick] [--json FILE]` prints a table and its verdict."""
