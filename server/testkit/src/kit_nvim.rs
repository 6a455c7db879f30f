//! A real Neovim with our client in it, as a user would set it up: the plugin on the runtime path, the server enabled,
//! the agent's state in the status line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::nvim::{Nvim, NvimOptions};
use crate::project::Project;

/// What a Neovim with the client needs to know.
#[derive(Clone, Debug)]
pub struct KitNvim<'a> {
    /// The Neovim.
    pub program: PathBuf,
    /// The server that the client starts.
    pub server: PathBuf,
    /// The project that is opened.
    pub project: &'a Project,
    /// Further variables, such as a key and the address of a model.
    pub environment: Vec<(String, String)>,
    /// The repository whose client is loaded.
    pub repository: &'a Path,
}

impl KitNvim<'_> {
    /// Starts Neovim and opens a file.
    pub async fn start(self, file: &str) -> Nvim {
        let client = self.repository.join("editors/nvim");
        let before = format!("set runtimepath^={}", escaped(&client));
        let mut environment: Vec<(OsString, OsString)> = vec![
            ("HOME".into(), self.project.home().into()),
            ("KIT_HOME".into(), self.project.kit_home().into()),
            ("LANG".into(), "C.UTF-8".into()),
            ("TERM".into(), "xterm-256color".into()),
        ];
        environment.extend(self.environment.into_iter().map(|(name, value)| (name.into(), value.into())));
        let mut arguments: Vec<OsString> = vec!["--clean".into(), "-n".into(), "--cmd".into(), before.into()];
        // An unpacked Neovim does not find its own parsers, which every installed one has.
        if let Some(parsers) = self.program.parent().map(|folder| folder.join("root/usr/lib/nvim"))
            && parsers.is_dir()
        {
            let more = format!("set runtimepath+={}", escaped(&parsers));
            arguments.extend(["--cmd".into(), more.into()]);
        }
        let nvim = Nvim::start(NvimOptions {
            program: self.program,
            directory: self.project.root(),
            environment,
            arguments,
            width: 118,
            height: 36,
        })
        .await;
        let server = self.server.display().to_string().replace('\\', "/");
        nvim.lua(&format!(
            "vim.o.termguicolors, vim.o.laststatus, vim.o.number, vim.o.signcolumn = true, 3, true, 'yes'
             vim.o.statusline = \"%<%f %m%=%{{%v:lua.require'kit.status'.text()%}} \"
             require('kit').setup({{ cmd = {{ [[{server}]] }} }})
             vim.lsp.enable('kit')"
        ))
        .await;
        nvim.command(&format!("edit {file}")).await;
        nvim.until("#vim.lsp.get_clients({ name = 'kit', bufnr = 0 }) == 1").await;
        nvim.until("require('kit.status').get() ~= nil").await;
        nvim
    }
}

fn escaped(path: &Path) -> String {
    path.display().to_string().replace('\\', "/").replace(' ', "\\ ").replace(',', "\\,")
}
