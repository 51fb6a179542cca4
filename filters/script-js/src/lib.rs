//! Runs a policy that is written in JavaScript. What it is given is in the README, what a script means in `docs/scripts.md`.

mod answer;
mod engine;
mod gateway;
mod jobs;
mod message;
mod modules;
mod script;
mod told;
mod values;
mod wanted;

use std::cell::{RefCell, RefMut};

use boa_engine::JsObject;
use script_decision::Document;
use tollgate_filter::prelude::*;

use script::Script;

/// A script, as the gateway hands it over.
#[derive(Deserialize)]
#[serde(transparent)]
struct Policy {
    document: Document,
    #[serde(skip)]
    running: Option<RefCell<Script>>,
}

/// What a script remembers of an exchange: an object, once it has asked for it.
#[derive(Default)]
struct State(Option<JsObject>);

#[filter(documentation = "README.md")]
impl Filter for Policy {
    type State = State;

    fn check(&mut self) -> Result<(), String> {
        let script = Script::load(&self.document)?;
        self.running = Some(RefCell::new(script));
        Ok(())
    }

    fn interest(&self) -> Interest {
        self.running.as_ref().map_or_else(Interest::new, |script| script.borrow().wanted().interest())
    }

    fn on_request(&self, request: &mut Request<'_, State>) -> Outcome {
        self.script()?.head(Hook::Request, request)
    }

    fn on_request_body(&self, request: &mut Request<'_, State>, piece: Piece) -> BodyOutcome {
        self.script()?.body(Hook::RequestBody, request, piece)
    }

    fn on_request_trailers(&self, request: &mut Request<'_, State>, trailers: &mut Trailers<'_>) -> TrailersOutcome {
        self.script()?.trailers(Hook::RequestTrailers, request, trailers)
    }

    fn on_response(&self, response: &mut Response<'_, State>) -> Outcome {
        self.script()?.head(Hook::Response, response)
    }

    fn on_response_body(&self, response: &mut Response<'_, State>, piece: Piece) -> BodyOutcome {
        self.script()?.body(Hook::ResponseBody, response, piece)
    }

    fn on_response_trailers(&self, response: &mut Response<'_, State>, trailers: &mut Trailers<'_>) -> TrailersOutcome {
        self.script()?.trailers(Hook::ResponseTrailers, response, trailers)
    }

    fn on_end(&self, state: State) {
        if let Ok(mut script) = self.script() {
            script.end(state);
        }
    }

    fn on_tick(&self) -> Result<(), Fault> {
        self.script()?.tick()
    }
}

impl Policy {
    fn script(&self) -> Result<RefMut<'_, Script>, Fault> {
        self.running.as_ref().map(RefCell::borrow_mut).ok_or_else(|| Fault::new("the script has not been read"))
    }
}

/// What draws random numbers in the interpreter is replaced (`engine.rs`), so nobody asks for any here.
#[unsafe(no_mangle)]
#[allow(unsafe_code, reason = "the function has to be found by its name")]
extern "Rust" fn __getrandom_v03_custom(_: *mut u8, _: usize) -> Result<(), getrandom::Error> {
    Err(getrandom::Error::UNSUPPORTED)
}
