#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The last part of tests/packages inside the chroot: removes and checks them.
set -euo pipefail
# shellcheck source=tests/deploy/steps.sh
. "$(dirname "$0")/steps.sh"

step "installed again, removed, purged"
token=$(cat /etc/elf/token)
cd /tmp/run
apt-get install -y -qq --reinstall elf-server >/tmp/apt.log 2>&1
[ "$(cat /etc/elf/token)" = "$token" ]
for each in "${ours[@]}"; do dpkg -L "$each"; done | sort -u >listed
mkdir -p /var/log/private/elf && touch /var/log/private/elf/requests.log && ln -s private/elf /var/log/elf
apt-get remove -y -qq "${ours[@]}" >/tmp/apt.log 2>&1
[ -f /etc/elf/server.conf ] && [ -f /etc/elf/token ]
apt-get purge -y -qq "${ours[@]}" >/tmp/apt.log 2>&1
left=$(grep -E '/[^/]*elf' listed | while read -r file; do [ ! -e "$file" ] || echo "$file"; done)
[ -z "$left" ] || fail "purge leaves $left"
# What is ours and not in a package: nothing outside of this script's folders.
left=$(find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /elf -o -path /tmp -o -path /root \
  -o -path /var/lib/apt -o -path /var/cache -o -path /usr/include \) -prune -o \
  \( -name 'elf-*' -o -name elf -o -name '*elfvision*' -o -name '*gstelf*' -o -name 'GstElf*' \) -print)
[ -z "$left" ] || fail "purge leaves $left"

step "lintian"
get lintian
lintian --allow-root --fail-on error /elf/packages/*.deb || fail "lintian finds errors"

step "all is well"
