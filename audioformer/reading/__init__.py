"""Sound files below `audioformer.audio`.

Which there are, what is wrong with one, and how it is read whole all the same.
"""
