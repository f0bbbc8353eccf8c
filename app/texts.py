"""The short explanations on the page, Markdown with KaTeX maths."""

SENTENCE = (
    "Give it a sound: see the codes a neural codec writes for it, hear what they keep, "
    "and read the label a small transformer finds in them."
)

PICTURES = """
#### The pictures
All lanes share one time axis. **Waveform**: air pressure over time, as the codec hears it. **Log-mel**: how much sound
there is at each frequency, in decibel; the scale is spaced like hearing, close together where the ear tells less apart.

$$ L_{m,t} = 20\\,\\log_{10} \\sum_f w_{m,f}\\,|X_{f,t}| $$

**Score**: the same classifier, asked about each frame. It shows where in the clip a label comes from.
"""

CODES = """
#### The codes
The codec turns each frame (13 ms) into one entry of each codebook. Row 1 is a coarse sketch, and every further row
corrects what the rows above it left over (residual vector quantisation):

$$ c_{k,t} = \\arg\\min_v \\lVert r_{k,t} - e_{k,v} \\rVert $$
$$ r_{k+1,t} = r_{k,t} - e_{k,c_{k,t}} $$

with $r_{1,t}$ the encoder's output. $K$ rows of 1024 entries at 75 frames/s cost $K \\cdot 10 \\cdot 75$ bit/s. A code is a
name, not an amount: a similar **colour** means a similar codebook vector within its row, nothing more.
"""

LABEL = """
#### The label
The codes are the words a transformer (AudioFormer) reads. Its output vectors $h_s$ are averaged and one linear layer
gives the classes:

$$ p = \\mathrm{softmax}\\Big(W\\,\\tfrac1S \\textstyle\\sum_s h_s + b\\Big) $$

The label always comes from the checkpoint's own codec, whichever codec you look at. It knows only its own classes: a
piano shown to *digits* is still given a digit. A high probability is not a proof.
"""

MICROPHONE = (
    "Browsers take noise out of recordings; to a sound classifier that means taking out sounds. This asks them not to. "
    "Recordings stay on this computer."
)

KEYS = """
**Keys**, once the picture has the focus: space plays and stops, B swaps original and codes, arrows move from code to
code (with shift ten at a time), Enter plays one.
"""
