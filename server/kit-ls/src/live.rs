//! Settings that change while the process runs: in the files of the user and of the roots, in the editor, or because a
//! root is trusted, comes or goes.
//!
//! One look at a time reads all layers again and lets them hold where something is another than before. What is broken
//! keeps what it was, and is said once. What only the user's own commands chose, such as a model, is above the settings
//! and stays. The same watch tells changes of skills, templates and agents, whose mistakes are shown at once, and commits,
//! which end the review of what was committed.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use futures::FutureExt;
use futures::future::{self, BoxFuture};
use kit_lsp::{Running, SettingsChange, Weight};
use kit_workspace::{Watch, Watched};

use crate::application::Kit;
use crate::configuration::{self, Configuration, Problem};
use crate::extension_ports;

/// How much of the settings is taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reload {
    /// What is another than before.
    Changed,
    /// Everything, because what stands beside the settings is another than before.
    Everything,
}

impl Kit {
    /// Takes over changes until the process ends.
    pub(crate) fn watch_settings(self: Arc<Self>, running: Running) -> BoxFuture<'static, ()> {
        async move {
            self.say(&self.problems());
            let mut watch = match Watch::new() {
                Ok(watch) => Some(watch),
                Err(error) => {
                    tracing::warn!(%error, "changes of settings are seen with the next start");
                    None
                }
            };
            loop {
                let (kit, now) = (Arc::clone(&self), running.clone());
                let looked = tokio::task::spawn_blocking(move || {
                    let places = kit.places(&now);
                    if let Some(watch) = &mut watch {
                        watch.set(&places);
                    }
                    // Only now: what changes from here on is told.
                    kit.reload(&now, Reload::Changed);
                    watch
                });
                let Ok(looked) = looked.await else { return };
                watch = looked;
                running.sessions.look_at_projects();
                running.sessions.look_at_commits();
                let changed = async {
                    match &mut watch {
                        Some(watch) => watch.changed().await,
                        None => future::pending().await,
                    }
                };
                tokio::select! {
                    () = changed => {}
                    () = self.changed.notified() => {}
                }
            }
        }
        .boxed()
    }

    /// Something beside the files changed.
    pub(crate) fn note(&self, change: SettingsChange) {
        match change {
            SettingsChange::Editor(options) => self.state().options = options,
            SettingsChange::Roots => {}
        }
        self.changed.notify_one();
    }

    /// Reads the settings again. Blocks on the disk.
    pub(crate) fn reload(&self, running: &Running, reload: Reload) {
        let _one = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let roots = folders(running);
        let (options, before) = {
            let state = self.state();
            (state.options.clone(), state.configuration.clone())
        };
        let mut configuration = self.configure(&roots, options, &before);
        let is_same = configuration.settings == before.settings
            && configuration.roots == before.roots
            && configuration.rules == before.rules;
        if (!is_same || reload == Reload::Everything)
            && let Err(why) = self.hold(running, &configuration, &roots)
        {
            configuration.settings = before.settings.clone();
            configuration.roots.clone_from(&before.roots);
            configuration
                .problems
                .push(Problem::general(format!("the changed settings are not used: {why}")));
        }
        let told = configuration.problems.iter().filter(|problem| !before.problems.contains(problem));
        let told: Vec<String> = told.map(ToString::to_string).collect();
        let mut state = self.state();
        if configuration.problems != before.problems {
            state.configuration = configuration;
            state.tell_problems();
        } else {
            state.configuration = configuration;
        }
        drop(state);
        self.say(&told);
    }

    /// Shows what is wrong with settings to the user, in one sentence.
    fn say(&self, problems: &[String]) {
        let Some((first, more)) = problems.split_first() else { return };
        let Some(window) = self.state().window.clone() else { return };
        let more = if more.is_empty() { String::new() } else { format!(" (and {} more)", more.len()) };
        window.tell(Weight::Error, format!("{first}{more}"));
    }

    /// Lets settings hold everywhere; the error says why they cannot.
    fn hold(
        &self,
        running: &Running,
        configuration: &Configuration,
        roots: &[PathBuf],
    ) -> Result<(), String> {
        let (policy, extensions, servers) = {
            let state = self.state();
            (state.policy.clone(), state.extensions.clone(), state.mcp.clone())
        };
        if let Some(policy) = policy {
            // What cannot be read is among the problems of the configuration.
            policy.set_layers(&configuration.rules);
        }
        let settings = &configuration.settings;
        let setups = self.setups(configuration).map_err(|error| error.message)?;
        running.workspace.set_save_after_edit(settings.save_after_edit.unwrap_or_default());
        running.workspace.set_auto_keep(settings.auto_keep.as_deref().unwrap_or_default());
        running.sessions.set_settings(setups);
        if let Some(extensions) = extensions {
            extensions.apply(extension_ports::settings(settings));
        }
        if let Some(servers) = servers {
            self.apply_mcp(&servers, configuration, roots);
        }
        Ok(())
    }

    /// Where settings, skills, templates and agents are read from, and where commits are seen.
    fn places(&self, running: &Running) -> Vec<Watched> {
        let roots = folders(running);
        let files = |folder: &PathBuf| configuration::FILES.map(|name| Watched::File(folder.join(name)));
        let mut places = match self.explicit_settings() {
            Some(file) => vec![Watched::File(file.clone())],
            None => files(&self.paths().home).into(),
        };
        for root in roots {
            places.extend(files(&root));
            places.push(Watched::File(root.join(configuration::SHARED_FILE)));
            places.extend(running.sessions.projects().places(&root));
            places.extend(kit_session::commit_log(&root).map(Watched::File));
        }
        places
    }
}

/// The folders of the workspace.
fn folders(running: &Running) -> Vec<PathBuf> {
    running.workspace.roots().into_iter().map(|root| root.path).collect()
}
