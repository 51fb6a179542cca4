//! What the SDK's modules are written over: the gateway's interfaces, and what is too slow in JavaScript.

mod limiter;
mod machine;
mod metrics;
mod store;
mod text;

use boa_engine::native_function::NativeFunctionPointer;
use boa_engine::object::FunctionObjectBuilder;
use boa_engine::property::PropertyDescriptor;
use boa_engine::{Context, Finalize, JsArgs, JsError, JsObject, JsResult, JsString, JsValue, NativeFunction, Trace};

/// A function of Rust, with its name and the number of its parameters.
pub(crate) type Function = (&'static str, NativeFunctionPointer, usize);

/// Those of a module, and whether they are exported by their names.
pub(crate) fn functions(specifier: &str) -> Option<(&'static [Function], bool)> {
    Some(match specifier {
        "./text.js" => (&text::TEXT, true),
        "./digest.js" => (&text::DIGEST, true),
        "#gateway/callout" => (&machine::CALLOUT, false),
        "#gateway/clock" => (&machine::CLOCK, false),
        "#gateway/limiter" => (&limiter::LIMITER, false),
        "#gateway/log" => (&machine::LOG, false),
        "#gateway/metrics" => (&metrics::METRICS, false),
        "#gateway/random" => (&machine::RANDOM, false),
        "#gateway/secrets" => (&machine::SECRETS, false),
        "#gateway/store" => (&store::STORE, false),
        _ => return None,
    })
}

/// Functions of a module that is about to be made.
#[derive(Clone, Copy, Trace, Finalize)]
#[boa_gc(empty_trace)]
pub(crate) struct Functions(pub(crate) &'static [Function]);

impl Functions {
    pub(crate) fn each(
        self,
        context: &mut Context,
        mut then: impl FnMut(JsString, JsValue) -> JsResult<()>,
    ) -> JsResult<()> {
        self.0.iter().try_for_each(|(name, function, length)| {
            let function = NativeFunction::from_fn_ptr(*function);
            let function = FunctionObjectBuilder::new(context.realm(), function);
            let name = JsString::from(*name);
            then(name.clone(), function.name(name).length(*length).build().into())
        })
    }

    pub(crate) fn object(self, context: &mut Context) -> JsResult<JsValue> {
        let object = JsObject::with_object_proto(context.intrinsics());
        let mut members = Vec::new();
        self.each(context, |name, function| {
            members.push((name, function));
            Ok(())
        })?;
        for (name, function) in members {
            object.create_data_property(name, function, context)?;
        }
        Ok(object.into())
    }
}

/// The error of an interface as generated bindings throw it, which the SDK knows: its name, or its name with what was said.
fn refusal(tag: &str, said: Option<String>, context: &mut Context) -> JsError {
    let payload: JsValue = match said {
        None => JsString::from(tag).into(),
        Some(said) => object([("tag", JsString::from(tag).into()), ("val", JsString::from(said).into())], context),
    };
    JsError::from_opaque(object([("payload", payload)], context))
}

fn object<const N: usize>(members: [(&str, JsValue); N], context: &mut Context) -> JsValue {
    let object = JsObject::with_object_proto(context.intrinsics());
    for (name, value) in members {
        object.insert_property(
            JsString::from(name),
            PropertyDescriptor::builder().value(value).writable(true).enumerable(true).configurable(true),
        );
    }
    object.into()
}

/// An argument that is a text.
fn text_at(args: &[JsValue], index: usize, context: &mut Context) -> JsResult<String> {
    Ok(args.get_or_undefined(index).to_string(context)?.to_std_string_lossy())
}

/// A member of an object among the arguments.
fn member(args: &[JsValue], index: usize, name: &str, context: &mut Context) -> JsResult<JsValue> {
    args.get_or_undefined(index).to_object(context)?.get(JsString::from(name), context)
}
