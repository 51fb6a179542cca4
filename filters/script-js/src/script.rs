//! A script that has been read, and its hooks as the gateway calls them.

use std::ops::DerefMut;
use std::path::Path;
use std::rc::Rc;

use boa_engine::builtins::promise::PromiseState;
use boa_engine::module::Module;
use boa_engine::object::builtins::JsPromise;
use boa_engine::property::PropertyKey;
use boa_engine::{Context, JsError, JsObject, JsResult, JsValue, Source, gc, js_string};
use script_decision::Document;
use tollgate_filter::{Body, BodyOutcome, Fault, Head, Hook, Next, Outcome, Piece, Tail, Trailers, TrailersOutcome};

use crate::answer::{self, Answers};
use crate::jobs::Jobs;
use crate::message;
use crate::modules::{INDEX, Modules};
use crate::values::{self, wrong};
use crate::wanted::{self, Wanted};
use crate::{State, engine, told};

/// After so many bytes of bodies memory is looked through for what nobody holds: the interpreter does not count them.
const BODIES: usize = 1 << 20;

pub(crate) struct Script {
    context: Context,
    jobs: Rc<Jobs>,
    /// What the hooks are called on.
    filter: JsObject,
    wanted: Wanted,
    /// None if the script imports nothing: then its hooks answer nothing.
    answers: Option<Answers>,
    /// What messages have in common.
    prototype: JsObject,
    bodies: usize,
}

impl Script {
    /// Reads a script and configures it.
    ///
    /// # Errors
    /// Says what is wrong with it, and where.
    pub(crate) fn load(document: &Document) -> Result<Self, String> {
        let (jobs, modules) = (Rc::<Jobs>::default(), Rc::<Modules>::default());
        let context = engine::context(Rc::clone(&jobs), Rc::clone(&modules));
        let mut context = context.map_err(|error| document.whole(&error.to_string()))?;
        match Parts::read(document, &jobs, &modules, &mut context) {
            Ok(Parts { filter, wanted, answers }) => {
                let prototype = message::prototype(&mut context);
                gc::force_collect();
                Ok(Self { context, jobs, filter, wanted, answers, prototype, bodies: 0 })
            }
            Err(error) => Err(told::problem(document, &error, &mut context)),
        }
    }

    pub(crate) fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    pub(crate) fn head<'a>(&mut self, hook: Hook, head: &mut impl DerefMut<Target = Head<'a, State>>) -> Outcome {
        let answer = self.call(hook, head, |_, message| Ok(vec![message.into()]))?;
        if answer.is_undefined() {
            return Ok(Next::Forward);
        }
        self.answered("a head hook", |answers, context| answers.head(&answer, context))
    }

    pub(crate) fn body<'a>(
        &mut self,
        hook: Hook,
        head: &mut impl DerefMut<Target = Head<'a, State>>,
        piece: Piece,
    ) -> BodyOutcome {
        self.make_room(piece.bytes().len());
        let last = piece.is_last();
        let answer = self.call(hook, head, |context, message| {
            let content = values::bytes(piece.into_bytes(), context)?;
            let piece = JsObject::with_object_proto(context.intrinsics());
            piece.create_data_property(js_string!("content"), content, context)?;
            piece.create_data_property(js_string!("last"), last, context)?;
            Ok(vec![message.into(), piece.into()])
        })?;
        if answer.is_undefined() {
            return Ok(Body::Pass);
        }
        let replaced = values::bytes_of(&answer, &mut self.context).map_err(|error| self.fault(&error))?;
        match replaced {
            Some(bytes) => Ok(Body::Replace(bytes)),
            None => self.answered("a body hook", |answers, context| answers.body(&answer, context)),
        }
    }

    pub(crate) fn trailers<'a>(
        &mut self,
        hook: Hook,
        head: &mut impl DerefMut<Target = Head<'a, State>>,
        trailers: &mut Trailers<'_>,
    ) -> TrailersOutcome {
        let fields = self.answered("a trailers hook", |answers, context| answers.trailers(trailers, context))?;
        let answer = self.call(hook, head, |_, message| Ok(vec![message.into(), fields.clone().into()]))?;
        answer::edit(trailers, &fields, &mut self.context).map_err(|error| self.fault(&error))?;
        if answer.is_undefined() {
            return Ok(Tail::Pass);
        }
        self.answered("a trailers hook", |answers, context| answers.tail(&answer, context))
    }

    /// What goes wrong here is nobody's business any more.
    pub(crate) fn end(&mut self, state: State) {
        if let Some(function) = self.wanted.function(Hook::End).cloned() {
            let state = message::state_of(state, &self.context);
            let _ = self.run(&function, &[state]);
        }
    }

    pub(crate) fn tick(&mut self) -> Result<(), Fault> {
        let function = self.wanted.function(Hook::Tick).cloned();
        function.map_or(Ok(()), |function| self.run(&function, &[]).map(drop))
    }

    /// Calls a hook with a message, and with what else it is given.
    fn call<'a>(
        &mut self,
        hook: Hook,
        head: &mut impl DerefMut<Target = Head<'a, State>>,
        given: impl FnOnce(&mut Context, JsObject) -> JsResult<Vec<JsValue>>,
    ) -> Result<JsValue, Fault> {
        let function = self.wanted.function(hook).cloned().ok_or_else(|| Fault::new("there is no such hook"))?;
        let prototype = self.prototype.clone();
        let keeps_state = self.wanted.keeps_state();
        let head = &mut **head;
        let called = message::with(head, &prototype, |message| {
            let given = given(&mut self.context, message).map_err(|error| self.fault(&error))?;
            self.run(&function, &given)
        });
        if !keeps_state {
            head.state().0 = None;
        }
        called
    }

    fn run(&mut self, function: &JsObject, given: &[JsValue]) -> Result<JsValue, Fault> {
        let this = self.filter.clone().into();
        let returned = function.call(&this, given, &mut self.context);
        let returned = returned.and_then(|answer| self.jobs.run(&mut self.context).map(|()| answer));
        returned.map_err(|error| {
            self.jobs.clear();
            self.fault(&error)
        })
    }

    fn answered<T>(
        &mut self,
        hook: &str,
        read: impl FnOnce(&Answers, &mut Context) -> JsResult<T>,
    ) -> Result<T, Fault> {
        let read = match &self.answers {
            Some(answers) => read(answers, &mut self.context),
            None => Err(wrong(&format!("{hook} has returned what it cannot"))),
        };
        read.map_err(|error| self.fault(&error))
    }

    fn fault(&mut self, error: &JsError) -> Fault {
        Fault::new(told::fault(error, &mut self.context))
    }

    fn make_room(&mut self, bytes: usize) {
        self.bodies += bytes;
        if self.bodies > BODIES {
            self.bodies = 0;
            gc::force_collect();
        }
    }
}

/// What becomes of a script's text.
struct Parts {
    filter: JsObject,
    wanted: Wanted,
    answers: Option<Answers>,
}

impl Parts {
    fn read(document: &Document, jobs: &Jobs, modules: &Modules, context: &mut Context) -> JsResult<Self> {
        let module =
            Module::parse(Source::from_bytes(&document.script).with_path(Path::new(&document.name)), None, context)?;
        evaluate(&module, jobs, context)?;
        let config = document.config().map_err(|message| wrong(&message))?;
        let config = JsValue::from_json(&config, context)?;
        let filter = filter(&module, config, context)?;
        let wanted = Wanted::of(&filter, context)?;
        jobs.run(context)?;
        if wanted.has(Hook::RequestTrailers) || wanted.has(Hook::ResponseTrailers) {
            evaluate(&modules.load(INDEX, context)?, jobs, context)?;
        }
        let answers = modules.loaded(INDEX).map(|sdk| Answers::of(&sdk, context)).transpose()?;
        Ok(Self { filter, wanted, answers })
    }
}

/// What hooks are called on: an object of the class that is exported by default, as in a compiled filter, or else all that is exported.
fn filter(module: &Module, config: JsValue, context: &mut Context) -> JsResult<JsObject> {
    let exports = module.namespace(context);
    let class = exports.get(js_string!("default"), context)?;
    if let Some(class) = class.as_constructor() {
        return class.construct(&[config], None, context);
    }
    if !class.is_undefined() {
        return Err(wrong(
            "the default export is no class; export a class that extends Filter, or functions by their names",
        ));
    }
    for key in exports.own_property_keys(context)? {
        if let PropertyKey::String(name) = key {
            wanted::check(&name.to_std_string_lossy())?;
        }
    }
    let configure = exports.get(js_string!("configure"), context)?;
    if let Some(configure) = configure.as_callable() {
        configure.call(&JsValue::undefined(), &[config], context)?;
    }
    Ok(exports)
}

/// Runs a module, and what it imports.
fn evaluate(module: &Module, jobs: &Jobs, context: &mut Context) -> JsResult<()> {
    let loaded = module.load(context);
    settle(&loaded, jobs, context)?;
    module.link(context)?;
    let done = module.evaluate(context)?;
    settle(&done, jobs, context)
}

fn settle(promise: &JsPromise, jobs: &Jobs, context: &mut Context) -> JsResult<()> {
    jobs.run(context)?;
    match promise.state() {
        PromiseState::Fulfilled(_) => Ok(()),
        PromiseState::Rejected(error) => Err(JsError::from_opaque(error)),
        PromiseState::Pending => Err(wrong("the script waits for something that never comes")),
    }
}
