"""How good a model is: scores, frozen features under one ruler, and the benchmarks."""
