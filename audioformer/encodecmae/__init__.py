"""EnCodecMAE (arXiv 2309.07391): a masked autoencoder that reads frames and guesses codes."""
