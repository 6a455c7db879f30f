//! The checks of `kit.doctor` and `kit-ls doctor`: each says what was found and, where something is wrong, what mends it.

use std::path::Path;

use kit_protocol::{Check, FileProblem, Secret};
use kit_provider::{ConnectionStats, Models};
use kit_session::Projects;
use kit_tools::sandbox::{self, SandboxStatus};
use kit_workspace::{Paths, Root};

use crate::configuration::Configuration;

/// All checks, none of which waits for the network.
pub(crate) fn checks(
    paths: &Paths,
    configuration: &Configuration,
    models: &Models,
    roots: &[Root],
    projects: &Projects,
) -> Vec<Check> {
    let mut checks = vec![well("version", format!("kit-ls {}", env!("CARGO_PKG_VERSION")))];
    checks.push(model(configuration, models));
    checks.push(settings(configuration));
    checks.push(certificates(configuration));
    for (name, folder) in [("sessions", &paths.sessions), ("state", &paths.state), ("config", &paths.config)]
    {
        checks.push(writable(name, folder));
    }
    checks.push(well("log", paths.logs.display().to_string()));
    checks.push(match sandbox::status() {
        SandboxStatus::Available => well("sandbox", "shell commands of mode auto run confined".to_owned()),
        SandboxStatus::Unavailable(why) => {
            well("sandbox", format!("not available, so shell commands ask in every mode: {why}"))
        }
    });
    checks.extend(roots.iter().map(|root| workspace(root, projects)));
    checks
}

fn well(name: &str, detail: String) -> Check {
    Check { name: name.to_owned(), ok: true, detail, fix: None }
}

fn broken(name: &str, detail: String, fix: String) -> Check {
    Check { name: name.to_owned(), ok: false, detail, fix: Some(fix) }
}

fn model(configuration: &Configuration, models: &Models) -> Check {
    let Some(name) = configuration.settings.model.as_deref() else {
        return well("model", "none is set: a key, a local server or the demo script decides".to_owned());
    };
    let resolved = match name.parse() {
        Ok(id) => models.resolve(&id).map_err(|error| error.message),
        Err(error) => Err(error.to_string()),
    };
    match resolved {
        Ok(model) => well("model", model.info().id.to_string()),
        Err(why) => broken("model", why, "set `model` to provider/name and the provider's key".to_owned()),
    }
}

fn settings(configuration: &Configuration) -> Check {
    if configuration.problems.is_empty() {
        return well("settings", format!("from {}", configuration.origins.join(", ")));
    }
    broken(
        "settings",
        configuration.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        "mend or remove what is named; everything else holds".to_owned(),
    )
}

fn certificates(configuration: &Configuration) -> Check {
    let settings = &configuration.settings;
    if settings.tls_skip_verify == Some(true) {
        return broken(
            "certificates",
            "those of model servers are not checked, so whoever is on the way can read keys and change answers"
                .to_owned(),
            "remove `tls-skip-verify`; a certificate of your own belongs into `ca-certificates`".to_owned(),
        );
    }
    let more = match settings.ca_certificates.as_ref().map_or(0, Vec::len) {
        0 => String::new(),
        files => format!(" and of {files} files of the settings"),
    };
    let proxy = match settings.proxy.as_ref().map(Secret::expose) {
        None => "proxies as the environment has them",
        Some("none") => "no proxy",
        Some(_) => "the proxy of the settings",
    };
    well("certificates", format!("those of the system{more}; {proxy}"))
}

/// What is left of the limits of the account at the provider in use, as its last answer had them.
pub(crate) fn limits(models: &Models, provider: &str) -> Option<Check> {
    let limits = models.rate_limits(provider)?;
    let told = [
        ("requests", limits.requests),
        ("tokens", limits.tokens),
        ("input tokens", limits.input_tokens),
        ("output tokens", limits.output_tokens),
    ];
    let told = told.into_iter().filter_map(|(what, allowance)| {
        let allowance = allowance?;
        Some(format!("{} of {} {what} left", allowance.remaining, allowance.limit))
    });
    let told: Vec<String> = told.collect();
    Some(well("limits", format!("at {provider}: {}", told.join(", "))))
}

/// The connections to model servers, which only a running server has.
pub(crate) fn connections(stats: ConnectionStats) -> Check {
    let ConnectionStats { total, active, idle } = stats;
    well("connections", format!("to {total} model servers, {active} in use, {idle} idle"))
}

/// Whether a root is trusted, and what of it is not loaded.
fn workspace(root: &Root, projects: &Projects) -> Check {
    let path = root.path.display();
    if projects.is_trusted(&root.path) {
        return well("workspace", format!("{path} is trusted"));
    }
    let withheld = projects.withheld(&root.path);
    if withheld.is_empty() {
        return well("workspace", format!("{path} is not trusted, and brings nothing that would need it"));
    }
    Check {
        name: "workspace".to_owned(),
        ok: true,
        detail: format!("{path} is not trusted, so this is not loaded: {}", withheld.join(", ")),
        fix: Some("trust the workspace (`kit.trust.set`) if you know what these files say".to_owned()),
    }
}

/// The files of projects and the user that were left out; nothing where there are none.
pub(crate) fn project_files(problems: &[FileProblem]) -> Option<Check> {
    let told = |problem: &FileProblem| format!("{}:{}: {}", problem.path, problem.line + 1, problem.message);
    let list = problems.iter().map(told).collect::<Vec<_>>().join("; ");
    (!list.is_empty())
        .then(|| broken("project files", list, "mend what is named; everything else holds".to_owned()))
}

fn writable(name: &str, folder: &Path) -> Check {
    let probe = std::fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder));
    match probe {
        Ok(_) => well(name, folder.display().to_string()),
        Err(error) => broken(
            name,
            format!("{} cannot be written: {error}", folder.display()),
            "make the folder writable, or set KIT_HOME to another one".to_owned(),
        ),
    }
}
