//! What the demo prints: commands to paste, and what to change while it runs.

use super::gateway::Gateway;
use super::policies::{KEY, Policies};

pub(super) fn text(gateway: &Gateway, policies: &Policies) -> String {
    let Gateway { listen, admin, .. } = gateway;
    let here = std::env::current_dir().unwrap_or_default();
    let dir = policies.dir.strip_prefix(&here).unwrap_or(&policies.dir).display();
    format!(
        "
Tollgate is up. In another terminal:

  401, no key            curl -i http://{listen}/orders/7
  200, see x-consumer    curl -i -H 'x-api-key: {KEY}' http://{listen}/orders/7
  429 after a burst      for i in $(seq 8); do curl -s -o /dev/null -w '%{{http_code}}\\n' -H 'x-api-key: {KEY}' http://{listen}/; done
  what is loaded         curl -s http://{admin}/policies

Live: set `burst = 50` in {dir}/20-rate-limit.toml and repeat the loop, remove
10-api-key.toml, or drop a filter of yours there as 40-NAME.wasm. Ctrl-C ends it.
"
    )
}
