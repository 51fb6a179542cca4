//! What is told of an error: its message, and the functions that were running, the innermost first.

use boa_engine::{Context, JsError, JsObject, JsValue, js_string};
use script_decision::Document;

/// How a line of a backtrace begins.
const AT: &str = "\n    at ";
/// What the parser says of a text that ends too soon, without a place.
const UNENDED: &str = "SyntaxError: abrupt end";

/// What a hook failed with, as the gateway reads it.
pub(crate) fn fault(error: &JsError, context: &mut Context) -> String {
    let mut told = message(error, context);
    for frame in frames(error) {
        told.push_str(AT);
        told.push_str(&frame);
    }
    told
}

/// What is wrong with a script, with its place there if that is known.
pub(crate) fn problem(document: &Document, error: &JsError, context: &mut Context) -> String {
    let text = message(error, context);
    if text == UNENDED {
        let (line, column) = end(&document.script);
        return document.at(line, column, "SyntaxError: the script ends too soon");
    }
    if let Some((text, place)) = text.rsplit_once(" at line ")
        && let Some((line, column)) = place.split_once(", col ").and_then(numbers)
    {
        return document.at(line, column, text);
    }
    let inside = format!("({}:", document.name);
    let place = frames(error).into_iter().find_map(|frame| {
        let (_, place) = frame.strip_suffix(')')?.rsplit_once(&inside)?;
        place.split_once(':').and_then(numbers)
    });
    place.map_or_else(|| document.whole(&text), |(line, column)| document.at(line, column, &text))
}

fn numbers((line, column): (&str, &str)) -> Option<(usize, usize)> {
    Some((line.parse().ok()?, column.parse().ok()?))
}

/// An error that says only what its author wanted to is told in these words; of others the kind matters too.
fn message(error: &JsError, context: &mut Context) -> String {
    if let Some(native) = error.as_native() {
        return format!("{}: {}", native.kind(), native.message());
    }
    let Some(thrown) = error.as_opaque() else { return first_line(error) };
    let thrown = thrown.clone();
    match thrown.as_object() {
        Some(object) => of_object(&object, context),
        None => text(&thrown, context).unwrap_or_else(|| first_line(error)),
    }
}

fn of_object(object: &JsObject, context: &mut Context) -> String {
    let mut read = |name| object.get(name, context).ok().filter(|value| !value.is_undefined());
    let (name, message) = (read(js_string!("name")), read(js_string!("message")));
    let mut text = |value: Option<JsValue>| value.and_then(|value| text(&value, context));
    match (text(name), text(message)) {
        (Some(name), Some(message)) if name == "Error" || name == "GatewayError" => message,
        (Some(name), Some(message)) => format!("{name}: {message}"),
        (None, Some(message)) => message,
        (_, None) => "an object was thrown that is no error".to_owned(),
    }
}

fn text(value: &JsValue, context: &mut Context) -> Option<String> {
    value.to_string(context).ok().map(|text| text.to_std_string_lossy())
}

fn first_line(error: &JsError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// `FUNCTION (FILE:LINE:COLUMN)` each; functions of the interpreter are left out.
fn frames(error: &JsError) -> Vec<String> {
    let told = error.to_string();
    told.split(AT).skip(1).filter(|frame| !frame.contains("(native")).map(|frame| frame.trim_end().to_owned()).collect()
}

/// The line and the column where a text ends.
fn end(script: &str) -> (usize, usize) {
    let script = script.trim_end();
    let last = script.rsplit('\n').next().unwrap_or_default();
    (script.matches('\n').count() + 1, last.chars().count() + 1)
}
