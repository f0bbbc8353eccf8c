"""Looking into a trained model: where it looks, and what its answer hangs on.

    attention     weights of every head, their reach and spread, and rollout through the layers

Nothing here is an explanation by itself; each is one question put to the model.
"""
