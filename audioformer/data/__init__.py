"""Sound files and labels to prepared code corpora, and batches of them."""
