//! What a file may import: the modules that the host gave with it, by name. There are no files in here.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use rquickjs::loader::{ImportAttributes, Loader, Resolver};
use rquickjs::module::Declared;
use rquickjs::{Ctx, Error, Module, Result};

/// Source text by the name that it is imported by.
#[derive(Clone, Default)]
pub(crate) struct Modules(Rc<RefCell<HashMap<String, String>>>);

impl Modules {
    /// Adds a module.
    pub(crate) fn insert(&self, name: String, source: String) {
        self.0.borrow_mut().insert(name, source);
    }
}

impl Resolver for Modules {
    fn resolve<'js>(
        &mut self,
        _ctx: &Ctx<'js>,
        base: &str,
        name: &str,
        _attributes: Option<ImportAttributes<'js>>,
    ) -> Result<String> {
        if self.0.borrow().contains_key(name) {
            return Ok(name.to_owned());
        }
        Err(Error::new_resolving_message(base, name, "an extension is one file; it can import nothing"))
    }
}

impl Loader for Modules {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        _attributes: Option<ImportAttributes<'js>>,
    ) -> Result<Module<'js, Declared>> {
        let source = self.0.borrow().get(name).cloned();
        Module::declare(ctx.clone(), name, source.ok_or_else(|| Error::new_loading(name))?)
    }
}
