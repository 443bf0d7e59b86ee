#!/bin/sh
# Sets up ./var with a demonstration tenant when it is not there, and serves it in the foreground. The tenant's credentials
# are kept in ./var/demo/credentials (AWS format, mode 0600), which a store for real use never does.
cd "$(dirname "$0")/.." || exit 1
dir=${1:-var}
credentials=$dir/demo/credentials
umask 077

if [ ! -e "$dir/format" ]; then
    made=$(build/tillit init "$dir" --tenant demo --json) || exit $?
    mkdir -p "$dir/demo"
    printf '%s' "$made" | /usr/bin/python3 -c '
import json, sys
made = json.load(sys.stdin)
print("[default]")
for name in ("access_key_id", "secret_access_key"):
    print(f"aws_{name} = {made[name]}")
print("region = " + made["region"])' > "$credentials" || exit 4
fi

# Tells the endpoints once they are there; serve itself stays in the foreground and gets the signals.
rm -f "$dir/run/endpoints.json"
(
    tries=0
    until [ -e "$dir/run/endpoints.json" ]; do
        tries=$((tries + 1))
        [ $tries -gt 300 ] && exit
        kill -0 $$ 2>/dev/null || exit
        sleep 0.1
    done
    /usr/bin/python3 - "$dir/run/endpoints.json" "$credentials" <<'END'
import json, os, re, sys
made = json.load(open(sys.argv[1]))
keys = dict(re.findall(r"(?m)^(aws_\w+) = (\S+)$", open(sys.argv[2]).read())) if os.path.exists(sys.argv[2]) else {}
shown = [("S3", made["s3"]), ("S3 with TLS", f"{made['s3_tls']}   (CA: {made['ca_cert']})"), ("S3 for staff", f"{made['s3_access']}   {made['s3_access_tls']}"), ("API and logs", made["api"]),
         ("region", made["region"]), ("tenant", made["tenant"])]
shown += [(name.removeprefix("aws_").replace("_", " "), value) for name, value in keys.items()]
for name, value in shown:
    print(f"  {name:18} {value}")
print(f"\nTry:  AWS_SHARED_CREDENTIALS_FILE={sys.argv[2]} aws --endpoint-url {made['s3']} --region {made['region']} s3 mb s3://first", flush=True)
END
) &
exec build/tillit serve "$dir"
