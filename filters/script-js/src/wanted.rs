//! Which hooks a script has, and what it wants to see.

use std::time::Duration;

use boa_engine::property::PropertyKey;
use boa_engine::{Context, JsObject, JsResult, JsString, js_string};
use tollgate_filter::{Hook, Interest};

use crate::values::{self, wrong};

/// Each with the name of its function, which is that of the SDK.
const HOOKS: [(Hook, &str); 8] = [
    (Hook::Request, "onRequest"),
    (Hook::RequestBody, "onRequestBody"),
    (Hook::RequestTrailers, "onRequestTrailers"),
    (Hook::Response, "onResponse"),
    (Hook::ResponseBody, "onResponseBody"),
    (Hook::ResponseTrailers, "onResponseTrailers"),
    (Hook::End, "onEnd"),
    (Hook::Tick, "onTick"),
];
const KEYS: [&str; 5] = ["request", "response", "wholeRequestBody", "wholeResponseBody", "tickMs"];

/// The functions of the hooks that there are, and what they want.
pub(crate) struct Wanted {
    functions: Vec<(Hook, JsObject)>,
    request: Vec<String>,
    response: Vec<String>,
    whole: Vec<Hook>,
    every: Option<Duration>,
}

impl Wanted {
    /// Reads the hooks of a filter, and what its `interest` says.
    pub(crate) fn of(filter: &JsObject, context: &mut Context) -> JsResult<Self> {
        let mut functions = Vec::new();
        for (hook, name) in HOOKS {
            let function = filter.get(JsString::from(name), context)?;
            match function.as_callable() {
                Some(function) => functions.push((hook, function.clone())),
                None if function.is_undefined() => {}
                None => return Err(wrong(&format!("{name} is no function"))),
            }
        }
        if functions.is_empty() {
            return Err(wrong(&format!("there is no hook; export a function with the name of one: {}", names())));
        }
        let mut wanted = Self { functions, request: Vec::new(), response: Vec::new(), whole: Vec::new(), every: None };
        wanted.read(&interest(filter, context)?, context)?;
        if wanted.has(Hook::Tick) != wanted.every.is_some() {
            return Err(wrong("onTick and tickMs of the interest belong together: write both or none"));
        }
        Ok(wanted)
    }

    fn read(&mut self, interest: &JsObject, context: &mut Context) -> JsResult<()> {
        for key in interest.own_property_keys(context)? {
            let PropertyKey::String(key) = key else { continue };
            let name = key.to_std_string_lossy();
            let value = interest.get(key, context)?;
            match name.as_str() {
                _ if value.is_undefined() => {}
                "request" => self.request = values::texts(&value, "request of the interest", context)?,
                "response" => self.response = values::texts(&value, "response of the interest", context)?,
                "wholeRequestBody" if value.to_boolean() => self.whole.push(Hook::RequestBody),
                "wholeResponseBody" if value.to_boolean() => self.whole.push(Hook::ResponseBody),
                "wholeRequestBody" | "wholeResponseBody" => {}
                "tickMs" => {
                    let ms = value.to_u32(context)?;
                    self.every = (ms > 0).then(|| Duration::from_millis(ms.into()));
                }
                _ => {
                    let known = KEYS.join(", ");
                    return Err(wrong(&format!("the interest has {name:?}, which is not known; known are {known}")));
                }
            }
        }
        Ok(())
    }

    /// The function of a hook.
    pub(crate) fn function(&self, hook: Hook) -> Option<&JsObject> {
        self.functions.iter().find(|(known, _)| *known == hook).map(|(_, function)| function)
    }

    pub(crate) fn has(&self, hook: Hook) -> bool {
        self.function(hook).is_some()
    }

    /// Whether a hook may find what another one, or an earlier call of its own, has remembered of the exchange.
    pub(crate) fn keeps_state(&self) -> bool {
        let is_called_again = self.has(Hook::RequestBody) || self.has(Hook::ResponseBody);
        is_called_again || self.functions.iter().filter(|(hook, _)| *hook != Hook::Tick).count() > 1
    }

    pub(crate) fn interest(&self) -> Interest {
        let interest = Interest::new().request_each(&self.request).response_each(&self.response);
        let interest = self.whole.iter().fold(interest, |interest, hook| interest.whole(*hook));
        let interest = self.every.into_iter().fold(interest, Interest::every);
        let absent = HOOKS.into_iter().filter(|(hook, _)| !self.has(*hook)).map(|(hook, _)| hook);
        absent.filter(|hook| *hook != Hook::End || !self.keeps_state()).fold(interest, Interest::without)
    }
}

/// What the SDK's method of that name returns, or what it is.
fn interest(filter: &JsObject, context: &mut Context) -> JsResult<JsObject> {
    let interest = filter.get(js_string!("interest"), context)?;
    let interest = match interest.as_callable() {
        Some(function) => function.call(&filter.clone().into(), &[], context)?,
        None => interest,
    };
    if interest.is_undefined() {
        return Ok(JsObject::with_null_proto());
    }
    interest.as_object().ok_or_else(|| wrong("the interest is no object"))
}

/// The name of an export that looks like a hook and is none.
pub(crate) fn check(export: &str) -> JsResult<()> {
    let is_known = HOOKS.iter().any(|(_, name)| *name == export);
    let looks_like_one =
        export.strip_prefix("on").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()));
    if is_known || !looks_like_one {
        return Ok(());
    }
    Err(wrong(&format!("there is no hook {export}; hooks are {}", names())))
}

fn names() -> String {
    HOOKS.map(|(_, name)| name).join(", ")
}
