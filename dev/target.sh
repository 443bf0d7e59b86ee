#!/bin/sh
# Runs the script behind a make target: dev/target.sh TARGET SCRIPT [args]. A target whose script is not here yet says so.
target=$1
script=$2
shift 2
cd "$(dirname "$0")/.." || exit 1
if [ ! -f "$script" ]; then
    echo "make $target: $script is not part of this tree yet" >&2
    exit 2
fi
case $script in
*.py) exec /usr/bin/python3 "$script" "$@" ;;
*) exec sh "$script" "$@" ;;
esac
