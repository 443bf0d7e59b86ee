#!/bin/sh
# Sees to the Debian packages of dev/packages.txt: dev/deps.sh product | product test
# Root installs what is missing; anyone else gets one line to run, and exit code 1.
cd "$(dirname "$0")/.." || exit 1

wanted=""
for section in "$@"; do
    wanted="$wanted $(awk -v want="[$section]" '/^\[/ { on = ($0 == want); next } on && /^[a-z0-9]/ { print $1 (NF > 1 ? ":" $2 : "") }' dev/packages.txt)"
done
missing=""
for entry in $wanted; do
    package=${entry%%:*}
    case $entry in *:*) command -v "${entry#*:}" >/dev/null 2>&1 && continue ;; esac
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

if [ "$(id -u)" != 0 ]; then
    echo "Debian packages are missing. Run: sudo apt-get install --no-install-recommends$missing" >&2
    exit 1
fi
echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
# nginx must not begin to serve because its package was wanted for building.
log=$(mktemp)
policy=/usr/sbin/policy-rc.d
made_policy=no
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod +x "$policy" && made_policy=yes
fi
# shellcheck disable=SC2086
(apt-get update -q && apt-get install -y -q --no-install-recommends $missing) > "$log" 2>&1
result=$?
[ "$made_policy" = yes ] && rm -f "$policy"
[ $result = 0 ] || { tail -n 20 "$log" >&2; echo "apt-get failed. Run: apt-get install --no-install-recommends$missing" >&2; }
rm -f "$log"
exit $result
