//! Runs a policy that is an expression in CEL. What it is given is in the README, what an expression means in `docs/scripts.md`.

mod told;
mod usage;
mod variables;

use std::sync::Arc;

use cel::{Context, Env, extensions};
use script_decision::{Document, OfResponse};
use tollgate_filter::prelude::*;

use variables::Variables;

/// An expression, as the gateway hands it over.
#[derive(Deserialize)]
#[serde(transparent)]
struct Rule {
    document: Document,
    #[serde(skip)]
    read: Option<Read>,
}

/// An expression that has been read.
struct Read {
    env: Arc<Env>,
    program: cel::Program,
    variables: Variables,
}

#[filter(documentation = "README.md", pure)]
impl Filter for Rule {
    type State = OfResponse;

    fn check(&mut self) -> Result<(), String> {
        let env = environment()?;
        let program = env.compile(&self.document.script).map_err(|errors| told::unreadable(&self.document, &errors))?;
        let used = usage::of(program.expression());
        let variables = self.document.config().and_then(|config| Variables::new(&used, &config));
        let variables = variables.map_err(|message| self.document.whole(&message))?;
        self.read = Some(Read { env: Arc::new(env), program, variables });
        Ok(())
    }

    fn interest(&self) -> Interest {
        let facts = self.read.iter().flat_map(|read| read.variables.facts());
        self.document.interest(facts)
    }

    fn on_request(&self, request: &mut Request<'_, OfResponse>) -> Outcome {
        let read = self.read.as_ref().ok_or("the expression has not been read")?;
        let fault = |message: &str| Fault::new(self.document.whole(message));
        let decided = read.decide(request).map_err(|message| fault(&message))?;
        script_decision::apply(&decided, request).map_err(|message| fault(&message))
    }

    fn on_response(&self, response: &mut Response<'_, OfResponse>) -> Outcome {
        script_decision::apply_to_response(response);
        Ok(Next::Forward)
    }
}

impl Read {
    fn decide(&self, request: &Request<'_, OfResponse>) -> Result<serde_json::Value, String> {
        let mut context = Context::with_env(Arc::clone(&self.env));
        self.variables.put_into(&mut context, request);
        let decided = self.program.execute(&context).map_err(|error| told::told(&error))?;
        decided.json().map_err(|_| "decides what JSON has no form for".to_owned())
    }
}

/// CEL's own functions, and those for strings and Base64.
fn environment() -> Result<Env, String> {
    let mut env = Env::stdlib();
    env.add_extension(extensions::strings).map_err(|error| error.to_string())?;
    env.add_extension(extensions::encoders).map_err(|error| error.to_string())?;
    Ok(env)
}
