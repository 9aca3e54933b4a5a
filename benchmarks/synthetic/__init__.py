"""What `benchmarks.synthetic_to_real` is made of."""
