#!/bin/sh
# Prints the version: the newest heading of CHANGELOG.md, so that it is written down in one place.
cd "$(dirname "$0")/.." || exit 1
version=$(sed -n 's/^## \([0-9][0-9.]*\).*/\1/p' CHANGELOG.md 2>/dev/null | head -n 1)
echo "${version:-0.1.0}"
