//! Runs a policy that is a module in Rego. What it is given is in the README, what a module means in `docs/scripts.md`.

mod functions;
mod input;
mod networks;
mod target;
mod told;
mod usage;

use std::cell::RefCell;

use regorus::{Engine, Value};
use script_decision::{Document, OfResponse};
use tollgate_filter::prelude::*;

use input::Input;

/// A module, as the gateway hands it over.
#[derive(Deserialize)]
#[serde(transparent)]
struct Rules {
    document: Document,
    #[serde(skip)]
    read: Option<Read>,
}

/// A module that has been read.
struct Read {
    /// It keeps what it has come to until the next question.
    engine: RefCell<Engine>,
    input: Input,
    /// The rule that decides, such as `data.tollgate.allow`.
    decision: String,
}

/// What asks for a decision that is put together from many rules, such as `result.allowed := …`: a rule in a package of its own.
const QUESTION: (&str, &str) = ("decided_by_tollgate", "data.decided_by_tollgate.decision");

/// The rules that may decide: the first that there is.
const DECISIONS: [&str; 2] = ["result", "allow"];

#[filter(documentation = "README.md", pure)]
impl Filter for Rules {
    type State = OfResponse;

    fn check(&mut self) -> Result<(), String> {
        self.read = Some(read(&self.document)?);
        Ok(())
    }

    fn interest(&self) -> Interest {
        self.document.interest(self.read.iter().flat_map(|read| read.input.facts()))
    }

    fn on_request(&self, request: &mut Request<'_, OfResponse>) -> Outcome {
        let read = self.read.as_ref().ok_or("the module has not been read")?;
        let Some(input) = read.input.of(request) else {
            return Ok(Reply::problem(400, "Bad Request").detail("the target cannot be decoded").into());
        };
        let decided = read.decide(input).map_err(|error| told::failed(&self.document, &error.to_string()))?;
        script_decision::apply(&decided, request).map_err(|message| Fault::new(self.document.whole(&message)))
    }

    fn on_response(&self, response: &mut Response<'_, OfResponse>) -> Outcome {
        script_decision::apply_to_response(response);
        Ok(Next::Forward)
    }
}

fn read(document: &Document) -> Result<Read, String> {
    let mut engine = Engine::new();
    // What a function fails on makes an expression undefined, as it does in OPA.
    engine.set_strict_builtin_errors(false);
    engine.set_gather_prints(true);
    networks::add_to(&mut engine)?;
    let unreadable = |drawn: &str| told::unreadable(document, drawn);
    let package = engine
        .add_policy(document.name.clone(), document.script.clone())
        .map_err(|error| unreadable(&error.to_string()))?;
    let mut decision = None;
    for rule in DECISIONS.into_iter().rev() {
        if engine.has_declared_rule_rooted_at(&document.name, rule).map_err(|error| unreadable(&error.to_string()))? {
            decision = Some(format!("{package}.{rule}"));
        }
    }
    let missing = || document.whole(&format!("{package} has neither a rule `allow` nor a rule `result`"));
    let decision = decision.ok_or_else(missing)?;
    let module = engine.get_modules().first().cloned().ok_or("the module is not there")?;
    let used = usage::of(&module);
    functions::check(document, &module, &used)?;
    let input = Input::new(document, &used, &package)?;
    engine.add_data(object("config", document.config()?.into())).map_err(|error| unreadable(&error.to_string()))?;
    // What only shows when rules are put in order, such as a variable without a value, is to show now.
    let mut decision = decision;
    if engine.compile_with_entrypoint(&decision.as_str().into()).is_err() {
        let question = format!("package {}\n\ndecision := {decision}\n", QUESTION.0);
        engine.add_policy(QUESTION.0.to_owned(), question).map_err(|error| unreadable(&error.to_string()))?;
        decision = QUESTION.1.to_owned();
        engine.compile_with_entrypoint(&QUESTION.1.into()).map_err(|error| unreadable(&error.to_string()))?;
    }
    Ok(Read { engine: RefCell::new(engine), input, decision })
}

fn object(name: &str, value: Value) -> Value {
    Value::from(std::collections::BTreeMap::from([(Value::from(name), value)]))
}

impl Read {
    fn decide(&self, input: Value) -> Result<serde_json::Value, Box<dyn std::error::Error>> {
        let mut engine = self.engine.borrow_mut();
        engine.set_input(input);
        let decided = engine.eval_rule(self.decision.clone())?;
        engine.take_prints()?;
        Ok(match decided {
            Value::Bool(decided) => serde_json::Value::Bool(decided),
            // No rule says so.
            Value::Undefined => serde_json::Value::Bool(false),
            other => serde_json::to_value(&other)?,
        })
    }
}
