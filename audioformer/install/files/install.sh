#!/bin/sh
# Installs audioformer from this folder, without internet, on Linux and macOS:
#   sh install.sh [FOLDER]        FOLDER for the programs; default: audioformer in your home folder
# PYTHON=/path/to/python names the Python to use.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
target=${1:-"$HOME/audioformer"}
versions="@PYTHONS@"

fits() {
    command -v "$1" >/dev/null 2>&1 && "$1" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] not in '$versions'.split())" 2>/dev/null
}

python=
if [ -n "${PYTHON:-}" ]; then
    if fits "$PYTHON"; then python=$PYTHON; fi
else
    for version in $versions; do
        if [ -z "$python" ] && fits "python$version"; then python=python$version; fi
    done
    for name in python3 python; do
        if [ -z "$python" ] && fits "$name"; then python=$name; fi
    done
fi
if [ -z "$python" ]; then
    echo "install.sh: needs Python $versions (these packages fit no other); install it, or name it: PYTHON=/path/to/python sh install.sh" >&2
    exit 1
fi

"$python" -m venv "$target"
if ! "$target/bin/python" -m pip install --disable-pip-version-check --no-index --find-links "$here/wheels" "audioformer[@EXTRAS@]==@VERSION@"; then
    echo "install.sh: this bundle is for @SYSTEMS@" >&2
    exit 1
fi
if [ -d "$here/recordings" ]; then
    mkdir -p "$HOME/.audioformer"
    cp -R "$here/recordings" "$HOME/.audioformer/"
fi
"$target/bin/audioformer" check || true
echo
echo "Start the app:        $target/bin/audioformer app --open"
echo "Open the notebooks:   $target/bin/audioformer lab"
