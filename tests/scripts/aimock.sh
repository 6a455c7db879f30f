#!/bin/sh
# Installs @copilotkit/aimock, a mock of the OpenAI and Anthropic APIs that others wrote, as an independent peer.
# Prints the path of the program. usage: aimock.sh
set -eu
. "$(dirname "$0")/cache.sh"

aimock=1.43.0
folder=$cache/aimock-$aimock
npm_program "$folder" "aimock $aimock, linked" 20.15 "@copilotkit/aimock@$aimock" aimock "\"$folder/node_modules/@copilotkit/aimock/dist/cli.js\""
