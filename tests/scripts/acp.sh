#!/bin/sh
# Installs @agentclientprotocol/sdk, the client of the Agent Client Protocol that its authors publish. Prints the path of a
# program that runs tests/acp/client.mjs on it. usage: acp.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/cache.sh"

sdk=2.4.0
folder=$cache/acp-sdk-$sdk
stamp="acp-sdk $sdk for $here"
need_npm
lock acp
if stamped "$folder" "$stamp"; then
  echo "$folder/client"
  exit 0
fi

say "installing @agentclientprotocol/sdk $sdk into $folder"
install_npm "$folder" 20.0 "@agentclientprotocol/sdk@$sdk"
cat > client <<C
#!/bin/sh
exec "$node" "$here/../acp/client.mjs" "$folder" "\$@"
C
chmod +x client
echo "$stamp" > "$folder/stamp"
echo "$folder/client"
