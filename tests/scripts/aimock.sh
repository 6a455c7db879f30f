#!/bin/sh
# Installs @copilotkit/aimock, a mock of the OpenAI and Anthropic APIs that others wrote, as an independent peer.
# Prints the folder. usage: aimock.sh
set -eu
. "$(dirname "$0")/cache.sh"

aimock=1.43.0
folder=$cache/aimock-$aimock
command -v npm >/dev/null || { require_debian; need_packages nodejs npm; }
if stamped "$folder" "$aimock"; then
  echo "$folder"
  exit 0
fi

say "installing @copilotkit/aimock $aimock into $folder"
mkdir -p "$folder"
cd "$folder"
[ -f package.json ] || echo '{ "private": true }' > package.json
npm install --no-audit --no-fund --ignore-scripts --loglevel=error "@copilotkit/aimock@$aimock" >&2
node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 15) ? 0 : 1)' ||
  fail "aimock needs Node 20.15 or later; this is $(node --version)"
echo "$aimock" > "$folder/stamp"
echo "$folder"
