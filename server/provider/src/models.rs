//! Which models there are: from an id to a model, lists, and the default.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use kit_protocol::{ErrorKind, ModelId, ModelInfo};

use crate::environment::Environment;
use crate::error::ModelError;
use crate::model::Model;
use crate::scripted::{self, Scripted};
use crate::settings::ProviderSettings;

/// Resolves model ids. Models of the same id are one object, so their connections are shared.
pub struct Models {
    settings: ProviderSettings,
    environment: Environment,
    resolved: Mutex<HashMap<ModelId, Arc<dyn Model>>>,
}

impl Models {
    /// Models as settings and environment have them.
    pub fn new(settings: &ProviderSettings, environment: Environment) -> Self {
        Self { settings: settings.clone(), environment, resolved: Mutex::default() }
    }

    /// The model of the id. An id that the catalogue does not know is allowed; only what can never work is an error.
    pub fn resolve(&self, id: &ModelId) -> Result<Arc<dyn Model>, ModelError> {
        let mut resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(model) = resolved.get(id) {
            return Ok(model.clone());
        }
        let model: Arc<dyn Model> = if id.provider() == scripted::PROVIDER {
            Arc::new(Scripted::find(id, &self.script_folders())?)
        } else {
            return Err(ModelError::new(ErrorKind::NotFound, format!("the provider of {id} is not known")));
        };
        resolved.insert(id.clone(), model.clone());
        Ok(model)
    }

    /// Known models, of one provider or of all.
    pub fn list(&self, provider: Option<&str>) -> Vec<ModelInfo> {
        let scripts = Scripted::names(&self.script_folders()).into_iter();
        let scripts = scripts.filter_map(|name| format!("{}/{name}", scripted::PROVIDER).parse().ok());
        let scripts = scripts.filter_map(|id| Some(self.resolve(&id).ok()?.info().clone()));
        scripts.filter(|info| provider.is_none_or(|provider| info.provider == provider)).collect()
    }

    /// The model to use when nobody names one.
    pub async fn default_model(&self) -> ModelId {
        self.settings.model.clone().unwrap_or_else(ModelId::demo)
    }

    fn script_folders(&self) -> Vec<PathBuf> {
        let scripts = self.environment.get("KIT_SCRIPTS").map(PathBuf::from);
        let home = self.environment.kit_home().map(|home| home.join("scripts"));
        scripts.into_iter().chain(home).collect()
    }
}
