#!/bin/sh
# Unpacks Debian's clang into the cache folder, without root, for the JavaScript engine of extensions.
# Prints the folder, in which `cc` and `ar` are. usage: wasm-clang.sh
set -eu
. "$(dirname "$0")/cache.sh"
require_debian

version=14
folder=$cache/wasm-clang-$version
lock wasm-clang
if stamped "$folder" "$version"; then
  echo "$folder"
  exit 0
fi

say "unpacking clang $version into $folder"
rm -rf "$folder"
mkdir -p "$folder/packages" "$folder/unpacked"
(cd "$folder/packages" && apt-get -qq -o APT::Sandbox::User=root download \
  clang-$version libllvm$version libclang-cpp$version libclang-common-$version-dev llvm-$version llvm-$version-linker-tools lld-$version)
for package in "$folder"/packages/*.deb; do dpkg-deb -x "$package" "$folder/unpacked"; done
rm -rf "$folder/packages"

wrap() {
  cat > "$folder/$1" <<C
#!/bin/sh
lib=\$(dirname "\$(readlink -f "\$0")")/unpacked/usr/lib
LD_LIBRARY_PATH=\$lib/$(uname -m)-linux-gnu:\$lib/llvm-$version/lib exec "\$lib/llvm-$version/bin/$2" "\$@"
C
  chmod +x "$folder/$1"
}
wrap cc clang
wrap ar llvm-ar
"$folder/cc" --version >&2
echo "$version" > "$folder/stamp"
echo "$folder"
