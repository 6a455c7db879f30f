#!/bin/sh
# Installs oidc-provider, a certified OAuth 2.0 and OpenID Connect server that others wrote, as an independent peer for
# logins. Prints the path of a program that runs oidc.mjs on it. usage: oidc.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/cache.sh"

oidc=9.13.3
folder=$cache/oidc-provider-$oidc
stamp="oidc-provider $oidc for $here"
need_npm
lock oidc
if stamped "$folder" "$stamp"; then
  echo "$folder/oidc"
  exit 0
fi

say "installing oidc-provider $oidc into $folder"
install_npm "$folder" 22.0 "oidc-provider@$oidc"
cat > oidc <<C
#!/bin/sh
exec "$node" "$here/oidc.mjs" "$folder"
C
chmod +x oidc
echo "$stamp" > "$folder/stamp"
echo "$folder/oidc"
