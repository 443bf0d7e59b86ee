#!/bin/sh
# Builds into a directory: dev/build.sh DIR [meson options]. build/ is the product, build-test/ the one test build that
# knows breaks (-Dbreaks=true) and the fuzz targets.
set -e
cd "$(dirname "$0")/.."
dir=$1
shift
# The product is optimised across rooms: a tenth of the CPU of a GET (docs/results/bench.md). Unit tests belong to the test build: a
# hundred of them, optimised like that, would be most of the time of a build.
[ "$dir" != build ] || set -- -Db_lto=true -Dtests=false "$@"
targets=$(dev/list_fuzz.sh)
if [ ! -f "$dir/build.ninja" ]; then
    log=$(mktemp)
    meson setup "$dir" "$@" > "$log" 2>&1 || { cat "$log" >&2; rm -f "$log"; exit 1; }
    rm -f "$log"
elif [ "$targets" != "$(cat "$dir/fuzz.list" 2>/dev/null)" ]; then
    # Meson finds fuzz targets when it configures, and a new one changes no meson.build.
    meson setup --reconfigure "$dir" "$@" > /dev/null
fi
echo "$targets" > "$dir/fuzz.list"
ninja -C "$dir" --quiet
