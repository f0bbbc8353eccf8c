# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 06 · What does a model learn by guessing what is hidden?
#
# **You will**
# 1. hide codes, guess them, and measure your surprise, with numbers for your head;
# 2. let a trained model guess, compare it with chance and with a cheap trick, and *hear* its guesses;
# 3. find out which gaps are easy, and why easy gaps teach little.
#
# **Time** about 45 minutes, of which the computer needs about one. **Needs** notebooks 03 and 05.

# %%
import audioformer as af
from audioformer import plots
from audioformer.explain.fill import fill, guess, random_gap
from audioformer.losses import masked_code_loss, mlm_chance
from audioformer.masking import mask_positions, mask_tokens
from audioformer.teaching import check, ears, hint, listen, predict, quiz, reveal, show, slider, trimmed, use
from audioformer.tokens import wrap

import math

import torch
from torch.testing import assert_close

SEED = 7
print("seed", SEED)

# %% [markdown]
# ## 1 · Fill in the gap
#
# *The dog ___ at the stranger.* You know the word, because you know the language. A model that fills in gaps well must
# have learnt some language too, and nobody had to write down a label for it. Here is a sentence of codes, of a toy
# codec with 10 entries:

# %%
batch = wrap(torch.tensor([[[7, 9, 7, 9, 7, 9, 4, 4]]]), codebook_size=10)
hidden = torch.zeros(1, 8, dtype=torch.bool)
hidden[0, [3, 7]] = True
masked, target_mask = mask_positions(batch, hidden)
show(plots.tokens.strip(masked[0], 10, ["shown"]))

# %% [markdown]
# *Predict first: which codes are behind the two masks? How sure are you of each?*

# %%
by_hand = torch.tensor([11, 7, 9, 7, 13, 7, 9, 4, 13, 12])
assert_close(masked[0, 0], by_hand)
print("behind the masks:", batch.tokens[target_mask].tolist())

# %% [markdown]
# <details><summary>What we saw</summary>
#
# 9 and 4. The first follows from the pattern before and after it; the second is the last of a pair that could have
# been anything.
#
# </details>
#
# AudioFormer's authors hide a quarter of the codes of each row, chosen at random, each on its own.
#
# ### Exercise 1 · How many are hidden?
# Of a clip with so many frames; at least one.


# %% exercise="n_hidden"
def my_n_hidden(n_frames, mask_ratio):
    """Frames, share to hide -> number of hidden codes, rounded to an int, at least 1."""
    return max(1, round(n_frames * mask_ratio))


# %%
check("masking.n_hidden", my_n_hidden)


# %% [markdown]
# Neighbouring codes are alike, so a single gap is easy. The kit can hide runs of frames instead.
#
# *Predict first: if the share stays a quarter, what happens to the number of gaps when they get longer?*


# %%
def draw_span(span):
    """Two seconds of eight rows with a quarter hidden, in runs of so many frames."""
    made = torch.Generator().manual_seed(SEED)
    clip = wrap(torch.zeros(1, 8, 150, dtype=torch.long))
    _, target_mask = mask_tokens(clip, af.MaskConfig(span=span), made)
    show(plots.masking.hidden_codes(target_mask[0, :, 1:-1], 75.0))


slider("With which length would you still guess a bark from what is left?", [1, 2, 5, 15, 38], draw_span, 1)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# The share stays a quarter, so longer gaps are fewer. With single codes hidden every bark is still there in outline;
# with 38 (half a second) a whole bark can be gone.
#
# </details>
#
# ## 2 · How surprised are you?
#
# (Coming from 03 on a short path? From 04 and 05 you need only this: at each position the model makes a vector of what
# it read there and around, and from it one number for each of the 1024 codes, the **logits**. Softmax turns them into
# probabilities: $e$ to the power of each, divided by the sum. `log_softmax` gives their logarithms, and
# `log_p.gather(1, codes[:, None])` picks one number of each line.)
#
# A guess is not one code but a probability for each. If the true code had probability $p$, the **surprise** is
# $-\log p$. Four codes, and a model that finds the first likely:

# %%
probabilities = torch.tensor([0.5, 0.25, 0.125, 0.125])
for code in range(4):
    print("the true code is", code, "→ surprise", round(-probabilities[code].log().item(), 3))

# %% [markdown]
# *Predict first: what is the mean surprise of somebody who finds all four equally likely, whatever the truth is?*

# %%
nothing_known = torch.zeros(1, 4)
surprise = masked_code_loss(nothing_known, torch.tensor([2]))
assert_close(surprise, torch.tensor(4.0).log())
print(round(surprise.item(), 4), "= log 4. For 1024 codes:", round(mlm_chance(1024), 3))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# log 4: each of the four codes has a quarter. With 1024 codes it is log 1024.
#
# </details>
#
# This is the number to beat. A loss without its chance level says nothing.
#
# ### Exercise 2 · The loss, at hidden positions only


# %% exercise="loss"
def my_loss(logits, targets, target_mask):
    """Logits (M, V), true codes (M,), target_mask (M,) bool -> mean surprise where hidden, in nats."""
    log_p = logits[target_mask].log_softmax(-1)
    return -log_p.gather(1, targets[target_mask][:, None]).mean()


# %%
check("masking.loss", my_loss)

# %% [markdown]
# ## 3 · A trained model guesses
#
# The bundled model `pretrained` has read 28 hours of recordings and no label; the computed dog is new to it. We
# hide half of the frames from it, in runs of five. Silence is easy to guess, so the clip is cut to where it sounds, and
# we count how much of the *barks* is hidden.

# %%
model, about = af.load_pretrained("pretrained")
codec = af.load_codec(about["codec"]["name"])
config = model.config
waveform = trimmed("dog")  # the bundled clip without the silence around it
listen(waveform, title="two barks")

# %%
codes = codec.encode(waveform)[0][: config.n_codebooks]
together = config.rows == "summed"  # who reads all rows at once must not see the others of a hidden frame
mask = random_gap(codes, ratio=0.5, span=5, seed=10, same_frames=together)  # a seed whose gaps are in the barks
power = torch.stack([piece.square().mean() for piece in waveform.samples[0].split(codec.hop_length)])
loud = power > power.max() / 100  # within 20 dB of the loudest frame
print(int(mask.sum()), "of", mask.numel(), "codes are hidden;", f"of the barks {mask[0, loud].float().mean():.0%}")
assert mask[0, loud].float().mean() > 0.5

# %% [markdown]
# By hand, for row 1: hide, encode, score all 1024 codes at each position, take the best.

# %%
masked, _ = mask_positions(wrap(codes[None]), mask)
with torch.no_grad():
    vectors = model.guessing_vectors(masked)[0, 0]
    scores = model.mlm_logits(vectors, row=0)[1:-1, : codec.codebook_size]
by_hand = torch.where(mask[0], scores.argmax(-1), codes[0])

# %%
filled = fill(model, codes, mask)
assert_close(filled[0], by_hand)
show(plots.masking.hidden_codes(mask, codec.frame_rate, filled == codes))

# %% [markdown]
# *Predict first: guessing blindly gets one code in 1024 right. What share does the model get right in row 1? In the
# last row?*

# %% exercise="prediction"
row_1 = 0.4
# %%
predict("06.row1", row_1)

# %% exercise="prediction"
last_row = 0.05
# %%
predict("06.last_row", last_row)


# %%
def share_right(filling, codes, mask):
    """Of the hidden codes, the share that is right, for each row."""
    return [(filling[k] == codes[k])[mask[k]].float().mean().item() for k in range(len(codes))]


right_by_row = share_right(filled, codes, mask)
print("by row:", [f"{share:.1%}" for share in right_by_row], f" chance {1 / 1024:.1%}")
reveal("06.row1", right_by_row[0])
reveal("06.last_row", right_by_row[-1])

# %%
told = guess(model, codes, mask)
surprise = [-told.log_p[told.places[:, 0] == k].mean().item() for k in range(len(codes))]
levels = {"this clip": surprise, "chance, log V": [told.chance] * len(codes)}
show(plots.layers.by_layer(levels, "Surprise (nats)", x="Codebook (row)", first=1))

# %% [markdown]
# Row 1 is the coarse sketch and follows from its neighbours. The last rows describe what all others left over: nearly
# noise, and noise cannot be guessed. Some are no better than chance here, or a little worse: who is wrong with
# conviction does worse than somebody who knows nothing. $e^{\text{surprise}}$ says among how many codes the model is
# still undecided:
#
# <details><summary>What we saw</summary>
#
# Row 1 lies far below chance, all other rows close to it. In numbers: for row 1 the model hesitates among a few dozen
# codes, for the others among several hundred of the 1024.
#
# </details>

# %%
print([round(math.exp(nats)) for nats in surprise], "of 1024")
assert max(surprise[:1]) < 4 < 6 < min(surprise[1:]), "row 1 is known, the others hardly"

# %% [markdown]
# ## 4 · A cheap trick to compare with
#
# Better than chance is not yet good. What does somebody get who simply repeats the last code that was shown?
#
# ### Exercise 3 · Repeat what was shown last
# In the cases the first frame is always shown.


# %% exercise="copied"
def my_copied(codes, hidden):
    """Codes (T,), hidden (T,) bool -> codes (T,), each hidden one replaced by the last shown before it."""
    filled = codes.clone()
    for t in range(1, len(codes)):
        if hidden[t]:
            filled[t] = filled[t - 1]
    return filled


# %%
check("masking.copied", my_copied)


# %%
copied_row = use("masking.copied", my_copied)  # your function if it has its tick, else the library's


def copied(codes, hidden):
    """Every row with its last shown code repeated; a gap at the very start takes the first frame."""
    rows = [copied_row(row, gaps & (torch.arange(len(row)) > 0)) for row, gaps in zip(codes, hidden, strict=True)]
    return torch.stack([torch.as_tensor(row) for row in rows])


# %%
trick = copied(codes, mask)
by_row = {"model": share_right(filled, codes, mask), "repeat the last": share_right(trick, codes, mask)}
show(plots.layers.by_layer(by_row, "Share guessed (0 to 1)", x="Codebook (row)", first=1))

# %% [markdown]
# A clip with much silence would help the trick: there the same codes come again and again, and repeating them is the
# right answer. This one is cut to its barks: only where something *happens* is there anything to know. Is the model
# clearly ahead? One clip cannot say; twelve follow in section 6.

# %% [markdown]
# ## 5 · Hear the guesses
#
# *Predict first: order these by how well the dog survives: gaps filled (a) with random codes, (b) by repeating what
# came before, (c) by the model.*

# %%
drawn = torch.randint(1024, codes.shape, generator=torch.Generator().manual_seed(SEED))
versions = {"random codes": torch.where(mask, drawn, codes), "repeating": trick, "the model": filled}
versions["the model, surest first"] = fill(model, codes, mask, n_steps=8)

# %%
listen(codec.decode(codes), codec.sample_rate, "nothing hidden")
for name, filling in versions.items():
    listen(codec.decode(filling), codec.sample_rate, f"gaps filled by {name}")

# %% [markdown]
# ("Surest first" fills the gaps in eight rounds: what it is surest of first, the rest with that in view.) And in
# numbers, how far the log-mel pictures are from the one with nothing hidden. Does the order agree with your ears?

# %%
whole = af.log_mel(codec.decode(codes)[0, 0], 24_000)


def off_db(filling):
    """Mean distance of the log-mel pictures, decibel."""
    picture = af.log_mel(codec.decode(filling)[0, 0], 24_000)
    return (picture - whole).abs().mean().item() * plots.audio.DB_PER_NEPER


for name, filling in versions.items():
    print(f"{name:24} {off_db(filling):.2f} dB")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Random codes are worst by far: they are noise in the gaps. Repeating and the model are near each other, and both keep
# the rhythm, since what surrounds the gaps is untouched. "Surest first" need not be better than one step: an early
# mistake is in view of all later guesses.
#
# </details>
#
# And your own ears, blind: A with nothing hidden, B with gaps that were filled, X one of the two.

# %%
fillings = {name: codec.decode(filling) for name, filling in versions.items()}
off = {name: off_db(filling) for name, filling in versions.items()}
ears("06.gaps", codec.decode(codes), fillings, off, codec.sample_rate, "Off (dB)")

# %% [markdown]
# One choice of gaps is one experiment. *Predict first: with twelve other choices, how often is the model nearer than
# repeating?*

# %%
nearer = 0
for seed in range(12):
    gaps = random_gap(codes, 0.5, 5, seed, together)
    nearer += off_db(fill(model, codes, gaps)) < off_db(copied(codes, gaps))
print(f"the model is nearer for {nearer} of 12 choices of gaps, repeating for {12 - nearer}")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# The counts are above. Unless one of the two is ahead in nearly all of the twelve, they are level.
#
# </details>
#
# So the order above is luck, and gaps of a fifteenth of a second are too short to tell the two apart. Measure more than
# once before you believe a demonstration, and be most careful where it shows what you hoped for.
#
# A wrong code need not sound wrong: several entries mean nearly the same sound. Share guessed counts them as mistakes
# all the same. That is one doubt about this measure.

# %% [markdown]
# ## 6 · Which gaps are hard?
#
# Twelve clips, each cut to where it sounds. *Predict first: longer gaps at the same share. Does the model get better or
# worse?*

# %%
LABELS = "dog rooster crying_baby siren rain sea_waves helicopter chainsaw laughter piano flute cat_meow".split()
clips = {label: codec.encode(trimmed(label))[0][: config.n_codebooks] for label in LABELS}


# %%
def with_gaps(span, seed=SEED):
    """Means over the clips: surprise (nats); share of row 1 right, by the model and by repeating."""
    lines = []
    for codes in clips.values():
        mask = random_gap(codes, 0.25, span, seed, together)
        told = guess(model, codes, mask)
        in_row_1 = told.places[:, 0] == 0
        same = (copied(codes, mask) == codes)[0, mask[0]]
        lines.append([told.surprise, (told.rank[in_row_1] == 1).float().mean(), same.float().mean()])
    return torch.tensor(lines).mean(0).tolist()


# %%
SPANS = [1, 3, 5, 15, 30]
measured = {span: with_gaps(span) for span in SPANS}


def draw_gap(span):
    """What was measured with runs of so many hidden frames."""
    nats, right, same = measured[span]
    mask = random_gap(clips["rain"], 0.25, span, SEED, together)
    show(plots.masking.hidden_codes(mask, codec.frame_rate))
    print(f"runs of hidden frames: {span} long, {1000 * span / codec.frame_rate:.0f} ms: surprise {nats:.2f} nats")
    print(f"of row 1 the model has {right:.1%} right, repeating the last code {same:.1%}")


slider("How long may a gap be before row 1 is lost?", SPANS, draw_gap, 1)

# %%
by_span = torch.tensor([measured[span] for span in SPANS])
assert (by_span[1:, 0] > by_span[:-1, 0]).all(), "longer gaps, more surprise"
assert by_span[-1, 1] < 0.7 * by_span[0, 1], "and fewer codes of row 1 right"
print("surprise", [round(nats, 2) for nats in by_span[:, 0].tolist()], "nats for gaps of", SPANS, "frames")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Worse: with each longer gap the surprise grows, and fewer codes of row 1 are right. The cell above checks both.
#
# </details>
#
# Does the trick keep up with the model in row 1? Then look at what each of them says: the trick names one code and
# never how sure it is. Put that code at certainty, and a single mistake costs infinitely much; the model's surprise
# stays below chance. That is why models are compared by their loss, and why a share of codes guessed flatters
# smoothness.
#
# A gap of one frame can be filled by smoothness alone. Somebody who trains on such gaps learns to smooth. Longer gaps
# ask for more: what usually comes after this? The authors of AudioFormer hide single frames; EnCodecMAE (notebook 12)
# hides 15 frames at a time; the recipe of the kit's own model is printed below. Which is best for a classifier is a
# question for an experiment, not for taste.

# %%
print("the kit's own model:", about["recipe"]["mask"]["span"], "frames at a time")

# %%
for label, codes in clips.items():
    told = guess(model, codes, random_gap(codes, 0.25, 5, SEED, together))
    print(f"{label:12} surprise {told.surprise:.2f} nats (chance {told.chance:.2f})")

# %% [markdown]
# Which of these is hardest, and did you expect it? Think of rain or waves: they never repeat themselves, yet you would
# call them the most predictable of all. The model is asked for *the* drop, not for rain: a second doubt, and the reason
# why other methods predict something softer than a code.
#
# <details><summary>What we saw</summary>
#
# Waves, laughter and the dog are hard, the rooster and the piano easy: a long tone stays what it is, noise and short
# events do not.
#
# </details>
#
# ## Quiz
#
# **Q1.** The loss is taken at hidden positions only, because
#
# - (a) the library allows nothing else
# - (b) it saves time
# - (c) elsewhere the answer is in the input
# - (d) the model does not see the others

# %% exercise="quiz"
answer_1 = "c"
# %%
quiz("masking.where", answer_1)

# %% [markdown]
# **Q2.** A model has a loss of 3.47 nats at 1024 codes (chance 6.93). It is about as undecided as among
#
# - (a) 32
# - (b) 3
# - (c) 295 codes
# - (d) 512

# %% exercise="quiz"
answer_2 = "a"
# %%
quiz("masking.chance", answer_2)

# %% [markdown]
# **Q3.** Same share hidden, but in runs of 15 frames instead of single ones. The loss of a trained model
#
# - (a) stays
# - (b) falls
# - (c) rises
# - (d) becomes zero

# %% exercise="quiz"
answer_3 = "c"
# %%
quiz("masking.longer", answer_3)

# %% [markdown]
# ## Recap
#
# - Hide a quarter, guess it, take the mean surprise where hidden. Chance is $\log V$; a cheap trick is the fairer
#   rival.
# - The coarse row can be guessed, fine rows hardly; short gaps better than long ones. Silence is guessed without
#   knowing anything: measure where something sounds.
# - Guessing exact codes is a means: what we want are the vectors that a good guesser must have made.
#
# **To read.** BERT (arXiv 1810.04805) and HuBERT (arXiv 2106.07447): guessing what is hidden; MaskGIT (arXiv
# 2202.04200): surest first. Open: what should be guessed instead of a code?
#
# Next, [07](07_contrastive_by_hand.ipynb): a second way to make vectors say something, without labels too.
