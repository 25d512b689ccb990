"""A corpus fuzzer over the sources: samples, mutations, and what counts as a fault."""
