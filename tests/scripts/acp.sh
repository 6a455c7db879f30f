#!/bin/sh
# Installs @agentclientprotocol/sdk, the client of the Agent Client Protocol that its authors publish. Prints the path of a
# program that runs tests/acp/client.mjs on it. usage: acp.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/cache.sh"

sdk=2.4.0
folder=$cache/acp-sdk-$sdk
npm_program "$folder" "acp-sdk $sdk" 20.0 "@agentclientprotocol/sdk@$sdk" client "\"$here/../acp/client.mjs\" \"$folder\""
