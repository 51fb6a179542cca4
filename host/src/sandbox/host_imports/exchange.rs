//! `exchange`.

use wasmtime::Result;

use crate::message::Message;
use crate::sandbox::bindings::tollgate::filter::exchange::{self, Message as GuestMessage};
use crate::sandbox::bindings::tollgate::filter::types::{Edit, FieldResult as Field};
use crate::sandbox::instance::HostState;

impl exchange::Host for HostState {
    fn get(&mut self, id: u32, of: GuestMessage, name: String) -> Result<Option<Vec<u8>>> {
        self.fact(id, message(of), &name)
    }

    fn get_all(&mut self, id: u32, of: GuestMessage, name: String) -> Result<Vec<Vec<u8>>> {
        self.values(id, message(of), &name)
    }

    fn fields(&mut self, id: u32, of: GuestMessage) -> Result<Vec<Field>> {
        let fields = self.all_fields(id, message(of))?.into_iter();
        Ok(fields
            .map(|(name, value)| Field { name: name.as_str().to_owned(), value: value.as_bytes().to_vec() })
            .collect())
    }

    fn apply(&mut self, id: u32, edits: Vec<Edit>) -> Result<std::result::Result<(), String>> {
        Self::apply(self, id, edits.iter().map(|edit| Ok(edit.into())))
    }
}

fn message(message: GuestMessage) -> Message {
    match message {
        GuestMessage::Request => Message::Request,
        GuestMessage::Response => Message::Response,
    }
}
