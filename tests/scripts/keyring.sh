#!/bin/sh
# Unpacks GNOME's keyring and a session bus into the cache folder, beside the system and without touching it.
# Prints the path of a program: `keyring HOME [locked]` keeps the secrets of HOME on a bus of its own, prints the address of
# the bus, and ends with its input. With `locked` nobody gives the password of a keyring that is there. usage: keyring.sh
set -eu
. "$(dirname "$0")/cache.sh"
. "$(dirname "$0")/suite.sh"
require_debian

suite=trixie
folder=$cache/keyring-$suite
stamp="gnome-keyring of $suite"
lock keyring
if stamped "$folder" "$stamp"; then
  echo "$folder/keyring"
  exit 0
fi

know_architecture
say "unpacking GNOME's keyring of Debian $suite into $folder"
unpack_suite "$suite" "$folder" gnome-keyring dbus-daemon dbus-bin

# No services are started by the bus, so that nobody opens a dialog.
cat > "$folder/session.conf" <<C
<busconfig>
  <type>session</type>
  <listen>unix:tmpdir=/tmp</listen>
  <auth>EXTERNAL</auth>
  <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>
C
for name in dbus-daemon dbus-run-session dbus-send gnome-keyring-daemon; do
  cat > "$folder/$name" <<C
#!/bin/sh
here=\$(dirname "\$(readlink -f "\$0")")
lib=\$here/root/usr/lib/$triple
exec "\$lib/$loader" --library-path "\$lib:\$lib/systemd" "\$here/root/usr/bin/$name" "\$@"
C
done
cat > "$folder/keyring" <<'C'
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
export HOME="$1" XDG_DATA_HOME="$1/data" XDG_RUNTIME_DIR="$1/run"
mkdir -p "$XDG_DATA_HOME" "$XDG_RUNTIME_DIR"
chmod 700 "$XDG_RUNTIME_DIR"
exec "$here/dbus-run-session" --config-file="$here/session.conf" --dbus-daemon="$here/dbus-daemon" -- "$here/session" "${2-}"
C
cat > "$folder/session" <<'C'
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
unlock=--unlock
[ "$1" = locked ] && unlock=
printf password | "$here/gnome-keyring-daemon" --foreground --components=secrets $unlock >/dev/null &
until "$here/dbus-send" --session --print-reply --dest=org.freedesktop.secrets /org/freedesktop/secrets \
  org.freedesktop.DBus.Peer.Ping >/dev/null 2>&1; do sleep 0.05; done
echo "listening on $DBUS_SESSION_BUS_ADDRESS"
cat >/dev/null
kill $!
wait
C
chmod +x "$folder/keyring" "$folder/session" "$folder/dbus-daemon" "$folder/dbus-run-session" "$folder/dbus-send" "$folder/gnome-keyring-daemon"
echo | "$folder/keyring" "$folder/probe" | grep -q '^listening on ' || fail "the unpacked keyring does not run"
rm -rf "$folder/probe"
echo "$stamp" > "$folder/stamp"
echo "$folder/keyring"
