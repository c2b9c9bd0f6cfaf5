#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Completions for bash: what follows a command line, up to the cursor at its end.
# usage: completion.sh FILE FOLDER-OF-PROGRAMS ...
set -euo pipefail

# shellcheck source=/dev/null
. "$1"
shift
for folder; do PATH=$folder:$PATH; done
failures=0
# It fails but in a completion.
compopt() { :; }

# What readline does with a line: = separates words, and is one.
complete_line() {
  local line=$1
  read -r -a COMP_WORDS <<<"${line//=/ = }"
  case $line in *' ') COMP_WORDS+=('') ;; esac
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  local current=${COMP_WORDS[COMP_CWORD]}
  [ "$current" != = ] || current=
  COMPREPLY=()
  _elf "${COMP_WORDS[0]}" "$current" "${COMP_WORDS[COMP_CWORD - 1]}"
}

# expect LINE WORD ...: exactly these follow
expect() {
  local line=$1
  shift
  complete_line "$line"
  [ "${COMPREPLY[*]}" = "$*" ] ||
    { echo "'$line': ${COMPREPLY[*]:-nothing} (expected ${*:-nothing})" >&2 && failures=$((failures + 1)); }
}

# among LINE WORD ...: these too
among() {
  local line=$1 word
  shift
  complete_line "$line"
  for word; do
    case " ${COMPREPLY[*]} " in
      *" $word "*) ;;
      *) echo "'$line': ${COMPREPLY[*]:-nothing} (expected $word among them)" >&2 && failures=$((failures + 1)) ;;
    esac
  done
}

among 'elf-server --' --model= --openvino-dir= --list --help
expect 'elf-server --tok' --token-file=
among 'elf-server --model ' hog simulated yolox-nano
expect 'elf-server --model=yolox' yolox-nano
among 'elf-server --model=' hog
expect 'elf-server -m simu' simulated
expect 'elf-server --port 8000 --check yun' yunet
# Names of files are bash's own business.
expect 'elf-server --tls-cert x'
expect 'elf-server --log='
expect 'elf-server x'

among 'elf-launch ' people webcam
expect 'elf-launch whole' whole-frame
expect 'elf-launch --qu' --quiet
among 'elf-launch people ' input= servers= scan-interval=
expect 'elf-launch --quiet people inp' input=
expect 'elf-launch people input=x scan' scan-interval=
expect 'elf-launch people model=yolox' yolox-nano
expect 'elf-launch people input='
expect 'elf-launch --json x'

if command -v elf-bench >/dev/null; then
  among 'elf-bench --' --modes= --live=
  among 'elf-bench --modes ' single elf oracle
  expect 'elf-bench --modes single,ora' single,oracle
  expect 'elf-bench --model=yunet --mode' --model= --modes=
  expect 'elf-eval ' rp partition simulate
  expect 'elf-eval rp --predictor=l' last lstm
  expect 'elf-eval simulate --partitioner s' strips
  expect 'elf-eval partition --part' --partitioner=
fi
if command -v elf-train >/dev/null; then
  expect 'elf-train -p attn' attn-lstm
fi
[ "$failures" -eq 0 ]
