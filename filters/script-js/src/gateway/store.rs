//! State that outlives exchanges. The token of a lease, of which the SDK knows nothing, is an object that holds the lease.

use std::time::Duration;

use boa_engine::{Context, Finalize, JsArgs, JsBigInt, JsData, JsError, JsObject, JsResult, JsValue, Trace};
use tollgate_filter::store::{self, Error, Lease, Space};

use super::{Function, refusal, text_at};
use crate::values::{self, wrong};

pub(super) const STORE: [Function; 8] = [
    ("get", get, 2),
    ("set", set, 4),
    ("delete", delete, 2),
    ("compareAndSwap", compare_and_swap, 5),
    ("increment", increment, 4),
    ("acquire", acquire, 3),
    ("renew", renew, 4),
    ("release", release, 3),
];

#[derive(Trace, Finalize, JsData)]
struct Token(#[unsafe_ignore_trace] Lease);

fn get(_: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let value = with(args, context, |space, key| space.get(key))?;
    value.map_or_else(|| Ok(JsValue::undefined()), |value| values::bytes(value, context))
}

fn set(_: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let (value, ttl) = (bytes(args, 2, "the value", context)?, ttl(args, 3, context)?);
    with(args, context, |space, key| space.set(key, value, ttl)).map(JsValue::from)
}

fn delete(_: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    with(args, context, |space, key| space.delete(key)).map(JsValue::from)
}

fn compare_and_swap(_: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let expected = match args.get_or_undefined(2).is_undefined() {
        true => None,
        false => Some(bytes(args, 2, "the expected value", context)?),
    };
    let (value, ttl) = (bytes(args, 3, "the value", context)?, ttl(args, 4, context)?);
    with(args, context, |space, key| space.compare_and_swap(key, expected.as_deref(), value, ttl)).map(JsValue::from)
}

fn increment(_: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let (by, ttl) = (args.get_or_undefined(2).to_big_int64(context)?, ttl(args, 3, context)?);
    let now = with(args, context, |space, key| space.increment(key, by, ttl))?;
    Ok(JsBigInt::from(now).into())
}

fn acquire(_: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let ttl = ttl(args, 2, context)?;
    let lease = with(args, context, |space, key| space.lease(key, ttl))?;
    Ok(lease.map_or_else(JsValue::undefined, |lease| JsObject::from_proto_and_data(None, Token(lease)).into()))
}

fn renew(_: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let ttl = ttl(args, 3, context)?;
    lease(args)?.renew(ttl).map(JsValue::from).map_err(|error| thrown(error, context))
}

fn release(_: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    lease(args)?.release().map(JsValue::from).map_err(|error| thrown(error, context))
}

/// Does something with a key of a space, which are the first two arguments.
fn with<T>(
    args: &[JsValue],
    context: &mut Context,
    ask: impl FnOnce(Space<'_>, Vec<u8>) -> Result<T, Error>,
) -> JsResult<T> {
    let (name, key) = (text_at(args, 0, context)?, bytes(args, 1, "the key", context)?);
    let space = if name.is_empty() { store::own() } else { store::shared(&name) };
    ask(space, key).map_err(|error| thrown(error, context))
}

fn lease(args: &[JsValue]) -> JsResult<Lease> {
    let token = args.get_or_undefined(2).as_object();
    let lease = token.as_ref().and_then(|token| token.downcast_ref::<Token>().map(|token| token.0.clone()));
    lease.ok_or_else(|| wrong("this is no lease"))
}

fn bytes(args: &[JsValue], index: usize, what: &str, context: &mut Context) -> JsResult<Vec<u8>> {
    values::content(args.get_or_undefined(index), what, context)
}

fn ttl(args: &[JsValue], index: usize, context: &mut Context) -> JsResult<Duration> {
    args.get_or_undefined(index).to_big_uint64(context).map(Duration::from_millis)
}

fn thrown(error: Error, context: &mut Context) -> JsError {
    let name = match error {
        Error::Denied => "denied",
        Error::ReadOnly => "read-only",
        Error::TooLarge => "too-large",
        Error::Full => "full",
        Error::NotACounter => "not-a-counter",
        Error::Unavailable | Error::Busy => "unavailable",
    };
    refusal(name, None, context)
}
