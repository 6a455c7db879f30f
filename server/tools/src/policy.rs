//! May this tool call run?
//!
//! The answer is the first of these that applies:
//!
//! 1. built-in refusals: in plan mode whatever changes or runs something; files with credentials;
//! 2. rules that deny;
//! 3. built-in questions: files that make something run later ([`guarded`]), and rules that ask;
//! 4. rules that allow, which must cover all of the call;
//! 5. the mode: reading inside the workspace is allowed in all of them, editing inside in `edit` and `auto`, commands in
//!    `auto` where the [sandbox](crate::sandbox) confines them (without one only a short list of commands that look),
//!    anything else asks.
//!
//! Rules come from the settings in the order in which their layers are merged, from the file of remembered answers, and
//! from answers that hold for one session. A later layer cannot take back what an earlier one denies. What the file of a root allows is
//! allowed to sessions in that root alone. A rule that
//! denies or asks and cannot be read makes its tool ask. A command that a rule or the user allowed runs unconfined; one
//! that only the mode allowed runs in the sandbox.

mod command;
mod guarded;
mod lists;
mod narrowing;
mod rule;
mod store;
mod suggestion;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use kit_protocol::{Mode, PermissionScope, SessionId, ToolKind};
use kit_workspace::{Location, Paths, Root};

use crate::shell::{self, Script};
use crate::tool::Access;
use command::Coverage;
use lists::{LayerLists, Layered, Lists, Part, Sourced};
use narrowing::Narrowing;
use rule::{Hit, Place, Rule};
use store::Store;

pub use lists::{RuleLayer, RuleProblem};
pub use rule::InvalidRule;
pub use suggestion::Suggestion;

/// One tool call as the policy sees it.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The session in whose name it is made.
    pub session: &'a SessionId,
    /// The session whose model makes it: the same, or a subagent's.
    pub worker: &'a SessionId,
    /// The session's mode.
    pub mode: Mode,
    /// The session's folder, which names the project for remembered answers.
    pub root: &'a Path,
    /// The folders of the workspace.
    pub roots: &'a [Root],
    /// The tool.
    pub tool: &'a str,
    /// What the tool does.
    pub kind: ToolKind,
    /// What this call does.
    pub access: &'a Access,
    /// Why commands cannot be confined; `None` when they can.
    pub unconfined: Option<&'a str>,
}

/// The policy's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may run.
    Allow {
        /// The rule or mode that allowed it.
        why: String,
        /// Whether a command must be confined.
        confined: bool,
    },
    /// The user decides.
    Ask {
        /// Why it asks.
        why: String,
        /// Rules that would answer this question for good.
        suggestions: Vec<Suggestion>,
    },
    /// It must not run.
    Deny {
        /// Why not.
        why: String,
    },
}

/// Whether a remembered answer allows or denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Calls that the rule covers may run.
    Allow,
    /// Calls that the rule covers must not run.
    Deny,
}

/// The rules of all layers.
pub struct Policy {
    home: PathBuf,
    credentials: PathBuf,
    store: Store,
    layers: RwLock<Vec<LayerLists>>,
    sessions: Mutex<HashMap<SessionId, Arc<Lists>>>,
    narrowed: Mutex<HashMap<SessionId, Vec<Narrowing>>>,
}

impl Policy {
    /// A policy with the rules of the settings; remembered answers lie in `paths.config`.
    pub fn new(paths: &Paths, layers: &[RuleLayer]) -> Self {
        // The same home that `Workspace::resolve` takes for `~`.
        let home = std::env::home_dir().unwrap_or_else(|| paths.home.clone());
        Self::with_home(paths, home, layers)
    }

    fn with_home(paths: &Paths, home: PathBuf, layers: &[RuleLayer]) -> Self {
        let (layers, problems) = LayerLists::of(layers, &home);
        for problem in problems {
            tracing::warn!(%problem, "a permission rule cannot be read");
        }
        Self {
            credentials: paths.config.join("credentials.json"),
            store: Store::new(paths.config.join("permissions.json"), home.clone()),
            home,
            layers: RwLock::new(layers),
            sessions: Mutex::new(HashMap::new()),
            narrowed: Mutex::default(),
        }
    }

    /// Replaces the rules of the settings and says which cannot be read.
    pub fn set_layers(&self, layers: &[RuleLayer]) -> Vec<RuleProblem> {
        let (layers, problems) = LayerLists::of(layers, &self.home);
        *self.layers.write().unwrap_or_else(PoisonError::into_inner) = layers;
        problems
    }

    /// The file of remembered answers.
    pub fn file(&self) -> &Path {
        self.store.path()
    }

    /// All rules that hold for the session: where from, what, and the rule.
    pub fn rules(&self, session: &SessionId, root: &Path) -> Vec<(String, &'static str, String)> {
        let lists = self.lists(session, root);
        let parts = [("deny", Part::Deny), ("ask", Part::Ask), ("allow", Part::Allow)];
        let of_part = |(word, part)| {
            let rules = lists.iter().flat_map(move |list: &Arc<Lists>| list.part(part).iter());
            rules
                .map(|sourced| (sourced.origin.to_string(), word, sourced.rule.text().to_owned()))
                .collect::<Vec<_>>()
        };
        parts.into_iter().flat_map(of_part).collect()
    }

    /// Whether the call may run.
    pub fn decide(&self, call: &Call<'_>) -> Decision {
        let changes = |kind| matches!(kind, ToolKind::Edit | ToolKind::Execute);
        let call = &Call { kind: call.access.kind().unwrap_or(call.kind), ..*call };
        if call.mode == Mode::Plan && changes(call.kind) {
            return deny("plan mode only reads; the user can switch to another mode");
        }
        if let Some(why) = self.narrowings(call).iter().find_map(|narrowing| narrowing.refuses(call)) {
            return deny(why);
        }
        let lists = self.lists(call.session, call.root);
        let denying = Layered { lists: &lists, part: Part::Deny, call };
        let asking = Layered { lists: &lists, part: Part::Ask, call };
        let allowing = Layered { lists: &lists, part: Part::Allow, call };
        match call.access {
            Access::Free => self.decide_plain(call, &denying, &asking, None),
            Access::Other { .. } => self.decide_plain(call, &denying, &asking, Some(&allowing)),
            Access::Read { locations } | Access::Search { locations } | Access::Edit { locations } => {
                self.decide_places(call, locations, &denying, &asking, &allowing)
            }
            Access::Execute { command, cwd } => {
                self.decide_command(call, command, cwd, [&denying, &asking, &allowing])
            }
        }
    }

    /// Which of the files that a search finds must not be shown.
    pub fn hidden<'a>(&'a self, call: &'a Call<'a>) -> Hidden<'a> {
        Hidden { policy: self, call, lists: self.lists(call.session, call.root) }
    }

    /// Makes an answer hold for later calls; writes the file where it is to last.
    pub fn remember(
        &self,
        session: &SessionId,
        root: &Path,
        scope: PermissionScope,
        effect: Effect,
        rule: &str,
    ) -> io::Result<()> {
        let parsed = Rule::parse(rule, &self.home).map_err(|error| io::Error::other(error.to_string()))?;
        match scope {
            PermissionScope::Session => {
                let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
                let lists = Arc::make_mut(sessions.entry(session.clone()).or_default());
                lists.part_mut(effect).push(Sourced {
                    rule: parsed,
                    origin: "this session".into(),
                    project: None,
                });
                Ok(())
            }
            PermissionScope::Project => self.store.remember(Some(root), effect, rule),
            PermissionScope::User => self.store.remember(None, effect, rule),
        }
    }

    /// Lets a session, and whatever works for it, call only what the rules allow, until [`widen`](Self::widen); `by`
    /// says who wants it so, such as ``the skill `deploy` ``.
    pub fn narrow(&self, session: &SessionId, by: &str, rules: &[String]) {
        let narrowing = Narrowing::new(by, rules, &self.home);
        let mut narrowed = self.narrowed.lock().unwrap_or_else(PoisonError::into_inner);
        narrowed.entry(session.clone()).or_default().push(narrowing);
    }

    /// Takes back all that narrows a session.
    pub fn widen(&self, session: &SessionId) {
        self.narrowed.lock().unwrap_or_else(PoisonError::into_inner).remove(session);
    }

    /// What narrows a call: what narrows the session in whose name it is made, and what narrows a subagent alone.
    fn narrowings(&self, call: &Call<'_>) -> Vec<Narrowing> {
        let narrowed = self.narrowed.lock().unwrap_or_else(PoisonError::into_inner);
        let own = (call.worker != call.session).then(|| narrowed.get(call.worker)).flatten();
        narrowed.get(call.session).into_iter().chain(own).flatten().cloned().collect()
    }

    /// Forgets what holds for one session.
    pub fn end_session(&self, session: &SessionId) {
        self.widen(session);
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(session);
    }

    fn lists(&self, session: &SessionId, root: &Path) -> Vec<Arc<Lists>> {
        let mut lists =
            LayerLists::holding(&self.layers.read().unwrap_or_else(PoisonError::into_inner), root);
        lists.push(self.store.lists(root));
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        lists.extend(sessions.get(session).cloned());
        lists
    }

    fn decide_plain(
        &self,
        call: &Call<'_>,
        denying: &Layered<'_>,
        asking: &Layered<'_>,
        allowing: Option<&Layered<'_>>,
    ) -> Decision {
        let suggestions = || suggestion::for_tool(call.tool);
        if let Some(sourced) = denying.iter().next() {
            return deny(format!("denied by {sourced}"));
        }
        if let Some(sourced) = asking.iter().next() {
            return Decision::Ask { why: format!("{sourced} asks"), suggestions: Vec::new() };
        }
        match allowing.map(|rules| rules.iter().next().map(ToString::to_string)) {
            None => allow("it reaches nothing outside the agent"),
            Some(Some(rule)) => allow(format!("allowed by {rule}")),
            Some(None) => {
                let why = format!("{} reaches beyond what this program can confine", call.tool);
                Decision::Ask { why, suggestions: suggestions() }
            }
        }
    }

    fn decide_places(
        &self,
        call: &Call<'_>,
        locations: &[Location],
        denying: &Layered<'_>,
        asking: &Layered<'_>,
        allowing: &Layered<'_>,
    ) -> Decision {
        let places: Vec<Place<'_>> = locations.iter().map(|location| place(call, location)).collect();
        if places.iter().any(|place| self.holds_credentials(*place)) {
            return deny("files with credentials are never read or changed");
        }
        let hit = |rules: &Layered<'_>| {
            let hits =
                |sourced: &&Sourced| places.iter().any(|place| sourced.rule.hits_place(*place) != Hit::No);
            rules.iter().find(hits).map(ToString::to_string)
        };
        if let Some(rule) = hit(denying) {
            return deny(format!("denied by {rule}"));
        }
        if call.kind == ToolKind::Edit
            && let Some(name) = places.iter().find_map(|place| self.guarded(*place))
        {
            return Decision::Ask {
                why: format!("{name} is never changed unasked"),
                suggestions: Vec::new(),
            };
        }
        if let Some(rule) = hit(asking) {
            return Decision::Ask { why: format!("{rule} asks"), suggestions: Vec::new() };
        }
        let mut used = Vec::new();
        for place in &places {
            if let Some(sourced) = allowing.iter().find(|sourced| sourced.allows_place(*place)) {
                used.push(sourced.to_string());
                continue;
            }
            if let Some(why) = mode_question(call, *place) {
                return Decision::Ask { why, suggestions: suggestion::for_place(call.kind, *place) };
            }
            used.push(format!("{} mode", mode_name(call.mode)));
        }
        used.dedup();
        allow(format!("allowed by {}", used.join(", ")))
    }

    fn decide_command(
        &self,
        call: &Call<'_>,
        line: &str,
        cwd: &Path,
        [denying, asking, allowing]: [&Layered<'_>; 3],
    ) -> Decision {
        let script = shell::parse(line);
        let ask = |why: String| Decision::Ask { why, suggestions: Vec::new() };
        match command::first_hit(denying.iter(), line, &script) {
            Some((Hit::Yes, sourced)) => return deny(format!("denied by {sourced}")),
            Some((Hit::Perhaps, sourced)) => return ask(unclear(&script, sourced)),
            Some((Hit::No, _)) | None => {}
        }
        match command::first_hit(asking.iter(), line, &script) {
            Some((Hit::Yes, sourced)) => return ask(format!("{sourced} asks")),
            Some((Hit::Perhaps, sourced)) => return ask(unclear(&script, sourced)),
            Some((Hit::No, _)) | None => {}
        }
        let uncovered = match command::coverage(allowing, line, &script, cwd) {
            Coverage::Covered(rules) => return allow(format!("allowed by {}", rules.join(", "))),
            Coverage::Uncovered(why) => why,
        };
        let ask =
            |why| Decision::Ask { why, suggestions: suggestion::for_command(line, &script, &self.home) };
        match (call.mode, call.unconfined) {
            (Mode::Plan, _) => deny("plan mode only reads"),
            (Mode::Ask | Mode::Edit, _) => ask(uncovered),
            (Mode::Auto, unconfined) => match (command::mentioned(&script), unconfined) {
                (Some(name), _) => ask(format!("{name} is never changed unasked")),
                (None, None) => {
                    Decision::Allow { why: "auto mode, in the sandbox".to_owned(), confined: true }
                }
                (None, Some(_)) if command::is_harmless(&script) => allow("auto mode, it only looks"),
                (None, Some(why)) => ask(format!("there is no sandbox: {why}")),
            },
        }
    }

    fn holds_credentials(&self, place: Place<'_>) -> bool {
        let same = |path: &Path| path.as_os_str().eq_ignore_ascii_case(self.credentials.as_os_str());
        same(place.real) || same(place.named)
    }

    /// What is guarded about a place: a name inside the workspace, or this product's own configuration.
    fn guarded(&self, place: Place<'_>) -> Option<String> {
        let own = self.store.path().parent().is_some_and(|folder| place.real.starts_with(folder));
        if own {
            return Some("the configuration of this program".to_owned());
        }
        // Names above the workspace folder are the user's choice of where to work.
        let within = place.relative.unwrap_or(place.real);
        guarded::guarded_name(within)
            .or_else(|| guarded::guarded_name(Path::new(place.named.file_name()?)))
            .map(str::to_owned)
    }
}

/// What the rules that deny keep out of the results of one search.
pub struct Hidden<'a> {
    policy: &'a Policy,
    call: &'a Call<'a>,
    lists: Vec<Arc<Lists>>,
}

impl Hidden<'_> {
    /// Whether the file must not be shown.
    pub fn holds(&self, location: &Location) -> bool {
        let denying = Layered { lists: &self.lists, part: Part::Deny, call: self.call };
        let place = place(self.call, location);
        self.policy.holds_credentials(place)
            || denying.iter().any(|sourced| sourced.rule.hits_place(place) != Hit::No)
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Policy").field("file", &self.store.path()).finish_non_exhaustive()
    }
}

fn allow(why: impl Into<String>) -> Decision {
    Decision::Allow { why: why.into(), confined: false }
}

fn deny(why: impl Into<String>) -> Decision {
    Decision::Deny { why: why.into() }
}

fn unclear(script: &Script, sourced: &Sourced) -> String {
    match script.doubts.first() {
        Some(doubt) => format!("{}, so {sourced} may apply", command::why_doubt(doubt)),
        None => format!("a part of the command is computed, so {sourced} may apply"),
    }
}

/// Why the mode asks about a place, or `None` when it allows it.
fn mode_question(call: &Call<'_>, place: Place<'_>) -> Option<String> {
    if place.relative.is_none() {
        return Some(format!("{} is outside the workspace", place.real.display()));
    }
    match (call.kind, call.mode) {
        (ToolKind::Edit, Mode::Edit | Mode::Auto) => None,
        (ToolKind::Edit, Mode::Ask | Mode::Plan) => {
            Some(format!("{} mode asks before each change", mode_name(call.mode)))
        }
        (ToolKind::Read | ToolKind::Search | ToolKind::Execute | ToolKind::Agent | ToolKind::Other, _) => {
            None
        }
    }
}

fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Plan => "plan",
        Mode::Ask => "ask",
        Mode::Edit => "edit",
        Mode::Auto => "auto",
    }
}

fn place<'a>(call: &Call<'a>, location: &'a Location) -> Place<'a> {
    let inside = call.roots.iter().filter(|root| location.real.starts_with(&root.real));
    let root = inside.max_by_key(|root| root.real.components().count());
    Place {
        real: &location.real,
        named: &location.path,
        // A document that is no file, such as an unsaved new one, belongs to the workspace.
        relative: match root {
            Some(root) => location.real.strip_prefix(&root.real).ok(),
            None => (location.inside && !location.real.is_absolute()).then_some(location.real.as_path()),
        },
        root: root.map(|root| root.real.as_path()),
    }
}

#[cfg(test)]
mod tests;
