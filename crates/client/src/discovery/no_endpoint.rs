//! What stands for the address endpoint in a build without it: nothing that can exist.

use std::{convert::Infallible, sync::Arc, time::Duration};

use crate::{ConfigError, Connect, remoting::cause::Cause};

pub(crate) struct Endpoint(Infallible);

impl Endpoint {
    pub(crate) fn new(_: &str, _: Option<&str>, _: Arc<dyn Connect>) -> Result<Self, ConfigError> {
        Err(ConfigError::new("name servers by HTTP need the feature \"http-discovery\" of the maxq crate"))
    }

    pub(crate) fn url(&self) -> &str {
        match self.0 {}
    }

    pub(crate) async fn fetch(&self, _: Duration) -> Result<Vec<Arc<str>>, Cause> {
        match self.0 {}
    }
}
