#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Each man page has a name, a synopsis and every option of its program.
# usage: man_pages.sh PAGE ... -- FOLDER-OF-PROGRAMS ...
set -euo pipefail

pages=()
while [ "$1" != -- ]; do pages+=("$1") && shift; done
shift
for folder; do PATH=$folder:$PATH; done
for page in "${pages[@]}"; do
  text=$(sed 's/\\-/-/g; s/\\fR//g; s/\\fB//g; s/\\fI//g' "$page")
  name=$(basename "$page" .1)
  for section in NAME SYNOPSIS OPTIONS; do
    # Options of elf-eval are those of its tasks.
    [ "$name-$section" != elf-eval-OPTIONS ] || continue
    grep -qx ".SH $section" <<<"$text" || { echo "$page: has no $section" >&2 && exit 1; }
  done
  tasks=('')
  [ "$name" != elf-eval ] || tasks=(rp partition simulate)
  for task in "${tasks[@]}"; do
    for option in $("$name" ${task:+"$task"} --help | grep -oE -e '^ +(-[a-z], )?--[a-z-]+' | grep -oE -e '--.*'); do
      grep -qE -e "$option(=|$)" <<<"$text" || { echo "$page: has no $option" >&2 && exit 1; }
    done
  done
done
