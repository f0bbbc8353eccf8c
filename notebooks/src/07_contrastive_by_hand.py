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
# # 07 · Can a clip's own rows teach a model what belongs together?
#
# **You will**
# 1. draw the matrix of AudioFormer's authors: which pairs attract, which repel;
# 2. compute the contrastive loss (MPC) for one anchor in your head, then for a batch, and find its floor;
# 3. train with it, and see what it does not know.
#
# **Time** about 43 minutes, of which the computer needs about one. **Needs** notebook 05; nothing from the network.

# %%
import audioformer as af
from audioformer import plots
from audioformer.losses import ft2_loss, mpc_chance, mpc_floor, multi_positive_contrastive_loss
from audioformer.teaching import budget, check, hint, listen, quiz, show, slider, trimmed
from audioformer.tokens import collate

import math

import torch
from torch.nn import functional as F
from torch.testing import assert_close

SEED = 7
torch.manual_seed(SEED)
print("seed", SEED)

# %% [markdown]
# ## 1 · Who belongs to whom?
#
# Every clip has several rows of codes, and each row's encoder gives a vector. Rows of the same clip tell of the same
# sound, so their vectors should agree; vectors of other clips should not. (A doubt to keep: row 2 codes what row 1
# left over, which 01 called nearly noise. Why should the two agree? Section 7 measures how much they do before any
# training.) Three clips A, B, C with three rows each, as arrows of length 1 in a plane:

# %%
degrees = torch.tensor([[0.0, 25.0, 50.0], [100.0, 140.0, 70.0], [250.0, 215.0, 290.0]])
arrows = torch.stack([torch.deg2rad(degrees).cos(), torch.deg2rad(degrees).sin()], -1)
names = [f"{clip}{row}" for clip in "ABC" for row in (1, 2, 3)]
show(plots.plane.arrows(arrows.flatten(0, 1), names, [0, 0, 0, 1, 1, 1, 2, 2, 2]))

# %% [markdown]
# The **cosine** of two arrows is 1 if they point the same way, 0 at a right angle, -1 if opposite.
#
# *Predict first: A1 is the anchor. How many positives does it have, how many negatives? Which negative is nearest to
# it?*

# %%
flat = arrows.flatten(0, 1)
show(plots.contrast.similarity(flat @ flat.T, 3, ["A", "B", "C"], "all"))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Two positives, A2 and A3, and six negatives. B3 and C3 are equally near, 70 degrees to either side.
#
# </details>
#
# This is how AudioFormer's authors draw it: a line for each anchor, framed the positives (same clip, another row),
# empty the vector itself, everything else negatives. In their second way of fine-tuning (FT2, section 8), only row 1
# learns; rows 2 and 3 come from **frozen** encoders, which never change. Their drawing shades the lines of rows 2 and
# 3; the kit reads that as: only the lines of row 1 are anchors.

# %%
show(plots.contrast.similarity(flat @ flat.T, 3, ["A", "B", "C"]))

# %% [markdown]
# ### Exercise 1 · Which columns are positives?
# Columns run clip by clip, in each clip row by row: A1, A2, A3, B1 ...


# %% exercise="positives"
def my_positives(n_clips, n_rows):
    """B, R -> (B, B * R) bool: line b is the anchor (clip b, row 1); True = another row of its clip."""
    column = torch.arange(n_clips * n_rows)
    anchor = n_rows * torch.arange(n_clips)[:, None]
    return (column // n_rows == anchor // n_rows) & (column != anchor)


# %%
check("contrast.positives", my_positives)

# %% [markdown]
# ## 2 · One anchor in your head
#
# Two clips, three rows. All of A's vectors are (1, 0), all of B's (0, 1): nothing could be better. With temperature 1
# the candidates of A1 have scores 1, 1 (its positives) and 0, 0, 0 (B).
#
# *Predict first: the share of one positive in the softmax over these five, with $e = 2.718$. And minus its logarithm?*

# %%
e = math.e
share = e / (e + e + 1 + 1 + 1)
print("e", round(e, 3), " share", round(share, 4), " loss", round(-math.log(share), 4))

# %%
perfect = torch.eye(2)[:, None].expand(2, 3, 2)
assert_close(multi_positive_contrastive_loss(perfect, temperature=1.0), torch.tensor(-math.log(share)))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# $e / (2e + 3)$, a little less than a third. Minus its logarithm is a little more than 1.
#
# </details>
#
# Perfect vectors, and a loss above 1? Two things are in the way. The first is the temperature: cosines differ by 1 at
# most, which is little for a softmax. Divided by 0.05 (the authors' first setting), the same difference counts 20.

# %%
print("temperature 0.05:", round(multi_positive_contrastive_loss(perfect, temperature=0.05).item(), 4))

# %% [markdown]
# The second stays: 0.693. *Predict first: where have you seen this number?*
#
# <details><summary>What we saw</summary>
#
# It is log 2: the surprise of a coin (06), that is, of a choice between two that are equally good.
#
# </details>
#
# ## 3 · The floor
#
# The positives compete with each other. Even if they take everything, with two of them each has a half:
# $-\log \tfrac12 = \log 2 = 0.693$. With $N$ rows the floor is $\log(N - 1)$.


# %%
def draw_rows(n_rows):
    """The loss of perfect vectors with so many rows."""
    perfect = torch.eye(3)[:, None].expand(3, n_rows, 3)
    loss = abs(multi_positive_contrastive_loss(perfect, temperature=0.03).item())
    flat = perfect.flatten(0, 1)
    show(plots.contrast.similarity(flat @ flat.T, n_rows, ["A", "B", "C"]))
    print(f"{n_rows} rows, perfect vectors: loss {loss:.4f}, log({n_rows} - 1) = {math.log(n_rows - 1):.4f}")


slider("For which number of rows can the loss reach zero?", range(2, 9), draw_rows, 3)

# %% [markdown]
# The authors do not give their formula. The library knows three, with the same vectors:
#
# - `mean_log`, the one above: minus the logarithm of each positive's share, on average;
# - `log_sum`: the shares of all positives are added first, then the logarithm;
# - `vs_negatives`: each positive competes with the negatives only, not with the other positives.
#
# *Predict first: which of them have a floor above zero?*

# %%
for form in ("mean_log", "log_sum", "vs_negatives"):
    loss = multi_positive_contrastive_loss(perfect, temperature=0.05, form=form)
    floor, chance = mpc_floor(3, form), mpc_chance(16, 3, form)
    print(f"{form:13} loss {loss.item():.4f}  floor {floor:.4f}  chance for 16 clips {chance:.4f}")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# `mean_log` alone. In `log_sum` the positives add up what they take, in `vs_negatives` they do not compete.
#
# </details>
#
# **Chance** is what vectors without any structure give: all candidates equal.
#
# ### Exercise 2 · Both levels, for `mean_log`


# %% exercise="levels"
def my_levels(n_clips, n_rows):
    """B, R -> [chance, floor] in nats."""
    return [math.log(n_clips * n_rows - 1), math.log(n_rows - 1)]


# %%
check("contrast.levels", my_levels)

# %% [markdown]
# ## 4 · A whole batch
#
# Naively: anchor by anchor, positive by positive.

# %%
embeddings = torch.randn(4, 3, 8)
unit = F.normalize(embeddings, dim=-1).flatten(0, 1)
terms = []
for anchor in (0, 3, 6, 9):
    others = [c for c in range(12) if c != anchor]
    total = sum(math.exp(unit[anchor] @ unit[c] / 0.5) for c in others)
    terms += [-math.log(math.exp(unit[anchor] @ unit[p] / 0.5) / total) for p in (anchor + 1, anchor + 2)]
naive = torch.tensor(sum(terms) / len(terms))

# %%
assert_close(multi_positive_contrastive_loss(embeddings, temperature=0.5), naive, atol=1e-5, rtol=1e-5)
print(round(naive.item(), 4), " floor", round(mpc_floor(3), 4), " chance", round(mpc_chance(4, 3), 4))

# %% [markdown]
# ### Exercise 3 · Without loops


# %% exercise="loss"
def my_loss(embeddings, temperature):
    """(B, R, D), temperature -> the loss (mean_log, anchors of row 1), a number."""
    unit = F.normalize(embeddings, dim=-1)
    n_clips, n_rows, _ = unit.shape
    scores = unit[:, 0] @ unit.flatten(0, 1).T / temperature
    own = torch.arange(n_clips), n_rows * torch.arange(n_clips)
    scores[own] = -torch.inf
    positive = torch.eye(n_clips).repeat_interleave(n_rows, 1).bool()
    positive[own] = False
    return -scores.log_softmax(-1)[positive].mean()


# %%
check("contrast.loss", my_loss)

# %% [markdown]
# ## 5 · Temperature: whom to listen to
#
# The share of each candidate says how hard the loss pulls at it. *Predict first: at a low temperature, does A1 push all
# negatives alike, or only the nearest?*


# %%
def draw_temperature(temperature):
    """Shares of A1's candidates."""
    cosines = flat[0] @ flat[1:].T
    shares = (cosines / temperature).softmax(0)
    table = {name: round(10_000 * share) for name, share in zip(names[1:], shares.tolist(), strict=True)}
    show(plots.layers.parameters(table, what="shares out of 10 000", of="candidate"))


temperatures = [0.03, 0.05, 0.1, 0.3, 1.0, 3.0]
slider("At which temperature does a single candidate take nearly all?", temperatures, draw_temperature, 0.3)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# At the lowest: A2, the nearest of all and a positive, takes nearly everything, and what is further away is not heard.
# At a temperature of 3 all candidates count nearly alike, friends and strangers.
#
# </details>
#
# ## 6 · Let go of the arrows
#
# Now gradient descent may turn A1, B1, C1. The arrows of rows 2 and 3 are frozen.
#
# *Predict first: where will A1, B1, C1 end up? Will the loss reach its floor?*

# %%
row_1 = arrows[:, 0].clone().requires_grad_()
optimizer = torch.optim.Adam([row_1], lr=0.05)
losses = []
for _ in range(60):
    all_rows = torch.cat([row_1[:, None], arrows[:, 1:]], 1)
    loss = multi_positive_contrastive_loss(all_rows, temperature=0.3)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())

# %%
levels = {"chance": mpc_chance(3, 3), "floor": mpc_floor(3)}
show(plots.training.losses({"MPC": losses}, levels))

# %%
after = torch.cat([F.normalize(row_1.detach(), dim=-1)[:, None], arrows[:, 1:]], 1)
show(plots.plane.arrows(after.flatten(0, 1), names, [0, 0, 0, 1, 1, 1, 2, 2, 2]))
angles = torch.rad2deg(torch.atan2(after[:, 0, 1], after[:, 0, 0])) % 360
print("now at", {f"{clip}1": f"{angle:.0f}°" for clip, angle in zip("ABC", angles.tolist(), strict=True)})
print("loss", round(losses[0], 2), "→", round(losses[-1], 2), " floor", round(mpc_floor(3), 2))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Each anchor has turned towards its own frozen friends, but none stands between them: A1 stops short of A2 and A3, on
# the side away from B3, which stands only 20 degrees behind A3 and pushes. The loss has fallen a little and is far
# from its floor: the floor is for frozen rows that are perfect already. Pull and push at once: that is what the
# contrast does, and a batch decides who pushes.
#
# </details>

# %% [markdown]
# ## 7 · Real clips
#
# Eight samples (two of them dogs), three rows, three fresh encoders. Rows 2 and 3 are frozen, as in the authors'
# drawing.

# %%
others = ("rain", "rooster", "siren", "piano", "clock_tick", "laughter")
wanted = [("dog", 1), ("dog", 2), *((label, 1) for label in others)]
clips = [trimmed(*one) for one in wanted]
codec = af.load_codec("compact")
batch = collate([codec.encode(clip)[0][:3, :150] for clip in clips])
clip_names = [f"{label} {number}" for label, number in wanted]
labels = [f"{name}·" for name in clip_names]  # "dog 2·3" is row 3 of the second dog

# %%
torch.manual_seed(SEED)
model = af.AudioFormer(af.preset("test", n_codebooks=3), mlm=False).eval()
model.freeze_rows([1, 2])


# %%
def cosines():
    """(M, M) of all (clip, row) vectors."""
    with torch.no_grad():
        unit = F.normalize(model.row_embeddings(batch.tokens, batch.padding).flatten(0, 1), dim=-1)
    return unit @ unit.T


before = cosines()
own = before[torch.arange(0, 24, 3), torch.arange(1, 24, 3)].mean()
print(f"rows 1 and 2 of one clip, before any training: cosine {own:.2f}; two clips' rows 1: {before[0, 6]:.2f}")
show(plots.contrast.similarity(before, 3, labels))

# %% [markdown]
# *Predict first: is the loss of a fresh model at chance, above, or below? (Chance is for equal similarities.)*

# %%
with torch.no_grad():
    start = multi_positive_contrastive_loss(model.row_embeddings(batch.tokens, batch.padding))
print("loss", round(start.item(), 3), " chance", round(mpc_chance(8, 3), 3), " floor", round(mpc_floor(3), 3))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Above chance is possible: whoever is wrong with conviction does worse than somebody who knows nothing.
#
# </details>

# %%
optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=2e-3)
losses = []
for _ in range(budget(120, 15)):
    loss = multi_positive_contrastive_loss(model.row_embeddings(batch.tokens, batch.padding))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())

# %%
show(plots.training.losses({"MPC": losses}, {"chance": mpc_chance(8, 3), "floor": mpc_floor(3)}))

# %%
after = cosines()
show(plots.contrast.similarity(after, 3, labels))

# %% [markdown]
# The frames should be brighter now than what is around them. Eight clips are learnt by heart, of course: this shows the
# mechanism, not that it helps with sounds it never met.
#
# *Predict first: the two dogs. Has the contrast brought their row-1 vectors together or driven them apart?*

# %%
for number, clip in ((1, clips[0]), (2, clips[1])):
    listen(clip, title=f"dog {number}")
print("cosine of their row-1 vectors before", round(before[0, 3].item(), 3))
print("and after", round(after[0, 3].item(), 3))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Driven apart, clearly: alike before, because every fresh encoder gives nearly the same vector to everything, and
# strangers after.
#
# </details>
#
# To this loss a second dog is a stranger like the rain. What tells two clips apart most easily need not be what you
# call them by: it may be loudness, hiss, or the microphone. Which clip does the model now confuse most with which?

# %%
strangers = after[::3, ::3].clone().fill_diagonal_(-1)
one, other = divmod(strangers.argmax().item(), 8)
print("closest strangers:", clip_names[one], "and", clip_names[other])
listen(clips[one], title=clip_names[one])
listen(clips[other], title=clip_names[other])

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Two sounds that a person would not confuse. Eight clips pushed apart in a space have to stand next to something;
# which two end up closest is an accident of these few steps, not a judgement.
#
# </details>
#
# ## 8 · Together with labels: FT2
#
# That is why FT2 adds the contrast to a loss on labels, the classification loss of notebook 09. Their scripts have a
# weight $\alpha$ without saying what it multiplies; the kit takes $\alpha \cdot$ classification
# $+ (1 - \alpha) \cdot$ contrast, since their later and better runs have the larger $\alpha$.
#
# *Predict first: with $\alpha = 0.8$, a classification loss of 2 and a contrast of 1, the total is ...?*

# %%
print(round(ft2_loss(torch.tensor(2.0), torch.tensor(1.0), alpha=0.8).item(), 4))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# 1.8: four fifths of 2 and one fifth of 1.
#
# </details>
#
# In their table the contrast adds 0.3 to 0.5 points of mAP (mean average precision, 0 to 100: how well the clips of a
# class stand at the top when all clips are sorted by their score for it): something, not much.
# `audioformer finetune --method ft2` lets you measure it on your own sounds.

# %% [markdown]
# ## Quiz
#
# **Q1.** Three rows, and the loss stops falling at 0.69.
#
# - (a) That is its floor
# - (b) the learning rate is too low
# - (c) The three rows hold the same codes
# - (d) there is a bug in the masking

# %% exercise="quiz"
answer_1 = "a"
# %%
quiz("contrast.plateau", answer_1)

# %% [markdown]
# **Q2.** You go from 16 to 64 clips a batch. At the start the loss is
#
# - (a) higher, and that says nothing about quality
# - (b) infinite: too many candidates
# - (c) the same
# - (d) lower

# %% exercise="quiz"
answer_2 = "a"
# %%
quiz("contrast.batch", answer_2)

# %% [markdown]
# **Q3.** A batch holds two clips of the same dog. The contrast alone
#
# - (a) pulls together only their first rows
# - (b) pushes them apart
# - (c) leaves them out
# - (d) pulls them together

# %% exercise="quiz"
answer_3 = "b"
# %%
quiz("contrast.same_class", answer_3)

# %% [markdown]
# ## Recap
#
# - Positives: other rows of the same clip. Negatives: all of the other clips. Anchors: row 1, since the rest is frozen.
# - Chance is $\log(BN - 1)$, the floor $\log(N - 1)$. A plateau at 0.693 with three rows is success.
# - The contrast knows clips, not classes. Labels have to say the rest.
#
# **To read.** Contrastive predictive coding (arXiv 1807.03748) and supervised contrast (arXiv 2004.11362): the loss.
# Open: which clips should count as wrong?
#
# Next, [08](08_pretrain_one.ipynb): a loss on many clips, with a training loop that can be stopped and resumed.
