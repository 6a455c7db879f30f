#!/bin/sh
# Unpacks the llama.cpp server of Debian's newest suite into the cache folder, beside the system and without touching it.
# Prints the path of the program. usage: llama.sh
set -eu
. "$(dirname "$0")/cache.sh"
. "$(dirname "$0")/suite.sh"
require_debian

suite=sid
folder=$cache/llama-$suite
stamp="llama.cpp of $suite, second layout"
lock llama
if stamped "$folder" "$stamp"; then
  echo "$folder/llama-server"
  exit 0
fi

know_architecture
say "unpacking llama.cpp of Debian $suite into $folder"
unpack_suite "$suite" "$folder" llama.cpp-tools

# The one backend that every processor of this architecture can run.
cat > "$folder/llama-server" <<C
#!/bin/sh
here=\$(dirname "\$(readlink -f "\$0")")
lib=\$here/root/usr/lib/$triple
for backend in "\$lib"/ggml/backends*/libggml-cpu-x64.so "\$lib"/ggml/backends*/libggml-cpu-armv8.0_1.so "\$lib"/ggml/backends*/libggml-cpu*.so; do
  [ -e "\$backend" ] && break
done
export GGML_BACKEND_PATH="\$backend"
exec "\$lib/$loader" --library-path "\$lib:\$lib/llama:\$lib/ggml" "\$here/root/usr/bin/llama-server" "\$@"
C
chmod +x "$folder/llama-server"
"$folder/llama-server" --version >&2 || fail "the unpacked llama.cpp does not run"
echo "$stamp" > "$folder/stamp"
echo "$folder/llama-server"
