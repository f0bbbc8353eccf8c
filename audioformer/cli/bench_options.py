"""The options of every benchmark. They stand here, apart from what measures, so that `--help` loads no torch."""

from __future__ import annotations

import argparse

from audioformer.cli.options import add_codec, add_options, add_verb, at_least_one, numbers, seconds, words
from audioformer.cli.settings import add_set, override

PROBE_DATA = {
    "esc10": "ESC-10 or ESC-50 in its published layout: each fold held out, accuracy",
    "digits": "Free Spoken Digit Dataset in its published layout: each speaker held out, accuracy",
    "scenes": "scenes of `audioformer synth`, or any set of that layout with several labels a clip: mAP",
    "folder": "your own sounds: one sub-folder a class, or a CSV with the columns filename,label",
}


def _add_output(parser: argparse.ArgumentParser, holds: str, seeds: int | None, folds: str = "") -> None:
    """The folder of a benchmark that continues where it stopped, and how much of it to measure."""
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help=f"for {holds}; continued if it is there")
    default = (seeds,) if seeds else ()
    options = {
        "--folds": (numbers, "1,2", f"folds to hold out (default all{folds})"),
        "--seeds": (at_least_one, "N", "how many seeds" + ("" if seeds else " (default the preset's)"), *default),
    }
    add_options(parser, options)


def add_codec_bench(benches, run) -> None:
    """Add `bench codec`."""
    about = (
        "How much of a sound the codec keeps with each number of codebooks. Multi-scale log-mel distance and "
        "SI-SDR, medians over files, beside Opus at 6, 12 and 24 kbit/s if Debian's opus-tools are installed; which "
        "codes are in use; speed, size, silence; and, with --classify, what a classifier trained on originals still "
        "knows of decoded sounds."
    )
    example = (
        "audioformer bench codec ESC-10/audio --include '4-*' --codes-of ESC-10/audio --exclude '4-*' "
        "--classify esc50 ESC-10 '4-*'"
    )
    parser = add_verb(benches, "codec", run, about, example)
    add = parser.add_argument
    add("folders", nargs="+", metavar="DIR", help="recordings the codec was not trained on")
    about = "only files whose name fits, e.g. '4-*'; may be repeated"
    add("--include", action="append", metavar="PATTERN", help=about)
    add_options(parser, {"--max-seconds": (seconds, "S", "of each file, seconds", 10.0)})
    about = (
        "count which codes are in use on these recordings, whole, e.g. those it was trained on; may be repeated "
        "(default: those measured)"
    )
    add("--codes-of", action="append", default=[], metavar="DIR", help=about)
    about = "leave files out of --codes-of; may be repeated"
    add("--exclude", action="append", default=[], metavar="PATTERN", help=about)
    about = (
        "train a classifier on the data set's clips (esc50, fsdd, folder) but for the files that fit PATTERNS (with "
        "commas between them), and test it on those, original and decoded; may be repeated"
    )
    add("--classify", action="append", nargs=3, default=[], metavar=("DATASET", "ROOT", "PATTERNS"), help=about)
    add_codec(parser)


def add_encode(benches, run) -> None:
    """Add `bench encode`."""
    about = (
        "How fast many clips are coded. EnCodec 24 kHz beside the package encodec called clip by clip, with the share "
        "of equal codes; the bundled codec; and the limit that the processor's matrix rate sets. Needs encodec "
        "(CC BY-NC 4.0)."
    )
    parser = add_verb(benches, "encode", run, about, "audioformer bench encode --clips 16 --seconds 5")
    options = {
        "--clips": (at_least_one, "B", "clips", 16),
        "--seconds": (seconds, "S", "length of each, seconds", 5.0),
        "--repeats": (at_least_one, "N", "rounds", 3),
        "--weights": (str, "PATH", "published weights; without, random ones of the same format"),
    }
    add_options(parser, options)


def add_train(benches, run) -> None:
    """Add `bench train`."""
    about = (
        "Tokens per second of a masked-language-model step, beside Hugging Face's RoFormer. Same sizes (5.1 million "
        "weights), same start, same batch, same loss, in 32 bits and under bfloat16 autocast; medians. Needs "
        "transformers."
    )
    parser = add_verb(benches, "train", run, about, "audioformer bench train --json")
    options = {
        "--batch": (at_least_one, "B", "clips", 8),
        "--positions": (at_least_one, "S", "tokens a clip, at least 3; 376 are 5 s", 376),
        "--steps": (at_least_one, "N", "measured steps of each", 8),
    }
    add_options(parser, options)
    parser.add_argument("--preset", choices=("default", "test"), default="default", help="sizes (test: tiny)")


def add_growth(benches, run) -> None:
    """Add `bench growth`."""
    about = "How time and memory grow: one clip of 1 s to 10 min read, 1 to 64 clips of 5 s in a training step."
    parser = add_verb(benches, "growth", run, about, "audioformer bench growth --longest 60 --figure growth.html")
    options = {
        "--longest": (seconds, "S", "leave longer clips out, seconds", 600.0),
        "--largest": (at_least_one, "B", "leave larger batches out", 64),
        "--preset": (str, "NAME", "sizes: tiny, small, paper, test", "tiny"),
        "--figure": (str, "FILE", "also write a figure, .html (needs plotly)"),
    }
    add_options(parser, options)


def add_ablation(benches, run) -> None:
    """Add `bench ablation`."""
    about = (
        "Which part of the recipe helps, and by how much. From scratch, linear probe, FT1, FT2 (MPC), single rows, "
        "shared and summed encoders, maskings, synthetic sound, alpha and temperature: on ESC-10 with each fold held "
        "out and on spoken digits with each speaker held out, beside chance and a support vector machine. Every result "
        "is a file of its own: after Ctrl-C or a kill the same command continues, and at most one result is lost; "
        "results.json, results.md and results.html hold whatever is there."
    )
    example = "audioformer bench ablation --esc10 ESC-10 -o runs/ablation --only scratch,ft1,ft2"
    parser = add_verb(benches, "ablation", run, about, example)
    _add_output(parser, "codes, models and results", None, "; for digits: speakers, by number")
    options = {
        "--esc10": (str, "DIR", "ESC-10 or ESC-50 in its published layout"),
        "--digits": (str, "DIR", "Free Spoken Digit Dataset in its published layout"),
        "--preset": (str, "NAME", "laptop (eleven hours of one core), gpu, test", "laptop"),
        "--only": (words, "ROW,...", "rows of the table: svm, scratch, probe, ft1, ... (default all)"),
    }
    add_options(parser, options)
    add_codec(parser)


def add_probe(benches, run) -> None:
    """Add `bench probe`."""
    about = (
        "Frozen features of all kinds, read by the same small probes on the same folds: log-mel "
        "statistics, codec latents, codes, AudioFormer, EnCodecMAE. All choices are made inside the training folds. "
        "Vectors and results stay in the output folder: the same command continues; results.json, results.md and "
        "results.html hold the table and the figure."
    )
    example = "audioformer bench probe --esc10 ESC-10 --digits FSDD -o runs/probe"
    parser = add_verb(benches, "probe", run, about, example)
    _add_output(parser, "vectors and results", 3, "; for digits: speakers, by number")
    about = (
        "statistics, log-mel, codec:NAME, codes:NAME:rows=1-3, or a checkpoint: pretrained, runs/mine:rows=1-3, "
        "runs/mine:layer=2 (default: all of these that are bundled)"
    )
    options = {f"--{name}": (str, "DIR", text) for name, text in PROBE_DATA.items()}
    options |= {
        "--features": (words, "NAME,...", about),
        "--checkpoint": (words, "NAME,...", "checkpoints to measure beside --features"),
        "--probes": (words, "NAME,...", "linear, knn, svm, mlp (default all but mlp: HEAR's, slow)"),
        "--device": (str, "NAME", "torch device", "cpu"),
    }
    add_options(parser, options)
    parser.add_argument("--no-speed", action="store_true", help="leave the measurement of speed out")


def add_adapt(benches, run) -> None:
    """Add `bench adapt`."""
    about = (
        "Five ways to adapt one pre-trained model to labelled clips: the linear layer alone, biases, adapters, "
        "low-rank updates (LoRA), everything; with the numbers each learns and its time. Every fold is held out in "
        "turn; each way's learning rate is chosen inside the other folds. Finished results stay: the same command "
        "continues."
    )
    example = (
        "audioformer bench adapt runs/esc50-codes --from pretrained -o runs/adapt --per-class 8 --set train.n_steps=100"
    )
    parser = add_verb(benches, "adapt", run, about, example)
    parser.add_argument("corpus", metavar="CORPUS", help="folder of `audioformer prepare`, with labels and folds")
    about = "pre-trained model (default the bundled one)"
    parser.add_argument("--from", dest="start", default="pretrained", metavar="DIR", help=about)
    _add_output(parser, "results", 1)
    options = {
        "--preset": (str, "NAME", "recipe of `audioformer finetune`", "recordings"),
        "--only": (words, "NAME,...", "linear, bias, adapter, lora, full (default all)"),
        "--per-class": (at_least_one, "N", "learn from at most N clips of each class (default all)"),
    }
    add_options(parser, options)
    add_set(parser)
    parser.set_defaults(override=override)  # a benchmark knows nothing of the command line


def add_labels(benches, run) -> None:
    """Add `bench labels`."""
    about = (
        "What pre-training is worth, by the number of labels: one model fine-tuned from its pre-trained weights, "
        "trained from scratch with the same recipe and the same rates tried, and read frozen by a linear layer, beside "
        "a support vector machine on log-mel statistics. Every fold is held out in turn; all choices are made inside "
        "the others. Finished results stay: the same command continues."
    )
    example = "audioformer bench labels --esc10 ESC-10 --digits FSDD -o runs/labels --labels 1,5,20,all"
    parser = add_verb(benches, "labels", run, about, example)
    add = parser.add_argument
    for name in ("esc10", "digits"):
        add(f"--{name}", metavar="DIR", help=PROBE_DATA[name])
    about = "pre-trained model (default the bundled one)"
    add("--from", dest="start", default="pretrained", metavar="DIR", help=about)
    _add_output(parser, "codes, vectors and results", 3, "; for digits: speakers, by number")
    about = "labels a class, with commas; all = every clip has one (default 1,5,20,all)"
    add("--labels", type=words, default=("1", "5", "20", "all"), metavar="N,...", help=about)
    add("--only", type=words, metavar="NAME,...", help="finetuned, scratch, linear, svm (default all)")
    about = "codings of each clip that training learns from, all but the first augmented (default 8)"
    add("--codings", type=at_least_one, default=8, metavar="N", help=about)
    add_set(parser)
    parser.set_defaults(override=override)  # a benchmark knows nothing of the command line


def add_surprise(benches, run) -> None:
    """Add `bench surprise`."""
    about = (
        "How well pre-trained models guess hidden codes of clips that they never learned from, in nats and in codes "
        "guessed right, beside what counting alone knows: how common codes are, the last visible code again, the "
        "codec's nearest neighbours, what usually follows. Only frames that sound count."
    )
    example = "audioformer bench surprise runs/sound-codes --on runs/esc10-codes --checkpoint pretrained,runs/hours"
    parser = add_verb(benches, "surprise", run, about, example)
    add = parser.add_argument
    add("corpus", metavar="CORPUS", help="codes to count in; of its split val each source is measured")
    add("--on", type=words, default=(), metavar="CORPUS,...", help="further codes to measure on, all of them")
    about = "pre-trained models (default the bundled one)"
    add("--checkpoint", type=words, default=("pretrained",), metavar="NAME,...", help=about)
    about = "lengths of the hidden runs, frames (default 1,5)"
    add("--spans", type=numbers, default=(1, 5), metavar="N,...", help=about)
    add("--rows", type=at_least_one, default=1, metavar="K", help="codebook rows measured, from the first (default 1)")
    add("--clips", type=at_least_one, default=160, metavar="N", help="clips of each set, at most (default 160)")
    add_codec(parser, default=None, why="; needed only if it is one of your own (default: the corpus's)")


def add_changes(benches, run) -> None:
    """Add `bench changes`."""
    about = (
        "How many labels stay when the same clips are quieter, louder, noisy, heard through a telephone, or later; and "
        "how many of them are right. Give clips that the checkpoint was not trained on."
    )
    example = "audioformer bench changes ESC-10 --dataset esc50 --folds 4 --checkpoint runs/esc10-fold4"
    parser = add_verb(benches, "changes", run, about, example)
    add = parser.add_argument
    add("root", metavar="DIR", help="labelled recordings")
    add("--dataset", required=True, metavar="NAME", help="their layout: esc50, fsdd, folder, ...")
    add("--checkpoint", type=words, default=("esc10",), metavar="NAME,...", help="classifiers (default esc10)")
    add_options(parser, {"--folds": (numbers, "1,2", "folds to measure on (default all)")})


def add_load(benches, run) -> None:
    """Add `bench load`."""
    about = (
        "How fast codec and classifier stay beside busy programs, with the kit's policy for waiting threads, with one "
        "thread, and without a policy. Each is measured in a process of its own."
    )
    parser = add_verb(benches, "load", run, about, "audioformer bench load --busy 0,1,2,4 --seconds 3")
    parser.add_argument(
        "--busy", type=numbers, default=(0, 1, 2, 4), metavar="N,...", help="busy neighbours (default 0,1,2,4)"
    )
    parser.add_argument(
        "--nice",
        type=int,
        choices=range(20),
        default=19,
        metavar="0-19",
        help="their priority (default 19, the lowest)",
    )
    add_options(parser, {"--seconds": (seconds, "S", "measured for each job", 3.0)})


def add_files(benches, run) -> None:
    """Add `bench files`."""
    about = (
        "How many files a second are named, from file to label. A classifier beside log-mel and MFCC statistics with a "
        "support vector machine, and beside Hugging Face's Wav2Vec 2.0 of the same sizes; file by file, and several "
        "files side by side. Needs transformers and scikit-learn."
    )
    parser = add_verb(benches, "files", run, about, "audioformer bench files ESC-10/audio --clips 80")
    parser.add_argument("folder", nargs="?", metavar="DIR", help="of sounds (default: computed ones, WAV, 44.1 kHz)")
    options = {
        "--clips": (at_least_one, "N", "files, at most", 80),
        "--checkpoint": (str, "NAME", "bundled name or folder", "esc10"),
        "--repeats": (at_least_one, "N", "rounds", 3),
    }
    add_options(parser, options)


def add_sight(benches, run) -> None:
    """Add `bench sight`."""
    about = (
        "Sound and sight. Digits: small towers trained for cells of resolution x batch x mixing and for controls, "
        "measured on speakers and writers held out, beside chance and a classic rival (warping and pixels). Scenes: "
        "does a checkpoint's map point at the thing that is heard, in colours that training never showed, beside "
        "motion? Or small models of scenes, one for each resolution. Finished cells stay: the same command continues."
    )
    example = "audioformer bench sight --digits runs/fsdd-codes -o runs/sight"
    parser = add_verb(benches, "sight", run, about, example)
    add = parser.add_argument
    add("-o", "--output", required=True, metavar="DIR", help="for results; continued if it is there")
    add("--digits", metavar="CORPUS", help="spoken digits, prepared with --frames mel256")
    add("--scenes", metavar="CORPUS", help="sounds of the kinds that are drawn, prepared with --frames mel256")
    add(
        "--checkpoint",
        type=words,
        default=(),
        metavar="NAME,...",
        help="finished models, measured on --scenes or --digits",
    )
    add("--learn-from", metavar="CORPUS", help="train a small model of scenes for each resolution on these sounds")
    add("--speakers", type=words, metavar="A,B", help="of --digits, that finished models have not heard (default all)")
    add("--seeds", type=at_least_one, default=3, metavar="N", help="seeds; each holds out two speakers (default 3)")
    add("--steps", type=at_least_one, default=60, metavar="N", help="steps of each cell (default 60)")
    add(
        "--only",
        type=words,
        metavar="NAME,...",
        help="cross (every batch at 8 pixels, every resolution at 128), grid (all), controls (default cross,controls)",
    )


BENCHES = {
    "codec": add_codec_bench,
    "encode": add_encode,
    "train": add_train,
    "growth": add_growth,
    "ablation": add_ablation,
    "probe": add_probe,
    "adapt": add_adapt,
    "labels": add_labels,
    "surprise": add_surprise,
    "changes": add_changes,
    "load": add_load,
    "files": add_files,
    "sight": add_sight,
}
