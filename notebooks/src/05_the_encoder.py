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
# # 05 · What happens to a vector on its way through the encoder?
#
# **You will**
# 1. take a block apart and put it together again, with the same result as the library's;
# 2. count the parameters of any model on paper;
# 3. watch a sound's vectors from layer to layer, and make one vector of a whole clip.
#
# **Time** about 36 minutes. **Needs** notebook 04; nothing from the network.

# %%
import audioformer as af
from audioformer import plots
from audioformer.attention import rotary_table
from audioformer.encoder import Block, Encoder
from audioformer.model import mean_pool
from audioformer.teaching import check, hint, listen, quiz, show, slider, trimmed
from audioformer.tokens import collate, wrap

import torch
from torch.nn import functional as F
from torch.testing import assert_close

SEED = 7
torch.manual_seed(SEED)
print("seed", SEED)

# %% [markdown]
# ## 1 · A number becomes a vector
#
# The first thing a token meets is a table: token 2 fetches line 2. Here are 4 tokens of width 3.

# %%
table = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 2.0, 3.0], [2.0, 4.0, 6.0]])
token = torch.tensor(2)
print(table[token].tolist())

# %% [markdown]
# It is often drawn as a matrix product with a vector of zeros and a single one. The same thing, slower:

# %%
assert_close(F.one_hot(token, 4).float() @ table, table[token])

# %% [markdown]
# ## 2 · Everybody to the same size: LayerNorm
#
# Subtract the mean of the vector, divide by its standard deviation. *Predict first: what becomes of (1, 2, 3)? And of
# (2, 4, 6)?*

# %%
vector = table[2]
centred = vector - vector.mean()
by_hand = centred / centred.square().mean().sqrt()
print([round(x, 4) for x in by_hand.tolist()])

# %%
assert_close(F.layer_norm(vector, (3,)), by_hand, atol=1e-4, rtol=1e-4)
assert_close(F.layer_norm(table[3], (3,)), by_hand, atol=1e-4, rtol=1e-4)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Of both the same: about (-1.22, 0, 1.22).
#
# </details>
#
# How *large* a vector was is gone, which way it pointed stays. (A trained LayerNorm then scales and shifts each feature
# by numbers it has learnt; fresh ones are 1 and 0.)
#
# ### Exercise 1 · LayerNorm


# %% exercise="layer_norm"
def my_layer_norm(vectors):
    """(..., D) -> (..., D), each vector with mean 0 and standard deviation 1."""
    centred = vectors - vectors.mean(-1, keepdim=True)
    return centred / centred.square().mean(-1, keepdim=True).sqrt()


# %%
check("encoder.layer_norm", my_layer_norm)

# %% [markdown]
# ## 3 · A block, taken apart
#
# A block has two parts. **Attention** fetches things from other positions. The **feed-forward layer** then thinks about
# each position on its own: wider, a bend (GELU), narrower again. Each part *adds* to what came in.

# %%
goes_in = torch.arange(-4.0, 5.0)
bent = {"GELU": F.gelu(goes_in).tolist(), "no bend": goes_in.tolist()}
show(plots.layers.by_layer(bent, "Comes out", x="Goes in", first=-4))

# %%
config = af.preset("test")
block = Block(config).eval()
x = torch.randn(1, 6, config.d_model)
turns = rotary_table(6, config.head_dim)  # the angles of the positions, as in 04

# %%
with torch.no_grad():
    fetched, _ = block.attention(x, turns)
    after_attention = block.attention_norm(x + fetched)
    thought = block.contract(F.gelu(block.expand(after_attention)))
    by_hand = block.feed_forward_norm(after_attention + thought)

# %%
with torch.no_grad():
    by_library, _ = block(x, turns, None, False)
assert_close(by_hand, by_library)
print("the same; lengths of the vectors:", [round(n, 2) for n in by_library[0].norm(dim=1).tolist()])

# %% [markdown]
# All lengths are $\sqrt{32}$: the norm comes last ("post", as in BERT). The library can also put it first ("pre").
#
# *Predict first: stack eight blocks of each kind. In which one do the numbers grow from layer to layer?* (Fresh weights
# are tiny; five times as large they show more clearly what training does to them.)

# %%
spread = {}
for norm in ("post", "pre"):
    torch.manual_seed(SEED)
    deep = Encoder(af.preset("test", norm=norm, n_layers=8)).eval()
    with torch.no_grad():
        for matrix in (values for values in deep.blocks.parameters() if values.dim() == 2):
            matrix *= 5
        layers = deep(wrap(torch.randint(1024, (1, 1, 40))).tokens, need_hidden=True).all_hidden
    spread[norm] = [layer.std().item() for layer in layers]

# %%
show(plots.layers.by_layer(spread, "Standard deviation"))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# With "pre" the spread grows from block to block until the norm at the very end takes it back; with "post" it is the
# same after every block. The weights were made five times as large so that it shows in a fresh model.
#
# </details>
#
# In "pre" every block adds and nothing is taken back until the norm at the very end. That open path from first to last
# layer is why deep models are often easier to train this way. In "post" every block starts from clean numbers.

# %% [markdown]
# ## 4 · Count the parameters
#
# Width $D$, feed-forward width $F$. *Predict first: which is larger in a block, attention or the feed-forward layer, if
# $F = 4D$?*
#
# ### Exercise 2 · Parameters of one block


# %% exercise="block_parameters"
def my_block_parameters(d_model, d_ff):
    """Width D, feed-forward width F -> parameters of a block, an int."""
    attention = d_model * 3 * d_model + 3 * d_model + d_model * d_model + d_model
    feed_forward = d_model * d_ff + d_ff + d_ff * d_model + d_model
    return attention + feed_forward + 2 * 2 * d_model


# %%
check("encoder.block_parameters", my_block_parameters)


# %%
def counts(encoder):
    """Parameters of one encoder by part."""
    parts = {"embeddings": 0, "norm": 0, "attention": 0, "feed-forward": 0}
    for name, values in encoder.named_parameters():
        part = next((part for part in ("norm", "attention", "embeddings") if part in name), "feed-forward")
        parts[part] += values.numel()
    return parts


# %% [markdown]
# <details><summary>What we saw</summary>
#
# The feed-forward layer, twice as large: $8 D^2$ numbers against $4 D^2$, and a few more.
#
# </details>
#
# The slider builds each size without filling it with numbers, so that the largest costs no memory.


# %%
def draw_size(name):
    """Where the parameters of one encoder of a named size are."""
    with torch.device("meta"):
        show(plots.layers.parameters(counts(Encoder(af.preset(name)))))
    config = af.preset(name)
    print(f"{name}: {config.n_layers} blocks of width {config.d_model};", end=" ")
    print("AudioFormer has one such encoder for each row it reads")


slider("In which sizes is the table of tokens a large part?", ["test", "tiny", "small", "paper"], draw_size, "tiny")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# In the smallest, where it is most of the model. In the paper's size the feed-forward layers hold two thirds: the
# table grows with the width, a block with its square.
#
# </details>
#
# ## 5 · A sound, layer by layer
#
# A rooster, through the bundled pre-trained model.

# %%
waveform = trimmed("rooster").samples[0]
listen(waveform, 24_000, "one crow")

# %%
model, about = af.load_pretrained("pretrained")
codec = af.load_codec(about["codec"]["name"])
tokens = wrap(codec.encode(waveform, 24_000)).tokens[:, : model.config.n_codebooks]
with torch.no_grad():
    layers = model(tokens, need_hidden=True).all_hidden
print(len(layers), "layers of (clips, rows, positions, width)", tuple(layers[0].shape))

# %% [markdown]
# *Predict first: are the vectors of neighbouring frames more alike before the first block, or after the last?*

# %%
near, far = [], []
for layer in layers:
    unit = F.normalize(layer[0, 0], dim=-1)
    near.append((unit[1:] * unit[:-1]).sum(1).mean().item())
    far.append((unit[40:] * unit[:-40]).sum(1).mean().item())
show(plots.layers.by_layer({"neighbours": near, "40 frames apart": far}, "Mean cosine"))

# %% [markdown]
# If the lines rise together, positions come to resemble each other whatever they hold: each has taken in some of all
# the others. If they drift apart, the model builds something local. Which is it here, and would noise instead of a
# rooster look different? (`trimmed("rain")` is one line away.)
#
# <details><summary>What we saw</summary>
#
# Both lines rise: with every layer the positions resemble each other more, those far apart too. Neighbours were alike
# from the start, since neighbouring frames of a crow often have the same codes.
#
# </details>

# %%
unit = F.normalize(layers[-1][0, 0], dim=-1)
show(plots.attention.likeness(unit @ unit.T))

# %% [markdown]
# Bright blocks are stretches that the model holds for similar; the diagonal is every position with itself. Compare them
# with what you heard. This is one clip and one model, so it shows what *can* happen, not what always does.

# %% [markdown]
# ## 6 · One vector for a clip
#
# A classifier wants one vector, so the positions are averaged. With PAD in the table, that needs care.

# %%
hidden = torch.tensor([[[1.0, 0.0], [3.0, 2.0], [9.0, 9.0]], [[1.0, 1.0], [2.0, 2.0], [6.0, 0.0]]])
padding = torch.tensor([[False, False, True], [False, False, False]])

# %% [markdown]
# *Predict first: the two mean vectors. The (9, 9) stands at a PAD position.*

# %%
print(mean_pool(hidden, padding).tolist())
assert_close(mean_pool(hidden, padding), torch.tensor([[2.0, 1.0], [3.0, 1.0]]))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# (2, 1) and (3, 1): the PAD is left out, so the first mean is that of two vectors.
#
# </details>
#
# ### Exercise 3 · The mean of what is real


# %% exercise="mean_pool"
def my_mean_pool(hidden, padding):
    """Hidden (B, S, D), padding (B, S) bool -> (B, D)."""
    real = (~padding)[..., None].float()
    return (hidden * real).sum(1) / real.sum(1)


# %%
check("encoder.mean_pool", my_mean_pool)

# %% [markdown]
# The test that every such model should pass: a clip gets the same vector alone and beside a longer one.

# %%
short, long = tokens[0, :, 1:60], tokens[0, :, 1:-1]
alone, together = collate([short]), collate([short, long])
with torch.no_grad():
    v_alone = model.embedding(alone.tokens, alone.padding)[0]
    v_together = model.embedding(together.tokens, together.padding)[0]
assert_close(v_alone, v_together, atol=1e-4, rtol=1e-4)
print("largest difference", f"{(v_alone - v_together).abs().max().item():.1e}")

# %% [markdown]
# *Predict first: a dog, rain, a rooster, a siren, sea waves. Which of the other four has the vector closest to the
# dog's?*

# %%
labels = ["dog", "rain", "rooster", "siren", "sea_waves"]
vectors = []
for label in labels:
    codes = codec.encode(trimmed(label))[:, : model.config.n_codebooks]
    with torch.no_grad():
        vectors.append(F.normalize(model.embedding(wrap(codes).tokens)[0], dim=0))
for label, vector in zip(labels, vectors, strict=True):
    print(f"dog and {label:9} cosine {(vector @ vectors[0]).item():6.3f}")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# The first line is the dog with itself. Of the others the largest counts; look also how far the second is behind: a
# few hundredths would say little.
#
# </details>
#
# Rank them by ear before you believe them: nobody has told this model yet what we would call similar.
# Notebook 07 pulls vectors apart on purpose; labels come last.

# %% [markdown]
# ## Quiz
#
# **Q1.** A vector is doubled before a LayerNorm. What comes out is
#
# - (a) a vector of zeros
# - (b) the same
# - (c) doubled
# - (d) halved

# %% exercise="quiz"
answer_1 = "b"
# %%
quiz("encoder.doubled", answer_1)

# %% [markdown]
# **Q2.** Width and feed-forward width are both doubled. A block has about
#
# - (a) twice
# - (b) four times
# - (c) eight times the parameters
# - (d) as many: only the shape changes

# %% exercise="quiz"
answer_2 = "b"
# %%
quiz("encoder.wider", answer_2)

# %% [markdown]
# **Q3.** A clip gets another label when it shares a batch with a longer clip. That is
#
# - (a) the effect of dropout in evaluation
# - (b) normal
# - (c) a matter of the learning rate
# - (d) a bug

# %% exercise="quiz"
answer_3 = "d"
# %%
quiz("encoder.companion", answer_3)

# %% [markdown]
# ## Recap
#
# - Token → vector → blocks of (attention, feed-forward), each *added* to what came in, with LayerNorms in between.
# - Parameters grow with the square of the width; in small models the table of tokens is a large part.
# - A clip's vector is the mean over what is real.
#
# **To read.** Layer Normalization (arXiv 1607.06450); on where the norm stands (arXiv 2002.04745). Open: is the mean
# the best single vector of a clip?
#
# Next, [06](06_masked_prediction.ipynb): what such an encoder learns before anybody gives it a label.
