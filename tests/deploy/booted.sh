#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The part of tests/packages in which systemd runs the services, inside the booted chroot. Leaves its
# exit status in /elf/booted.
trap 'echo $? >/elf/booted; systemctl --no-block start poweroff.target' EXIT
set -euo pipefail
# shellcheck source=tests/deploy/steps.sh
. /elf/steps.sh

url=http://127.0.0.1:8000/v2/models/hog
asked() { curl -fsS -o /dev/null -H "Authorization: Bearer $(cat /etc/elf/token)" "$url"; }
shown() { systemctl show --property "$2" --value "$1"; }
# Until the command succeeds.
await() {
  for _ in $(seq 300); do
    ! "$@" 2>/dev/null || return 0
    sleep 0.1
  done
  fail "waited in vain: $*"
}
trouble() {
  systemctl --no-pager status 'elf-*' || true
  journalctl --no-pager -u 'elf-*' | tail -n 50
  fail "systemd: line $1"
}
trap 'trouble $LINENO' ERR

step "elf-server under $(systemctl --version | head -n 1 | cut -d ' ' -f 1,2)"
systemctl start elf-server
asked
! curl -fsS -o /dev/null "$url" 2>/dev/null || fail "the service serves without a token"
[ "$(shown elf-server User)" = elf-server ]
systemctl reload elf-server
serves() { shown elf-server StatusText | grep -q "serves $1"; }
await serves hog
asked
before=$(shown elf-server MainPID)
kill -KILL "$before"
await asked
[ "$(shown elf-server MainPID)" != "$before" ]
systemctl stop elf-server
[ "$(shown elf-server Result)" = success ]
systemctl start elf-server.socket
asked
systemctl stop elf-server.socket elf-server

step "two cameras"
systemctl start elf-server
mkdir -p /etc/elf/cameras /etc/systemd/system/elf-camera@.service.d
cat >/etc/elf/test.pipeline <<'END'
[pipeline]
launch=videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=10/1 ! elfoffload servers=http://127.0.0.1:8000 token-file={token-file} ! elfmerge results-location={results} ! fakesink name={name}
[variable token-file]
[variable results]
[variable name]
END
printf '[Service]\nLoadCredential=token:/etc/elf/token\n' >/etc/systemd/system/elf-camera@.service.d/token.conf
for camera in door yard; do
  install -m 600 /dev/stdin "/etc/elf/cameras/$camera.conf" <<END
[elf-launch]
pipeline=/etc/elf/test.pipeline
[variables]
token-file=/run/credentials/elf-camera@$camera.service/token
results=results.jsonl
name=secret-of-$camera
END
done
systemctl daemon-reload
systemctl start elf-camera@door elf-camera@yard
for camera in door yard; do
  await grep -q '"inferred":true' "/var/lib/elf/cameras/$camera/results.jsonl"
  [ "$(shown elf-camera@$camera User)" = elf-camera-$camera ]
  [ "$(stat -L -c '%a %u' "/var/lib/elf/cameras/$camera")" = "750 $(shown elf-camera@$camera UID)" ]
  ! grep -q secret "/proc/$(shown elf-camera@$camera MainPID)/cmdline" || fail "a secret is on a command line"
done
[ "$(shown elf-camera@door UID)" != "$(shown elf-camera@yard UID)" ]
results=/var/lib/elf/cameras/door/results.jsonl
mv "$results" "$results.1"
systemctl reload elf-camera@door
await test -s "$results"
systemctl stop elf-camera@door elf-camera@yard
for camera in door yard; do [ "$(shown elf-camera@$camera Result)" = success ]; done
# The last line is whole.
[ -z "$(tail -c 1 "$results")" ]
! journalctl --no-pager | grep -q secret-of || fail "a secret is in the journal"
rm -r /etc/elf/cameras /etc/elf/test.pipeline /etc/systemd/system/elf-camera@.service.d /var/lib/elf /var/lib/private/elf
systemctl stop elf-server
