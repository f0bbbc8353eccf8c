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
# # 02 · How do eight small tables replace one impossible one?
#
# **You will**
# 1. learn a codebook from data: by hand, then with the library;
# 2. quantise what is left over, and count what that saves;
# 3. find out where the method is not the best possible, and hear its rows arrive one by one.
#
# **Time** about 43 minutes, of which the computer needs less than one. **Needs** notebook 01; nothing from the network.
#
# In 01 the codebooks were simply there. Here you make them.

# %%
import audioformer as af
from audioformer import plots
from audioformer.rvq import ResidualVQ, nearest
from audioformer.teaching import check, ears, hint, listen, predict, quiz, reveal, show, slider, trimmed

import torch
from torch.testing import assert_close

SEED = 7
torch.manual_seed(SEED)
print("seed", SEED)

# %% [markdown]
# ## 1 · A table that cannot exist
#
# The bundled codec spends 8 codes of 10 bits on each frame: 80 bits. One single codebook with a code of 80 bits could
# say the same in one step.
#
# *Predict first: how many vectors would that one codebook have to hold? And how many do 8 codebooks of 1024 hold?*

# %%
print(f"one codebook: {2**80:.1e} vectors")
print(f"eight codebooks: {8 * 1024} vectors, and still {1024**8:.1e} different sums")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Two to the power of 80, which is more than a million million million million. Eight codebooks hold 8192 vectors, and
# have as many different sums.
#
# </details>
#
# ## 2 · Where entries come from
#
# Six measurements on a line, and a codebook of two entries that somebody put down carelessly at 0 and 5.

# %%
numbers = torch.tensor([[1.0], [2.0], [9.0], [3.0], [11.0], [10.0]])
codebook = torch.tensor([[0.0], [5.0]])

# %% [markdown]
# *Predict first: which entry wins the number 3? Where would you move the two entries, so that each sits in the middle
# of what it won?*

# %%
codes = torch.cdist(numbers, codebook).argmin(1)
print("winners", codes.tolist())
for v in (0, 1):
    codebook[v] = numbers[codes == v].mean(0)
print("entries move to", codebook.flatten().tolist())

# %% [markdown]
# <details><summary>What we saw</summary>
#
# The entry at 5: it is 2 away, the other one 3. The entries move to 1.5, the middle of 1 and 2, and to 8.25, that of
# 9, 3, 11 and 10.
#
# </details>
#
# Once more. The 3 changes sides, because the entries have moved.

# %%
codes = torch.cdist(numbers, codebook).argmin(1)
by_hand = torch.stack([numbers[codes == v].mean(0) for v in (0, 1)])
print("winners", codes.tolist(), "→ entries", by_hand.flatten().tolist())

# %% [markdown]
# Assign, average, repeat: this is **k-means**. The library does one such round in each training step. It remembers
# earlier batches too (`decay`); with a memory of 0 it must do exactly what we did.

# %%
quantiser = ResidualVQ(n_codebooks=1, codebook_size=2, width=1, decay=0.0).train()
quantiser.codebooks.copy_(torch.tensor([[[0.0], [5.0]]]))
for _ in range(2):
    quantiser(numbers[None], rows_kept=torch.tensor([1]))  # a batch of one clip, which keeps 1 row of codes
assert_close(quantiser.codebooks[0], by_hand)
print(quantiser.codebooks.flatten().tolist())

# %% [markdown]
# ### Exercise 1 · One round
# Every entry of the cases wins something, so you need not worry about empty ones.


# %% exercise="one_round"
def my_one_round(latents, codebook):
    """Latents (M, D), codebook (V, D) -> the codebook moved once, (V, D)."""
    codes = torch.cdist(latents, codebook).argmin(1)
    return torch.stack([latents[codes == v].mean(0) for v in range(len(codebook))])


# %%
check("quantise.one_round", my_one_round)

# %% [markdown]
# ## 3 · In a plane
#
# Sounds need more than one dimension, but two can be drawn. Three hundred vectors in four clouds:

# %%
centres = torch.tensor([[2.0, 2.0], [-2.0, 1.0], [0.5, -2.0], [3.0, -1.0]])
cloud = centres[torch.randint(4, (300,))] + 0.6 * torch.randn(300, 2)


# %%
def error(quantiser, n_codebooks=1):
    """Root mean square distance of the cloud to what its codes stand for."""
    codes = quantiser.quantise(cloud[None], n_codebooks)
    return (quantiser.dequantise(codes)[0] - cloud).square().sum(1).mean().sqrt().item()


# %% [markdown]
# k-means can get stuck: where the entries end up depends on where they start. So: five starts, the best one counts.


# %%
def learned(n_entries, n_codebooks=1):
    """A quantiser whose codebooks were placed on the cloud by k-means, the best of five."""
    torch.manual_seed(SEED)
    tried = [ResidualVQ(n_codebooks, n_entries, 2) for _ in range(5)]
    for quantiser in tried:
        quantiser.start_from(cloud, n_rounds=40)
    return min(tried, key=lambda quantiser: error(quantiser, n_codebooks))


# %%
four = learned(4)
codes = four.quantise(cloud[None], 1)[0, 0]
show(plots.plane.entries(cloud, four.codebooks[0], codes))
print("error", round(error(four), 3))

# %% [markdown]
# Each thread is a residual: what the code does not say. *Predict first: with twice as many entries, is the error half
# as large?*


# %%
def draw_entries(n_entries):
    """The cloud with a codebook of so many entries."""
    quantiser = learned(n_entries)
    codes = quantiser.quantise(cloud[None], 1)[0, 0]
    show(plots.plane.entries(cloud, quantiser.codebooks[0], codes))
    print(n_entries, "entries: error", round(error(quantiser), 3))


slider("From which number of entries on does another doubling gain little?", [1, 2, 4, 8, 16, 32, 64], draw_entries, 4)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# A large step from 1 to 4 entries, since there are four clouds. After that each doubling takes the error down by the
# same factor, about the root of two: in a plane, half the distance needs four times the entries.
#
# </details>
#
# In a plane, halving the distance takes four times the entries, once the clouds themselves are found. In 48
# dimensions, the width of the real codec in section 6, it takes $2^{48}$ times: that is why one table is hopeless.

# %% [markdown]
# ## 4 · Quantise what is left over
#
# All residuals together are one cloud around zero. A second codebook is learnt on *that*.

# %%
two = learned(4, n_codebooks=2)
residuals = cloud - two.codebooks[0][nearest(cloud, two.codebooks[0])]
show(plots.plane.entries(residuals, two.codebooks[1], nearest(residuals, two.codebooks[1])))

# %% [markdown]
# Now the whole thing, naively: vector by vector, codebook by codebook.

# %%
naive = torch.zeros(2, len(cloud), dtype=torch.int64)
for t, vector in enumerate(cloud):
    left = vector
    for k in range(2):
        naive[k, t] = (two.codebooks[k] - left).square().sum(1).argmin()
        left = left - two.codebooks[k][naive[k, t]]

# %%
by_library = two.quantise(cloud[None], 2)[0]
assert_close(naive, by_library)
print("the same", by_library.numel(), "codes")

# %% [markdown]
# And back: look up, add.
#
# ### Exercise 2 · From codes to vectors


# %% exercise="dequantise"
def my_dequantise(codes, codebooks):
    """Codes (K, T), codebooks (K, V, D) -> vectors (T, D)."""
    return sum(codebook[row] for row, codebook in zip(codes, codebooks, strict=True))


# %%
check("quantise.dequantise", my_dequantise)

# %% [markdown]
# Two codes out of 4 cost $2 + 2 = 4$ bits, the same as one code out of 16.
#
# *Predict first: at 4 bits, which has the smaller error: one codebook of 16 entries, or two of 4?*

# %%
print("one codebook of 16:", round(error(learned(16)), 3), "with 16 vectors stored")
print("two codebooks of 4:", round(error(two, 2), 3), "with 8 vectors stored")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# The single one of 16: its entries may stand anywhere, the sums of two times four may not.
#
# </details>
#
# The second one stores half as much, and pays for it: its 16 sums are not free, they form the same pattern of 4 around
# every one of 4 points. With 8 codebooks the saving is the difference between possible and impossible.
#
# There is a second price. Each row takes the nearest entry *now*, without thinking of the rows to come. Is that always
# the best pair? Sixteen pairs can simply all be tried.

# %%
sums = (two.codebooks[0][:, None] + two.codebooks[1]).reshape(16, 2)
best = torch.cdist(cloud, sums).min(1).values
greedy = (cloud - two.dequantise(by_library[None])[0]).norm(dim=1)
worse = greedy > best + 1e-5
print(f"{worse.float().mean():.1%} of the vectors have a better pair than the one found")

# %% [markdown]
# So the method is greedy, and sometimes wrong. Here rarely; keep the number in mind for the real codec below.

# %% [markdown]
# ## 5 · Learning through a table
#
# `argmin` has no slope: move a vector a little and its code stays the same. How can an encoder in front of it learn?
# By pretending: forwards the entry is used, backwards the gradient goes past it (**straight-through**).

# %%
vector = torch.tensor([[3.0, 1.0]], requires_grad=True)
entry = torch.tensor([[4.0, 0.0]])
passed = vector + (entry - vector).detach()
passed.square().sum().backward()
print("value", passed.tolist(), "gradient", vector.grad.tolist())

# %% [markdown]
# The value is the entry's, and so is the gradient: $2 \cdot (4, 0)$, handed on as if vector and entry were one.
# The library does the same:

# %%
one = ResidualVQ(1, 1, 2).eval()
one.codebooks.copy_(entry[None])
again = torch.tensor([[[3.0, 1.0]]], requires_grad=True)
one(again, rows_kept=torch.tensor([1])).latents.square().sum().backward()
assert_close(again.grad[0], vector.grad)

# %% [markdown]
# This is a white lie: the true gradient is zero nearly everywhere. It works as long as vector and entry are close,
# which is why training has one more loss, their squared distance: the *commitment* of the encoder to its codes.

# %% [markdown]
# ## 6 · The real codec
#
# Six samples through the encoder of `compact`: how much of the latents is left over after each row?

# %%
codec = af.load_codec("compact")
labels = ("dog", "rain", "rooster", "siren", "piano", "speech_vowels")
latents = torch.cat([codec.latents(trimmed(label))[0].T for label in labels])
print(len(latents), "frames of width", latents.shape[1])

# %%
left, left_db = latents, []
for codebook in codec.codebooks():
    left = left - codebook[torch.cdist(left, codebook).argmin(1)]
    left_db.append(10 * (left.square().sum() / latents.square().sum()).log10().item())
show(plots.codes.error_by_codebooks(left_db, range(1, 9), label="left over"))

# %% [markdown]
# And the greed? For a dozen frames and the first two rows, all $1024^2$ pairs can be tried. *Predict first: for which
# share of the twelve is there a better pair than the one found?*

# %% exercise="prediction"
better_pair = 0.3
# %%
predict("02.better_pair", better_pair)

# %%
few, (first, second) = latents[:: len(latents) // 12][:12], codec.codebooks()[:2]
pairs = (first[:, None] + second).reshape(-1, few.shape[1])
best = torch.cdist(few, pairs).min(1).values
rest = few - first[torch.cdist(few, first).argmin(1)]
greedy = torch.cdist(rest, second).min(1).values
print(int((greedy > best * 1.001).sum()), "of 12 have a better pair")
reveal("02.better_pair", (greedy > best * 1.001).float().mean())
print(f"what is left over could be {1 - (best / greedy).mean():.0%} shorter")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# For a few of the twelve there is a better pair, but it is hardly better: greed costs next to nothing here. Only the
# first two rows were tried, and only twelve frames.
#
# </details>
#
# Why does the library not try all combinations? Count them for 8 codebooks and you know. (Some codecs keep the few best
# candidates of each row instead of one: a beam search, halfway between greed and everything.)

# %% [markdown]
# *Predict first: a codebook has 1024 entries. In these frames, how many of them do the work? More in row 1, or more in
# row 8?*
#
# ### Exercise 3 · How many entries are in use?
# The **perplexity** of shares $p_v$ is $\exp(-\sum_v p_v \log p_v)$: 4 if four entries are used equally often, 1 if it
# is always the same one. (Entries that never occur count nothing: $0 \log 0 = 0$.)


# %% exercise="perplexity"
def my_perplexity(codes, codebook_size):
    """Codes of any shape, V -> perplexity, between 1 and V."""
    counts = torch.bincount(codes.flatten(), minlength=codebook_size)
    shares = counts[counts > 0] / counts.sum()
    return (-(shares * shares.log()).sum()).exp()


# %%
check("quantise.perplexity", my_perplexity)

# %%
codes = torch.cat([codec.encode(trimmed(label))[0] for label in labels], 1)
in_use = {}
for k, row in enumerate(codes):
    shares = torch.bincount(row, minlength=codec.codebook_size) / len(row)
    in_use[f"row {k + 1}"] = round(torch.distributions.Categorical(probs=shares).perplexity().item())
show(plots.layers.parameters(in_use, what="entries in use (perplexity)", of="row", whole=False))

# %% [markdown]
# Do not trust the height of these bars too much: six clips cannot use 1024 entries evenly, and the rain alone has a
# vocabulary of its own. Repeat it with one label only. Which rows change most?
#
# <details><summary>What we saw</summary>
#
# Row 1 has by far the fewest entries at work: many frames share a coarse sketch, and quiet frames take the same few.
# The lower rows use several hundred. With one label alone all numbers shrink, those of a short sound most: a clip of
# 50 frames cannot use more than 50 entries.
#
# </details>
#
# Now your ears. Row by row the sound comes together:

# %%
waveform = trimmed("rooster")
rooster = codec.encode(waveform)[0]
listen(waveform, title="original")

# %%
no_sketch = rooster.clone()
no_sketch[0] = rooster[0].mode().values  # the most frequent code of row 1, everywhere
listen(codec.decode(rooster), codec.sample_rate, "all rows")
listen(codec.decode(no_sketch), codec.sample_rate, "row 1 says the same all the time; rows 2 to 8 kept")

# %% [markdown]
# Not silence: something odd, corrections of a sketch that is missing. That answers the last question of 01's quiz.


# %%
def hear(n_codebooks):
    """The rooster from its first rows."""
    listen(codec.decode(rooster[:n_codebooks]), codec.sample_rate, f"{n_codebooks} of 8 rows")


slider("From which number of rows on do you no longer hear a difference?", range(1, 9), hear, 1)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# The error falls by less with each row (section 6 drew it). Most of what can be heard changes between one row and
# four; whether you hear the last ones is for the blind test below.
#
# </details>
#
# Are you sure? Whoever moves the slider knows what it says. Blind, with A all eight rows, B fewer, and X one of the
# two; beside it, how much of the latents is left over after so many rows:

# %%
FEWER = (2, 4, 6, 7)
versions = {f"{k} of 8 rows": codec.decode(rooster[:k]) for k in FEWER}
ears(
    "02.rows",
    codec.decode(rooster),
    versions,
    {f"{k} of 8 rows": left_db[k - 1] for k in FEWER},
    codec.sample_rate,
    "Left over (dB)",
)

# %% [markdown]
# ## Quiz
#
# **Q1.** You add a ninth codebook of 1024 entries.
#
# - (a) The store stays, the sums double
# - (b) The store grows by 1024 vectors, the sums 1024-fold
# - (c) The store grows 1024-fold
# - (d) Store and sums both grow by 1024

# %% exercise="quiz"
answer_1 = "b"
# %%
quiz("quantise.one_more", answer_1)

# %% [markdown]
# **Q2.** You use the trained codebooks in the opposite order, 8 first. The error
#
# - (a) stays, a sum does not mind order
# - (b) grows
# - (c) becomes zero
# - (d) shrinks

# %% exercise="quiz"
answer_2 = "b"
# %%
quiz("quantise.order", answer_2)

# %% [markdown]
# **Q3.** An entry that no vector ever chooses
#
# - (a) makes the file longer by one bit a frame
# - (b) makes the sound noisy
# - (c) wastes a number: bits are paid for it, nothing is gained
# - (d) does no harm

# %% exercise="quiz"
answer_3 = "c"
# %%
quiz("quantise.dead", answer_3)

# %% [markdown]
# ## Recap
#
# - A codebook is learnt by assigning and averaging; unused entries are moved to where vectors are.
# - Tables of residuals add up in memory and multiply in what they can say. The price: a rigid pattern, and greed.
# - Gradients pass the table by a white lie, straight through.
#
# **To read.** VQ-VAE (arXiv 1711.00937): codebooks and straight-through; SoundStream (arXiv 2107.03312): residual
# ones. Open: how much does greed cost a classifier?
#
# Next, [03](03_from_codes_to_tokens.ipynb): how the rows of codes become something a transformer can read.
