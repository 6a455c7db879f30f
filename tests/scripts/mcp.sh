#!/bin/sh
# Installs MCP servers that others wrote, as independent peers: server-everything, server-filesystem and server-memory of
# npm, mcp-server-git and mcp-server-time of PyPI. Prints the folder that holds a program for each, named as the server,
# and `node`. usage: mcp.sh
set -eu
. "$(dirname "$0")/cache.sh"

npm=2026.8.31
python=2026.10
folder=$cache/mcp-$npm
stamp="mcp npm $npm, python $python, with programs"
need_npm
python3 -c 'import venv, ensurepip' 2>/dev/null || { require_debian; need_packages python3 python3-venv; }
lock mcp
if stamped "$folder" "$stamp"; then
  echo "$folder/bin"
  exit 0
fi

say "installing MCP servers into $folder"
mkdir -p "$folder/bin"
of=@modelcontextprotocol
install_npm "$folder" 20.0 "$of/server-everything@$npm" "$of/server-filesystem@$npm" "$of/server-memory@$npm"
program() { printf '#!/bin/sh\nexec %s "$@"\n' "$2" > "bin/$1"; chmod +x "bin/$1"; }
program node "\"$node\""
for name in everything filesystem memory; do
  program "$name" "\"$node\" \"$folder/node_modules/$of/server-$name/dist/index.js\""
done
[ -x venv/bin/python ] || python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check "mcp-server-git~=$python" "mcp-server-time~=$python" >&2
for name in git time; do
  program "$name" "\"$folder/venv/bin/python\" -m mcp_server_$name"
done
echo "$stamp" > "$folder/stamp"
echo "$folder/bin"
