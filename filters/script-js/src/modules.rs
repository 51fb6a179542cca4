//! What a script can import: the SDK, whose sources are these of compiled filters, over functions of the gateway.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use boa_engine::context::Context;
use boa_engine::module::{Module, ModuleLoader, ModuleRequest, Referrer, SyntheticModuleInitializer};
use boa_engine::{JsResult, JsString, Source, js_string};

use crate::gateway::{self, Functions};
use crate::values::wrong;

/// What a script writes to import it.
const SDK: &str = "tollgate-filter";
/// Its first file.
pub(crate) const INDEX: &str = "./index.js";

macro_rules! sources {
    ($($name:literal),*) => {
        [$((concat!("./", $name, ".js"), include_str!(concat!("../../../guest-sdk/js/src/", $name, ".js")))),*]
    };
}

/// The files of the SDK that are run as they are.
const SOURCES: [(&str, &str); 10] =
    sources!["index", "callout", "clock", "gateway", "limiter", "log", "metrics", "random", "secrets", "store"];

/// Modules that were imported, each once.
#[derive(Default)]
pub(crate) struct Modules(RefCell<HashMap<String, Module>>);

impl Modules {
    /// One of the SDK's, if it was imported.
    pub(crate) fn loaded(&self, specifier: &str) -> Option<Module> {
        self.0.borrow().get(specifier).cloned()
    }

    /// One of the SDK's, or of the gateway's.
    pub(crate) fn load(&self, specifier: &str, context: &mut Context) -> JsResult<Module> {
        if let Some(module) = self.loaded(specifier) {
            return Ok(module);
        }
        let module = match SOURCES.iter().find(|(name, _)| *name == specifier) {
            Some((name, source)) => {
                let path = Path::new(SDK).join(name.trim_start_matches("./"));
                Module::parse(Source::from_bytes(source).with_path(&path), None, context)?
            }
            None => native(specifier, context)?,
        };
        self.0.borrow_mut().insert(specifier.to_owned(), module.clone());
        Ok(module)
    }
}

impl ModuleLoader for Modules {
    async fn load_imported_module(
        self: Rc<Self>,
        referrer: Referrer,
        request: ModuleRequest,
        context: &RefCell<&mut Context>,
    ) -> JsResult<Module> {
        let specifier = request.specifier().to_std_string_lossy();
        let is_of_sdk = referrer.path().is_some_and(|path| path.starts_with(SDK));
        match specifier.as_str() {
            SDK => self.load(INDEX, &mut context.borrow_mut()),
            _ if is_of_sdk => self.load(&specifier, &mut context.borrow_mut()),
            _ => {
                Err(wrong(&format!("there is no module {specifier:?}; a script is one file, which can import {SDK:?}")))
            }
        }
    }
}

/// A module of functions in Rust: each by its name, or as the methods of the one object that the SDK expects of an interface.
fn native(specifier: &str, context: &mut Context) -> JsResult<Module> {
    let (functions, by_name) = gateway::functions(specifier).ok_or_else(|| wrong("there is no such module"))?;
    let names: Vec<JsString> = match by_name {
        true => functions.iter().map(|(name, ..)| JsString::from(*name)).collect(),
        false => vec![js_string!("default")],
    };
    let steps = match by_name {
        true => SyntheticModuleInitializer::from_copy_closure_with_captures(
            |module, functions: &Functions, context| {
                functions.each(context, |name, function| module.set_export(&name, function))
            },
            Functions(functions),
        ),
        false => SyntheticModuleInitializer::from_copy_closure_with_captures(
            |module, functions: &Functions, context| {
                let object = functions.object(context)?;
                module.set_export(&js_string!("default"), object)
            },
            Functions(functions),
        ),
    };
    Ok(Module::synthetic(&names, steps, Some(Path::new(SDK).join(specifier)), None, context))
}
