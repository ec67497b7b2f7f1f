#!/usr/bin/env bash
# Install the real servers that the tests start, where this can be done: Debian packages, as root.
# Where it cannot, say what is missing and go on; the tests that need it then fail with its name.
# The packaged services are not started: every test starts its own server on a free port in a temporary folder.
set -euo pipefail

# What must be there (a command, or a file by absolute path) and the Debian package that brings it.
readonly NEEDED=(
    "Orthanc orthanc"
    "/usr/share/orthanc/plugins/libOrthancDicomWeb.so orthanc-dicomweb"
    "redis-server redis-server"
    "mariadbd mariadb-server"
    "mariadb-install-db mariadb-server"
    "dcmdump dcmtk"
    "nginx nginx"
    "chromium chromium"
    "/usr/share/fonts/truetype/nanum/NanumGothic.ttf fonts-nanum"
    "npm npm"
    "pdftotext poppler-utils"
    "/usr/share/poppler/cidToUnicode/Adobe-Korea1 poppler-data"
    "java default-jdk-headless"
    "mvn maven"
)

present() {
    case "$1" in
        /*) [[ -e "$1" ]] ;;
        *) PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null ;;
    esac
}

missing_packages() {
    local entry
    for entry in "${NEEDED[@]}"; do
        present "${entry% *}" || echo "${entry#* }"
    done | sort -u
}

mapfile -t missing < <(missing_packages)
if [[ ${#missing[@]} -eq 0 ]]; then
    echo "Test servers: all present."
    exit 0
fi

if [[ $(id -u) -ne 0 ]] || ! command -v apt-get >/dev/null; then
    echo "Test servers missing: ${missing[*]}" >&2
    echo "They are installed from Debian packages when this runs as root; the tests that need them will fail." >&2
    exit 0
fi

echo "Installing test servers: ${missing[*]}"
if [[ ! -e /usr/sbin/policy-rc.d ]]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
if ! apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; then
    # One package that cannot be had must not keep the others away.
    for package in "${missing[@]}"; do
        apt-get install -y -qq --no-install-recommends "$package" >/dev/null || true
    done
fi

mapfile -t missing < <(missing_packages)
if [[ ${#missing[@]} -gt 0 ]]; then
    echo "Test servers that could not be installed: ${missing[*]}; the tests that need them will fail." >&2
fi
