"""The rooms: one question each about the clip on the page. Pure functions; no Gradio, no state.

    mask       hide codes: what does the model guess, how does the gap sound when it fills it, does the label hold
    flow       one moment on its way from sound to label, each step opened into its arithmetic
    switches   parts of the classifier off: what does it say then, and what drives a feed-forward unit
    attention  where the heads look
    why        what made this label: maps of importance, whether to believe them, the evidence to hear
    edit       copy, shuffle or silence codes and hear it; how much each codebook adds
    stability  small changes of the sound, and how many codes stay
    codebook   which entries of a codebook are used, where they lie, how one sounds
    results    what the models were measured at
    map        many sounds as two models see them, and where the clip lies among them
    sight      drawn scenes whose things sound, and where a sound points; handwritten digits for a spoken one
    teach      examples of sounds that somebody names, and a classifier learnt from them
    drawn      a figure as the page shows it
    live       who listens through which microphone, and what becomes of a frozen moment

Every room but Live and Teach answers `(analysis, data, models) -> dict`: data is what the browser sent, unchecked; the
dict goes back as JSON.
"""
