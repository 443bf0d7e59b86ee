#!/bin/sh
# What to run before a commit: dev/check.sh lint | fast | full
#   lint  tidy and the scripts' syntax          (seconds)
#   fast  lint and the unit and corpus tests    (a minute)
#   full  all tests, the same under sanitizers, a minute of fuzzing, the model
cd "$(dirname "$0")/.." || exit 1

lint() {
    /usr/bin/python3 dev/tidy.py --strict || return 1
    /usr/bin/python3 dev/gen_wire_md.py --check || return 1
    for script in dev/*.sh .ci/run; do sh -n "$script" || return 1; done
    find dev tests bench -name '*.py' -not -path '*/node_modules/*' -print0 | xargs -0 -r /usr/bin/python3 -m py_compile
}

case $1 in
lint) lint ;;
fast) lint && /usr/bin/python3 dev/test_all.py --only unit,corpus,dev ;;
full)
    lint && sh dev/test.sh || exit 1
    sh dev/build.sh build-sanitize -Dsanitize=true -Dbreaks=true -Dfuzz=true || exit 1
    meson test -C build-sanitize --quiet || exit 1
    sh dev/fuzz.sh 60 || exit 1
    sh dev/target.sh model tests/model/run.py
    ;;
*)
    echo "usage: dev/check.sh lint | fast | full" >&2
    exit 2
    ;;
esac
