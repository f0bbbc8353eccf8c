"""Looking into a trained model: where it looks, and what its answer hangs on.

    attention     weights of every head, their reach and spread, and rollout through the layers
    occlusion     hide a stretch or a row: how far does the probability of a label fall
    gradients     integrated gradients: the log-odds of a label shared out among all codes
    moments       which half seconds of a clip sound like a label by themselves
    flow          every number on the way from codes to a label, each step as a product
    switches      rows, heads, blocks, feed-forward units off: what does it say then?
    stability     how many codes stay when a sound is moved, louder or noisy by very little
    faithfulness  which of such maps to believe: deletion and insertion, true event times, the evidence alone

Nothing here is an explanation by itself; each is one question put to the model.
"""
