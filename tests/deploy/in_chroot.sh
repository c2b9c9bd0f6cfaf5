#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The part of tests/packages that installs and runs them, inside the chroot.
set -euo pipefail
# shellcheck source=tests/deploy/steps.sh
. "$(dirname "$0")/steps.sh"

# The line of standard output with `listening` in file $1.
url_in() {
  local url
  for _ in $(seq 300); do
    url=$(sed -n 's/^listening //p' "$1")
    [ -z "$url" ] || break
    sleep 0.1
  done
  [ -n "$url" ] || fail "elf-server does not listen"
  echo "$url"
}

cd /elf/packages
for file in *.deb; do
  dpkg-deb --field "$file"
  printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$file" "$(stat -c %s "$file")" "$(sha256sum "$file" | cut -d ' ' -f 1)"
done >Packages
echo 'deb [trusted=yes] file:/elf/packages ./' >/etc/apt/sources.list.d/elf.list
apt-get update -qq
mkdir /tmp/run
cd /tmp/run

step "elf-server alone"
get elf-server
for each in libtorch1.13 libtorch2.6 elf-server-onnxruntime; do
  ! has "$each" || fail "elf-server needs $each"
done
elf-server --list | grep -E '^hog .*no file needed' >/dev/null
[ "$(stat -c '%a %U' /etc/elf/token)" = "600 root" ]
token=$(cat /etc/elf/token)
[ ${#token} -eq 32 ]

step "elements"
get gstreamer1.0-elf gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly
for element in elfrppredict elfpartition elfoffload elfmerge; do
  gst-inspect-1.0 "$element" >/dev/null
done

step "programs"
get elf-tools
elf-server --config /etc/elf/server.conf --token-file /etc/elf/token --port 0 >said &
server=$!
url=$(url_in said)
gst-launch-1.0 -q videotestsrc num-buffers=20 ! video/x-raw,width=640,height=480 ! jpegenc ! avimux ! filesink location=in.avi
gst-launch-1.0 -q filesrc location=in.avi ! decodebin ! videoconvert ! elfrppredict ! elfpartition ! \
  elfoffload servers="$url" token-file=/etc/elf/token ! elfmerge results-location=direct.jsonl ! fakesink
[ "$(grep -c '"inferred":true' direct.jsonl)" -ge 1 ] || { head -c 1000 direct.jsonl >&2 && fail "no frame was inferred"; }
kill "$server"
wait "$server"
elf-server --port 0 >said &
server=$!
url=$(url_in said)
elf-launch --quiet people input=in.avi servers="$url" output=out.mp4 results=people.jsonl
[ "$(wc -l <people.jsonl)" -eq 20 ] && [ -s out.mp4 ]
kill "$server"
wait "$server"
elf-bench --input in.avi --frames 5 --repeats 1 --modes single,elf | grep -w elf >/dev/null

step "development"
get libelfvision-dev gcc libc6-dev pkg-config
examples=/usr/share/doc/libelfvision-dev/examples
# shellcheck disable=SC2046 # several flags
cc "$examples/embed.c" -o embed $(pkg-config --cflags --libs gstreamer-elfvision-1.0)
./embed "$examples/embed.pipeline" frames=3 >/dev/null
pkg-config --exists elfvision elfvision-server

step "Python"
get python3-gst-1.0
python3 "$examples/count_line.py" 0,0,1,1 "$examples/embed.pipeline" frames=3 | grep -x "to the left: 0, to the right: 0" >/dev/null

step "all other packages"
get "${ours[@]}" man-db bash-completion systemd curl
if has elf-server-onnxruntime; then elf-server --list | grep -E '^  onnxruntime +1\.' >/dev/null; fi
echo broken >broken.torchscript
! elf-server --check ./broken.torchscript 2>said || fail "a broken file is a model"
! grep "must be built" said || fail "elf-server-torch is not found"
elf-train --synthetic 2 --epochs 1 --output trained.safetensors >/dev/null 2>&1
[ -s trained.safetensors ]
if has elf-server-openvino; then
  elf-server --list | grep -E '^  openvino +not here: libopenvino\.so\.[0-9]+' >/dev/null
  if [ -d /elf/openvino ]; then
    step "OpenVINO where server.conf says"
    sed -i 's#^\#openvino-dir=.*#openvino-dir=/elf/openvino#' /etc/elf/server.conf
    elf-server --config /etc/elf/server.conf --list | grep -E '^  openvino +20.*: cpu' >/dev/null
    if [ -f /elf/yolox_nano.onnx ]; then
      elf-server --check /elf/yolox_nano.onnx --openvino-dir /elf/openvino | grep "^runtime: OpenVINO" >/dev/null
    fi
  fi
elif [ -f /elf/yolox_nano.onnx ]; then
  elf-server --check /elf/yolox_nano.onnx | grep "^runtime: ONNX Runtime" >/dev/null
fi

step "man pages and completions"
for program in elf-bench elf-convert-checkpoint elf-eval elf-launch elf-server elf-train; do
  "$program" --version | grep "^$program " >/dev/null
  man -w "$program" >/dev/null
  said=$(MANROFFSEQ='' MANWIDTH=80 man --warnings "$program" 2>&1 >/dev/null)
  [ -z "$said" ] || fail "man $program: $said"
  bash -c ". /usr/share/bash-completion/bash_completion && . /usr/share/bash-completion/completions/$program && complete -p $program" >/dev/null
done
bash /elf/completion.sh /usr/share/bash-completion/completions/elf-server

step "the service"
unit=$(find /lib/systemd/system/ -name elf-server.service)
said=$(systemd-analyze verify "$unit" "${unit%.service}.socket" "${unit%/*}/elf-camera@.service" 2>&1 |
  grep -E 'elf-(server|camera)' || true)
[ -z "$said" ] || fail "$said"
[ "$(systemctl is-enabled elf-server.service || true)" = disabled ] || fail "the service is enabled"
cp -r /etc/elf credentials
CREDENTIALS_DIRECTORY=$PWD/credentials bash -c "$(sed -n 's/^ExecStart=/exec /p' "$unit") --port 0" >said &
server=$!
url=$(url_in said)
curl -fsS -H "Authorization: Bearer $token" "$url/v2/models/hog" >/dev/null
! curl -fsS "$url/v2/models/hog" 2>/dev/null || fail "the service serves without a token"
kill "$server"
wait "$server"
