//! The message that a hook looks at, as a script has it: an object whose methods reach the message while its hook runs.

use std::cell::Cell;

use boa_engine::object::ObjectInitializer;
use boa_engine::property::Attribute;
use boa_engine::{
    Context, Finalize, JsArgs, JsData, JsNativeError, JsObject, JsResult, JsString, JsValue, NativeFunction, Trace,
};
use scoped_tls_hkt::scoped_thread_local;
use tollgate_filter::{Head, Value};

use crate::State;
use crate::values;

/// A head, whichever it is.
pub(crate) trait Seen {
    /// A fact.
    fn field(&self, name: &str) -> Option<Value<'_>>;
    /// Replaces the fields of a name.
    fn set(&mut self, name: &str, value: &[u8]);
    /// Appends a field.
    fn add(&mut self, name: &str, value: &[u8]);
    /// Removes the fields of a name.
    fn remove(&mut self, name: &str);
    /// Lets a held head go.
    fn release(&mut self);
    /// What is remembered of the exchange.
    fn state(&mut self) -> &mut State;
}

impl Seen for Head<'_, State> {
    fn field(&self, name: &str) -> Option<Value<'_>> {
        Head::field(self, name)
    }

    fn set(&mut self, name: &str, value: &[u8]) {
        Head::set(self, name, value);
    }

    fn add(&mut self, name: &str, value: &[u8]) {
        Head::add(self, name, value);
    }

    fn remove(&mut self, name: &str) {
        Head::remove(self, name);
    }

    fn release(&mut self) {
        Head::release(self);
    }

    fn state(&mut self) -> &mut State {
        Head::state(self)
    }
}

scoped_thread_local!(static mut SEEN: for<'a> &'a mut (dyn Seen + 'a));

thread_local! {
    /// Which call of a hook this is: an object of an earlier one reaches nothing.
    static CALL: Cell<u64> = const { Cell::new(0) };
}

#[derive(Debug, Trace, Finalize, JsData)]
struct Message {
    call: u64,
}

/// Runs a hook with an object for what it looks at.
pub(crate) fn with<T>(seen: &mut dyn Seen, prototype: &JsObject, hook: impl FnOnce(JsObject) -> T) -> T {
    let call = CALL.get() + 1;
    CALL.set(call);
    let message = JsObject::from_proto_and_data(prototype.clone(), Message { call });
    let done = SEEN.set(seen, || hook(message));
    CALL.set(call + 1);
    done
}

/// What these objects have in common.
pub(crate) fn prototype(context: &mut Context) -> JsObject {
    let getters = [("method", method as Getter), ("path", path), ("status", status), ("state", state)]
        .map(|(name, getter)| (name, NativeFunction::from_fn_ptr(getter).to_js_function(context.realm())));
    let mut object = ObjectInitializer::new(context);
    for (name, getter) in getters {
        object.accessor(JsString::from(name), Some(getter), None, Attribute::CONFIGURABLE);
    }
    let functions: [(&str, Getter, usize); 6] = [
        ("field", field, 1),
        ("fieldBytes", field_bytes, 1),
        ("set", set, 2),
        ("add", add, 2),
        ("remove", remove, 1),
        ("release", release, 0),
    ];
    for (name, function, length) in functions {
        object.function(NativeFunction::from_fn_ptr(function), JsString::from(name), length);
    }
    object.build()
}

type Getter = fn(&JsValue, &[JsValue], &mut Context) -> JsResult<JsValue>;

fn field(this: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let name = name(args, context)?;
    reach(this, |seen| fact(seen, &name))
}

fn field_bytes(this: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let name = name(args, context)?;
    let value = reach(this, |seen| seen.field(&name).map(Value::into_bytes))?;
    value.map_or_else(|| Ok(JsValue::undefined()), |value| values::bytes(value, context))
}

fn set(this: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let (name, value) = (name(args, context)?, content(args, context)?);
    reach(this, |seen| seen.set(&name, &value)).map(JsValue::from)
}

fn add(this: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let (name, value) = (name(args, context)?, content(args, context)?);
    reach(this, |seen| seen.add(&name, &value)).map(JsValue::from)
}

fn remove(this: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let name = name(args, context)?;
    reach(this, |seen| seen.remove(&name)).map(JsValue::from)
}

fn release(this: &JsValue, _: &[JsValue], _: &mut Context) -> JsResult<JsValue> {
    reach(this, |seen| seen.release()).map(JsValue::from)
}

fn method(this: &JsValue, _: &[JsValue], _: &mut Context) -> JsResult<JsValue> {
    reach(this, |seen| fact(seen, ":method"))
}

fn path(this: &JsValue, _: &[JsValue], _: &mut Context) -> JsResult<JsValue> {
    reach(this, |seen| fact(seen, ":path"))
}

fn status(this: &JsValue, _: &[JsValue], _: &mut Context) -> JsResult<JsValue> {
    let status = reach(this, |seen| seen.field(":status").and_then(|status| status.to_str()?.parse::<u16>().ok()))?;
    Ok(status.map_or_else(JsValue::nan, JsValue::from))
}

fn state(this: &JsValue, _: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let empty = || JsObject::with_object_proto(context.intrinsics());
    reach(this, |seen| seen.state().0.get_or_insert_with(empty).clone().into())
}

fn fact(seen: &dyn Seen, name: &str) -> JsValue {
    let value = seen.field(name);
    value.map_or_else(JsValue::undefined, |value| JsString::from(&*value.to_text()).into())
}

fn name(args: &[JsValue], context: &mut Context) -> JsResult<String> {
    Ok(args.get_or_undefined(0).to_string(context)?.to_std_string_lossy())
}

/// What is neither text nor bytes is written as text.
fn content(args: &[JsValue], context: &mut Context) -> JsResult<Vec<u8>> {
    let value = args.get_or_undefined(1);
    match values::bytes_of(value, context)? {
        Some(bytes) => Ok(bytes),
        None => Ok(value.to_string(context)?.to_std_string_lossy().into_bytes()),
    }
}

/// The message that an object stands for, if its hook is running.
fn reach<T>(this: &JsValue, then: impl FnOnce(&mut dyn Seen) -> T) -> JsResult<T> {
    let object = this.as_object();
    let call = object.as_ref().and_then(|object| object.downcast_ref::<Message>()).map(|message| message.call);
    match call {
        Some(call) if call == CALL.get() => Ok(SEEN.with(|seen| then(seen))),
        Some(_) => Err(JsNativeError::typ().with_message("the hook that was given this message has ended").into()),
        None => Err(JsNativeError::typ().with_message("this is no message").into()),
    }
}

/// The object of an exchange's state for what comes behind its last message.
pub(crate) fn state_of(state: State, context: &Context) -> JsValue {
    state.0.unwrap_or_else(|| JsObject::with_object_proto(context.intrinsics())).into()
}
