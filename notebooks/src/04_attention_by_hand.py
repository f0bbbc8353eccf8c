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
# # 04 · How does a position find out about the others?
#
# **You will**
# 1. compute attention for three positions in your head, then for any number;
# 2. find out that attention does not know order, and give it order by turning vectors;
# 3. rebuild the library's attention layer from its weights, and look at one that was trained.
#
# **Time** about 43 minutes. **Needs** notebook 03; a little linear algebra; nothing from the network.

# %%
import audioformer as af
from audioformer import plots
from audioformer.attention import SelfAttention, rotary_table, rotate
from audioformer.teaching import check, hint, listen, predict, quiz, reveal, show, slider, trimmed
from audioformer.tokens import wrap

import torch
from torch.nn import functional as F
from torch.testing import assert_close

SEED = 7
torch.manual_seed(SEED)
print("seed", SEED)

# %% [markdown]
# ## 1 · Ask, compare, take
#
# Every position sends out a **query** (what do I look for?), offers a **key** (what am I?) and holds a **value** (what
# do I give?). Here is one query, and three positions to ask.

# %%
query = torch.tensor([1.0, 1.0, 0.0, 0.0])
keys = torch.tensor([[2.0, 0.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0], [1.0, 1.0, 0.0, 0.0]])
values = torch.tensor([[10.0], [20.0], [30.0]])

# %% [markdown]
# The **score** of a key is its dot product with the query, divided by the root of the width, $\sqrt 4 = 2$.
#
# *Predict first: the three scores. Which two positions get the same weight?*

# %%
scores = keys @ query / 2
print("scores", scores.tolist())

# %% [markdown]
# <details><summary>What we saw</summary>
#
# 1, 0 and 1: the first and the third get the same weight.
#
# </details>
#
# **Softmax** turns scores into shares of 1: $e^{s_i} / \sum_j e^{s_j}$. With $e = 2.718$:

# %%
e = 2.718281828
weights = torch.tensor([e, 1, e]) / (e + 1 + e)
assert_close(scores.softmax(0), weights)
print([round(w, 3) for w in weights.tolist()])

# %% [markdown]
# *Predict first: the answer is the values 10, 20, 30, mixed with these weights. You need no calculator.*

# %%
print("the position takes", (weights @ values).item())

# %% [markdown]
# <details><summary>What we saw</summary>
#
# 20. The weights of 10 and 30 are alike, so the mixture is in the middle, whatever the weight of 20.
#
# </details>
#
# ## 2 · Everybody asks everybody
#
# Five positions, each with a query, a key and a value of width 4. First as slowly and plainly as possible.

# %%
Q, K, V = torch.randn(3, 5, 4)
naive = torch.zeros(5, 4)
for i in range(5):
    scores = torch.stack([Q[i] @ K[j] / 4**0.5 for j in range(5)])
    for weight, value in zip(scores.softmax(0), V, strict=True):
        naive[i] += weight * value

# %%
at_once = (Q @ K.T / 4**0.5).softmax(-1)
assert_close(at_once @ V, naive)
assert_close(F.scaled_dot_product_attention(Q[None], K[None], V[None])[0], naive)
show(plots.attention.attention_map(at_once))

# %% [markdown]
# Read it line by line: each line is one position that looks, and its weights sum to 1. Columns need not: a position
# can be popular, or be ignored by all. Which one is most popular here?
#
# <details><summary>What we saw</summary>
#
# Add up the columns: the darkest and the brightest column differ although all lines sum to 1. These vectors are
# random, so the popularity means nothing; with a trained model it may.
#
# </details>
#
# ### Exercise 1 · Attention


# %% exercise="attend"
def my_attention(queries, keys, values):
    """(S, d) each -> what every position takes, (S, d)."""
    scores = queries @ keys.T / queries.shape[1] ** 0.5
    return scores.softmax(-1) @ values


# %%
check("attention.attend", my_attention)

# %% [markdown]
# ## 3 · Why the root of the width?
#
# A dot product of $d$ random numbers grows like $\sqrt d$. *Predict first: leave the division out, and make $d$ large.
# What happens to the weights?*
#
# To put it into a number: among how many positions does a line share its weights? One if it has decided, all eight if
# it cannot. (The formula is $e$ to the power of the entropy, which 08 explains.)


# %%
def n_looked_at(weights):
    """Weights (S, S) -> among how many positions a line shares them, on average."""
    entropy = -(weights * weights.clamp_min(1e-12).log()).sum(1)
    return entropy.exp().mean().item()


# %%
def draw_width(d):
    """Attention of 8 random positions of width d, with and without the division."""
    made = torch.Generator().manual_seed(1)
    q, k = torch.randn(2, 8, d, generator=made)
    raw = (q @ k.T).softmax(-1)
    scaled = (q @ k.T / d**0.5).softmax(-1)
    show(plots.attention.attention_map(raw))
    print(f"width {d}: a line looks at {n_looked_at(raw):.1f} of 8 without the division (drawn),", end=" ")
    print(f"{n_looked_at(scaled):.1f} with it")


slider("From which width on does everybody look at one position only?", [1, 4, 16, 64, 256], draw_width, 16)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Without the division a line looks at hardly more than one of eight positions at width 256; with it, at five to seven
# at every width.
#
# </details>
#
# A softmax that has decided for one position has no slope left: nothing more can be learnt. That is the reason, not
# beauty.

# %% [markdown]
# ## 4 · A bag of sounds
#
# *Predict first: shuffle the five positions. What happens to what each of them takes?*

# %%
order = torch.tensor([3, 0, 4, 1, 2])
shuffled = F.scaled_dot_product_attention(Q[None, order], K[None, order], V[None, order])[0]
assert_close(shuffled, naive[order])
print("the same answers, shuffled")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Nothing but the order: each of them takes exactly what it took before.
#
# </details>
#
# Attention does not know order. A bark before the rain and a bark after it are the same to it: somebody has to tell it
# where things stand.
#
# ## 5 · Positions as angles
#
# RoFormer's idea: turn the query and the key by an angle that grows with the position. Take the vector (1, 0) and turn
# it by one radian per position.

# %%
turned = torch.stack([torch.tensor([m, m]).float() for m in range(6)])
turned = torch.stack([turned[:, 0].cos(), turned[:, 1].sin()], 1)
show(plots.plane.arrows(turned, [f"position {m}" for m in range(6)]))

# %% [markdown]
# *Predict first: the score of the arrows at positions 2 and 5 is the cosine of the angle between them. Which other
# pairs of arrows have exactly that score?*

# %%
scores = turned @ turned.T
for m, n in ((2, 5), (0, 3), (1, 4)):
    print(m, "and", n, round(scores[m, n].item(), 4))
assert_close(scores[2, 5], torch.tensor(3.0).cos())

# %% [markdown]
# <details><summary>What we saw</summary>
#
# All pairs that are three apart: 0 and 3, 1 and 4.
#
# </details>
#
# Only the *distance* of two positions counts, never where they are. The library's way to the same arrows:

# %%
ones = torch.tensor([1.0, 0.0]).expand(6, 2)
assert_close(rotate(ones, rotary_table(6, 2)), turned)

# %% [markdown]
# One angle is not enough: after $2\pi \approx 6.3$ positions the arrow is back, and position 6 looks like position 0.
# So a wide vector is cut into pairs, and each pair turns at its own rate: $10000^{-2i/d}$ for pair $i$.
#
# *Predict first: for width 8 the slowest pair turns by 0.001 a position. After how many positions has it gone round
# once? How many seconds of codes is that?*

# %%
rates = 10000 ** (-torch.arange(0, 8, 2) / 8)
rounds = 2 * torch.pi / rates
print("full turn", round(2 * torch.pi, 1), "radians; radians a position", [round(r, 4) for r in rates.tolist()])
print("once round after", [round(r) for r in rounds.tolist()], "positions")
print("the slowest after", round(rounds[-1].item() / 75), "s")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# After more than six thousand positions: nearly a minute and a half of codes.
#
# </details>

# %%
table = rotary_table(76, 8)
vector = torch.zeros(4, 8)
vector[torch.arange(4), 2 * torch.arange(4)] = 1.0
by_pair = {}
for i in range(4):
    at_all_positions = rotate(vector[i].expand(76, 8), table)
    by_pair[f"pair {i}"] = (at_all_positions @ at_all_positions[0]).tolist()
show(plots.attention.score_by_distance(range(76), by_pair))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Pair 0 has gone round a dozen times within a second, pair 3 has hardly moved. No single pair tells all distances
# apart; all four together do.
#
# </details>
#
# Fast pairs tell neighbours apart, slow ones tell one second from the next: like the hands of a clock.
#
# ### Exercise 2 · Turn the pairs
# `table[0]` holds the cosines, `table[1]` the sines, each (S, d / 2). Features 0 and 1 form a pair, 2 and 3 the next.


# %% exercise="rotate"
def my_rotate(vectors, table):
    """Vectors (S, d), table (2, S, d / 2) -> turned vectors (S, d)."""
    x, y = vectors[:, 0::2], vectors[:, 1::2]
    cos, sin = table
    turned = torch.empty_like(vectors)
    turned[:, 0::2], turned[:, 1::2] = x * cos - y * sin, y * cos + x * sin
    return turned


# %%
check("attention.rotate", my_rotate)

# %% [markdown]
# And the promise: move a query and a key by the same number of positions, and their score stays.

# %%
q, k = torch.randn(2, 8)
long = rotary_table(200, 8)
near = rotate(q.expand(200, 8), long)[3] @ rotate(k.expand(200, 8), long)[7]
far = rotate(q.expand(200, 8), long)[103] @ rotate(k.expand(200, 8), long)[107]
assert_close(near, far, atol=1e-4, rtol=1e-4)
print("positions 3 and 7:", round(near.item(), 4), " 103 and 107:", round(far.item(), 4))

# %% [markdown]
# ## 6 · The library's layer, rebuilt
#
# One linear layer makes queries, keys and values. They are cut into **heads** that attend separately, side by side; a
# last linear layer mixes the heads.

# %%
config = af.preset("test")
layer = SelfAttention(config).eval()
print("width", config.d_model, "=", config.n_heads, "heads of", config.head_dim)

# %%
hidden, table = torch.randn(1, 6, config.d_model), rotary_table(6, config.head_dim)
with torch.no_grad():
    output, weights = layer(hidden, table, need_weights=True)
    q, k, v = layer.qkv(hidden[0]).chunk(3, dim=-1)
print("weights (clips, heads, looking, looked at) =", tuple(weights.shape))

# %%
heads = []
for h in range(config.n_heads):
    part = slice(h * config.head_dim, (h + 1) * config.head_dim)
    scores = rotate(q[:, part], table) @ rotate(k[:, part], table).T / config.head_dim**0.5
    assert_close(weights[0, h], scores.softmax(-1))
    heads.append(scores.softmax(-1) @ v[:, part])
mixed = F.linear(torch.cat(heads, -1), layer.out.weight, layer.out.bias)
assert_close(output[0], mixed, atol=1e-5, rtol=1e-4)

# %% [markdown]
# Nothing else is in there. Two heads, so two opinions about who matters; can you think of two that a listener would
# want?
#
# ## 7 · Nobody looks at PAD
#
# ### Exercise 3 · Weights with padding


# %% exercise="padded"
def my_weights(scores, padding):
    """Scores (S, S), padding (S,) bool -> weights (S, S): rows sum to 1, nothing for PAD."""
    return scores.masked_fill(padding, -torch.inf).softmax(-1)


# %%
check("attention.padded", my_weights)

# %%
padding = torch.tensor([[False, False, False, False, True, True]])
with torch.no_grad():
    _, padded = layer(hidden, table, padding, need_weights=True)
show(plots.attention.attention_map(padded[0, 0], ["BOA", "7", "9", "EOA", "PAD", "PAD"]))

# %% [markdown]
# The PADs still look (somebody has to fill those lines), but nobody listens to them.
#
# ## 8 · A trained listener
#
# One second of a rooster's crow, as the bundled pre-trained model reads it: all its rows summed into one sequence (03).

# %%
waveform = trimmed("rooster").samples[0, :24_000]
listen(waveform, 24_000, "one second")

# %%
model, about = af.load_pretrained("pretrained")
tokens = wrap(af.load_codec(about["codec"]["name"]).encode(waveform, 24_000)).tokens
with torch.no_grad():
    attention = model(tokens[:, : model.config.n_codebooks], need_weights=True).attention
print(len(attention), "blocks of", attention[0].shape[2], "heads")

# %% [markdown]
# *Predict first: in the first block, which share of all weight goes to places no further than three positions away?
# Evenly spread it would be about a tenth.*

# %% exercise="prediction"
near = 0.5
# %%
predict("04.near", near)

# %%
place = torch.arange(tokens.shape[2])
steps = (place[:, None] - place).abs().float()
by_block = [(block[0, 0] * (steps <= 3)).sum(-1).mean().item() for block in attention]
evenly = (steps <= 3).float().mean().item()
print("by block", [round(share, 2) for share in by_block], " evenly", round(evenly, 2))
reveal("04.near", by_block[0])
assert by_block[0] > 2 * evenly
assert by_block[-1] < by_block[0], "the last block looks further"


# %% [markdown]
# <details><summary>What we saw</summary>
#
# Much more than an even share: neighbouring codes say most about each other. Deeper blocks look further.
#
# </details>


# %%
def draw_head(name):
    """The weights of one head."""
    block, head = (int(number) - 1 for number in name.split("."))
    show(plots.attention.attention_map(attention[block][0, 0, head]))


names = [f"{b + 1}.{h + 1}" for b in range(len(attention)) for h in range(attention[0].shape[2])]
slider("Block.head: which heads look at neighbours, which far away, which at BOA or EOA?", names, draw_head)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Some heads have a bright diagonal: they look at neighbours. Others have bright columns, the same few places for
# everybody. The first blocks put several times an even share of their weight on near places, the last ones less. But
# look at the heads of one block: they differ, too.
#
# </details>

# %%
reach = {}
for h in range(attention[0].shape[2]):
    reach[f"head {h + 1}"] = [(a[0, 0, h] * steps).sum(1).mean().item() for a in attention]
show(plots.layers.by_layer(reach, "Mean distance looked (positions)", x="Block", first=1))

# %% [markdown]
# For comparison: a head that looks everywhere alike has a mean distance of about a third of the clip.

# %%
print("looking everywhere alike:", round(steps.mean().item(), 1), "positions")

# %% [markdown]
# It is tempting to read such a map as *why* the model thinks what it thinks. Be careful: a weight says where a vector
# was taken from, not what was in it nor what later layers did with it. A large weight on BOA often means "nothing to
# look for". To test a map, change what it points at and see whether the answer moves.

# %% [markdown]
# ## Quiz
#
# **Q1.** You double the length of one query. Its weights
#
# - (a) stay, only the direction counts
# - (b) become sharper
# - (c) become flatter
# - (d) move to the next position

# %% exercise="quiz"
answer_1 = "b"
# %%
quiz("attention.double_query", answer_1)

# %% [markdown]
# **Q2.** A model without any positions hears "bark, rain" and "rain, bark", and averages over positions. Its answers
# are
#
# - (a) different only with several heads
# - (b) the same
# - (c) different
# - (d) the same only for short clips

# %% exercise="quiz"
answer_2 = "b"
# %%
quiz("attention.shuffled", answer_2)

# %% [markdown]
# **Q3.** With rotary positions the same bark comes one second later. In the first block, the score between two of its
# frames
#
# - (a) changes sign
# - (b) drops
# - (c) stays
# - (d) grows with the time that has passed

# %% exercise="quiz"
answer_3 = "c"
# %%
quiz("attention.shifted", answer_3)

# %% [markdown]
# ## Recap
#
# - Attention: scores, softmax, mix. Divided by $\sqrt d$, so that it can still learn.
# - It knows no order; turning pairs of features by position gives it distances.
# - Heads attend side by side; PAD gets a weight of zero. A map of weights is a wiring diagram, not a reason.
#
# **To read.** Attention Is All You Need (arXiv 1706.03762); RoFormer (arXiv 2104.09864): positions as angles. Open:
# what do heads do that look at nothing?
#
# Next, [05](05_the_encoder.ipynb): what else happens to a vector in a block.
