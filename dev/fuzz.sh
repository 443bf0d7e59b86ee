#!/bin/sh
# Fuzzes every target for about SECONDS in all, under sanitizers. With clang this is libFuzzer; with gcc the driver mutates the
# corpus from a new seed each time, which it prints.
cd "$(dirname "$0")/.." || exit 1
seconds=${1:-60}
sh dev/build.sh build-sanitize -Dsanitize=true -Dbreaks=true -Dfuzz=true || exit 1
targets=$(ls build-sanitize/*_fuzz 2>/dev/null)
count=$(echo "$targets" | wc -w)
[ "$count" = 0 ] && { echo "no fuzz target was built" >&2; exit 2; }
each=$((seconds / count + 1))
failed=0
log=$(mktemp)
for target in $targets; do
    name=$(basename "$target" _fuzz)
    corpus=tests/corpus/$name
    [ -d "$corpus" ] || { echo "$name: no seeds in $corpus"; failed=1; continue; }
    end=$(($(date +%s) + each))
    seed=$(date +%s)
    while [ "$(date +%s)" -lt "$end" ]; do
        if ! "$target" -mutate=2000 -seed="$seed" "$corpus" > "$log" 2>&1; then
            tail -n 40 "$log"
            echo "$name: failed; again with: $target -mutate=2000 -seed=$seed $corpus"
            failed=1
            break
        fi
        seed=$((seed + 1))
    done
    echo "$name: done"
done
rm -f "$log"
exit $failed
