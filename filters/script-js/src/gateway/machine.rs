//! The interfaces of few functions: log, clock, random numbers and secrets; and callouts, which there are none of.

use boa_engine::{Context, JsArgs, JsBigInt, JsNativeError, JsResult, JsValue};
use tollgate_filter::log::{self, Level};
use tollgate_filter::{clock, random, secrets};

use super::{Function, member, text_at};
use crate::values;

pub(super) const CALLOUT: [Function; 1] = [("sendAll", no_callouts, 1)];
pub(super) const CLOCK: [Function; 2] = [("now", now, 0), ("monotonic", monotonic, 0)];
pub(super) const LOG: [Function; 1] = [("write", write, 3)];
pub(super) const RANDOM: [Function; 2] = [("getBytes", random_bytes, 1), ("getU64", random_number, 0)];
pub(super) const SECRETS: [Function; 1] = [("get", secret, 1)];

fn no_callouts(_: &JsValue, _: &[JsValue], _: &mut Context) -> JsResult<JsValue> {
    let message = "a script cannot send requests; write a compiled filter for that";
    Err(JsNativeError::error().with_message(message).into())
}

fn now(_: &JsValue, _: &[JsValue], _: &mut Context) -> JsResult<JsValue> {
    Ok(nanoseconds(clock::now()))
}

fn monotonic(_: &JsValue, _: &[JsValue], _: &mut Context) -> JsResult<JsValue> {
    Ok(nanoseconds(clock::monotonic()))
}

fn nanoseconds(time: std::time::Duration) -> JsValue {
    JsBigInt::from(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)).into()
}

fn write(_: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let (level, message) = (text_at(args, 0, context)?, text_at(args, 1, context)?);
    let level = match level.as_str() {
        "error" => Level::Error,
        "warn" => Level::Warn,
        "info" => Level::Info,
        _ => Level::Debug,
    };
    let mut attributes = Vec::new();
    for attribute in values::elements(args.get_or_undefined(2), "attributes", context)? {
        let attribute = [attribute];
        let mut text = |name| -> JsResult<String> {
            Ok(member(&attribute, 0, name, context)?.to_string(context)?.to_std_string_lossy())
        };
        attributes.push((text("name")?, text("value")?));
    }
    let attributes: Vec<_> = attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    log::write(level, &message, &attributes);
    Ok(JsValue::undefined())
}

fn random_bytes(_: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let count = args.get_or_undefined(0).to_u32(context)?;
    values::bytes(random::bytes(count), context)
}

fn random_number(_: &JsValue, _: &[JsValue], _: &mut Context) -> JsResult<JsValue> {
    Ok(JsBigInt::from(random::number()).into())
}

fn secret(_: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let name = text_at(args, 0, context)?;
    secrets::get(&name).map_or_else(|| Ok(JsValue::undefined()), |secret| values::bytes(secret.to_vec(), context))
}
