#!/bin/sh
# Prints the fuzz targets, one a line: room, name, source. src/lib/wire/wire_fuzz.c is wire wire src/lib/wire/wire_fuzz.c
cd "$(dirname "$0")/.." || exit 1
find src -name '*_fuzz.c' | sort | while read -r file; do
    room=$(basename "$(dirname "$file")")
    echo "$room $(basename "$file" _fuzz.c) $file"
done
