//! Which hunks a keep or undo means.

use kit_protocol::{HunkId, ReviewArguments, ReviewConflict, SessionId, TurnId};
use kit_text::LineRange;
use kit_text::diff::LineHunk;
use kit_workspace::DocumentUri;
use thiserror::Error;

use crate::file::{Hunk, ReviewFile};

/// One way to choose hunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// These.
    Hunks(Vec<HunkId>),
    /// The hunks and parts of hunks in these live lines of a file.
    Lines {
        /// The file.
        uri: DocumentUri,
        /// Its live lines.
        lines: LineRange,
    },
    /// All of a file.
    File(DocumentUri),
    /// What a turn did.
    Turn(TurnId),
    /// What a session did.
    Session(SessionId),
    /// All.
    All,
}

/// The arguments of a keep or undo do not choose hunks in exactly one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("choose in one way: by `hunks`, `uri` (with `lines` or without), `turn`, `session` or `all: true`")]
pub struct NotOneSelection;

impl TryFrom<&ReviewArguments> for Selection {
    type Error = NotOneSelection;

    fn try_from(arguments: &ReviewArguments) -> Result<Self, NotOneSelection> {
        let uri = arguments.uri.as_deref().map(DocumentUri::parse);
        let by_place = match (uri, arguments.lines) {
            (Some(uri), Some((start, end))) => Some(Self::Lines { uri, lines: LineRange::new(start, end) }),
            (Some(uri), None) => Some(Self::File(uri)),
            (None, Some(_)) => return Err(NotOneSelection),
            (None, None) => None,
        };
        let mut ways = [
            arguments.hunks.clone().map(Self::Hunks),
            by_place,
            arguments.turn.clone().map(Self::Turn),
            arguments.session.clone().map(Self::Session),
            arguments.all.filter(|all| *all).map(|_| Self::All),
        ]
        .into_iter()
        .flatten();
        match (ways.next(), ways.next()) {
            (Some(way), None) => Ok(way),
            (Some(_) | None, _) => Err(NotOneSelection),
        }
    }
}

/// What was chosen in one file.
pub(crate) struct Chosen {
    pub(crate) uri: DocumentUri,
    /// Hunks and parts of hunks, with the id of the hunk.
    pub(crate) targets: Vec<(LineHunk, HunkId)>,
    /// Hunks that others worked on as well, of which only the chosen turn's or session's share is meant.
    pub(crate) shared: Vec<HunkId>,
}

impl Selection {
    /// Whether an agent's edit is meant, for selections by turn and session.
    pub(crate) fn means(&self, session: &SessionId, turn: &TurnId) -> bool {
        match self {
            Self::Turn(chosen) => turn == chosen,
            Self::Session(chosen) => session == chosen,
            Self::Hunks(_) | Self::Lines { .. } | Self::File(_) | Self::All => true,
        }
    }

    pub(crate) fn choose(&self, file: &ReviewFile) -> Chosen {
        let mut chosen = Chosen { uri: file.uri.clone(), targets: Vec::new(), shared: Vec::new() };
        let hunks = file.hunks();
        match self {
            Self::Lines { uri, lines } if *uri == file.uri => {
                for part in file.select_lines(*lines) {
                    let of = hunks.iter().find(|hunk| contains(&hunk.lines, &part));
                    chosen.targets.extend(of.map(|hunk| (part, hunk.id.clone())));
                }
            }
            Self::File(uri) if *uri != file.uri => {}
            Self::Lines { uri: _, lines: _ } => {}
            Self::Hunks(ids) => {
                let named = hunks.into_iter().filter(|hunk| ids.contains(&hunk.id));
                chosen.targets.extend(named.map(|hunk| (hunk.lines, hunk.id)));
            }
            Self::File(_) | Self::All => {
                chosen.targets.extend(hunks.into_iter().map(|hunk| (hunk.lines, hunk.id)))
            }
            Self::Turn(_) | Self::Session(_) => {
                for Hunk { id, lines, by, .. } in hunks {
                    let share = by.iter().filter(|by| self.means(&by.session, &by.turn)).count();
                    if share == by.len() {
                        chosen.targets.push((lines, id));
                    } else if share > 0 {
                        chosen.shared.push(id);
                    }
                }
            }
        }
        chosen
    }

    /// Hunks that were asked for by an id that no hunk has any more.
    pub(crate) fn missing(&self, found: &[&HunkId]) -> Vec<ReviewConflict> {
        let Self::Hunks(ids) = self else { return Vec::new() };
        let gone = ids.iter().filter(|id| !found.contains(id));
        gone.map(|id| ReviewConflict {
            id: id.clone(),
            why: "the hunk has changed or is already settled".to_owned(),
        })
        .collect()
    }
}

fn contains(hunk: &LineHunk, part: &LineHunk) -> bool {
    let within = |whole: LineRange, part: LineRange| whole.start <= part.start && part.end <= whole.end;
    within(hunk.base, part.base) && within(hunk.current, part.current)
}
