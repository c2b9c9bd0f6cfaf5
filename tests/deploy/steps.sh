# SPDX-License-Identifier: LGPL-2.1-or-later
# What the parts of tests/packages inside the chroot share.
# shellcheck shell=bash

step() { echo "packages: $*" >&2; }
fail() { step "$*" && exit 1; }
get() { apt-get install -y -qq --no-install-recommends "$@" >/tmp/apt.log 2>&1 || { cat /tmp/apt.log >&2 && fail "apt-get install $*"; }; }
has() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

# Names of the packages in /elf/packages, but for those of debug symbols.
ours=()
for file in /elf/packages/*.deb; do
  name=$(dpkg-deb --field "$file" Package)
  case $name in *-dbgsym) ;; *) ours+=("$name") ;; esac
done
