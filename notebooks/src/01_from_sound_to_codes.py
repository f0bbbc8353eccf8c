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
# # 01 · How does a sound become a few hundred whole numbers?
#
# **You will**
# 1. read a sound three ways: as samples, as a picture, as codes;
# 2. turn vectors into codes by hand, and find that the library does the same;
# 3. hear and measure what each further codebook adds, and what it costs in bits.
#
# **Time** about 45 minutes, of which the computer needs less than one. **Needs** nothing from the network.
#
# Run the cells from top to bottom. Where it says *predict first*, write your guess down before you go on: being wrong
# on purpose is the fastest way through this notebook.

# %%
import audioformer as af
from audioformer import plots
from audioformer.codecs.spectra import log_mel, mel_filters
from audioformer.rvq import ResidualVQ
from audioformer.teaching import check, ears, explore, hint, listen, predict, quiz, reveal, show, trimmed, use

import torch
from torch.testing import assert_close

# %% [markdown]
# ## 1 · A sound is a list of numbers
#
# A microphone measures air pressure many thousand times a second. Each measurement is a **sample**; how many there are
# per second is the **sample rate**, in hertz.

# %%
waveform = trimmed("dog")  # a bundled clip, cut to where it sounds
samples = waveform.samples[0]
print(samples.shape, waveform.sample_rate, "Hz")

# %% [markdown]
# *Predict first: how long is the clip, in seconds? (The numbers above are enough.)*

# %%
print(len(samples) / waveform.sample_rate, "s")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# The samples divided by the samples of one second.
#
# </details>

# %%
listen(waveform, title="the clip")

# %%
show(plots.audio.waveform(samples.numpy(), waveform.sample_rate))

# %% [markdown]
# Where the line is flat, the dog is silent. Zoom into a bark until you see single oscillations: how far apart are
# they, in milliseconds? One divided by that is the pitch of the bark, in hertz. (It wanders; a bark is not a flute.)
#
# <details><summary>What we saw</summary>
#
# The strongest oscillations are about a millisecond apart: the picture in the next section has its loudest place near
# 900 hertz. Between the two barks there is only a little noise of the room.
#
# </details>
#
# ## 2 · The same sound as a picture
#
# How much of one frequency is in a sound? Multiply it with a wave of that frequency and add up. Where the two swing
# together the sum grows, elsewhere it cancels. Let us ask a tone of 3 cycles about 3 and about 5 cycles.

# %%
n = torch.arange(16)
tone = torch.cos(2 * torch.pi * 3 * n / 16)
for cycles in (3, 5):
    wave = torch.cos(2 * torch.pi * cycles * n / 16)
    print(cycles, "cycles:", round((tone * wave).sum().item(), 4))

# %% [markdown]
# (A minus before a zero is only a rounding error that was cut off.) A Fourier transform asks all the frequencies at
# once. Its entry number 3, counted from 0, must be our sum.

# %%
spectrum = torch.fft.rfft(tone)
assert_close(spectrum[3].real, (tone * torch.cos(2 * torch.pi * 3 * n / 16)).sum())
print([round(value, 2) for value in spectrum.abs().tolist()])

# %% [markdown]
# Done for many short, overlapping stretches of a sound, summed into bands that are spaced like human hearing (mel), and
# on a logarithmic scale (decibel), this gives the **log-mel** picture.
#
# *Predict first: will one bark be a thin horizontal line, several parallel lines, or a blob?*

# %%
picture = log_mel(samples, 24_000, n_fft=1024, hop_length=320, n_mels=80)
band_hz = plots.audio.band_centres_hz(mel_filters(24_000, 1024, 80).numpy(), 24_000)
show(plots.audio.log_mel(picture.numpy(), 320 / 24_000, band_hz))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Something of each: a blob in time, since a bark is short, and in it parallel stripes with a smear over them.
#
# </details>
#
# Parallel stripes are harmonics: a voiced sound contains multiples of its pitch. A smear over all frequencies is noise,
# breath or a click. Real barks have both; which part your eyes call "dog" is a question we shall ask a model later.

# %% [markdown]
# ## 3 · From vectors to codes, by hand
#
# A **neural codec** first turns every 320 samples (one **frame**) into a short vector, its **latent**. Then it replaces
# each vector by the number of the nearest entry in a fixed table, the **codebook**. Only that number, the **code**, is
# kept. Here is a codebook with four entries in two dimensions, and one latent.

# %%
codebook = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [4.0, 4.0]])
latent = torch.tensor([3.0, 1.0])

# %% [markdown]
# *Predict first: which of the entries 0, 1, 2, 3 is nearest to (3, 1)? Do it in your head.*

# %%
distances = ((codebook - latent) ** 2).sum(1)
code = distances.argmin()
print("squared distances", distances.tolist(), "→ code", code.item())

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Entry 1, (4, 0): its squared distance is 2, those of the others are 10 and 18.
#
# </details>
#
# The entry is not the latent: something is left over, the **residual**. A second codebook, with finer entries, can
# describe that. This is **residual vector quantisation**:
#
# $$ c_k = \arg\min_v \lVert r_k - e_{k,v} \rVert, \qquad r_{k+1} = r_k - e_{k,c_k}, \qquad r_1 = \text{latent} $$

# %%
residual = latent - codebook[code]
finer = torch.tensor([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]])
second = ((finer - residual) ** 2).sum(1).argmin()
left_over = residual - finer[second]
print("residual", residual.tolist(), "→ code", second.item(), "→ left over", left_over.tolist())

# %% [markdown]
# Two codes, 1 and 3, now stand for (3, 1), and here even without error. The library's quantiser does the same:

# %%
quantiser = ResidualVQ(n_codebooks=2, codebook_size=4, width=2)
quantiser.codebooks.copy_(torch.stack([codebook, finer]))
codes_by_library = quantiser.quantise(latent.reshape(1, 1, 2), n_codebooks=2)
assert_close(codes_by_library.flatten(), torch.stack([code, second]))
print(codes_by_library.flatten().tolist())

# %% [markdown]
# ### Exercise 1 · The nearest entry, for a whole clip
# One row of `latents` per frame. Return one code per frame.


# %% exercise="nearest"
def my_nearest(latents, codebook):
    """Latents (T, D), codebook (V, D) -> codes (T,) int64: the closest entry for each row."""
    return torch.cdist(latents, codebook).argmin(1)


# %%
check("rvq.nearest", my_nearest)

# %% [markdown]
# ### Exercise 2 · All codebooks, one after the other
# *Predict first: do the later codebooks see the latent, or what is left of it?*


# %% exercise="residual_codes"
def my_residual_codes(latents, codebooks):
    """Latents (T, D), codebooks (K, V, D) -> codes (K, T) int64, each row coding what is left."""
    rows, residual = [], latents
    for codebook in codebooks:
        rows.append(torch.cdist(residual, codebook).argmin(1))
        residual = residual - codebook[rows[-1]]
    return torch.stack(rows)


# %%
check("rvq.residual_codes", my_residual_codes)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# What is left of it. A later codebook that saw the latent itself would only repeat the first.
#
# </details>
#
# Stuck? `hint("rvq.residual_codes")` in a cell of its own.

# %% [markdown]
# ## 4 · The real thing
#
# `compact` is the codec that comes with this kit: 8 codebooks of 1024 entries, one column of codes every 320 samples.
#
# *Predict first: how many columns will the clip have? And how many whole numbers is that in all?*

# %%
codec = af.load_codec("compact")
codes = codec.encode(waveform)[0]
print("codes (K, T) =", tuple(codes.shape))
print(codes.numel(), "whole numbers for", len(samples), "samples")

# %%
ranks = plots.codes.colour_ranks(codec.codebooks().numpy())
show(plots.codes.code_grid(codes.numpy(), codec.frame_rate, ranks=ranks))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# The samples divided by 320, rounded up; and eight whole numbers in each column. That is far fewer than the samples.
#
# </details>
#
# Hover over the grid. Row 1 is the coarse sketch: it changes slowly, and in the pauses hardly at all. The lower rows
# describe what is left over, and that looks like noise. A similar colour means a similar vector *within a row*; the
# code numbers themselves mean nothing: 418 is not "more" than 417.
#
# Is this really only a search for the nearest entry? Take the codec's own latents and codebooks and do it by hand.

# %%
latents = codec.latents(waveform)[0].T
nearest = use("rvq.nearest", my_nearest)  # your function if it has its tick, else the library's
by_hand = nearest(latents, codec.codebooks()[0])
agreement = (by_hand == codes[0]).float().mean().item()
print(f"{agreement:.1%} of the first row agree")
assert agreement > 0.99  # the rest are ties, decided by rounding

# %%
residual_codes = use("rvq.residual_codes", my_residual_codes)
all_rows = torch.as_tensor(residual_codes(latents, codec.codebooks()))
print(f"{(all_rows == codes).float().mean():.1%} of all rows agree: these are the codes that you hear below")

# %% [markdown]
# ### Exercise 3 · How many columns?
# A partial frame counts as a whole one.


# %% exercise="n_frames"
def my_n_frames(n_samples, hop_length):
    """Samples of a clip, samples per frame -> number of frames, an int."""
    return -(-n_samples // hop_length)


# %%
check("codec.n_frames", my_n_frames)

# %% [markdown]
# ## 5 · What does it cost?
#
# One code out of 1024 takes $\log_2 1024 = 10$ bits, and there are 8 codebooks and 75 frames a second. A sample of a
# WAV file takes 16 bits. *Predict first: the bits of the codes, as a share of the bits of the samples.*

# %% exercise="prediction"
rate = 0.1
# %%
predict("01.rate", rate)

# %%
print(8 * 10 * 75, "bit/s by hand;", codec.bandwidth_kbps(8) * 1000, "bit/s says the library")
pcm = 16 * waveform.sample_rate
print("16-bit samples need", pcm, "bit/s:", round(pcm / (8 * 10 * 75)), "times as much")
reveal("01.rate", 8 * 10 * 75 / pcm)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# A sixty-fourth. Eight codes of 10 bits, 75 times a second, against 24,000 samples of 16 bits.
#
# </details>
#
# ### Exercise 4 · The bit rate of any codec


# %% exercise="bandwidth_kbps"
def my_bandwidth_kbps(n_codebooks, codebook_size, frame_rate):
    """Codebooks, entries in each (a power of two), frames per second -> kbit/s, a float."""
    bits_per_code = (codebook_size - 1).bit_length()
    return n_codebooks * bits_per_code * frame_rate / 1000


# %%
check("codec.bandwidth_kbps", my_bandwidth_kbps)

# %% [markdown]
# ## 6 · And back: what do the codes keep?
#
# The decoder looks up the entries, adds them, and turns the sum into sound. With fewer rows it has less to add.
#
# *Predict first: with one codebook only, will you still hear that it is a dog?*

# %%
listen(waveform, title="original")
for n_codebooks in (1, 2, 8):
    decoded = codec.decode(codes[:n_codebooks], n_samples=len(samples))
    title = f"{n_codebooks} of 8 codebooks, {codec.bandwidth_kbps(n_codebooks)} kbit/s"
    listen(decoded, codec.sample_rate, title)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Two short bursts, in the right rhythm, are there with one row already: look at the spectrograms. What the other rows
# bring is the fine structure, the parallel stripes of the voice.
#
# </details>
#
# Ears first, numbers second. As a number we take how far the log-mel picture of the decoded sound is from the
# original's, on average over all its cells.


# %%
def difference_db(n_codebooks):
    """Mean difference of the two log-mel pictures, decibel."""
    decoded = codec.decode(codes[:n_codebooks], n_samples=len(samples))[0, 0]
    difference = (log_mel(decoded, 24_000) - log_mel(samples, 24_000)).abs().mean()
    return difference.item() * plots.audio.DB_PER_NEPER


differences = [difference_db(k) for k in range(1, 9)]
show(plots.codes.error_by_codebooks(differences, range(1, 9), label="difference"))

# %% [markdown]
# The first codebooks bring the most. But be careful with the number: in silence, where both sounds are far below what
# anyone hears, a few decibel still count as much as in the middle of a bark. Compare it with your ears: where does it
# disagree with them? Measuring the quality of a sound is an open research question.
#
# <details><summary>What we saw</summary>
#
# Often in the pauses: there the number counts a faint hiss that is too quiet to notice. And a bark that is a little
# too late costs much by this measure and nothing by ear.
#
# </details>
#
# Ears are measured blind: who knows which is which hears what he expects. A is the recording, B what some of the rows
# keep of it, X one of the two. *Predict first: with how many rows will you begin to guess?*

# %%
ROWS = (1, 2, 4, 8)
versions = {f"{k} of 8 rows": codec.decode(codes[:k], n_samples=len(samples)) for k in ROWS}
measure = {f"{k} of 8 rows": differences[k - 1] for k in ROWS}
ears("01.rows", waveform, versions, measure, 24_000)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Your ears decide. Where you only guess, about half of your answers are right, and the interval holds a half.
#
# </details>
#
# After the last round your ears stand over the curve's decibels, with an interval: twelve rounds say little, so run the
# cell again tomorrow; the answers add up. Do your ears and the decibels put the versions in the same order?

# %% [markdown]
# ## 7 · One code, heard
#
# Take one moment of the clip, hold its column of codes for half a second, and decode.
#
# *Predict first: will you hear a bark?*

# %%
loudest = picture.mean(0).argmax().item()
moment = min(loudest, codes.shape[1] - 1)
held = codes[:, moment : moment + 1].repeat(1, 38)
listen(codec.decode(held), codec.sample_rate, f"the column at {moment / codec.frame_rate:.2f} s")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# No: a steady sound with the colour of that moment. A bark needs a beginning and an end.
#
# </details>
#
# And all of them: click a code to hold it, click the waveform to play from there, drag for a stretch in a loop; arrow
# keys go from code to code. *Predict first: will codes of one row that have a similar colour sound alike?*

# %%
explore(waveform)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# In row 1 often, because row 1 says most of what is heard. In the lower rows hardly: they correct what the rows above
# left over, and that is something else in every column.
#
# </details>
#
# A bark is a change in time. A single column has none: it is a colour of sound, not an event. What makes the dog is the
# *sequence* of codes, and that is what the transformer of the next notebooks will read.

# %% [markdown]
# ## Quiz
#
# **Q1.** A clip twice as long gives …
#
# - (a) as many of both: codes have a fixed number
# - (b) twice as many of both
# - (c) twice as many rows
# - (d) twice as many columns

# %% exercise="quiz"
answer_1 = "d"
# %%
quiz("codes.longer_clip", answer_1)

# %% [markdown]
# **Q2.** All codebooks get 2048 instead of 1024 entries. The bit rate
#
# - (a) doubles
# - (b) grows by a tenth
# - (c) stays
# - (d) grows by half

# %% exercise="quiz"
answer_2 = "b"
# %%
quiz("codes.bigger_codebook", answer_2)

# %% [markdown]
# **Q3.** You throw row 1 away and decode rows 2 to 8. You hear
#
# - (a) something odd: corrections of a sketch that is missing
# - (b) the dog, but an octave higher
# - (c) nothing
# - (d) the same, a little duller

# %% exercise="quiz"
answer_3 = "a"
# %%
quiz("codes.missing_row", answer_3)

# %% [markdown]
# Try Q3 for real: what happens to the sound if you shuffle the columns, or swap row 1 with that of another sample
# (`trimmed("rain")`, for instance)?

# %% [markdown]
# ## Recap
#
# - A sound is samples; its log-mel picture shows which frequencies when; its codes are entries of codebooks.
# - Residual vector quantisation: each row codes what the rows above left over. Rows cost $\log_2 V$ bits per frame.
# - The code numbers are names. All meaning is in the codebooks and in the order of the codes.
#
# In the app (`audioformer app`) you can do the same with your own voice: click a code to hear it.
#
# **To read.** SoundStream (arXiv 2107.03312) and EnCodec (arXiv 2210.13438): the codecs whose parts these are. Open:
# which measure agrees with ears?
#
# Next, [02](02_residual_quantisation.ipynb): where codebooks come from.
