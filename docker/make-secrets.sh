#!/usr/bin/env bash
# Make the secrets of compose.yaml, each once; existing ones stay.
# The folder keeps other users of the host out; the files are readable by all because containers run under other ids.
set -euo pipefail

folder="$(dirname "${BASH_SOURCE[0]}")/secrets"
readonly folder
mkdir -p "$folder"
chmod 0700 "$folder"

keep() { # name, content
    local path="$folder/$1"
    if [[ ! -e "$path" ]]; then
        printf '%s' "$2" >"$path"
        chmod 0444 "$path"
        echo "made $path"
    fi
}

random() {
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}

for name in db_password db_root_password redis_password orthanc_password queue_secret jwt_secret; do
    keep "$name" "$(random)"
done
keep redis_url "redis://:$(<"$folder/redis_password")@redis:6379/0"
# The key by which OpenEMR knows the node (docs/openemr.md); without OpenSSL an empty file, which is no key.
keep emr_private_key "$(openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 2>/dev/null || true)"
keep orthanc_users.json "{\"RegisteredUsers\": {\"node\": \"$(<"$folder/orthanc_password")\"}}"
