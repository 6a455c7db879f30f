# Sourced after cache.sh: packages of a newer Debian suite, unpacked beside the system and without touching it.

# Sets `triple` and `loader` for this machine.
know_architecture() {
  case $(dpkg --print-architecture) in
  amd64) triple=x86_64-linux-gnu loader=ld-linux-x86-64.so.2 ;;
  arm64) triple=aarch64-linux-gnu loader=ld-linux-aarch64.so.1 ;;
  *) say "skipped: no package is known for $(dpkg --print-architecture)"; exit 3 ;;
  esac
}

# unpack_suite SUITE FOLDER PACKAGE...: FOLDER/root gets the packages with all that they need, the C library included.
unpack_suite() {
  suite=$1 folder=$2
  shift 2
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  [ -r "$keyring" ] || need_packages debian-archive-keyring
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
  # With an empty status file apt resolves everything.
  (cd "$folder/apt/archives" && APT_CONFIG=$folder/apt/apt.conf apt-get -qq install -y --no-install-recommends --download-only "$@" >&2)
  for package in "$folder"/apt/archives/*.deb; do dpkg-deb -x "$package" "$folder/root"; done
  rm -rf "$folder/apt"
}
