"""Where clips come from: one file per type of source; `types` knows all of them."""
