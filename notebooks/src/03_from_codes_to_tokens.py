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
# # 03 · How do codes become something a transformer can read?
#
# **You will**
# 1. wrap codes into token sequences with a beginning and an end, by hand and with the library;
# 2. put clips of different lengths into one table, and keep track of what is real;
# 3. compare three ways of using several codebook rows, and what each costs.
#
# **Time** about 35 minutes. **Needs** notebook 01; nothing from the network.

# %%
import audioformer as af
from audioformer import plots
from audioformer.teaching import check, hint, listen, predict, quiz, reveal, show, slider, trimmed
from audioformer.tokens import collate, special_ids, unwrap, wrap

import torch
from torch.testing import assert_close

# %% [markdown]
# ## 1 · A sentence of codes
#
# A toy codec with $V = 10$ entries says that a very short sound has the codes 7, 9, 4. For a language model these are
# words. Words need a frame: where does the sentence begin, where does it end?
#
# The codes use up the numbers 0 to 9. Four special tokens follow: PAD, BOA (begin of audio), EOA (end of audio), MASK.
#
# *Predict first: which number does BOA have? And MASK, for a codebook of 1024 entries?*

# %%
print(special_ids(10))
print("MASK of a codebook of 1024:", special_ids(1024).mask)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# BOA is 11: the codes end at 9, and PAD is 10. MASK comes third after PAD: 1024 codes, PAD 1024, BOA 1025, EOA 1026,
# MASK 1027.
#
# </details>

# %%
codes = [7, 9, 4]
by_hand = torch.tensor([11, *codes, 12])
by_library = wrap(torch.tensor([[codes]]), codebook_size=10).tokens
print(by_library.shape, by_library.tolist())
assert_close(by_library[0, 0], by_hand)

# %%
show(plots.tokens.strip(by_library[0], 10, ["toy"]))

# %% [markdown]
# The three axes are (clips, rows, positions). There is one clip here, with one row of codes.
#
# ### Exercise 1 · Wrap it yourself


# %% exercise="wrap"
def my_wrap(codes, codebook_size):
    """A list of codes, V -> list of tokens with BOA and EOA."""
    return [codebook_size + 1, *codes, codebook_size + 2]


# %%
check("tokens.wrap", my_wrap)

# %% [markdown]
# What if a code does not belong to the codebook? A language model would happily read it as MASK or PAD. The library
# says no:

# %%
try:
    wrap(torch.tensor([[[7, 13, 4]]]), codebook_size=10)
except af.AudioformerError as error:
    print(error)

# %% [markdown]
# ## 2 · Clips of different lengths
#
# A batch is one table of numbers, so all its lines must be equally long. Shorter clips are filled up with PAD.
#
# *Predict first: three toy clips with 2, 4 and 1 frames. How wide is the table? How many PADs are in it?*

# %%
clips = [torch.tensor([[7, 9]]), torch.tensor([[1, 2, 3, 4]]), torch.tensor([[5]])]
batch = collate(clips, codebook_size=10)
print(tuple(batch.tokens.shape), "PADs:", batch.padding.sum().item())

# %%
show(plots.tokens.strip(batch.tokens[:, 0], 10, ["A", "B", "C"]))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Six wide: the longest clip has four codes, and BOA and EOA stand around them. Five PADs: two behind the first clip,
# three behind the last.
#
# </details>
#
# By hand, the same table:

# %%
P, B, E = 10, 11, 12
table = torch.tensor([[B, 7, 9, E, P, P], [B, 1, 2, 3, 4, E], [B, 5, E, P, P, P]])
assert_close(batch.tokens[:, 0], table)
assert_close(batch.padding, table == P)

# %% [markdown]
# `padding` says where *nothing* is. Everything later asks it: attention looks at no PAD, no PAD is ever masked, and
# the mean over a clip leaves them out.
#
# ### Exercise 2 · The padding of a batch


# %% exercise="padding"
def my_padding(lengths):
    """Frames of each clip, a list of B -> (B, S) bool, True = PAD; S = longest + 2."""
    positions = torch.arange(max(lengths) + 2)
    return positions > torch.tensor(lengths)[:, None] + 1


# %%
check("tokens.padding", my_padding)

# %% [markdown]
# ### Exercise 3 · Where are the codes?
# BOA and EOA are real, but they are not codes: nobody should be asked to guess them.


# %% exercise="code_positions"
def my_code_positions(padding):
    """(B, S) bool, True = PAD -> (B, S) bool, True = a code stands here."""
    n_frames = (~padding).sum(1) - 2
    positions = torch.arange(padding.shape[1])
    return (positions >= 1) & (positions <= n_frames[:, None])


# %%
check("tokens.code_positions", my_code_positions)

# %% [markdown]
# ## 3 · Real clips
#
# The first of two barks, and two longer stretches.

# %%
codec = af.load_codec("compact")
stretches = {"dog": 0.4, "clock_tick": 1.0, "rain": 2.0}
numbers = {"dog": 1, "clock_tick": 2, "rain": 1}  # the second clock begins with a tick
waveforms = {label: trimmed(label, numbers[label]).samples[0] for label in stretches}
coded = [codec.encode(waveforms[label][: int(s * 24_000)], 24_000)[0] for label, s in stretches.items()]
print([tuple(codes.shape) for codes in coded])

# %% [markdown]
# *Predict first: how many positions will the batch have? (75 frames a second.)*

# %%
batch = collate(coded, codec.codebook_size)
print("tokens", tuple(batch.tokens.shape), "frames of each clip", batch.lengths.tolist())

# %%
show(plots.tokens.strip(batch.tokens[:, 0], codec.codebook_size, list(stretches)))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# 152: the longest stretch, two seconds, has 150 codes, with BOA and EOA.
#
# </details>
#
# `unwrap` goes back. If nothing was lost on the way, the sound is the same.

# %%
for label, codes, again in zip(stretches, coded, unwrap(batch), strict=True):
    assert_close(codes, again)
    listen(codec.decode(again), codec.sample_rate, f"{label}, out of the batch again")

# %% [markdown]
# How much of the table is PAD depends on how different the lengths are. *Predict first: three clips of half a second
# beside one of four seconds. Which share of the table is wasted?*

# %% exercise="prediction"
waste = 0.5
# %%
predict("03.waste", waste)


# %%
def draw_waste(short_s):
    """Three clips of so many seconds beside one of 4 s."""
    n_frames = [int(short_s * codec.frame_rate)] * 3 + [300]
    mixed = collate([torch.zeros(1, n, dtype=torch.int64) for n in n_frames], codec.codebook_size)
    names = ["short 1", "short 2", "short 3", "long"]
    show(plots.tokens.strip(mixed.tokens[:, 0], codec.codebook_size, names))
    print(f"{mixed.padding.float().mean():.0%} of the positions are PAD")
    return mixed.padding.float().mean()


lengths_s = [0.1, 0.5, 1.0, 2.0, 3.0, 4.0]
slider("How long must the three short clips be (s) until less than a quarter is wasted?", lengths_s, draw_waste, 0.5)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Three seconds: the three short clips then lack a second each. Three quarters of the table can be lost when three
# clips are very short, never all of it: the long one is always whole.
#
# </details>

# %%
reveal("03.waste", draw_waste(0.5))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# About two thirds: each short clip fills an eighth of its line, the long one all of it.
#
# </details>
#
# In training the kit reads stretches of at most a few seconds, not whole recordings: one long clip cannot make the
# table wide for all.

# %% [markdown]
# ## 4 · Eight rows, one reader: three ways
#
# A language model reads *one* sequence, but a clip has several rows of codes. What to do?
#
# - **separate** (AudioFormer's authors): each row is its own sequence, with an encoder of its own.
# - **shared** (ours): each row is its own sequence, one encoder for all; a vector tells it which row it reads.
# - **summed** (ours): the vectors of all rows of a frame are added, one sequence for all.
#
# *Predict first: which has the most parameters? Which reads the fewest positions?*

# %%
counted = {}
for rows in ("separate", "shared", "summed"):
    model = af.AudioFormer(af.preset("test", rows=rows, n_codebooks=4))
    counted[rows] = sum(p.numel() for p in model.parameters())
show(plots.layers.parameters(counted, of="reading", whole=False))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# *Separate* has the most parameters: four encoders, each with its own table. *Shared* has the fewest. *Summed* reads
# the fewest positions: one sequence instead of four.
#
# </details>

# %%
four_rows = wrap(coded[2][None, :4], codebook_size=1024)
for rows in counted:
    model = af.AudioFormer(af.preset("test", rows=rows, n_codebooks=4)).eval()
    with torch.no_grad():
        hidden = model(four_rows.tokens).hidden
    print(f"{rows:9} hidden vectors (clips, rows, positions, width) = {tuple(hidden.shape)}")

# %% [markdown]
# Most of a model this small is the table that holds a vector for each token: *shared* has one, *separate* and *summed*
# one a row. What *summed* has only once are the blocks that read, and these are nearly all of a large model (05
# counts).
#
# And why not one long sequence, row after row? Attention compares every position with every other one. Count the
# comparisons for four rows of 750 codes (10 s).

# %%
flattened = (4 * 750 + 2) ** 2
separate = 4 * (750 + 2) ** 2
print(f"flattened {flattened:,}, four sequences {separate:,}: {flattened / separate:.1f} times as many")

# %% [markdown]
# ### Other names for the same codes
#
# *Predict first: every code gets another number, the same everywhere, and the lines of the model's table change places
# accordingly. What changes in what the model makes of a clip?*

# %%
model = af.AudioFormer(af.preset("test", n_codebooks=1)).eval()
one_row = wrap(coded[2][None, :1], codebook_size=1024).tokens
other_number = torch.cat([torch.randperm(1024), torch.arange(1024, 1028)])  # special tokens keep theirs
with torch.no_grad():
    before = model(one_row).hidden
    table = model.encoders[0].embeddings.tables[0].weight
    table[other_number] = table.clone()
    after = model(other_number[one_row]).hidden
assert_close(after, before)
print("the same vectors to", (after - before).abs().max().item())

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Nothing. A code's number is a name: 418 is not more than 417, and a model that is trained after the exchange learns
# the same. What a code *means* is in its line of the table, and in its neighbours.
#
# </details>
#
# Which way of reading rows is *better* is another question. Separate rows cannot see each other: row 2 corrects a row
# 1 it never reads. Summed rows see all at once, but a hidden code may be given away by the others of its frame.
# Notebook 06 has to take care of that.

# %% [markdown]
# ## Quiz
#
# **Q1.** Why do the special tokens come *after* the codes?
#
# - (a) it saves memory
# - (b) BERT does it
# - (c) special tokens must be even numbers
# - (d) Token and code number stay the same

# %% exercise="quiz"
answer_1 = "d"
# %%
quiz("tokens.shifted", answer_1)

# %% [markdown]
# **Q2.** Four rows flattened into one sequence instead of four sequences. Attention makes, against all four together,
#
# - (a) four times the comparisons
# - (b) as many
# - (c) sixteen times as many
# - (d) half of them

# %% exercise="quiz"
answer_2 = "a"
# %%
quiz("tokens.flattened", answer_2)

# %% [markdown]
# **Q3.** Should the mean over a clip's positions include EOA and PAD?
#
# - (a) EOA may, PAD must not
# - (b) neither may, or the model breaks
# - (c) both may, the mean hardly moves
# - (d) both must

# %% exercise="quiz"
answer_3 = "a"
# %%
quiz("tokens.eoa", answer_3)

# %% [markdown]
# ## Recap
#
# - A row of codes becomes BOA, codes, EOA, and PAD up to the longest clip of the batch.
# - `padding` travels with the tokens: what is PAD must never change an answer.
# - Separate, shared, summed: three readings of several rows, with different costs and different blind spots.
#
# **To read.** AudioFormer (arXiv 2308.07221): codes as words; BERT (arXiv 1810.04805): where its special tokens come
# from. Open: is a row the right word?
#
# Next, [04](04_attention_by_hand.ipynb): how a position finds out about the others.
