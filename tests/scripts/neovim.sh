#!/bin/sh
# Unpacks the Neovim of Debian's newer suite into the cache folder, beside the system and without touching it.
# Prints the path of the program. usage: neovim.sh
set -eu
. "$(dirname "$0")/cache.sh"
require_debian

suite=forky
version=0.12
folder=$cache/neovim-$version
lock neovim
if stamped "$folder" "$version"; then
  echo "$folder/nvim"
  exit 0
fi

case $(dpkg --print-architecture) in
amd64) triple=x86_64-linux-gnu loader=ld-linux-x86-64.so.2 ;;
arm64) triple=aarch64-linux-gnu loader=ld-linux-aarch64.so.1 ;;
*) say "skipped: no Neovim package is known for $(dpkg --print-architecture)"; exit 3 ;;
esac
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$keyring" ] || need_packages debian-archive-keyring

say "unpacking Neovim of Debian $suite into $folder"
# The mirror is the one that this machine uses already.
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep '/debian/*$' | head -n 1)
if [ -z "$mirror" ]; then
  as_root apt-get -qq update
  mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep '/debian/*$' | head -n 1)
fi
[ -n "$mirror" ] || fail "apt names no Debian mirror"

rm -rf "$folder"
mkdir -p "$folder/apt/lists/partial" "$folder/apt/archives/partial" "$folder/root"
: > "$folder/apt/status"
echo "deb [signed-by=$keyring] $mirror $suite main" > "$folder/apt/sources.list"
cat > "$folder/apt/apt.conf" <<C
Dir::Etc::sourcelist "$folder/apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$folder/apt/lists";
Dir::Cache::archives "$folder/apt/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::State::status "$folder/apt/status";
APT::Sandbox::User "root";
Debug::NoLocking "true";
C
APT_CONFIG=$folder/apt/apt.conf apt-get -qq update
# With an empty status file apt resolves everything, the C library of that suite included.
(cd "$folder/apt/archives" && APT_CONFIG=$folder/apt/apt.conf apt-get -qq install -y --no-install-recommends --download-only neovim >&2)
for package in "$folder"/apt/archives/*.deb; do dpkg-deb -x "$package" "$folder/root"; done
rm -rf "$folder/apt"

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
