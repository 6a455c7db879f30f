#!/bin/sh
# Installs oidc-provider, a certified OAuth 2.0 and OpenID Connect server that others wrote, as an independent peer for
# logins. Prints the path of a program that runs oidc.mjs on it. usage: oidc.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/cache.sh"

oidc=9.13.3
folder=$cache/oidc-provider-$oidc
npm_program "$folder" "oidc-provider $oidc" 22.0 "oidc-provider@$oidc" oidc "\"$here/oidc.mjs\" \"$folder\""
