#!/bin/sh
# Builds product and test build, runs every test, and ends with one line: N passed, N failed[, N skipped].
cd "$(dirname "$0")/.." || exit 1
if ! sh dev/build.sh build || ! sh dev/build.sh build-test -Dbreaks=true -Dfuzz=true; then
    echo "the build failed"
    echo "0 passed, 1 failed"
    exit 1
fi
exec /usr/bin/python3 dev/test_all.py "$@"
