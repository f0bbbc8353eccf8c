"""Sound files below `audioformer.audio`: which there are, what is wrong with one, and how it is read whole all the same."""
