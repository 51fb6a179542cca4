//! What a case of the corpus is.

use tollgate_tests::RawFilter;

/// One way to do harm.
pub(crate) struct Case {
    /// Also the name of its policy and its path.
    pub(crate) name: String,
    /// Where it does it.
    pub(crate) hook: Hook,
    pub(crate) filter: RawFilter,
    pub(crate) fate: Fate,
}

/// What becomes of it.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Fate {
    /// A fault of this class.
    Fault(&'static str),
    /// The exchange goes on: it was only strange.
    Passes,
    /// The filter's own reply.
    Replies(u16),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Hook {
    RequestHead,
    RequestBody,
    RequestTrailers,
    ResponseHead,
    ResponseBody,
    ResponseTrailers,
    ExchangeEnd,
}

impl Hook {
    pub(crate) const ALL: [Self; 7] = [
        Self::RequestHead,
        Self::RequestBody,
        Self::RequestTrailers,
        Self::ResponseHead,
        Self::ResponseBody,
        Self::ResponseTrailers,
        Self::ExchangeEnd,
    ];

    pub(crate) const HEADS: [Self; 2] = [Self::RequestHead, Self::ResponseHead];
    pub(crate) const BODIES: [Self; 2] = [Self::RequestBody, Self::ResponseBody];

    /// The name of its export.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::RequestHead => "on-request-head",
            Self::RequestBody => "on-request-body",
            Self::RequestTrailers => "on-request-trailers",
            Self::ResponseHead => "on-response-head",
            Self::ResponseBody => "on-response-body",
            Self::ResponseTrailers => "on-response-trailers",
            Self::ExchangeEnd => "on-exchange-end",
        }
    }

    /// Flags of `hooks`; only who has seen a hook is told of an exchange's end.
    fn subscription(self) -> u32 {
        if self == Self::ExchangeEnd { 1 | 1 << 6 } else { 1 << (self as u32) }
    }

    /// Where its answer has a list of edits: the offset from its beginning.
    pub(crate) fn edits(self) -> u32 {
        match self {
            Self::RequestBody | Self::ResponseBody => 32,
            _ => 28,
        }
    }
}

/// A filter that does this in that hook and then answers as if nothing had been.
pub(crate) fn deed(what: &str, hook: Hook, does: &str, fields: &str, fate: Fate) -> Case {
    let answer = if hook == Hook::ExchangeEnd { "" } else { "(i32.const 2048)" };
    case(what, hook, &format!("{does} {answer}"), fields, fate)
}

/// A filter whose hook has that body.
pub(crate) fn case(what: &str, hook: Hook, body: &str, fields: &str, fate: Fate) -> Case {
    let filter = RawFilter::new(hook.subscription()).export(hook.name(), body).fields(fields);
    Case { name: format!("{}-{what}", hook.name()), hook, filter, fate }
}
