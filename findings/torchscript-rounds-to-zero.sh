#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# One would guess: a TorchScript function gives what it gives in Python, every time that it runs.
# What is so: from its second run on round().long() gives 0, as LibTorch then compiles it by LLVM.
# Versions: python3-torch 2.6.0+dfsg-7 of Debian 13 on amd64. Needs root, debootstrap and 400 MB.
set -euo pipefail

folder=$(mktemp -d)
chmod 755 "$folder"  # apt-get downloads as another user
trap 'rm -rf --one-file-system "$folder"' EXIT

# The namespaces take all mounts and processes with them.
# shellcheck disable=SC2016
unshare --mount --pid --fork --kill-child --mount-proc sh -c '
  set -e
  cat >"$1.py"
  debootstrap --variant=minbase trixie "$1" >/dev/null
  mount --rbind /dev "$1/dev"
  mount -t proc proc "$1/proc"
  export DEBIAN_FRONTEND=noninteractive
  chroot "$1" apt-get install -y -qq --no-install-recommends python3-torch=2.6.0+dfsg-7 >/dev/null
  mv "$1.py" "$1/rounds.py"
  chroot "$1" python3 /rounds.py || exit
' sh "$folder" <<'PYTHON'
import sys
import torch


def rounded(x):
    return (x * 10).round().long()


scripted = torch.jit.script(rounded)
number = torch.tensor([0.3])
results = [scripted(number).item() for _ in range(3)]
print("LibTorch", torch.__version__)
print("in Python      ", rounded(number).item())
print("in TorchScript ", *results)
sys.exit(0 if rounded(number).item() == 3 and results == [3, 0, 0] else 1)
PYTHON
