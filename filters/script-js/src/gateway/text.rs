//! Bytes and texts, as `text.js` and `digest.js` of the SDK have them: loops over bytes are too slow in an interpreter.

use std::fmt::Write;

use boa_engine::{Context, JsArgs, JsResult, JsString, JsValue};
use sha2::{Digest, Sha256};

use super::Function;
use crate::values;

pub(super) const TEXT: [Function; 4] = [
    ("encode", encode, 1),
    ("decode", decode, 1),
    ("decodeLatin1", decode_latin1, 1),
    ("encodeLatin1", encode_latin1, 1),
];
pub(super) const DIGEST: [Function; 2] = [("sha256", sha256, 1), ("hex", hex, 1)];

/// What is no text stays what it is.
fn encode(_: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let value = args.get_or_undefined(0);
    match value.as_string() {
        Some(text) => values::bytes(text.to_std_string_lossy().into_bytes(), context),
        None => Ok(value.clone()),
    }
}

fn decode(_: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    Ok(values::text(&bytes(args, context)?))
}

fn decode_latin1(_: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let units: Vec<u16> = bytes(args, context)?.into_iter().map(u16::from).collect();
    Ok(JsString::from(units.as_slice()).into())
}

/// The low byte of each unit, as `Uint8Array.from` has it.
fn encode_latin1(_: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let text = args.get_or_undefined(0).to_string(context)?;
    values::bytes(text.iter().map(|unit| unit as u8).collect(), context)
}

fn sha256(_: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    values::bytes(Sha256::digest(bytes(args, context)?).to_vec(), context)
}

fn hex(_: &JsValue, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let mut text = String::new();
    for byte in bytes(args, context)? {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(JsString::from(text).into())
}

fn bytes(args: &[JsValue], context: &mut Context) -> JsResult<Vec<u8>> {
    values::content(args.get_or_undefined(0), "the argument", context)
}
