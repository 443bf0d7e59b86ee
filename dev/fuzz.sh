#!/bin/sh
# Fuzzes targets under sanitizers: dev/fuzz.sh SECONDS [NAME...]. Without names every target for about SECONDS in all; with names each of them for
# SECONDS, and what was run becomes a row of docs/results/fuzz.md. With clang this is libFuzzer; with gcc the driver mutates the corpus from a new
# seed each time.
cd "$(dirname "$0")/.." || exit 1
seconds=${1:-60}
[ $# -gt 0 ] && shift
sh dev/build.sh build-sanitize -Dsanitize=true -Dbreaks=true -Dfuzz=true || exit 1
each=$seconds
names=$*
if [ -z "$names" ]; then
    names=$(for t in build-sanitize/*_fuzz; do basename "$t" _fuzz; done)
    count=$(echo "$names" | wc -w)
    [ "$count" = 0 ] && { echo "no fuzz target was built" >&2; exit 2; }
    each=$((seconds / count + 1))
    record=
else
    record=docs/results/fuzz.md
fi
failed=0
log=$(mktemp)
for name in $names; do
    corpus=tests/corpus/$name
    target=build-sanitize/${name}_fuzz
    [ -x "$target" ] || { echo "$name: no such target"; failed=1; continue; }
    [ -d "$corpus" ] || { echo "$name: no seeds in $corpus"; failed=1; continue; }
    begin=$(date +%s)
    first=$begin
    seed=$begin
    inputs=0
    clean=clean
    while [ "$(date +%s)" -lt $((begin + each)) ]; do
        if ! "$target" -mutate=2000 -seed="$seed" "$corpus" > "$log" 2>&1; then
            tail -n 40 "$log"
            echo "$name: failed; again with: $target -mutate=2000 -seed=$seed $corpus"
            failed=1
            clean="**fell** at seed $seed"
            break
        fi
        inputs=$((inputs + 2000 * $(ls "$corpus" | wc -l)))
        seed=$((seed + 1))
    done
    echo "$name: $clean, $inputs inputs"
    [ -z "$record" ] && continue
    if [ ! -f "$record" ]; then
        printf '# Fuzzing, in full\n\nRows made by `dev/fuzz.sh SECONDS NAME...`, under AddressSanitizer and UndefinedBehaviorSanitizer.\n\n' > "$record"
        printf '| target | date | seconds | inputs (mutations of its corpus) | seeds | |\n| --- | --- | ---: | ---: | --- | --- |\n' >> "$record"
    fi
    echo "| $name | $(date +%F) | $(($(date +%s) - begin)) | $inputs | $first to $((seed - 1)) | $clean |" >> "$record"
done
rm -f "$log"
exit $failed
