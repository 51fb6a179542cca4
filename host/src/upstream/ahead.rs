//! Connections that are opened before anybody needs them.

use std::rc::Rc;

use super::client::{Pool, warm_http2};
use super::local::Local;

impl Pool {
    /// Opens as many connections as are wanted ahead.
    pub(super) fn warm(self: &Rc<Self>, local: &Rc<Local>) {
        if self.upstream.settings.http2.is_some() {
            return warm_http2(&self.upstream, &self.opener, local);
        }
        let open = local.idle.borrow().len() + local.requests() as usize + local.warming.get();
        for _ in open..self.upstream.settings.options.warm {
            let warming = Warming::new(local);
            let pool = Rc::clone(self);
            tokio::task::spawn_local(async move {
                let permit = match &pool.upstream.limits.connections {
                    Some(connections) => match connections.try_one() {
                        Some(permit) => Some(permit),
                        None => return,
                    },
                    None => None,
                };
                match pool.connect(&warming.0, permit, pool.upstream.settings.connect_timeout).await {
                    Ok(connection) => pool.put_idle(&warming.0, connection),
                    Err(error) => tracing::debug!(%error, "no connection ahead"),
                }
            });
        }
    }
}

/// A connection that is being opened ahead.
struct Warming(Rc<Local>);

impl Warming {
    fn new(local: &Rc<Local>) -> Self {
        local.warming.set(local.warming.get() + 1);
        Self(Rc::clone(local))
    }
}

impl Drop for Warming {
    fn drop(&mut self) {
        self.0.warming.set(self.0.warming.get() - 1);
    }
}
