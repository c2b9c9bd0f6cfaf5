# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Completions for Elf's programs, from what the programs print themselves.

_elf_models() {
  elf-server --list 2>/dev/null | sed -n '/^$/q; 2,$ s/ .*//p'
}

# Prints the pipelines, or the variables of pipeline $1.
_elf_pipelines() {
  elf-launch --list 2>/dev/null | awk -v of="${1-}" '
    /^[^ ]/ { name = $1; if (of == "") print name }
    /^      / && name == of { sub("=.*", "="); print $1 }'
}

# Prints the values of option $2 where the help in $1 names them: "One of a, b" or "Out of a, b".
_elf_values() {
  local line
  while read -r line; do
    [[ " $line" =~ \ "$2"[,=] && $line =~ (One|Out)\ of\ ([a-z0-9, -]+) ]] || continue
    line=${BASH_REMATCH[2]%, and *}
    echo "${line//,/}"
  done <<<"$1"
}

_elf() {
  local program=$1 current=$2 previous=$3 task='' help words='' pipelines word
  # Bash splits --model=hog and model=hog into three words.
  [ "$current" != = ] || current=
  [ "$previous" != = ] || previous=${COMP_WORDS[COMP_CWORD - 2]}
  [ "${COMP_WORDS[COMP_CWORD]}" != = ] || previous=${COMP_WORDS[COMP_CWORD - 1]}
  if [[ ${program##*/} == elf-eval && $COMP_CWORD -gt 1 && ${COMP_WORDS[1]} != -* ]]; then
    task=${COMP_WORDS[1]}
  fi
  help=$("$program" ${task:+"$task"} --help 2>/dev/null)

  if [[ $previous == -* && " ${help//$'\n'/ }" =~ \ "$previous"(, --[a-z-]+)?= ]]; then
    case $previous in
      -m | --model | --check | --fetch) words=$(_elf_models) ;;
      *) words=$(_elf_values "$help" "$previous") ;;
    esac
  elif [[ $current == -* ]]; then
    words=$(sed -n 's/^ *\(-[a-z], \)\?\(--[a-z-]*=\?\).*/\2/p' <<<"$help")
  elif [[ ${program##*/} == elf-launch && ${COMP_WORDS[COMP_CWORD]} == = || $3 == = ]]; then
    [[ $previous != *model ]] || words=$(_elf_models)
  elif [[ ${program##*/} == elf-launch ]]; then
    pipelines=$(_elf_pipelines)
    words=$pipelines
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
      ! grep -qxF -e "$word" <<<"$pipelines" || words=$(_elf_pipelines "$word")
    done
  elif [[ ${program##*/} == elf-eval && ! $task ]]; then
    words=$(sed -n '/^Tasks:$/,/^$/ s/^  \([a-z]*\): .*/\1/p' <<<"$help")
  fi

  # The last one of a list.
  # shellcheck disable=SC2086
  [[ $current != *,* || ! $words ]] || words=$(printf "${current%,*},%s " $words)
  # Without a word that fits, bash completes the name of a file.
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  [[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null
}

complete -o default -F _elf elf-bench elf-convert-checkpoint elf-eval elf-launch elf-server elf-train
