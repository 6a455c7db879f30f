//! Commands that run another command given in their arguments.

use super::{Simple, Word};

/// What a command runs beside itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Inner {
    /// Nothing that its text tells.
    None,
    /// Something, but its text does not tell what.
    Unknown,
    /// The command given by these words.
    Words {
        /// Its words.
        words: Vec<Word>,
        /// Whether the wrapper adds nothing that a rule would have to judge.
        transparent: bool,
    },
    /// A command line.
    Text(String),
}

/// Whether a command of this name runs what its arguments say, so that a rule has to look at every argument.
pub(crate) fn is_wrapper(program: &str) -> bool {
    !matches!(kind(program), Kind::None)
}

enum Kind {
    None,
    /// Runs its arguments after a fixed number of own ones, and adds nothing.
    Transparent {
        own: usize,
    },
    /// Runs its arguments, but changes who, where or with what input.
    Changing,
    /// A shell: `-c TEXT`.
    Shell,
    /// `find … -exec …`.
    Find,
    /// `fd … -x …`.
    Fd,
    /// Runs its arguments as a command line, or cannot be followed.
    Opaque,
}

fn kind(program: &str) -> Kind {
    match program {
        "nohup" | "time" | "nice" | "ionice" | "setsid" => Kind::Transparent { own: 0 },
        "timeout" | "gtimeout" => Kind::Transparent { own: 1 },
        "sudo" | "doas" | "env" | "xargs" | "command" | "builtin" | "exec" | "chroot" | "stdbuf"
        | "unshare" | "flock" | "parallel" | "strace" | "ltrace" | "busybox" | "run0" | "pkexec" | "su"
        | "runuser" => Kind::Changing,
        "sh" | "bash" | "dash" | "zsh" | "ksh" | "fish" | "ash" => Kind::Shell,
        "find" | "gfind" => Kind::Find,
        "fd" | "fdfind" => Kind::Fd,
        "eval" | "trap" | "watch" | "source" | "." | "alias" | "script" | "expect" | "at" | "batch"
        | "cmd" | "cmd.exe" | "powershell" | "powershell.exe" | "pwsh" => Kind::Opaque,
        _ => Kind::None,
    }
}

/// What the command runs beside itself.
pub(super) fn inner(command: &Simple) -> Inner {
    let Some(program) = command.program() else { return Inner::None };
    let arguments = command.words.get(1..).unwrap_or_default();
    match kind(program) {
        Kind::None => Inner::None,
        Kind::Opaque => Inner::Unknown,
        Kind::Transparent { own } => after_own(arguments, own, true),
        Kind::Changing => after_own(arguments, 0, false),
        Kind::Shell => match arguments {
            [flag, text] if flag.text == "-c" && flag.literal && text.literal => {
                Inner::Text(text.text.clone())
            }
            [flag] if flag.text == "--version" => Inner::None,
            _ => Inner::Unknown,
        },
        Kind::Find => find(arguments),
        Kind::Fd => {
            let executes =
                |word: &Word| ["-x", "-X", "--exec"].iter().any(|option| word.text.starts_with(option));
            if arguments.iter().any(executes) { Inner::Unknown } else { Inner::None }
        }
    }
}

/// The words after the wrapper's own. An option may take a value, which only the wrapper knows, so any option is unknown.
fn after_own(arguments: &[Word], own: usize, transparent: bool) -> Inner {
    let (before, words) = arguments.split_at(own.min(arguments.len()));
    if words.is_empty() && before.is_empty() {
        return Inner::None;
    }
    let option = |word: &Word| word.text.starts_with('-') || word.text.contains('=') || !word.literal;
    if before.iter().any(option) || words.first().is_none_or(option) {
        return Inner::Unknown;
    }
    Inner::Words { words: words.to_vec(), transparent }
}

fn find(arguments: &[Word]) -> Inner {
    const EXECUTES: [&str; 4] = ["-exec", "-execdir", "-ok", "-okdir"];
    const WRITES: [&str; 5] = ["-delete", "-fls", "-fprint", "-fprint0", "-fprintf"];
    if arguments.iter().any(|word| WRITES.contains(&word.text.as_str())) {
        return Inner::Unknown;
    }
    let mut runs = arguments.iter().enumerate().filter(|(_, word)| EXECUTES.contains(&word.text.as_str()));
    match (runs.next(), runs.next()) {
        (None, _) => Inner::None,
        (Some((at, _)), None) => {
            let words: Vec<Word> = arguments
                .iter()
                .skip(at + 1)
                .take_while(|word| word.text != ";" && word.text != "+")
                .cloned()
                .collect();
            if words.is_empty() { Inner::Unknown } else { Inner::Words { words, transparent: false } }
        }
        (Some(_), Some(_)) => Inner::Unknown,
    }
}
