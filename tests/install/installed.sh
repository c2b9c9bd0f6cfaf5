#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Installs into a temporary root and runs from there: programs, elements, models, pipelines, and
# apps and a model that are built with nothing but the installed headers and .pc files.
# usage: installed.sh SOURCE-FOLDER BUILD-FOLDER PREFIX LIBDIR
set -euo pipefail

source=$1 build=$2 prefix=$3 libdir=$4
root=$(mktemp -d)
server=
stop() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$root"
}
trap stop EXIT

DESTDIR=$root meson install -C "$build" --no-rebuild --quiet
here=$root$prefix
export PATH=$here/bin:$PATH
export LD_LIBRARY_PATH=$here/$libdir
export GST_PLUGIN_PATH=$here/$libdir/gstreamer-1.0 GST_REGISTRY=$root/registry.bin
export XDG_DATA_DIRS=$here/share XDG_DATA_HOME=$root/home
unset ELF_MODEL_PATH ELF_PIPELINE_PATH

for program in elf-server elf-eval elf-launch elf-bench; do
  [ "$(command -v "$program")" = "$here/bin/$program" ]
  "$program" --version
done
for element in elfrppredict elfpartition elfoffload elfmerge; do
  gst-inspect-1.0 "$element" | grep "^  Filename *$here" >/dev/null
done
elf-server --list | grep yolox-nano >/dev/null
elf-launch --list | grep people >/dev/null

model=hog
[ "$ELF_TEST_HOG" = true ] || model=simulated
elf-server --port 0 --model "$model" >"$root/said" &
server=$!
for _ in $(seq 200); do
  url=$(sed -n 's/^listening //p' "$root/said")
  [ -z "$url" ] || break
  sleep 0.1
done
gst-launch-1.0 -q videotestsrc num-buffers=5 ! video/x-raw,width=320,height=240 ! elfrppredict ! \
  elfpartition ! elfoffload servers="$url" model="$model" ! elfmerge results-location="$root/lines" ! fakesink
[ "$(wc -l <"$root/lines")" -eq 5 ]

# The .pc files name the prefix, which is elsewhere below the temporary root.
sed -i "s#^prefix=.*#prefix=$here#" "$here/$libdir"/pkgconfig/*elfvision*.pc
export PKG_CONFIG_PATH=$here/$libdir/pkgconfig
# Apps need no headers of what the libraries link.
for package in elfvision elfvision-server gstreamer-elfvision-1.0; do
  [ -z "$(pkg-config --print-requires-private "$package")" ]
done
flags=$(pkg-config --cflags --libs gstreamer-elfvision-1.0)
# shellcheck disable=SC2086 # several flags
cc "$source/docs/embed/embed.c" -o "$root/embed" $flags
"$root/embed" "$source/docs/embed/embed.pipeline" frames=3

typelibs=$(pkg-config --variable=typelibdir gstreamer-elfvision-1.0)
if [ "$ELF_TEST_INTROSPECTION" = true ]; then
  [ -f "$typelibs/GstElf-1.0.typelib" ]
  [ -f "$(pkg-config --variable=girdir gstreamer-elfvision-1.0)/GstElf-1.0.gir" ]
  if /usr/bin/python3 -c 'import gi; gi.require_version("Gst", "1.0")'; then
    GI_TYPELIB_PATH=$typelibs /usr/bin/python3 "$source/docs/embed/count_line.py" 0,0,1,1 \
      "$source/docs/embed/embed.pipeline" frames=3 | grep -x "to the left: 0, to the right: 0"
  fi
fi

cat >"$root/record.cpp" <<'CPP'
#include <gst/elfvision/gstelfmeta.h>

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  elf::FrameRecord made;
  made.id = 7;
  made.detections.push_back({.box = {1, 2, 3, 4}, .score = 0.5F});
  GstBuffer* buffer = gst_buffer_new();
  elf::gst::setRecord(buffer, std::make_shared<const elf::FrameRecord>(std::move(made)));
  const elf::FrameRecordPtr record = elf::gst::getRecord(buffer);
  const bool same = record && record->id == 7 && record->detections.size() == 1 &&
                    record->name().starts_with("frame 0.7");
  gst_buffer_unref(buffer);
  return same ? 0 : 1;
}
CPP
# shellcheck disable=SC2086
c++ -std=c++20 "$root/record.cpp" -o "$root/record" $flags
"$root/record"

flags="$(pkg-config --cflags opencv4) $(pkg-config --cflags --libs elfvision-server)"
# shellcheck disable=SC2086
c++ -std=c++20 -shared -fPIC "$source/docs/own-model/bright_blobs.cpp" -o "$root/libbright_blobs.so" $flags \
  -lopencv_core -lopencv_imgproc
elf-server --check "$root/libbright_blobs.so" --output "$root/check.png" | grep "^merged: 4"

# Every header stands alone, whatever is not installed.
flags=$(pkg-config --cflags elfvision-server gstreamer-elfvision-1.0)
cd "$here/include/elfvision-1.0"
for header in gst/elfvision/gstelfdetection.h gst/elfvision/gstelfpipeline.h; do
  # shellcheck disable=SC2086
  echo "#include <$header>" | cc -std=c11 -Wall -Wextra -Werror -fsyntax-only -x c -I. $flags -
done
find . -name '*.h' | while read -r header; do
  # shellcheck disable=SC2086
  echo "#include <$header>" | c++ -std=c++20 -fsyntax-only -x c++ -I. $flags - ||
    { echo "$header: needs what is not installed" >&2 && exit 1; }
done
# Each is a promise: more of them is a decision.
[ "$(find . -name '*.h' | wc -l)" -eq 21 ]
