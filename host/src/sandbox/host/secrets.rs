//! Secrets.

use std::sync::Arc;

use arc_swap::Guard;

use crate::sandbox::instance::HostState;
use crate::sandbox::secret::SecretValue;

impl HostState {
    /// The secret of that name as it is now, if the policy is granted it.
    pub(in crate::sandbox) fn secret(&self, name: &str) -> Option<Guard<Arc<SecretValue>>> {
        self.grants.secrets.iter().find(|granted| *granted.name == *name).map(|granted| granted.secret.value())
    }
}
