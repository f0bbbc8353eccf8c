#!/usr/bin/env bash
# Everything that made the bundled codec and checkpoints and their scores, in order: about 3 hours on 2 cores.
#   bash scripts/train_bundled.sh DATA OUT
# DATA holds esc10/ (ESC-50 layout, folds 1-4), fsdd/ (takes 5-49) and librosa_examples/; OUT receives data, codes and
# runs. Every step continues where it was stopped. The bundled weights are older than the last changes to the synthetic
# sounds, and sums on another processor round differently: expect the same scores, not the same bytes.
set -euo pipefail
DATA=$1 OUT=$2
AF=${AF:-audioformer}

# sounds, or words, on which a checkpoint OUT/NAME is scored; the result is OUT/NAME.json
score_esc10() { $AF evaluate "$DATA/esc10" --dataset esc50 --checkpoint "$OUT/$1" "${@:2}" --json > "$OUT/$1.json"; }
score_fsdd() { $AF evaluate "$DATA/fsdd" --dataset fsdd --checkpoint "$OUT/$1" "${@:2}" --json > "$OUT/$1.json"; }

# The codec. It is not trained on ESC-10 fold 4, the FSDD speaker theo and two of the longer recordings. First all of it
# is trained; then, while the codes stay as they are, the decoder alone learns to fluctuate as real sound does (3 runs).
$AF synth -o "$OUT/synth-codec" --kind clips --clips 918 --seed 900
codec_data=("$DATA/esc10" "$DATA/esc10" "$DATA/fsdd" "$DATA/librosa_examples" "$OUT/synth-codec")
held_out=(--exclude '4-*' --exclude '*_theo_*' --exclude '5703-*' --exclude 'sorohanro*')
$AF train-codec "${codec_data[@]}" "${held_out[@]}" --preset laptop --name compact -o "$OUT/codec-first"
decoder=("${codec_data[@]}" "${held_out[@]}" --preset laptop-decoder --name compact)
$AF train-codec "${decoder[@]}" --start "$OUT/codec-first" --set train.n_steps=400 --set train.warm_up_share=0.125 \
  --set train.texture=1 --set train.colour=0 -o "$OUT/codec-second"
$AF train-codec "${decoder[@]}" --start "$OUT/codec-second" --set train.n_steps=2600 -o "$OUT/codec-third"
$AF train-codec "${decoder[@]}" --start "$OUT/codec-third" --set train.seed=8 -o "$OUT/compact"
# (to use your own codec below, copy OUT/compact over audioformer/assets/codecs/compact)
trained_on=(--codes-of "$DATA/esc10" --codes-of "$DATA/fsdd" --codes-of "$OUT/synth-codec")
sounds=(--include '4-*' "${trained_on[@]}" --exclude '4-*' --exclude '*_theo_*' --classify esc50 "$DATA/esc10" '4-*')
$AF bench codec "$DATA/esc10" "${sounds[@]}" --json > "$OUT/codec-esc10.json"
words=(--include '*_theo_?.wav' --include '*_theo_1?.wav' --classify fsdd "$DATA/fsdd" '*_theo_?.wav,*_theo_1?.wav')
$AF bench codec "$DATA/fsdd" "${words[@]}" --json > "$OUT/codec-fsdd.json"
$AF bench codec "$DATA/librosa_examples" --include "5703-*" --include "sorohanro*" --json > "$OUT/codec-long.json"

# Codes.
$AF synth -o "$OUT/synth" --kind clips --clips 2040 --seed 1
$AF synth -o "$OUT/synth10" --kind clips --clips 800 --seed 4 --classes esc10
$AF synth -o "$OUT/scenes" --kind scenes --clips 1200 --seed 2
$AF synth -o "$OUT/scenes-test" --kind scenes --clips 200 --seed 3
$AF synth -o "$OUT/scenes-validation" --kind scenes --clips 100 --seed 5
for name in synth synth10 scenes; do $AF prepare "$OUT/$name" --dataset esc50 -o "$OUT/$name-codes"; done
mixed=("$DATA/esc10" --dataset esc50 --augment strong-mixup)
$AF prepare "${mixed[@]}" --variants 40 -o "$OUT/esc10-codes"
$AF prepare "$DATA/esc10" --dataset esc50 --augment robust --variants 16 -o "$OUT/esc10-robust"
$AF prepare "$DATA/fsdd" --dataset fsdd --variants 5 --augment light -o "$OUT/fsdd-codes"
$AF prepare "$DATA/fsdd" --dataset fsdd --variants 16 --augment voices -o "$OUT/fsdd-voices"

# A small pre-trained model, one frame a position: what `synthetic` and `scenes` start from, and until November 2026 the bundled
# `pretrained`. It is not trained on ESC-10, nor on FSDD takes 5-13 (fold 1).
unlabelled=("$OUT/synth-codes" "$OUT/scenes-codes" "$OUT/fsdd-codes:not_folds=1:variants=0,1" --preset bundled)
$AF pretrain "${unlabelled[@]}" -o "$OUT/former"

# The same as the authors shape it, one encoder for each of three rows: not bundled, measured by `bench probe`.
$AF pretrain "${unlabelled[@]}" --set model.rows=separate --set model.n_codebooks=3 -o "$OUT/pretrained-rows"

# On hours of unlabelled sound of all kinds, if SOUND names a folder of it: a CSV with the columns filename,label,split,group, whole
# packages as split val: the bundled `pretrained`.
if [ -n "${SOUND:-}" ]; then
  $AF prepare "$SOUND" --dataset folder -o "$OUT/sound-codes"
  $AF pretrain "$OUT/sound-codes" --split train --held-out-split val --preset hours -o "$OUT/pretrained"
fi

# All 51 classes of synthetic sound, one a clip: a classifier to start from. It has no recording with its label.
$AF finetune "$OUT/synth-codes" --from "$OUT/former" --preset synthetic -o "$OUT/synthetic"

# ESC-10, each fold held out in turn, then all four, from the bundled `pretrained`, on clips as they are and on changed
# ones. That the two kinds are mixed was tried with fold 3, the rest of the recipe chosen with folds 1 and 4. What the
# four models say of their folds becomes held_out.json of the fifth, and its temperature; FOREIGN, a folder of sounds of
# other kinds in sub-folders, tells how well these are told apart.
for fold in 1 2 3 4; do
  rest=$(echo 1,2,3,4 | sed "s/$fold,//; s/,$fold//")
  both=("$OUT/esc10-codes:folds=$rest" "$OUT/esc10-robust:folds=$rest")
  $AF finetune "${both[@]}" --from pretrained --preset esc10 -o "$OUT/esc10-fold$fold"
done
$AF finetune "$OUT/esc10-codes" "$OUT/esc10-robust" --from pretrained --preset esc10 -o "$OUT/esc10"
for fold in 1 2 3 4; do score_esc10 "esc10-fold$fold" --folds "$fold" --held-out "$OUT/esc10"; done
$AF evaluate "$DATA/esc10" --dataset esc50 --folds 1,2,3,4 --checkpoint "$OUT/esc10" \
  --calibrate ${FOREIGN:+--foreign "$FOREIGN"}
$AF evaluate "$DATA/esc10" --dataset esc50 --folds 1,2,3,4 --checkpoint "$OUT/esc10" \
  --familiarity pretrained ${FOREIGN:+--foreign "$FOREIGN"}

# The same classes from synthetic sound alone, on all real recordings.
$AF finetune "$OUT/synth10-codes" --from "$OUT/former" --preset recordings -o "$OUT/esc10-synthetic"
score_esc10 esc10-synthetic

# Digits: each speaker held out in turn, then takes 5-13, then nothing. A fresh model: the pre-trained one, though trained
# on these speakers, did not help. george and nicolas are the two that the recipe was chosen with.
fresh=(--from none --preset digits)
speakers=(george jackson lucas nicolas theo yweweler)
for i in "${!speakers[@]}"; do
  $AF finetune "$OUT/fsdd-voices:not_groups=${speakers[i]}" "${fresh[@]}" -o "$OUT/digits-without-${speakers[i]}"
  score_fsdd "digits-without-${speakers[i]}" --option fold=speaker --folds $((i + 1))
done
$AF finetune "$OUT/fsdd-voices:not_folds=1" "${fresh[@]}" -o "$OUT/digits-fold1"
score_fsdd digits-fold1 --folds 1
$AF finetune "$OUT/fsdd-voices" "${fresh[@]}" -o "$OUT/digits"

# Scenes.
$AF finetune "$OUT/scenes-codes" --from "$OUT/synthetic" --preset scenes -o "$OUT/scenes-model"
$AF evaluate "$OUT/scenes-validation" --dataset esc50 --checkpoint "$OUT/scenes-model" --choose-thresholds
$AF evaluate "$OUT/scenes-test" --dataset esc50 --checkpoint "$OUT/scenes-model" --json > "$OUT/scenes.json"

# EnCodecMAE: the codec's latents beside the codes, one pre-trained model, probed: its last layer alone learns labels.
$AF prepare "$OUT/synth" --dataset esc50 --frames latents -o "$OUT/synth-frames"
$AF prepare "$DATA/fsdd" --dataset fsdd --variants 2 --augment light --frames latents -o "$OUT/fsdd-frames"
$AF prepare "${mixed[@]}" --variants 4 --frames latents -o "$OUT/esc10-frames"
$AF pretrain "$OUT/synth-frames" "$OUT/fsdd-frames:not_folds=1" --method encodecmae --preset tiny \
  --set train.n_steps=2600 -o "$OUT/encodecmae-tiny"
probe=(--from "$OUT/encodecmae-tiny" --preset probe)
for fold in 1 2 3 4; do
  rest=$(echo 1,2,3,4 | sed "s/$fold,//; s/,$fold//")
  $AF finetune "$OUT/esc10-frames:folds=$rest" "${probe[@]}" -o "$OUT/encodecmae-esc10-fold$fold"
  score_esc10 "encodecmae-esc10-fold$fold" --folds "$fold"
done
$AF finetune "$OUT/esc10-frames" "${probe[@]}" -o "$OUT/encodecmae-esc10"
probe+=(--set crop_s=1.5 --set min_crop_s=1.5)
$AF finetune "$OUT/fsdd-frames:not_folds=1" "${probe[@]}" -o "$OUT/encodecmae-digits-fold1"
score_fsdd encodecmae-digits-fold1 --folds 1
$AF finetune "$OUT/fsdd-frames" "${probe[@]}" -o "$OUT/encodecmae-digits"
