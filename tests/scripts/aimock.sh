#!/bin/sh
# Installs @copilotkit/aimock, a mock of the OpenAI and Anthropic APIs that others wrote, as an independent peer.
# Prints the path of the program. usage: aimock.sh
set -eu
. "$(dirname "$0")/cache.sh"

aimock=1.43.0
folder=$cache/aimock-$aimock
stamp="aimock $aimock, wrapped"
need_npm
if stamped "$folder" "$stamp"; then
  echo "$folder/aimock"
  exit 0
fi

say "installing @copilotkit/aimock $aimock into $folder"
install_npm "$folder" 20.15 "@copilotkit/aimock@$aimock"
cat > aimock <<C
#!/bin/sh
exec "$node" "$folder/node_modules/@copilotkit/aimock/dist/cli.js" "\$@"
C
chmod +x aimock
echo "$stamp" > "$folder/stamp"
echo "$folder/aimock"
