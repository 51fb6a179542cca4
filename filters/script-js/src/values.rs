//! Texts and bytes, as a script has them and as the gateway has them.

use boa_engine::object::builtins::{AlignedVec, JsArrayBuffer, JsUint8Array};
use boa_engine::{Context, JsError, JsNativeError, JsObject, JsResult, JsString, JsValue, js_string};

/// A `Uint8Array`.
pub(crate) fn bytes(bytes: Vec<u8>, context: &mut Context) -> JsResult<JsValue> {
    let block = AlignedVec::from_slice(0, &bytes);
    let buffer = JsArrayBuffer::from_byte_block(block, context)?;
    Ok(JsUint8Array::from_array_buffer(buffer, context)?.into())
}

/// The bytes of a text or of a `Uint8Array`; none of anything else.
pub(crate) fn bytes_of(value: &JsValue, context: &mut Context) -> JsResult<Option<Vec<u8>>> {
    if let Some(text) = value.as_string() {
        return Ok(Some(text.to_std_string_lossy().into_bytes()));
    }
    let Some(array) = value.as_object().and_then(|object| JsUint8Array::from_object(object).ok()) else {
        return Ok(None);
    };
    let (start, length) = (array.byte_offset(context)?, array.length(context)?);
    let buffer = array.buffer(context)?;
    let buffer = buffer.as_object().and_then(|buffer| JsArrayBuffer::from_object(buffer).ok());
    let bytes = buffer.and_then(|buffer| Some(buffer.data()?.get(start..start + length)?.to_vec()));
    bytes.map(Some).ok_or_else(|| wrong("the bytes are no longer there"))
}

/// The bytes of what has to be text or bytes.
pub(crate) fn content(value: &JsValue, what: &str, context: &mut Context) -> JsResult<Vec<u8>> {
    bytes_of(value, context)?.ok_or_else(|| wrong(&format!("{what} is neither a string nor a Uint8Array")))
}

/// Text, in which U+FFFD stands for what is not UTF-8.
pub(crate) fn text(bytes: &[u8]) -> JsValue {
    JsString::from(&*String::from_utf8_lossy(bytes)).into()
}

/// The elements of an array, or of anything like one; none if it is undefined.
pub(crate) fn elements(value: &JsValue, what: &str, context: &mut Context) -> JsResult<Vec<JsValue>> {
    if value.is_undefined() {
        return Ok(Vec::new());
    }
    let array = value.as_object().filter(JsObject::is_array).ok_or_else(|| wrong(&format!("{what} is no array")))?;
    let length = array.get(js_string!("length"), context)?.to_u32(context)?;
    (0..length).map(|index| array.get(index, context)).collect()
}

/// An array of strings.
pub(crate) fn texts(value: &JsValue, what: &str, context: &mut Context) -> JsResult<Vec<String>> {
    let text = |value: JsValue| value.as_string().map(|text| text.to_std_string_lossy());
    let texts = elements(value, what, context)?.into_iter().map(text).collect::<Option<_>>();
    texts.ok_or_else(|| wrong(&format!("{what} has an element that is no string")))
}

pub(crate) fn wrong(message: &str) -> JsError {
    JsNativeError::typ().with_message(message.to_owned()).into()
}
