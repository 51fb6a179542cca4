//! `callout`. Only components have it: what may wait is always called through the component model.

use wasmtime::Result;

use crate::sandbox::bindings::tollgate::filter::callout::{Error, Host, Request, Response};
use crate::sandbox::bindings::tollgate::filter::types::FieldResult as Field;
use crate::sandbox::callout::{CalloutError, CalloutResponse};
use crate::sandbox::instance::HostState;

impl Host for HostState {
    async fn send_all(&mut self, requests: Vec<Request>) -> Result<Vec<std::result::Result<Response, Error>>> {
        let answers = self.call_out(requests).await?;
        Ok(answers.into_iter().map(|answer| answer.map(Response::from).map_err(Error::from)).collect())
    }
}

impl From<CalloutResponse> for Response {
    fn from(response: CalloutResponse) -> Self {
        let field = |(name, value): (&http::HeaderName, &http::HeaderValue)| Field {
            name: name.as_str().to_owned(),
            value: value.as_bytes().to_vec(),
        };
        let fields = response.fields.iter().map(field).collect();
        Self { status: response.status.as_u16(), fields, body: response.body.into() }
    }
}

impl From<CalloutError> for Error {
    fn from(error: CalloutError) -> Self {
        match error {
            CalloutError::NotGranted => Self::NotGranted,
            CalloutError::Invalid(what) => Self::Invalid(what),
            CalloutError::TooMany => Self::TooMany,
            CalloutError::Unavailable => Self::Unavailable,
            CalloutError::Connect => Self::Connect,
            CalloutError::Timeout => Self::Timeout,
            CalloutError::Broken => Self::Broken,
            CalloutError::TooLarge => Self::TooLarge,
        }
    }
}
