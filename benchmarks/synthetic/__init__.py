"""Parts of `benchmarks.synthetic_to_real` and `benchmarks.ablation`."""
