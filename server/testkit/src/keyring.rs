//! GNOME's keyring on a session bus of its own: the real secret service of a desktop, for one home folder.
//! `tests/scripts/keyring.sh` brings the program.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Whether somebody has given the password of the keyring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// It can be used.
    Unlocked,
    /// Nobody is there to unlock it.
    Locked,
}

/// A running keyring. It ends when the value is dropped.
#[derive(Debug)]
pub struct Keyring {
    child: Child,
    address: String,
}

impl Keyring {
    /// Starts the program that the installer printed, with the keyring of that home folder.
    pub fn start(program: &Path, home: &Path, door: Door) -> Keyring {
        let mut command = Command::new(program);
        command.arg(home).args((door == Door::Locked).then_some("locked"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let mut lines = output.lines().map_while(Result::ok);
        let address = lines.find_map(|line| line.strip_prefix("listening on ").map(str::to_owned));
        Keyring { child, address: address.expect("the keyring says where its bus is") }
    }

    /// What programs of the session have in `DBUS_SESSION_BUS_ADDRESS`.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        // The end of its input ends the bus and the keyring.
        drop(self.child.stdin.take());
        let _reaped_already = self.child.wait();
    }
}
