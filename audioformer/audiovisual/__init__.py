"""Sound and sight: a sound and a picture that belong together come near each other, without a label.

Source: "Multimodal self-supervised learning of general audio representations" (Wang et al. 2021, arXiv 2104.12807).
Read in this order: digits and scenes (pictures), config, towers, model, contrast, pretrain, where, measure. It plugs
into the kit by plug.py, see methods.py.
"""
