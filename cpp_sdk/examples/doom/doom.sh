#!/bin/sh
# A real game under tachy_finstrument: chocolate-doom, from Debian's source package, compiled with -finstrument-functions, plays a demo as
# fast as it can under Xvfb and ends by itself: 46 million enters and exits, 23 million spans, in a few seconds.
#
#   cpp_sdk/examples/doom/doom.sh [--url http://127.0.0.1:9000] [--report FILE] [--plain]
#
# It lies beside the other example of the SDK, since it shows what the SDK does to a program whose source nobody touches. All of that
# source is fetched and built under build/doom; none of it belongs to this repository. --plain plays the game without instrumentation.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
out=$root/build/doom
url=http://127.0.0.1:9000
report=
variant=instrumented
while [ $# -gt 0 ]; do
  case $1 in
    --url) url=$2 && shift 2 ;;
    --report) report=$2 && shift 2 ;;
    --plain) variant=plain && shift ;;
    *) echo "usage: $0 [--url URL] [--report FILE] [--plain]" >&2 && exit 2 ;;
  esac
done
fail() {
  echo "doom.sh: $1" >&2
  exit 1
}

"$root/tools/setup.sh" doom # installs what is missing, or prints the line that does
wad=/usr/share/games/doom/freedoom1.wad
mkdir -p "$out/home"

# The source, through an apt configuration of our own: the system's stays as it is.
fetch() {
  mkdir -p "$out/apt/state/lists/partial" "$out/apt/cache/archives/partial" "$out/src"
  . /etc/os-release
  keyring=/usr/share/keyrings/$ID-archive-keyring.gpg
  signed=
  [ ! -e "$keyring" ] || signed="[signed-by=$keyring] "
  case $ID in
    debian) where="http://deb.debian.org/debian $VERSION_CODENAME main" ;;
    ubuntu) where="http://archive.ubuntu.com/ubuntu $VERSION_CODENAME universe" ;;
    *) fail "knows the source packages of Debian and Ubuntu, not of $ID" ;;
  esac
  echo "deb-src $signed$where" >"$out/apt/sources.list"
  cat >"$out/apt/apt.conf" <<EOF
Dir::Etc::SourceList "$out/apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State "$out/apt/state";
Dir::State::Status "/var/lib/dpkg/status";
Dir::Cache "$out/apt/cache";
APT::Sandbox::User "";
EOF
  (cd "$out/src" && APT_CONFIG="$out/apt/apt.conf" apt-get -q update && APT_CONFIG="$out/apt/apt.conf" apt-get -q source chocolate-doom) \
    >"$out/fetch.log" 2>&1 || fail "could not fetch the source of chocolate-doom: see $out/fetch.log"
}
source_folder() { find "$out/src" -mindepth 1 -maxdepth 1 -type d -name 'chocolate-doom-*' 2>/dev/null | head -n 1; }
[ -n "$(source_folder)" ] || fetch

# The instrumentation, then the game. Nothing of the game is excluded from it.
build() {
  cmake -S "$root/cpp_sdk" -B "$out/tachy" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DTACHY_EXAMPLES=OFF
  cmake --build "$out/tachy" --target tachy_finstrument_shared -j2
  flags=-w
  libraries=
  if [ "$variant" = instrumented ]; then
    flags="-w -finstrument-functions"
    # after everything else, and needed: libc has two empty hooks of the same names
    libraries="-Wl,--no-as-needed $out/tachy/libtachy_finstrument.so -Wl,-rpath,$out/tachy:$out/tachy/native"
  fi
  cmake -S "$(source_folder)" -B "$out/$variant" -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS="$flags" \
    -DCMAKE_C_STANDARD_LIBRARIES="$libraries"
  cmake --build "$out/$variant" --target chocolate-doom -j2
}
build >"$out/build.log" 2>&1 || fail "the build failed: see $out/build.log"

Xvfb -displayfd 3 -screen 0 1024x768x24 -nolisten tcp 3>"$out/display.$$" >"$out/xvfb.log" 2>&1 &
screen=$!
trap 'kill $screen 2>/dev/null; rm -f "$out/display.$$"' EXIT INT TERM
tries=0
while [ ! -s "$out/display.$$" ]; do
  tries=$((tries + 1))
  [ $tries -lt 200 ] && kill -0 $screen 2>/dev/null || fail "Xvfb does not start: see $out/xvfb.log"
  sleep 0.05
done

# A pool of 128 MiB, should the machine be busy elsewhere for a second.
# The demo ends with a "fatal error" that tells its time, and with status 255: that is how the game reports it.
rm -f "$out/report.json"
begin=$(date +%s%N)
env HOME="$out/home" XDG_DATA_HOME="$out/home" DISPLAY=":$(cat "$out/display.$$")" SDL_VIDEODRIVER=x11 SDL_RENDER_DRIVER=software \
  TACHY_URL="$url" TACHY_REPORT="$out/report.json" TACHY_POOL_BYTES="${TACHY_POOL_BYTES:-134217728}" \
  TACHY_STOP_TIMEOUT_MS="${TACHY_STOP_TIMEOUT_MS:-60000}" \
  "$out/$variant/src/chocolate-doom" -timedemo demo1 -nogui -nosound -window -iwad "$wad" >"$out/play.log" 2>&1 || true
end=$(date +%s%N)
timed=$(grep -a -o 'timed [0-9]* gametics in [0-9]* realtics.*' "$out/play.log") || fail "the game did not play to its end: see $out/play.log"
echo "$variant: $timed; $(((end - begin) / 1000000)) ms in all"
[ "$variant" = instrumented ] || exit 0
[ -s "$out/report.json" ] || fail "no report: see $out/play.log"
[ -z "$report" ] || cp "$out/report.json" "$report"
python3 - "$out/report.json" <<'EOF'
import json, sys
report = json.load(open(sys.argv[1]))
print("process {process_id}: {recorded[span]} spans recorded, {dropped[span]} dropped, {bytes_per_event} bytes per event on the wire".format(**report))
EOF
