#!/usr/bin/env bash
# Everything behind results/sight.md and the bundled checkpoints sight-scenes and sight-digits, in order. DATA holds fsdd/
# (takes 5-49) and esc10/; OUT receives sounds, codes and runs. Every step says how long it took, and continues where it
# stopped. `python results/build.py --sight OUT` puts the results on the page.
#   bash scripts/train_sight.sh DATA OUT
set -euo pipefail
DATA=$(realpath "$1")
mkdir -p "$2" && cd "$2"
ln -sfn . runs
read -ra run <<< "${AF:-audioformer}"
AF() {
    local started=$SECONDS
    "${run[@]}" "$@"
    echo "$((SECONDS - started)) s: audioformer $*" | tee -a times.txt
}
kinds=door_knock,hand_claps,water_drops,clock_tick,dog,bell,siren,bird_song,rain,helicopter,crying_baby,engine


# Sounds for drawn scenes, those for testing from another seed; spoken digits. Frames of log-mel bands beside the codes.
AF synth -o heard --kind clips --clips 720 --classes $kinds --duration 3 --seed 31
AF synth -o heard-test --kind clips --clips 240 --classes $kinds --duration 3 --seed 32
AF synth -o scenes --clips 300 --seed 33
for name in heard heard-test; do AF prepare "$name" --dataset esc50 --frames mel256 -o "$name-codes"; done
AF prepare "$DATA/fsdd" --dataset fsdd --frames mel256 -o fsdd-codes

# The bundled checkpoints. A twentieth of the sounds is held out, and one speaker. And a tower before its first step.
AF pretrain heard-codes --method audiovisual --preset scenes --held-out-share 0.05 --set train.validate_every=100 \
  -o sight-scenes
AF pretrain fsdd-codes --method audiovisual --preset digits --held-out-groups theo -o sight-digits
AF pretrain heard-codes --method audiovisual --preset scenes --set train.n_steps=1 --set train.batch_size=4 \
  --set train.learning_rate=1e-12 -o fresh

# The grid of resolution, batch and mixing, and the controls; the map on sounds and colours that training never had, and
# what small models find with more or fewer pixels.
AF bench sight --digits fsdd-codes -o grid
AF bench sight --digits fsdd-codes --checkpoint runs/sight-digits --speakers theo -o digits
AF bench sight --scenes heard-test-codes --checkpoint runs/sight-scenes -o maps
AF bench sight --scenes heard-test-codes --learn-from heard-codes --steps 100 -o resolutions

# The sound towers read by a linear layer, and small towers that learned from pictures, from waveforms, from codes.
towers=statistics,log-mel,runs/fresh,runs/sight-digits,runs/sight-scenes
AF bench probe --esc10 "$DATA/esc10" --features $towers --probes linear --no-speed -o probe-esc10
AF bench probe --digits "$DATA/fsdd" --folds 5 --features $towers --probes linear --no-speed -o probe-digits
AF bench probe --scenes scenes --features $towers --probes linear --no-speed -o probe-scenes
small=(--set model.channels=4 --set model.d_model=64 --set model.shared_width=64 --set train.n_steps=100)
views=()
for view in digits waveform sound; do
    for seed in 0 1 2; do
        AF pretrain fsdd-codes --method audiovisual --preset $view "${small[@]}" --set train.seed=$seed \
          --set sound_s=0.64 --held-out-groups theo -o $view-$seed
        views+=("runs/$view-$seed")
    done
done
AF bench probe --digits "$DATA/fsdd" --folds 5 --features "$(IFS=,; echo "${views[*]}")" --probes linear --seeds 1 \
  --no-speed -o sound-only
