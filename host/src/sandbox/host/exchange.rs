//! The running exchange.

use http::{HeaderName, HeaderValue};
use wasmtime::Result;

use crate::message::{Edit, Fact, Message};
use crate::sandbox::answer::Room;
use crate::sandbox::instance::{HEAD_HAS_GONE, HostState};
use crate::sandbox::meter::host_time;

impl HostState {
    /// A fact by name; none if it is absent or unknown.
    pub(in crate::sandbox) fn fact(&mut self, id: u32, of: Message, name: &str) -> Result<Option<Vec<u8>>> {
        let _time = host_time();
        let Ok(fact) = Fact::parse(name, of) else { return self.exchange(id).map(|_| None) };
        if let Some(name) = fact.field() {
            self.grants.permit_read(name)?;
        }
        let running = self.exchange(id)?;
        let mut value = Vec::new();
        Ok(fact.write(&running.exchange, of, &mut value).then_some(value))
    }

    /// The values of all fields of that name.
    pub(in crate::sandbox) fn values(&mut self, id: u32, of: Message, name: &str) -> Result<Vec<Vec<u8>>> {
        let _time = host_time();
        if let Ok(name) = HeaderName::from_lowercase(name.as_bytes()) {
            self.grants.permit_read(&name)?;
        }
        let exchange = &self.exchange(id)?.exchange;
        let list = exchange.context.principal.as_deref().and_then(|principal| match name {
            "@scopes" => Some(&principal.scopes),
            "@groups" => Some(&principal.groups),
            _ => None,
        });
        if let Some(list) = list {
            return Ok(list.iter().map(|value| value.as_bytes().to_vec()).collect());
        }
        let fields = exchange.fields(of);
        Ok(fields.into_iter().flat_map(|fields| fields.get_all(name)).map(|value| value.as_bytes().to_vec()).collect())
    }

    /// All fields that the policy may see.
    pub(in crate::sandbox) fn all_fields(&mut self, id: u32, of: Message) -> Result<Vec<(HeaderName, HeaderValue)>> {
        let _time = host_time();
        let (running, grants) = self.exchange_and_grants(id)?;
        let fields = running.exchange.fields(of).into_iter().flatten();
        let seen = fields.filter(|(name, _)| grants.read.allows(name));
        Ok(seen.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// Makes edits at once, up to the first that is not possible.
    pub(in crate::sandbox) fn apply<'a>(
        &mut self,
        id: u32,
        edits: impl IntoIterator<Item = Result<Edit<'a>>>,
    ) -> Result<std::result::Result<(), String>> {
        let _time = host_time();
        let (running, grants) = self.exchange_and_grants(id)?;
        if !running.editable {
            return Ok(Err(HEAD_HAS_GONE.to_owned()));
        }
        let mut room = Room::default();
        for edit in edits {
            let change = match room.admit(edit?).and_then(|edit| edit.check(running.message)) {
                Ok(change) => change,
                Err(error) => return Ok(Err(error.to_string())),
            };
            if let Some(refusal) = grants.refusal_of(&change) {
                return Ok(Err(refusal));
            }
            if let Err(error) = change.make(&mut running.exchange, running.message) {
                return Ok(Err(error.to_string()));
            }
        }
        Ok(Ok(()))
    }
}
