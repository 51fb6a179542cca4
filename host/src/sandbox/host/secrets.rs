//! Secrets.

use std::sync::Arc;

use arc_swap::Guard;

use crate::sandbox::instance::HostState;
use crate::sandbox::meter::host_time;
use crate::sandbox::secret::SecretValue;

impl HostState {
    /// The secret of that name as it is now, if the policy is granted it.
    pub(in crate::sandbox) fn secret(&self, name: &str) -> Option<Guard<Arc<SecretValue>>> {
        let _time = host_time();
        self.grants.secrets.iter().find(|granted| *granted.name == *name).map(|granted| granted.secret.value())
    }
}
