#!/bin/sh
# Unpacks the Neovim of Debian's newer suite into the cache folder, beside the system and without touching it.
# Prints the path of the program. usage: neovim.sh
set -eu
. "$(dirname "$0")/cache.sh"
. "$(dirname "$0")/suite.sh"
require_debian

suite=forky
version=0.12
folder=$cache/neovim-$version
lock neovim
if stamped "$folder" "$version"; then
  echo "$folder/nvim"
  exit 0
fi

know_architecture
say "unpacking Neovim of Debian $suite into $folder"
unpack_suite "$suite" "$folder" neovim

cat > "$folder/nvim" <<C
#!/bin/sh
here=\$(dirname "\$(readlink -f "\$0")")
lib=\$here/root/usr/lib/$triple
export VIMRUNTIME="\$here/root/usr/share/nvim/runtime"
export LUA_PATH="\$here/root/usr/share/lua/5.1/?.lua;;" LUA_CPATH="\$lib/lua/5.1/?.so;;"
exec "\$lib/$loader" --library-path "\$lib" "\$here/root/usr/bin/nvim" "\$@"
C
chmod +x "$folder/nvim"
"$folder/nvim" --version | head -n 1 >&2
"$folder/nvim" --clean --headless -l /dev/stdin >&2 <<'L' || fail "the unpacked Neovim does not run"
assert(vim.fn.has("nvim-0.12") == 1, "Neovim 0.12 or later is expected")
L
echo "$version" > "$folder/stamp"
echo "$folder/nvim"
