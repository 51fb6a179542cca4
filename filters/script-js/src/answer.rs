//! What hooks return, as the SDK for JavaScript says what that means.

use boa_engine::module::Module;
use boa_engine::object::builtins::JsArray;
use boa_engine::{Context, JsError, JsObject, JsResult, JsValue, js_string};
use tollgate_filter::{Body, Next, Reply, Tail, Trailers};

use crate::values::{self, wrong};

/// What a script can have from the SDK to answer with.
pub(crate) struct Answers {
    reply: JsObject,
    end: JsObject,
    hold: JsValue,
    abort: JsValue,
    trailers: JsObject,
}

impl Answers {
    /// Those of the SDK's module.
    pub(crate) fn of(module: &Module, context: &mut Context) -> JsResult<Self> {
        let mut class = |name| -> JsResult<JsObject> {
            module.get_value(name, context)?.as_object().ok_or_else(|| wrong("the SDK lacks a class"))
        };
        let (reply, end) = (class(js_string!("Reply"))?, class(js_string!("End"))?);
        let trailers = class(js_string!("Trailers"))?;
        let hold = module.get_value(js_string!("HOLD"), context)?;
        let abort = module.get_value(js_string!("ABORT"), context)?;
        Ok(Self { reply, end, hold, abort, trailers })
    }

    pub(crate) fn head(&self, answer: &JsValue, context: &mut Context) -> JsResult<Next> {
        if *answer == self.hold {
            return Ok(Next::Hold);
        }
        self.reply(answer, context)?.map(Next::Reply).ok_or_else(|| not("a head hook"))
    }

    pub(crate) fn body(&self, answer: &JsValue, context: &mut Context) -> JsResult<Body> {
        if *answer == self.abort {
            return Ok(Body::Abort);
        }
        if answer.instance_of(&self.end.clone().into(), context)?
            && let Some(end) = answer.as_object()
        {
            let content = end.get(js_string!("content"), context)?;
            return values::content(&content, "the content of End", context).map(Body::End);
        }
        self.reply(answer, context)?.map(Body::Reply).ok_or_else(|| not("a body hook"))
    }

    pub(crate) fn tail(&self, answer: &JsValue, context: &mut Context) -> JsResult<Tail> {
        if *answer == self.abort {
            return Ok(Tail::Abort);
        }
        self.reply(answer, context)?.map(Tail::Reply).ok_or_else(|| not("a trailers hook"))
    }

    fn reply(&self, answer: &JsValue, context: &mut Context) -> JsResult<Option<Reply>> {
        let Some(object) = answer.as_object() else { return Ok(None) };
        if !answer.instance_of(&self.reply.clone().into(), context)? {
            return Ok(None);
        }
        let status = object.get(js_string!("status"), context)?.to_number(context)?;
        let body = object.get(js_string!("body"), context)?;
        let body = values::content(&body, "the body of a Reply", context)?;
        let mut reply = Reply::new(status as u16).body(body);
        for field in values::elements(&object.get(js_string!("fields"), context)?, "fields of a Reply", context)? {
            let field = field.to_object(context)?;
            let name = field.get(js_string!("name"), context)?.to_string(context)?.to_std_string_lossy();
            let value = field.get(js_string!("value"), context)?;
            reply = reply.field(&name, values::content(&value, "the value of a field", context)?);
        }
        Ok(Some(reply))
    }

    /// The SDK's object for trailers.
    pub(crate) fn trailers(&self, trailers: &Trailers<'_>, context: &mut Context) -> JsResult<JsObject> {
        let mut fields = Vec::new();
        for (name, value) in trailers.iter() {
            let value = values::bytes(value.to_vec(), context)?;
            let field = JsObject::with_object_proto(context.intrinsics());
            field.create_data_property(js_string!("name"), values::text(name.as_bytes()), context)?;
            field.create_data_property(js_string!("value"), value, context)?;
            fields.push(field.into());
        }
        let fields = JsArray::from_iter(fields, context);
        self.trailers.construct(&[fields.into()], None, context)
    }
}

/// Does to trailers what was done to the SDK's object for them.
pub(crate) fn edit(trailers: &mut Trailers<'_>, object: &JsObject, context: &mut Context) -> JsResult<()> {
    for edit in values::elements(&object.get(js_string!("edits"), context)?, "edits", context)? {
        let edit = edit.to_object(context)?;
        let mut text =
            |name| -> JsResult<String> { Ok(edit.get(name, context)?.to_string(context)?.to_std_string_lossy()) };
        let (tag, name) = (text(js_string!("tag"))?, text(js_string!("name"))?);
        let value = edit.get(js_string!("value"), context)?;
        let value = values::content(&value, "the value of a field", context)?;
        match tag.as_str() {
            "set" => trailers.set(&name, value),
            "add" => trailers.add(&name, value),
            _ => trailers.remove(&name),
        }
    }
    Ok(())
}

fn not(hook: &str) -> JsError {
    wrong(&format!("{hook} has returned what it cannot"))
}
